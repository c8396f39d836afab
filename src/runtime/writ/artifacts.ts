// The artifact store as people see it.
import type { Digest } from '../../json.js';
import type { Artifact, ListedArtifact } from '../ports.js';
import type { DataDeclaration } from '../run/data.js';
import type { Principal } from './principal.js';

/** The artifact store as people see it. All throw STORE_*, INTEGRITY_DIGEST and USAGE for what is no name. */
export interface ArtifactRoom {
  /**
   * Durable when it resolves, without the values of known secrets. Asks for `artifact.write` on the name, without one on
   * the digest. `data`: what the bytes carry, and so will every run that reads them; absent = not known, which counts as
   * the worst. Of the same bytes all that was ever said holds. Throws POLICY_*, USAGE, INPUT_INVALID.
   */
  put(
    bytes: Uint8Array,
    name: string | null,
    principal: Principal,
    data?: DataDeclaration,
  ): Promise<StoredArtifact>;
  /** By name or `sha256:…`. Asks for `artifact.read` on it. Throws POLICY_*, NOT_FOUND. */
  get(which: string, principal: Principal): Promise<Artifact>;
  /**
   * Names that begin so and that `principal` may read, in order; '' = all. What may not be read is as if it were not
   * there, and looking leaves nothing in the log.
   */
  list(prefix: string, principal: Principal): Promise<readonly ListedArtifact[]>;
}

export interface StoredArtifact {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Values of secrets were replaced by their handles: the digest is not that of the bytes that were given. */
  readonly isRedacted: boolean;
}
