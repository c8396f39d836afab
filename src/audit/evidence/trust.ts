// Reading the signed notes of a bundle under what the reader trusts. Keys come from outside; those that the bundle
// itself suggests are used only when there are none, and then nothing is called verified.
import { WritError } from '../../errors.js';
import { parseCheckpoint, type Checkpoint } from '../checkpoint.js';
import type { Cosignature } from '../cosignature.js';
import type { VerifySignature } from '../ed25519.js';
import { parseNote } from '../note.js';
import { parsePolicy, type TlogPolicy } from '../tlog-policy.js';
import type { Vkey } from '../vkey.js';
import type { Finding } from '../verify/report.js';
import { checkpointOpener } from '../verify/signed-checkpoint.js';
import { seenNotes, trustOf, type SeenNote, type TrustOptions } from '../verify/trust.js';

export interface EvidenceTrust extends TrustOptions {
  /** Signed checkpoints of this log seen elsewhere, whole notes. */
  readonly old?: readonly string[];
}

export type OpenedNote =
  | { readonly checkpoint: Checkpoint; readonly cosignatures: readonly Cosignature[] }
  | {
      readonly verdict: Finding['verdict'];
      readonly message: string;
      /** No trusted key signed it, but a key of the log's name claims to have: one of another time, perhaps. */
      readonly claimed?: { readonly checkpoint: Checkpoint };
    };

export interface Trust {
  /** Log keys from outside; empty = unpinned. */
  readonly pinned: readonly Vkey[];
  /** `pinned`, else those that the bundle suggests: what its parts have to fit. */
  readonly keys: readonly Vkey[];
  /** Witnesses and quorum; null = none were given. */
  readonly policy: TlogPolicy | null;
  /** Reads a signed checkpoint (attacker-controlled) under the trusted keys and `former` ones; never throws. */
  open(note: string, former?: readonly Vkey[]): OpenedNote;
  /** What the reader kept of this log. */
  readonly seen: readonly SeenNote[];
}

/** Throws as `trustOf`, and AUDIT_NOTE_INVALID or AUDIT_CHECKPOINT_INVALID on old checkpoints that can't be read. */
export function evidenceTrust(
  given: EvidenceTrust,
  suggestedPolicy: string | null,
  verify: VerifySignature,
): Trust {
  const { pinned, policy } = trustOf(given);
  const keys = pinned.length > 0 ? pinned : suggestedKeys(suggestedPolicy);
  const witnesses = (policy?.witnesses ?? []).map(({ key }) => key).filter((key) => key.type === 4);
  const seen = seenNotes(given.old, given.trust);
  return {
    pinned,
    keys,
    policy,
    seen,
    open(note, former = []) {
      if (keys.length > 0) return checkpointOpener([...keys, ...former], witnesses, verify)(note);
      // Unpinned, and the bundle suggests no key: the hashes can still be checked.
      const checkpoint = readable(note);
      return checkpoint === null
        ? { verdict: 'malformed', message: 'it is no readable checkpoint' }
        : { checkpoint, cosignatures: [] };
    },
  };
}

/** The checkpoint in a note whose signatures are not looked at; null when it can't be read. */
export function readable(note: string): Checkpoint | null {
  try {
    return parseCheckpoint(parseNote(note).text);
  } catch (error) {
    // Attacker-controlled: the finding about it is made where it is judged.
    if (error instanceof WritError) return null;
    throw error;
  }
}

/** Log keys of the policy inside the bundle: they show whether its parts fit together, no more. */
function suggestedKeys(policy: string | null): readonly Vkey[] {
  if (policy === null) return [];
  try {
    return parsePolicy(policy).logs.map((log) => log.key);
  } catch (error) {
    // A suggestion that can't be read suggests nothing.
    if (error instanceof WritError) return [];
    throw error;
  }
}
