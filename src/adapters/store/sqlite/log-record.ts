// Entries and checkpoints of the log as its tables hold them; what a query put together into one value is taken apart here.
import type { AnchoredCheckpointRow, CheckpointRow, LogRow, LogState } from '../../../runtime/ports.js';
import { bigint, bytes, damaged, integer, text, type Row } from './column.js';

const HASH_BYTES = 32;

export function logState(row: Row): LogState {
  const range = bytes(row, 'compact_range');
  if (range.length % HASH_BYTES !== 0) throw damaged('compact_range');
  const compactRange: Uint8Array[] = [];
  for (let at = 0; at < range.length; at += HASH_BYTES) compactRange.push(range.slice(at, at + HASH_BYTES));
  return {
    size: bigint(row, 'size'),
    compactRange,
    lastTimeMs: integer(row, 'last_time_ms'),
    publishedSize: bigint(row, 'published_size'),
  };
}

export function logRow(row: Row): LogRow {
  return {
    index: bigint(row, 'idx'),
    bytes: bytes(row, 'bytes'),
    leafHash: bytes(row, 'leaf_hash'),
    run: text(row, 'run'),
    seq: integer(row, 'run_seq'),
    type: text(row, 'type'),
  };
}

/** Values that a query put one behind the other; none when it found no row. */
export function joinedValues(row: Row): Uint8Array[] {
  return row['joined'] === null ? [] : cut(row, 'joined', listed(row, 'lengths').map(Number));
}

/** Entries of `run` that a query put together into one row; none when it found none. */
export function logRowsTogether(row: Row, run: string): LogRow[] {
  if (row['bytes'] === null) return [];
  const entries = cut(row, 'bytes', listed(row, 'lengths').map(Number));
  const [indices, seqs, types] = [listed(row, 'indices'), listed(row, 'seqs'), listed(row, 'types')];
  const hashes = cut(
    row,
    'leaf_hashes',
    indices.map(() => HASH_BYTES),
  );
  return entries.map((bytes, at) => {
    const [index, seq, type, leafHash] = [indices[at], seqs[at], types[at], hashes[at]];
    if (index === undefined || seq === undefined || type === undefined || leafHash === undefined)
      throw damaged('bytes');
    return { index: BigInt(index), bytes, leafHash, run, seq: Number(seq), type };
  });
}

/** No word of a type or number holds a comma. */
function listed(row: Row, name: string): readonly string[] {
  return text(row, name).split(',');
}

function cut(row: Row, name: string, lengths: readonly number[]): Uint8Array[] {
  const joined = bytes(row, name);
  let at = 0;
  return lengths.map((length) => joined.subarray(at, (at += length)));
}

export function checkpointRow(row: Row): CheckpointRow {
  return { size: bigint(row, 'size'), root: bytes(row, 'root'), note: text(row, 'note') };
}

export function anchoredCheckpointRow(row: Row): AnchoredCheckpointRow {
  return { ...checkpointRow(row), anchoredAtMs: integer(row, 'cosigned_at') };
}
