// Rule 2: what a log says of itself before any entry is read: its own key, its newest checkpoint, and the one that an
// unfinished publication leads to. All of it is attacker-controlled; what can't be believed becomes a finding.
import { parseCheckpoint, type Checkpoint } from '../checkpoint.js';
import type { VerifySignature } from '../ed25519.js';
import { parseNote } from '../note.js';
import { parseVkey, type Vkey } from '../vkey.js';
import type { FindingList } from './report.js';
import { checkpointOpener, type OpenCheckpoint, type OpenedCheckpoint } from './signed-checkpoint.js';
import type { LogSource } from './source.js';
import type { KnownLog } from './trust.js';

/** Advice for whoever holds the key of yesterday. */
export const ROTATED =
  "if the log's key was replaced, get the new vkey from whoever runs the log and pin that: a log can't introduce its own successor";

/** The file `vkey`. */
export type OwnKey = Vkey | 'absent' | 'unreadable';

/** Whether it is trusted is not asked here. */
export async function ownKey(source: LogSource, findings: FindingList): Promise<OwnKey> {
  const bytes = await source.get('vkey');
  if (bytes === null) return 'absent';
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return parseVkey(text.endsWith('\n') ? text.slice(0, -1) : '');
  } catch {
    // Whatever is wrong with it, the file is not the one line it must be.
    findings.add('malformed', 'vkey is not one line with a vkey', { path: 'vkey' });
    return 'unreadable';
  }
}

export interface NewestOptions {
  readonly open: OpenCheckpoint;
  /** What this machine saw of the log. */
  readonly known: KnownLog | null;
  readonly verify: VerifySignature;
}

/** `checkpoint`: note, signature, text, origin; null when it is not to be believed. */
export async function newestCheckpoint(
  source: LogSource,
  { open, known, verify }: NewestOptions,
  findings: FindingList,
): Promise<OpenedCheckpoint | null> {
  const path = 'checkpoint';
  const bytes = await source.get(path);
  if (bytes === null) {
    findings.add('missing', 'checkpoint is missing', { path });
    return null;
  }
  const read = open(bytes);
  if (!('verdict' in read)) return read;
  const older = read.claimed === undefined ? null : olderThanKnown(bytes, known, verify);
  if (older !== null) findings.add('rollback', older, { path });
  else
    findings.add(read.verdict, read.claimed === undefined ? read.message : `${read.message}; ${ROTATED}`, {
      path,
    });
  return null;
}

/** A log from before its key was replaced, where this machine has seen the larger one of today; null = it is not. */
function olderThanKnown(note: Uint8Array, known: KnownLog | null, verify: VerifySignature): string | null {
  if (!known?.checkpoint || known.former === undefined) return null;
  const seen = parseCheckpoint(parseNote(known.checkpoint).text);
  const read = checkpointOpener(known.former.map(parseVkey), [], verify)(note);
  if ('verdict' in read || read.checkpoint.origin !== seen.origin || read.checkpoint.size >= seen.size)
    return null;
  const { size } = read.checkpoint;
  return `the checkpoint of size ${size} is of a key that was replaced; this machine verified size ${seen.size}`;
}

/**
 * The signed checkpoint of a publication that a crash interrupted, or that goes on right now: files up to its size
 * are no damage. Null when there is none, or when `checkpoint` has reached it.
 */
export async function pendingCheckpoint(
  source: LogSource,
  open: OpenCheckpoint,
  newest: Checkpoint,
  findings: FindingList,
  warnings: string[],
): Promise<Checkpoint | null> {
  const path = 'pending';
  const bytes = await source.get(path);
  if (bytes === null) return null;
  const read = open(bytes);
  if ('verdict' in read) {
    findings.add(read.verdict, `pending: ${read.message}`, { path });
    return null;
  }
  const { checkpoint } = read;
  if (checkpoint.origin !== newest.origin) {
    findings.add('wrong-origin', `pending is of ${checkpoint.origin}, this log is ${newest.origin}`, {
      path,
    });
    return null;
  }
  if (checkpoint.size <= newest.size) return null;
  const message = `the publication of size ${checkpoint.size} is unfinished: only ${newest.size} entries were judged`;
  warnings.push(message);
  return checkpoint;
}
