// Signatures of agent packages in the key-pair form of cosign: an image manifest beside the package, under the tag
// `sha256-<hex>.sig`, each layer a signed text that names the package's digest, its signature in an annotation. All of it is
// attacker-controlled: what is not understood is nobody's signature. Only a part that is not what its digest says is an error.
import { createPublicKey, verify } from 'node:crypto';
import { join } from 'node:path';
import { WritError } from '../../errors.js';
import { isDigest, isObject, readJson, type Digest, type Json, type JsonObject } from '../../json.js';
import { MANIFEST_TYPE, MAX_MANIFEST_BYTES } from './agent-manifest.js';
import { digestOf, readBlob, readBounded } from './oci-blob.js';

const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const PAYLOAD_KIND = 'cosign container image signature';
const SIGNATURE = 'dev.cosignproject.cosign/signature';
const TAG = 'org.opencontainers.image.ref.name';
/** How `cosign save` marks them, which writes no tag. */
const SAVED = 'dev.cosignproject.cosign/sigs';

export const MAX_INDEX_BYTES = 4 * 1024 * 1024;
const MAX_PAYLOAD_BYTES = 4 * 1024;
/** Of one package and layout, and of one manifest; further ones are nobody's. */
const MAX_SIGNATURES = 32;
/** Manifests of one layout that are read for one package. */
const MAX_LOOKED_AT = 1_000;

/** One signature that came with a package; nobody has verified it. */
export interface PackageSignature {
  /** What was signed, byte for byte. */
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * What a layout has of signatures of this package, each once, at most MAX_SIGNATURES; none where there is no layout. Throws
 * INTEGRITY_* for parts that are not what they are called by, STORE_IO.
 */
export async function readSignatures(layout: string, digest: Digest): Promise<readonly PackageSignature[]> {
  if ((await readBounded(join(layout, 'oci-layout'), MAX_MANIFEST_BYTES)) === null) return [];
  const found = new Map<string, PackageSignature>();
  for (const named of await candidates(layout, tagOf(digest))) {
    const manifest = await readObject(layout, named, MAX_MANIFEST_BYTES);
    if (manifest === null || manifest.value['mediaType'] !== MANIFEST_TYPE) continue;
    const layers = manifest.value['layers'];
    for (const layer of isList(layers) ? layers.slice(0, MAX_SIGNATURES) : []) {
      if (found.size === MAX_SIGNATURES) return [...found.values()];
      const signature = await readLayer(layout, layer, digest);
      if (signature !== null) found.set(keyOf(signature), signature);
    }
  }
  return [...found.values()];
}

/** The same signature over the same text, whatever else is written around the two. */
export function keyOf({ payload, signature }: PackageSignature): string {
  return `${digestOf(payload)} ${Buffer.from(signature).toString('base64')}`;
}

/** A signature as a layout holds it: in a manifest of its own, of which nothing but the two is anybody else's. */
export interface SignatureManifest {
  /** For index.json. */
  readonly entry: JsonObject;
  /** What it names, and the manifest itself: in the order they may be written in. */
  readonly blobs: readonly Uint8Array[];
}

export function signatureManifest(signed: PackageSignature, digest: Digest): SignatureManifest {
  const config = Buffer.from('{}');
  const part = (mediaType: string, bytes: Uint8Array): JsonObject => ({
    ...{ mediaType, digest: digestOf(bytes), size: bytes.length },
  });
  const annotations = { [SIGNATURE]: Buffer.from(signed.signature).toString('base64') };
  const content: JsonObject = {
    ...{ schemaVersion: 2, mediaType: MANIFEST_TYPE, config: part(CONFIG_TYPE, config) },
    layers: [{ ...part(PAYLOAD_TYPE, signed.payload), annotations }],
  };
  const manifest = Buffer.from(JSON.stringify(content));
  return {
    entry: { ...part(MANIFEST_TYPE, manifest), annotations: { [TAG]: tagOf(digest) } },
    blobs: [signed.payload, config, manifest],
  };
}

/**
 * Whether `key` (an X.509 SubjectPublicKeyInfo, base64) has signed: ECDSA over P-256 with SHA-256, or Ed25519. Never throws.
 */
export function isSignedBy(signatures: readonly PackageSignature[], key: string): boolean {
  try {
    const publicKey = createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' });
    const hash = publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    return signatures.some(({ payload, signature }) => verify(hash, payload, publicKey, signature));
  } catch {
    return false;
  }
}

/**
 * Digests in index.json that may be of manifests of signatures: by the tag of the package, and behind them what `cosign save` has
 * written, which names no package.
 */
async function candidates(layout: string, tag: string): Promise<readonly Json[]> {
  const bytes = await readBounded(join(layout, 'index.json'), MAX_INDEX_BYTES);
  const index = bytes === null ? null : parse(bytes);
  const manifests = index === null ? null : index['manifests'];
  if (!isList(manifests)) return [];
  const where = (name: string, value: string): readonly Json[] =>
    manifests.flatMap((entry) => {
      const annotations = isObject(entry) ? entry['annotations'] : undefined;
      const isIt = isObject(annotations) && annotations[name] === value;
      return isIt && isObject(entry) ? [entry['digest'] ?? null] : [];
    });
  return [...new Set([...where(TAG, tag), ...where('kind', SAVED)])].slice(0, MAX_LOOKED_AT);
}

function tagOf(digest: Digest): string {
  return `${digest.replace(':', '-')}.sig`;
}

/** Null for a layer that is no signature of this package. */
async function readLayer(
  layout: string,
  layer: Json | undefined,
  digest: Digest,
): Promise<PackageSignature | null> {
  if (!isObject(layer) || layer['mediaType'] !== PAYLOAD_TYPE) return null;
  const annotations = layer['annotations'];
  const encoded = isObject(annotations) ? annotations[SIGNATURE] : undefined;
  if (typeof encoded !== 'string' || !BASE64.test(encoded)) return null;
  const read = await readObject(layout, layer['digest'], MAX_PAYLOAD_BYTES);
  if (read === null || !speaksOf(read.value, digest)) return null;
  return { payload: read.bytes, signature: Buffer.from(encoded, 'base64') };
}

const BASE64 = /^[A-Za-z0-9+/]{4,1024}={0,2}$/;

/** What was signed says that it is a signature of an image, and of which one; the name of its repository is no promise. */
function speaksOf({ critical }: JsonObject, digest: Digest): boolean {
  if (!isObject(critical) || critical['type'] !== PAYLOAD_KIND) return false;
  const image = critical['image'];
  return isObject(image) && image['docker-manifest-digest'] === digest;
}

async function readObject(
  layout: string,
  digest: Json | undefined,
  maxBytes: number,
): Promise<{ readonly bytes: Uint8Array; readonly value: JsonObject } | null> {
  if (typeof digest !== 'string' || !isDigest(digest)) return null;
  const bytes = await readBlob(layout, digest, maxBytes).catch(noneIfTooLarge);
  const value = bytes === null ? null : parse(bytes);
  return bytes === null || value === null ? null : { bytes, value };
}

/** What is larger than such a part is something else. */
function noneIfTooLarge(error: unknown): null {
  if (error instanceof WritError && error.code === 'INTEGRITY_SIZE') return null;
  throw error;
}

/** Null for what is no JSON object. Only single members of it are looked at, so that depth does no harm. */
function parse(bytes: Uint8Array): JsonObject | null {
  try {
    const value = readJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}
