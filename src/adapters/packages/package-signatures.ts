// Signatures of agent packages in the key-pair form of cosign: an image manifest beside the package, under the tag
// `sha256-<hex>.sig`, each layer a signed text that names the package's digest, its signature in an annotation. All of it is
// attacker-controlled: what is not understood is nobody's signature, and it is never an error of the package itself.
import { createPublicKey, verify } from 'node:crypto';
import { join } from 'node:path';
import { isDigest, isObject, type Digest, type Json, type JsonObject } from '../../json.js';
import { MANIFEST_TYPE, MAX_MANIFEST_BYTES } from './agent-manifest.js';
import { readBlob, readBounded } from './oci-blob.js';

const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const PAYLOAD_KIND = 'cosign container image signature';
const SIGNATURE = 'dev.cosignproject.cosign/signature';
const TAG = 'org.opencontainers.image.ref.name';
/** How `cosign save` marks them, which writes no tag. */
const SAVED = 'dev.cosignproject.cosign/sigs';

export const MAX_INDEX_BYTES = 4 * 1024 * 1024;
const MAX_PAYLOAD_BYTES = 64 * 1024;
/** Of one package; further ones are nobody's. */
const MAX_SIGNATURES = 32;
const MAX_MANIFESTS = 64;

/** One signature that came with a package; nobody has verified it. */
export interface PackageSignature {
  /** What was signed, byte for byte. */
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** Signatures of a package, and the parts they came in: for a copy of the layout. */
export interface FoundSignatures {
  readonly signatures: readonly PackageSignature[];
  /** Entries of index.json. */
  readonly entries: readonly JsonObject[];
  /** Everything those entries name: parts before the manifests that name them. */
  readonly blobs: readonly Uint8Array[];
}

/** The signatures that a layout has of this package. Throws INTEGRITY_DIGEST, INTEGRITY_SIZE, STORE_IO. */
export async function readSignatures(layout: string, digest: Digest): Promise<FoundSignatures> {
  const signatures: PackageSignature[] = [];
  const entries: JsonObject[] = [];
  const blobs: Uint8Array[] = [];
  for (const entry of await candidates(layout, digest)) {
    const manifest = await readJson(layout, entry['digest'], MAX_MANIFEST_BYTES);
    const layers = manifest === null ? null : manifest.value['layers'];
    if (manifest === null || !isList(layers) || manifest.value['mediaType'] !== MANIFEST_TYPE) continue;
    const parts: Uint8Array[] = [];
    for (const layer of layers.slice(0, MAX_SIGNATURES - signatures.length)) {
      const found = await readLayer(layout, layer, digest);
      if (found === null) continue;
      signatures.push(found);
      parts.push(found.payload);
    }
    if (parts.length === 0) continue;
    const config = await readJson(layout, digestIn(manifest.value['config']), MAX_MANIFEST_BYTES);
    blobs.push(...parts, ...(config === null ? [] : [config.bytes]), manifest.bytes);
    entries.push(entry);
  }
  return { signatures, entries, blobs };
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

/** Entries of index.json that may be a manifest of signatures of `digest`: by their tag, or as `cosign save` writes them. */
async function candidates(layout: string, digest: Digest): Promise<readonly JsonObject[]> {
  const bytes = await readBounded(join(layout, 'index.json'), MAX_INDEX_BYTES);
  const index = bytes === null ? null : parse(bytes);
  const manifests = index === null ? null : index['manifests'];
  if (!isList(manifests)) return [];
  const tag = `${digest.replace(':', '-')}.sig`;
  const found = manifests.filter((entry): entry is JsonObject => {
    const annotations = isObject(entry) ? entry['annotations'] : undefined;
    return isObject(annotations) && (annotations[TAG] === tag || annotations['kind'] === SAVED);
  });
  return found.slice(0, MAX_MANIFESTS);
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
  const read = await readJson(layout, layer['digest'], MAX_PAYLOAD_BYTES);
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

function digestIn(descriptor: Json | undefined): Json | undefined {
  return isObject(descriptor) ? descriptor['digest'] : undefined;
}

async function readJson(
  layout: string,
  digest: Json | undefined,
  maxBytes: number,
): Promise<{ readonly bytes: Uint8Array; readonly value: JsonObject } | null> {
  if (typeof digest !== 'string' || !isDigest(digest)) return null;
  const bytes = await readBlob(layout, digest, maxBytes);
  const value = bytes === null ? null : parse(bytes);
  return bytes === null || value === null ? null : { bytes, value };
}

/** Null for what is no JSON object. Only single members of it are looked at, so that depth does no harm. */
function parse(bytes: Uint8Array): JsonObject | null {
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json;
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}
