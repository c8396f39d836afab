// WASM modules: those the product ships by name, through the sha256 manifest of `sandbox/wasm`, and any that is kept in
// a package layout by its digest. Bytes that differ from the digest are refused on every read.
import { join } from 'node:path';
import { WritError } from '../../errors.js';
import { isList, isDigest, isObject, type Digest } from '../../json.js';
import type { ModuleStore } from '../../runtime/ports.js';
import { bad, decodeObject, MAX_MODULE_BYTES } from './agent-manifest.js';
import { digestOf, readBlob, readBounded, writeBlob } from './oci-blob.js';

const MAX_LIST_BYTES = 1024 * 1024;
const MAX_MODULES = 1_000;
const MODULE_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Modules of `dir`: `manifest.json` {modules: [{name, sha256, source, toolchain}]} and `modules/<name>.wasm`; by digest
 * also the blobs of `layouts`. Throws NOT_FOUND without a manifest, INTEGRITY_PACKAGE for a malformed one,
 * INTEGRITY_DIGEST for other bytes.
 */
export function openModuleManifest(dir: string, layouts: readonly string[] = []): ModuleStore {
  return {
    async names() {
      return [...(await readManifest(dir)).keys()];
    },
    async module(asked) {
      const manifest = await readManifest(dir);
      const name = isDigest(asked) ? [...manifest].find(([, digest]) => digest === asked)?.[0] : asked;
      if (isDigest(asked) && name === undefined) return keptModule(layouts, asked);
      const digest = manifest.get(name ?? '');
      if (digest === undefined || name === undefined) return null;
      const bytes = await readBounded(join(dir, 'modules', `${name}.wasm`), MAX_MODULE_BYTES);
      if (bytes === null) throw bad('module', `module ${name} is in the manifest but its file is missing`);
      const actual = digestOf(bytes);
      if (actual !== digest) {
        throw new WritError(
          'INTEGRITY_DIGEST',
          `module ${name} hashes to ${actual}, its manifest says ${digest}`,
          {
            hint: 'build the modules again: node sandbox/build.mjs',
            details: { expected: digest, actual },
          },
        );
      }
      return { digest, bytes };
    },
  };
}

/**
 * Keeps `bytes` in the layout `dir`, to be found by their digest, which is returned. They are not looked into: the
 * sandbox does that, each time. Throws STORE_IO.
 */
export async function keepModule(dir: string, bytes: Uint8Array): Promise<Digest> {
  await writeBlob(dir, bytes);
  return digestOf(bytes);
}

async function keptModule(
  layouts: readonly string[],
  digest: Digest,
): Promise<{ readonly digest: Digest; readonly bytes: Uint8Array } | null> {
  for (const layout of layouts) {
    const bytes = await readBlob(layout, digest, MAX_MODULE_BYTES);
    if (bytes !== null) return { digest, bytes };
  }
  return null;
}

/** name -> digest, in the manifest's order. A name is safe as a file name: letters, digits and hyphens. */
async function readManifest(dir: string): Promise<ReadonlyMap<string, Digest>> {
  const bytes = await readBounded(join(dir, 'manifest.json'), MAX_LIST_BYTES);
  if (bytes === null) {
    throw new WritError('NOT_FOUND', 'there is no manifest of WASM modules', {
      hint: 'build the modules: node sandbox/build.mjs',
    });
  }
  const modules = decodeObject(bytes, 'module manifest')['modules'];
  if (!isList(modules) || modules.length > MAX_MODULES) {
    throw bad('module manifest', `modules is no list of at most ${MAX_MODULES}`);
  }
  const found = new Map<string, Digest>();
  for (const entry of modules) {
    if (!isObject(entry)) throw bad('module manifest', 'an entry is no object');
    const { name, sha256 } = entry;
    if (typeof name !== 'string' || !MODULE_NAME.test(name))
      throw bad('module manifest', 'a name is not usable');
    const digest = `sha256:${typeof sha256 === 'string' ? sha256 : ''}`;
    if (!isDigest(digest)) throw bad('module manifest', `module ${name} has no sha256`);
    if (found.has(name)) throw bad('module manifest', `module ${name} stands twice`);
    found.set(name, digest);
  }
  return found;
}
