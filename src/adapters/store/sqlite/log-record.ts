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
  if (row['joined'] === null) return [];
  const joined = bytes(row, 'joined');
  let at = 0;
  return text(row, 'lengths')
    .split(',')
    .map((length) => joined.subarray(at, (at += Number(length))));
}

export function checkpointRow(row: Row): CheckpointRow {
  return { size: bigint(row, 'size'), root: bytes(row, 'root'), note: text(row, 'note') };
}

export function anchoredCheckpointRow(row: Row): AnchoredCheckpointRow {
  return { ...checkpointRow(row), anchoredAtMs: integer(row, 'cosigned_at') };
}
