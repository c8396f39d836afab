// Whose signatures of agent packages count: package-signers.yaml gives each signer that a ceiling may require a key. Who signs
// a package says who stands for its bytes, and nothing else: what it may do is decided as for any other.
import { compareText, type Problems } from './file/diagnostic.js';
import { pointerSegment, type ReadFile } from './file/document.js';
import type { PackageSignersDocument } from './file/shape.js';

export interface PackageSigner {
  /** As `agents.requireSigners` of a ceiling names it. */
  readonly name: string;
  /** X.509 SubjectPublicKeyInfo of an ECDSA P-256 or Ed25519 key, base64: the middle of a cosign.pub, on one line. */
  readonly key: string;
}

/** Sorted by name. A name has one key and a key one name: two would let one of them sign as two. */
export function collectPackageSigners(
  { source, document: { signers } }: ReadFile<PackageSignersDocument>,
  problems: Problems,
): readonly PackageSigner[] {
  const seen = new Map<string, string>();
  for (const [index, signer] of signers.entries()) {
    for (const field of ['name', 'key'] as const) {
      const what = `${field} ${signer[field]}`;
      const earlier = seen.get(what);
      const at = source.place(`/signers${pointerSegment(index)}/${field}`);
      if (earlier !== undefined) problems.add(source.file, at, `${what} already belongs to ${earlier}`);
      else seen.set(what, signer.name);
    }
  }
  return signers.toSorted((a, b) => compareText(a.name, b.name));
}
