// Erasing for good. The row loses salt and bytes in the commit of its `payload.erased`; the file loses them when it
// is scrubbed. `secure_delete` alone does not do that: when SQLite moves rows between pages it leaves their old bytes
// in the unused part of the page they came from, so the file is written anew (VACUUM) and the write-ahead log cut.
import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from 'better-sqlite3';
import { WritError } from '../../../errors.js';
import type { Commitment } from '../../../json.js';
import type { GroupWriter } from './group-writer.js';

const BUSY_POLL_MS = 5;

const SQL = {
  erase: `UPDATE payload SET salt = NULL, bytes = NULL, erased_by = @entryIndex
    WHERE commitment = @commitment AND erased_by IS NULL AND (salt IS NOT NULL OR bytes IS NOT NULL)`,
  mark: 'INSERT INTO unscrubbed VALUES (?) ON CONFLICT DO NOTHING',
} as const;

/** Inside an open transaction; throws STORE_CONFLICT for a payload that is not there or was erased before. */
export function eraser(db: Database): (commitment: Commitment, entryIndex: bigint) => void {
  return (hex, entryIndex) => {
    const commitment = Buffer.from(hex, 'hex');
    const { changes } = db.prepare(SQL.erase).run({ commitment, entryIndex });
    if (changes !== 1) {
      throw new WritError('STORE_CONFLICT', `payload ${hex} is not there, or was erased meanwhile`, {
        hint: 'read it again and decide anew',
      });
    }
    db.prepare(SQL.mark).run(commitment);
  };
}

/**
 * `done`: no file of the store holds an erased byte. `busy`: another connection was in the way for `waitMs` (it
 * writes, or still reads an old state). `full`: no room for the second copy. Both leave everything as it was.
 */
export async function scrubFile(
  db: Database,
  group: GroupWriter,
  waitMs: number,
): Promise<'done' | 'busy' | 'full'> {
  const giveUpAt = performance.now() + waitMs;
  const untilFree = async (work: () => boolean): Promise<'done' | 'busy' | 'full'> => {
    for (;;) {
      const outcome = await group.alone(() => (work() ? 'done' : 'busy')).catch(harmless);
      if (outcome !== 'busy' || performance.now() >= giveUpAt) return outcome;
      await pause(BUSY_POLL_MS);
    }
  };
  const rewrite = (): boolean => {
    db.exec('VACUUM');
    return true;
  };
  const rewritten = await untilFree(rewrite);
  return rewritten === 'done' ? untilFree(() => isCut(db)) : rewritten;
}

/** Whether the write-ahead log could be copied whole and cut to nothing. */
function isCut(db: Database): boolean {
  const [result] = db.pragma('wal_checkpoint(TRUNCATE)') as readonly { readonly busy: unknown }[];
  return Number(result?.busy) === 0;
}

function harmless(error: unknown): 'busy' | 'full' {
  if (error instanceof WritError && error.code === 'STORE_BUSY') return 'busy';
  if (error instanceof WritError && error.code === 'STORE_FULL') return 'full';
  throw error;
}
