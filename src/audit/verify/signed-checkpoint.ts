// Reading one signed checkpoint against the trusted keys: a readable note, a trusted signature, the right origin.
import { WritError } from '../../errors.js';
import { parseCheckpoint, type Checkpoint } from '../checkpoint.js';
import type { VerifySignature } from '../ed25519.js';
import { verifyNote } from '../note.js';
import type { Vkey } from '../vkey.js';

export type ReadCheckpoint =
  | { readonly checkpoint: Checkpoint; readonly text: string }
  | { readonly verdict: 'malformed' | 'bad-signature' | 'wrong-origin'; readonly message: string };

/** Opens checkpoints of one log: `keys` are its trusted log keys, all of type 1. */
export type OpenCheckpoint = (note: string | Uint8Array) => ReadCheckpoint;

/** Never throws on what is in the note (attacker-controlled). */
export function checkpointOpener(keys: readonly Vkey[], verify: VerifySignature): OpenCheckpoint {
  return (note) => {
    try {
      const opened = verifyNote(note, keys, verify);
      const checkpoint = parseCheckpoint(opened.text);
      if (!opened.keys.some((key) => key.name === checkpoint.origin)) {
        const signers = opened.keys.map((key) => key.name).join(', ');
        return {
          verdict: 'wrong-origin',
          message: `checkpoint of ${checkpoint.origin}, signed by ${signers}`,
        };
      }
      return { checkpoint, text: opened.text };
    } catch (error) {
      if (!(error instanceof WritError)) throw error;
      const unsigned = error.details !== undefined && 'badSignature' in error.details;
      return { verdict: unsigned ? 'bad-signature' : 'malformed', message: error.message };
    }
  };
}
