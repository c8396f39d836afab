// What the lists of approvals and tasks have in common: of which run, how many at most, and where an earlier page ended.
import { WritError } from '../errors.js';
import { parseCursor, type Listed } from '../runtime/view/list-cursor.js';

export interface ListFlags {
  /** What is over, too. */
  readonly all?: boolean;
  readonly run?: string;
  /** At most so many, 1 to 100. */
  readonly limit?: number;
  /** Where an earlier page ended. */
  readonly cursor?: string;
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
