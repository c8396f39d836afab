// Turns entry drafts into rows of the log. Pure: the store calls it inside its write transaction, so an entry's
// place (index, seq, prev, time) and the run state it records become durable together or not at all.
import { appendLeaf, buildEntry, sha256, treeHasher, type Sha256 } from '../../audit/index.js';
import { WritError } from '../../errors.js';
import type { ChainTail, ExtendLog, LogRow, SubtreeRow } from '../ports.js';

/** Binary levels of the tree that one tile holds: 2^8 = 256. */
const TILE_LEVELS = 8;

/** How far a clock may be behind the log's last entry: adjustments, and the clocks of two processes. */
const MAX_CLOCK_STEP_MS = 5 * 60_000;
/** Year 9000: every expiry that is added to it still has a year of four digits. */
const MAX_TIME_MS = 221_845_392_000_000;

/**
 * The log's time: now, or its last time when the clock went back a little. A clock far behind the log would let time,
 * and with it every expiry, stand still until it has caught up: STORE_CLOCK, nothing is written.
 */
export function logTime(nowMs: number, lastTimeMs: number): number {
  const problem =
    nowMs > MAX_TIME_MS
      ? 'the clock is beyond the year 9000'
      : lastTimeMs - nowMs > MAX_CLOCK_STEP_MS
        ? `the clock is ${Math.round((lastTimeMs - nowMs) / 1000)} s behind the last entry of the log`
        : null;
  if (problem === null) return Math.max(nowMs, lastTimeMs);
  throw new WritError('STORE_CLOCK', problem, { hint: 'set the clock right; until then nothing runs' });
}

/**
 * Rows in the order of `drafts`. Time is `nowMs`, or the log's last time when the clock went back. `tails` needs
 * the tail of every run in `drafts` that has one ('' = the log's own chain). Cost does not depend on the log's size.
 * Throws STORE_CLOCK, AUDIT_ENTRY_INVALID (also beyond 65,535 bytes), AUDIT_JSON_INVALID, and STORE_CONFLICT for an entry that
 * is too late (`beforeMs`); then nothing may be written.
 */
export function extendLogWith(hash: Sha256): ExtendLog {
  const hasher = treeHasher(hash);
  return (log, tails, drafts, nowMs) => {
    if (!Number.isSafeInteger(nowMs))
      throw new WritError('INTERNAL', `${nowMs} is no time in whole milliseconds`);
    const timeMs = logTime(nowMs, log.lastTimeMs);
    const ends = new Map<string, ChainTail>();
    const rows: LogRow[] = [];
    const subtrees: SubtreeRow[] = [];
    const seen = (level: number, index: bigint, hash: Uint8Array): void => {
      if (level % TILE_LEVELS === 0) subtrees.push({ level: level / TILE_LEVELS, index, hash });
    };
    let range: readonly Uint8Array[] = log.compactRange;
    let size = log.size;
    for (const draft of drafts) {
      if (draft.beforeMs !== undefined && timeMs >= draft.beforeMs)
        throw new WritError('STORE_CONFLICT', `${draft.type} came too late`, {
          hint: 'read it again and decide anew',
        });
      // '' is how rows name the log's own chain, so no run may be called that.
      if (draft.run === '') throw new WritError('AUDIT_ENTRY_INVALID', 'a run id is empty');
      const run = draft.run ?? '';
      const tail = ends.get(run) ?? tails.get(run) ?? null;
      const seq = tail === null ? 0 : tail.seq + 1;
      const bytes = buildEntry(draft, { seq, prev: tail?.leafHash ?? null, timeMs });
      const leafHash = hasher.leaf(bytes);
      range = appendLeaf(range, size, leafHash, seen, hasher.node);
      rows.push({ index: size, bytes, leafHash, run, seq, type: draft.type });
      ends.set(run, { seq, leafHash });
      size += 1n;
    }
    const lastTimeMs = drafts.length === 0 ? log.lastTimeMs : timeMs;
    return { log: { ...log, size, compactRange: range, lastTimeMs }, rows, subtrees };
  };
}

/** `extendLogWith` the portable SHA-256. */
export const extendLog: ExtendLog = extendLogWith(sha256);
