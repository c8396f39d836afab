// Agent packages in OCI image layouts. A package is found by its manifest's digest only, never by name or tag, and
// the whole chain manifest -> config -> module is verified on every read: nothing verified is remembered, because
// the files may change between two steps.
import { join } from 'node:path';
import { WritError } from '../../errors.js';
import { isDigest, isObject, type Digest, type Json, type JsonObject } from '../../json.js';
import type { AgentPackage, PackageStore } from '../../runtime/ports.js';
import {
  CONFIG_TYPE,
  decodeConfig,
  decodeManifest,
  decodeObject,
  INDEX_TYPE,
  MANIFEST_TYPE,
  MAX_MANIFEST_BYTES,
  bad,
  type AgentConfig,
  type Descriptor,
} from './agent-manifest.js';
import { readBlob, readBounded, writeAtomically, writeBlob } from './oci-blob.js';
import {
  isSignedBy,
  keyOf,
  MAX_INDEX_BYTES,
  readSignatures,
  signatureManifest,
  type PackageSignature,
} from './package-signatures.js';

const LAYOUT_VERSION = '1.0.0';
const MAX_LAYOUT_BYTES = 4 * 1024;

interface Verified {
  readonly config: AgentConfig;
  /** Manifest, config, module: the order they must not be written in. */
  readonly blobs: { readonly manifest: Uint8Array; readonly config: Uint8Array; readonly module: Uint8Array };
  readonly moduleDigest: Digest;
}

/**
 * Packages of the layouts in `dirs`: of the first one that has the digest, with the signatures of all of them. A layout that
 * doesn't exist holds nothing; one that is broken is an error, not an absence.
 */
export function openOciLayout(dirs: readonly string[]): PackageStore {
  return {
    async resolve(digest) {
      for (const dir of dirs) {
        const found = await verify(dir, digest);
        if (found === null) continue;
        const signed = await Promise.all(dirs.map((one) => readSignatures(one, digest)));
        return packageOf(digest, found, signed.flat());
      }
      return null;
    },
  };
}

/**
 * Copies a verified package without its signatures from one layout into another, creating it when it doesn't exist; importing
 * twice changes nothing. Blobs are durable before the index names the package. One importer per target at a time.
 * Throws NOT_FOUND when `fromDir` has no such package, INTEGRITY_* when it is not what it says, STORE_IO.
 */
export async function importPackage(fromDir: string, toDir: string, digest: Digest): Promise<AgentPackage> {
  const found = await verify(fromDir, digest);
  if (found === null) {
    throw new WritError('NOT_FOUND', `there is no package ${digest} in the layout to import from`, {
      hint: "look the digest up in the layout's index.json",
    });
  }
  const { manifest, config, module } = found.blobs;
  await readLayoutVersion(toDir);
  await writeBlob(toDir, module);
  await writeBlob(toDir, config);
  await writeBlob(toDir, manifest);
  await writeJson(join(toDir, 'oci-layout'), { imageLayoutVersion: LAYOUT_VERSION });
  const size = manifest.length;
  await addToIndex(toDir, [{ mediaType: MANIFEST_TYPE, digest, size, artifactType: CONFIG_TYPE }]);
  return packageOf(digest, found, await readSignatures(fromDir, digest));
}

/**
 * Copies those signatures of a package that the other layout has not, and that one of `keys` has made; nothing else of what
 * they came in. As `importPackage` otherwise.
 */
export async function importSignatures(
  fromDir: string,
  toDir: string,
  digest: Digest,
  keys: readonly string[],
): Promise<void> {
  const known = new Set((await readSignatures(toDir, digest)).map(keyOf));
  const added = (await readSignatures(fromDir, digest))
    .filter((one) => !known.has(keyOf(one)) && keys.some((key) => isSignedBy([one], key)))
    .map((one) => signatureManifest(one, digest));
  for (const bytes of added.flatMap(({ blobs }) => blobs)) await writeBlob(toDir, bytes);
  if (added.length > 0)
    await addToIndex(
      toDir,
      added.map(({ entry }) => entry),
    );
}

async function verify(dir: string, digest: Digest): Promise<Verified | null> {
  if (!isDigest(digest)) throw bad('digest', 'it is not sha256 and 64 hex digits');
  if ((await readLayoutVersion(dir)) === null) return null;
  const manifestBytes = await readBlob(dir, digest, MAX_MANIFEST_BYTES);
  if (manifestBytes === null) return null;
  const manifest = decodeManifest(manifestBytes);
  const configBytes = await readPart(dir, manifest.config, 'config');
  const config = decodeConfig(configBytes);
  if (config.entry !== manifest.module.digest)
    throw bad('config', 'its entry is not the layer of the manifest');
  if (manifest.name !== null && manifest.name !== config.name) {
    throw bad('manifest', 'its annotation and its config give two names');
  }
  const module = await readPart(dir, manifest.module, 'module');
  return {
    config,
    blobs: { manifest: manifestBytes, config: configBytes, module },
    moduleDigest: manifest.module.digest,
  };
}

function packageOf(
  digest: Digest,
  { config, blobs, moduleDigest }: Verified,
  signatures: readonly PackageSignature[],
): AgentPackage {
  return {
    digest,
    name: config.name,
    repository: config.repository,
    module: { digest: moduleDigest, bytes: blobs.module },
    argv: config.argv,
    ceiling: config.ceiling,
    isSignedBy: (key) => isSignedBy(signatures, key),
    ...(config.policy === null ? {} : { policy: config.policy }),
  };
}

/** A part a manifest names must be there, with that size and digest. */
async function readPart(dir: string, part: Descriptor, what: string): Promise<Uint8Array> {
  const bytes = await readBlob(dir, part.digest, part.size);
  if (bytes === null) throw bad(what, `blob ${part.digest} is missing`);
  if (bytes.length !== part.size) {
    throw new WritError(
      'INTEGRITY_SIZE',
      `package ${what} has ${bytes.length} bytes, its manifest says ${part.size}`,
    );
  }
  return bytes;
}

/** null when `dir` is no layout at all; throws INTEGRITY_PACKAGE for a version we don't know. */
async function readLayoutVersion(dir: string): Promise<string | null> {
  const bytes = await readBounded(join(dir, 'oci-layout'), MAX_LAYOUT_BYTES);
  if (bytes === null) return null;
  const version = decodeObject(bytes, 'layout')['imageLayoutVersion'];
  if (version !== LAYOUT_VERSION) throw bad('layout', `its version is not ${LAYOUT_VERSION}`);
  return LAYOUT_VERSION;
}

async function addToIndex(dir: string, entries: readonly JsonObject[]): Promise<void> {
  const path = join(dir, 'index.json');
  const bytes = await readBounded(path, MAX_INDEX_BYTES);
  const index: JsonObject =
    bytes === null
      ? { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [] }
      : decodeObject(bytes, 'index');
  const manifests = index['manifests'];
  if (!isList(manifests)) throw bad('index', 'it has no list of manifests');
  const known = new Set(manifests.map((entry) => (isObject(entry) ? entry['digest'] : null)));
  const added = entries.filter((entry) => !known.has(entry['digest'] ?? null));
  if (added.length > 0) await writeJson(path, { ...index, manifests: [...manifests, ...added] });
}

function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

async function writeJson(path: string, value: JsonObject): Promise<void> {
  await writeAtomically(path, Buffer.from(`${JSON.stringify(value, null, 2)}\n`));
}
