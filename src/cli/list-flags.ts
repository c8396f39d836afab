// What the lists of approvals and tasks have in common: of which run, how many at most, and where an earlier page ended.
import { WritError } from '../errors.js';
import { MAX_LISTED, parseCursor, type Listed } from '../runtime/list-cursor.js';

export interface ListFlags {
  /** What is over, too. */
  readonly all?: boolean;
  readonly run?: string;
  /** At most so many, 1 to 100. */
  readonly limit?: string;
  /** Where an earlier page ended. */
  readonly cursor?: string;
}

/** Throws USAGE. */
export function limitOf(text: string | undefined): number {
  if (text === undefined) return MAX_LISTED;
  const limit = /^[1-9]\d{0,2}$/u.test(text) ? Number(text) : Infinity;
  if (limit <= MAX_LISTED) return limit;
  throw new WritError('USAGE', `--limit is a number from 1 to ${MAX_LISTED}`);
}

/** The record behind which a list goes on; null without a cursor. Throws USAGE. */
export function afterOf(cursor: string | undefined, prefix: 'apr' | 'tsk'): Listed | null {
  if (cursor === undefined) return null;
  const after = parseCursor(cursor, prefix);
  if (after !== null) return after;
  const list = prefix === 'apr' ? 'writ approvals list' : 'writ task list';
  throw new WritError('USAGE', '--cursor is one that an earlier list gave', {
    hint: `leave it out to begin with the oldest: ${list}`,
  });
}
