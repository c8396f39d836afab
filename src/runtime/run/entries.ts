// The public part of a run's entries, for whoever follows a run that another process advances. What the log holds is
// proven elsewhere (log/view.ts, and by verifiers): this tells what is stored.
import { parseEntry } from '../../audit/entry.js';
import type { LogRow, Store } from '../ports.js';
import type { RunEntry } from '../writ.js';

const DEFAULT_LIMIT = 1_000;

/** In order. Throws AUDIT_ENTRY_INVALID for bytes that are no entry. */
export async function runEntries(
  store: Pick<Store, 'entriesOfRun'>,
  run: string,
  { from = 0, limit = DEFAULT_LIMIT }: { readonly from?: number; readonly limit?: number } = {},
): Promise<readonly RunEntry[]> {
  // '' is how rows name the log's own chain.
  return run === '' ? [] : (await store.entriesOfRun(run, { from, limit })).map(entryOf);
}

function entryOf({ bytes, seq, type, run }: LogRow): RunEntry {
  const { data, time } = parseEntry(bytes);
  return { seq, type, run, timeMs: Date.parse(time), data };
}
