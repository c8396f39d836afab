// Signs a package of an OCI layout in the key-pair form of cosign, as a release pipeline does it.
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest, Json } from '../../src/json.js';

export interface TestSigner {
  /** As package-signers.yaml has it. */
  readonly key: string;
  readonly sign: (bytes: Uint8Array) => Buffer;
}

export function newSigner(kind: 'p256' | 'ed25519' = 'p256'): TestSigner {
  const { publicKey, privateKey } =
    kind === 'p256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  return {
    key: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    sign: (bytes) => signature(kind, bytes, privateKey),
  };
}

function signature(kind: 'p256' | 'ed25519', bytes: Uint8Array, key: KeyObject): Buffer {
  return sign(kind === 'p256' ? 'sha256' : null, bytes, key);
}

export interface Signing {
  /** What is signed; default: what cosign signs for `digest`. */
  readonly payload?: string;
  /** Of the entry in index.json; default: the tag that cosign gives it. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** What stands for the signature; default: the signer's. */
  readonly signature?: string;
  /** Layers of the manifest before this one. */
  readonly before?: readonly Json[];
}

export function simpleSigning(digest: string, type = 'cosign container image signature'): string {
  const image = { 'docker-manifest-digest': digest };
  return JSON.stringify({ critical: { identity: { 'docker-reference': '' }, image, type }, optional: null });
}

/** A signature as a layer of a manifest, what it signs written into `layout`. */
export function signatureLayer(
  layout: string,
  digest: Digest,
  signer: TestSigner,
  { payload = simpleSigning(digest), signature: given }: Signing = {},
) {
  const signed = put(layout, Buffer.from(payload));
  const encoded = given ?? signer.sign(Buffer.from(payload)).toString('base64');
  const annotations = { 'dev.cosignproject.cosign/signature': encoded };
  return { mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json', ...signed, annotations };
}

/** Adds a signature of `digest` to `layout`; gives the digest of what was signed. */
export function addSignature(
  layout: string,
  digest: Digest,
  signer: TestSigner,
  signing: Signing = {},
): string {
  const { annotations, before = [] } = signing;
  const signed = signatureLayer(layout, digest, signer, signing);
  const config = put(layout, Buffer.from('{"rootfs":{"type":"layers","diff_ids":[]}}'));
  const manifest = put(
    layout,
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
        layers: [...before, signed],
      }),
    ),
  );
  const tag = { 'org.opencontainers.image.ref.name': `${digest.replace(':', '-')}.sig` };
  const path = join(layout, 'index.json');
  const index = JSON.parse(readFileSync(path, 'utf8')) as { manifests: Json[] };
  index.manifests.push({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    ...manifest,
    annotations: annotations ?? tag,
  });
  writeFileSync(path, JSON.stringify(index));
  return signed.digest;
}

function put(layout: string, bytes: Buffer): { readonly digest: string; readonly size: number } {
  const hex = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(layout, 'blobs', 'sha256', hex), bytes);
  return { digest: `sha256:${hex}`, size: bytes.length };
}
