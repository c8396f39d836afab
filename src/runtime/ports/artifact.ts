// Artifacts: bytes under the digest of what they are, and names that refer to them.
import type { Digest } from '../../json.js';

/** Most bytes that one artifact holds: the most data that a run holds. */
export const MAX_ARTIFACT_BYTES = 64 * 1024 * 1024;

/** What the bytes of an artifact carry; null = nobody knows, which counts as the worst. */
export interface ArtifactData {
  readonly labels: readonly string[] | null;
  readonly classification: string | null;
}

/** Bytes that never change, under the digest of what they are. */
export interface Artifact {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** A name refers to the artifact that was put under it last. */
export interface ArtifactName {
  /** `<bucket>/<key>`. */
  readonly name: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface ListedArtifact extends ArtifactName {
  /** When something was put under the name last. */
  readonly storedAtMs: number;
}

/**
 * Files that runs read items from and write results to, content-addressed. It knows nothing of policy. Errors: USAGE for
 * a name that `artifactNameProblem` refuses and for more than MAX_ARTIFACT_BYTES, INTEGRITY_DIGEST, and the fatal STORE_*.
 */
export interface Artifacts {
  digestOf(bytes: Uint8Array): Digest;
  /**
   * Durable when it resolves, what the bytes carry before the bytes and those before the name: a crash at any point leaves
   * the name as it was or as it shall be, and never a name of bytes that are not there. The same again changes nothing.
   */
  put(bytes: Uint8Array, name: string | null, data: ArtifactData): Promise<Digest>;
  /** What every `put` of these bytes has said that they carry; [] = nobody has said anything. */
  dataOf(digest: Digest): Promise<readonly ArtifactData[]>;
  /** What the name refers to; null = there is none. INTEGRITY_DIGEST when the reference is of another name, or broken. */
  find(name: string): Promise<ArtifactName | null>;
  /** Hashed on every read; null = there is none. INTEGRITY_DIGEST when the bytes are others. */
  read(digest: Digest): Promise<Uint8Array | null>;
  /** Whether there are bytes of this digest; they are not looked at. */
  has(digest: Digest): Promise<boolean>;
  /** Names that begin so, in code unit order, at most `limit`. The prefix names a bucket and a `/` at least, or is empty. */
  list(prefix: string, limit: number): Promise<readonly ListedArtifact[]>;
  /**
   * Takes away those of the names that refer to these bytes, then the bytes themselves; false: another name refers to them,
   * and they stay. Absent when it resolves. A `put` of the same bytes at this moment is as if it came after.
   */
  remove(digest: Digest, names: readonly string[]): Promise<boolean>;
}

const ARTIFACT_BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

// Control and format characters, line and paragraph separators, lone surrogates: nothing that a person can't see.
const ARTIFACT_UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

const MAX_ARTIFACT_KEY_BYTES = 1024;

/** Why `name` is no `<bucket>/<key>`, or null. It is attacker-controlled. */
export function artifactNameProblem(name: string): string | null {
  const at = name.indexOf('/');
  const key = name.slice(at + 1);
  if (at < 0 || !ARTIFACT_BUCKET.test(name.slice(0, at))) {
    return 'it does not begin with a bucket of 1 to 63 letters, digits, dots, hyphens, underscores, and a /';
  }
  // A character has a byte at least: what is far too long is not encoded to find that out.
  const bytes = key.length > MAX_ARTIFACT_KEY_BYTES ? key.length : new TextEncoder().encode(key).length;
  if (bytes > MAX_ARTIFACT_KEY_BYTES) return `its key has more than ${MAX_ARTIFACT_KEY_BYTES} bytes`;
  if (ARTIFACT_UNSEEN.test(key)) return 'its key holds characters that can not be seen';
  if (key.includes('\\')) return 'its key holds a backslash';
  const isPath = key.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
  return isPath ? null : 'its key has an empty segment, or . or ..';
}
