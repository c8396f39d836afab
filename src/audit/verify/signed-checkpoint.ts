// Reading one signed checkpoint against the trusted keys: a readable note, a signature of a trusted log key, the right
// origin, and who witnessed it. A witness's line never stands for the log's.
import { WritError } from '../../errors.js';
import { parseCheckpoint, type Checkpoint } from '../checkpoint.js';
import type { Cosignature } from '../cosignature.js';
import type { VerifySignature } from '../ed25519.js';
import { noteCosignatures, parseNote, verifyNote } from '../note.js';
import type { Vkey } from '../vkey.js';

export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly text: string;
  /** Trusted log keys that signed it; empty only where there is no key at all. */
  readonly signers: readonly Vkey[];
  /** Of the trusted witnesses. */
  readonly cosignatures: readonly Cosignature[];
}

export interface RefusedCheckpoint {
  readonly verdict: 'malformed' | 'bad-signature' | 'wrong-origin';
  readonly message: string;
  /** No trusted key signed it, but a key of the same name claims to have: it may be one that was replaced. */
  readonly claimed?: Omit<OpenedCheckpoint, 'signers'>;
}

export type ReadCheckpoint = OpenedCheckpoint | RefusedCheckpoint;

/** Opens checkpoints of one log. */
export type OpenCheckpoint = (note: string | Uint8Array) => ReadCheckpoint;

/**
 * `keys` are the log's trusted keys (type 1), `witnesses` the trusted witnesses'. What it returns never throws on
 * what is in the note (attacker-controlled). A known line that fails refuses the note, a witness's included.
 */
export function checkpointOpener(
  keys: readonly Vkey[],
  witnesses: readonly Vkey[],
  verify: VerifySignature,
): OpenCheckpoint {
  return (note) => {
    try {
      const { signatures, text } = parseNote(note);
      const cosignatures = noteCosignatures(note, witnesses, verify);
      const ids = new Set(keys.map((key) => `${key.name}+${key.keyId}`));
      if (!signatures.some((line) => ids.has(`${line.name}+${line.keyId}`))) {
        const checkpoint = claimedCheckpoint(text);
        const claims = signatures.find((line) => line.name === checkpoint?.origin);
        if (checkpoint === null || claims === undefined || !keys.some((key) => key.name === claims.name)) {
          return { verdict: 'bad-signature', message: 'no trusted key signed it' };
        }
        const message = `no trusted key signed it; ${claims.name}+${claims.keyId} may have`;
        return { verdict: 'bad-signature', message, claimed: { checkpoint, text, cosignatures } };
      }
      const signers = verifyNote(note, keys, verify).keys;
      const checkpoint = parseCheckpoint(text);
      if (!signers.some((key) => key.name === checkpoint.origin)) {
        const names = signers.map((key) => key.name).join(', ');
        return { verdict: 'wrong-origin', message: `checkpoint of ${checkpoint.origin}, signed by ${names}` };
      }
      return { checkpoint, text, signers, cosignatures };
    } catch (error) {
      return refusalOf(error);
    }
  };
}

/** Opens checkpoints where there is no log key at all: hashes and witnesses can still be checked, and nothing is verified. */
export function keylessOpener(witnesses: readonly Vkey[], verify: VerifySignature): OpenCheckpoint {
  return (note) => {
    try {
      const { text } = parseNote(note);
      const cosignatures = noteCosignatures(note, witnesses, verify);
      return { checkpoint: parseCheckpoint(text), text, signers: [], cosignatures };
    } catch (error) {
      return refusalOf(error);
    }
  };
}

/** What is wrong with a note; rethrows what is no verdict about it. */
function refusalOf(error: unknown): RefusedCheckpoint {
  if (!(error instanceof WritError)) throw error;
  const unsigned = error.details !== undefined && 'badSignature' in error.details;
  return { verdict: unsigned ? 'bad-signature' : 'malformed', message: error.message };
}

function claimedCheckpoint(text: string): Checkpoint | null {
  try {
    return parseCheckpoint(text);
  } catch (error) {
    // Nobody trusted signed it, which is what will be said of it.
    if (error instanceof WritError) return null;
    throw error;
  }
}
