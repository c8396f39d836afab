// What the log says of a run, for `writ audit show`: its entries in order, read from the store and believed no further
// than their bytes go. Leaf hashes are computed here, and the run's chain must hold; whether the tree holds them is for
// `writ audit verify` to say.
import { equalBytes, leafHash, parseEntry, type Entry } from '../../audit/index.js';
import { WritError } from '../../errors.js';
import type { LogRow, Store } from '../ports.js';

export interface AuditEntry {
  readonly index: bigint;
  /** 32 bytes, of `bytes`. */
  readonly leafHash: Uint8Array;
  readonly bytes: Uint8Array;
  readonly entry: Entry;
  /** A `step.intended` without an outcome: it runs, or a crash took it. */
  readonly isOpen: boolean;
}

export interface AuditRun {
  readonly run: string;
  /** Size of the whole log when it was read. */
  readonly size: bigint;
  readonly entries: readonly AuditEntry[];
}

/** Throws NOT_FOUND for a run without entries, AUDIT_ENTRY_INVALID when a row or the run's chain was changed. */
export async function auditRun(store: Pick<Store, 'log' | 'entriesOfRun'>, run: string): Promise<AuditRun> {
  const { size } = await store.log();
  // '' is how rows name the log's own chain.
  const rows = run === '' ? [] : await store.entriesOfRun(run);
  if (rows.length === 0) {
    throw new WritError('NOT_FOUND', `the log has no entry of run ${run}`, {
      hint: 'list the runs: writ workflow list --runs',
    });
  }
  const entries = rows.map(readRow);
  let before: string | null = null;
  for (const [seq, { index, entry, leafHash: hash }] of entries.entries()) {
    if (entry.run !== run || entry.seq !== seq || entry.prev !== before) throw outOfPlace(index, run);
    before = Buffer.from(hash).toString('hex');
  }
  const outcomes = new Set(entries.map(({ entry }) => outcomeOf(entry)));
  const isOpen = ({ entry, leafHash: hash }: AuditEntry): boolean =>
    entry.type === 'step.intended' && !outcomes.has(Buffer.from(hash).toString('hex'));
  return { run, size, entries: entries.map((one) => ({ ...one, isOpen: isOpen(one) })) };
}

/** The entry at `index`; its run's later entries say whether it is open. Throws NOT_FOUND, AUDIT_ENTRY_INVALID. */
export async function auditEntry(
  store: Pick<Store, 'log' | 'entries' | 'entriesOfRun'>,
  index: bigint,
): Promise<AuditEntry> {
  const one = readRow(await rowAt(store, index));
  if (one.entry.run === null) return one;
  const { entries } = await auditRun(store, one.entry.run);
  const found = entries.find((entry) => entry.index === index);
  if (found === undefined) throw outOfPlace(index, one.entry.run);
  return found;
}

/** The row at `index`; NOT_FOUND beyond the end of the log. */
async function rowAt(store: Pick<Store, 'log' | 'entries'>, index: bigint): Promise<LogRow> {
  const [row] = await store.entries(index, index + 1n, 1);
  if (row !== undefined) return row;
  const { size } = await store.log();
  throw new WritError('NOT_FOUND', `there is no entry ${index}: the log has ${size}`, {
    hint: 'indices count from 0: writ audit show RUN lists those of a run',
  });
}

function readRow(row: LogRow): AuditEntry {
  const { index, bytes } = row;
  const hash = leafHash(bytes);
  const entry = parseEntry(bytes);
  if (!equalBytes(hash, row.leafHash) || (entry.run ?? '') !== row.run) throw outOfPlace(index, row.run);
  return { index, leafHash: hash, bytes, entry, isOpen: false };
}

function outcomeOf({ type, data }: Entry): string | null {
  const intent = type === 'step.finished' ? data['intent'] : null;
  return typeof intent === 'string' ? intent : null;
}

function outOfPlace(index: bigint, run: string): WritError {
  const of = run === '' ? 'the log itself' : `run ${run}`;
  return new WritError('AUDIT_ENTRY_INVALID', `entry ${index} is not what ${of} has in that place`, {
    hint: 'the store was changed: keep it as it is and run writ audit verify',
  });
}
