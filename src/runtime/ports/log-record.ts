// The log inside the store: drafts of entries, rows, roots and checkpoints.
import type { Commitment, Hex, JsonObject } from '../../json.js';

/** Everything of an entry but `prev`, `seq`, `time` and `v`, which the log gives (audit/FORMAT.md). */
export interface EntryDraft {
  readonly type: string;
  /** null = an entry about the log itself. */
  readonly run: string | null;
  readonly tenant: string;
  readonly actor: { readonly id: string; readonly via: string };
  readonly workflow: { readonly id: string; readonly hash: Hex } | null;
  readonly policy: Hex | null;
  readonly data: JsonObject;
  /** label -> commitment of a payload. */
  readonly commit: Readonly<Record<string, Commitment>>;
  /** The entry's time has to be before this, or the change is refused: STORE_CONFLICT, nothing written. */
  readonly beforeMs?: number;
}

export interface LogState {
  readonly size: bigint;
  /** popcount(size) hashes, largest subtree first. */
  readonly compactRange: readonly Uint8Array[];
  readonly lastTimeMs: number;
  readonly publishedSize: bigint;
}

/** The last entry of a run's chain ('' = the log's own chain). */
export interface ChainTail {
  readonly seq: number;
  readonly leafHash: Uint8Array;
}

export interface LogRow {
  readonly index: bigint;
  readonly bytes: Uint8Array;
  readonly leafHash: Uint8Array;
  /** '' for the log's own chain. */
  readonly run: string;
  readonly seq: number;
  readonly type: string;
}

/** Root of a full 256-wide tile: the hash at (level, index), level >= 1. */
export interface SubtreeRow {
  readonly level: number;
  readonly index: bigint;
  readonly hash: Uint8Array;
}

/**
 * Turns drafts into rows; pure, given by the runtime to the store, which calls it inside its write transaction.
 * `nowMs` is clamped so that time never goes backwards in the log.
 */
export type ExtendLog = (
  log: LogState,
  tails: ReadonlyMap<string, ChainTail>,
  drafts: readonly EntryDraft[],
  nowMs: number,
) => { readonly log: LogState; readonly rows: readonly LogRow[]; readonly subtrees: readonly SubtreeRow[] };

export interface CheckpointRow {
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly note: string;
}

/** A checkpoint that a witness cosigned or a time stamp authority stamped. */
export interface AnchoredCheckpointRow extends CheckpointRow {
  /** When the last of them did, by the log's clock. */
  readonly anchoredAtMs: number;
}
