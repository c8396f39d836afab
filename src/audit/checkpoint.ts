// Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, as the text of a signed note. The origin is
// the name of the log's key. Extension lines are kept and covered by the signature, never interpreted.
import { WritError } from '../errors.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import type { Sign } from './ed25519.js';
import { signNote } from './note.js';
import { emptyRoot, equalBytes } from './tree-hash.js';
import { parseTreeSize } from './tree-size.js';
import { parseVkey } from './vkey.js';

export interface Checkpoint {
  readonly origin: string;
  readonly size: bigint;
  /** 32 bytes. */
  readonly root: Uint8Array;
  readonly extensions: readonly string[];
}

/** `origin\nsize\nbase64(root)\n`, no extension lines. */
export function formatCheckpoint(origin: string, size: bigint, root: Uint8Array): string {
  return `${origin}\n${size}\n${encodeBase64(root)}\n`;
}

/**
 * The checkpoint in a note's text (attacker-controlled, without its signatures).
 * Throws AUDIT_CHECKPOINT_INVALID; never returns a partial checkpoint.
 */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n');
  if (lines.length < 4 || lines.pop() !== '') throw invalid('it does not have three full lines');
  const [origin = '', sizeText = '', rootText = '', ...extensions] = lines;
  if (origin === '') throw invalid('the origin is empty');
  const size = parseTreeSize(sizeText);
  if (size === null) throw invalid('the size is no decimal number up to 2^63-1');
  const root = decodeBase64(rootText);
  if (root?.length !== 32) throw invalid('the root is not the base64 of 32 bytes');
  if (size === 0n && !equalBytes(root, emptyRoot())) throw invalid('size 0 needs the empty root');
  if (extensions.includes('')) throw invalid('an extension line is empty');
  return { origin, size, root, extensions };
}

/** The signed checkpoint of a log whose key is `vkey`; the key's name is the origin. Throws AUDIT_KEY_INVALID. */
export function signCheckpoint(vkey: string, size: bigint, root: Uint8Array, sign: Sign): string {
  const key = parseVkey(vkey);
  if (key.type !== 1) {
    throw new WritError('AUDIT_KEY_INVALID', 'a checkpoint is signed with a log key of type 1');
  }
  return signNote(formatCheckpoint(key.name, size, root), key, sign);
}

function invalid(reason: string): WritError {
  return new WritError('AUDIT_CHECKPOINT_INVALID', `invalid checkpoint: ${reason}`, {
    hint: 'get the file again from where it was published',
  });
}
