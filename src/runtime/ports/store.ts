// The store: run state, payloads and log in one place, changed together or not at all.
import type { Commitment, Hex, Json } from '../../json.js';
import type {
  ApprovalFilter,
  ApprovalKey,
  ApprovalRecord,
  ApprovalState,
  TaskFilter,
  TaskRecord,
} from './approval-record.js';
import type { AnchoredCheckpointRow, CheckpointRow, EntryDraft, LogRow, LogState } from './log-record.js';
import type {
  AttemptRecord,
  Charge,
  HandedOutCopy,
  Meter,
  PartsChange,
  Payload,
  PolicyFiles,
  Receipt,
  RunHead,
  RunRecord,
  StoredPayload,
  WakeUp,
  WorkflowRecord,
} from './run-record.js';

/**
 * By how much `jump` raises a run's version: more than the commits that whoever advances it may have in flight, each
 * with the version that the one before will have written. None of them then fits by chance.
 */
export const VERSION_JUMP = 2 ** 20;

/**
 * One atomic change. `insert` fails with STORE_CONFLICT when the key exists; `update` when the stored version is
 * not `record.version` (the store then writes version + 1, or + VERSION_JUMP with `jump`). Entries and rows can't
 * disagree: same transaction. Changes are made in the order of the calls.
 */
export interface Change {
  readonly workflows?: readonly WorkflowRecord[];
  readonly runs?: readonly {
    readonly op: 'insert' | 'update';
    readonly record: RunRecord;
    readonly jump?: boolean;
  }[];
  readonly parts?: readonly PartsChange[];
  /**
   * From a process that does not advance the run: `waitingFor` of an unfinished run, whatever its version, which is
   * raised by VERSION_JUMP; `wakeAtMs` becomes the time of the commit. STORE_CONFLICT when the run has finished, or is
   * not there.
   */
  readonly interrupts?: readonly { readonly run: string; readonly waitingFor: Json }[];
  /** Inserted or replaced. `intentEntry` = position in `entries` whose log index becomes `intentIndex`. */
  readonly attempts?: readonly { readonly record: AttemptRecord; readonly intentEntry?: number }[];
  readonly approvals?: readonly { readonly op: 'insert' | 'update'; readonly record: ApprovalRecord }[];
  readonly tasks?: readonly (
    | { readonly op: 'insert' | 'update'; readonly record: TaskRecord }
    /** Whatever has become of it: from now on it is this, unless it was over before. */
    | { readonly op: 'close'; readonly id: string; readonly state: 'used' | 'expired' | 'withdrawn' }
  )[];
  /** `entry` = position in `entries` of the entry that carries the commitment. */
  readonly payloads?: readonly { readonly payload: Payload; readonly entry: number }[];
  /**
   * Salt and bytes of these payloads go, and `unscrubbed` names them from then on. `entry` = position in `entries`
   * of their `payload.erased`. STORE_CONFLICT when one is not there, or was erased before.
   */
  readonly erasures?: readonly { readonly commitment: Commitment; readonly entry: number }[];
  /** Compared and made in the transaction: whoever charges at the same time, no meter goes above its `atMost`. */
  readonly charges?: readonly Charge[];
  /**
   * Kept from then on, once for each hash: what is kept already is not written again. They stay while an unfinished run
   * has this `policyHash`; others may go when new ones come.
   */
  readonly policies?: readonly PolicyFiles[];
  /** STORE_CONFLICT when (source, id) was received before, for as long as the store keeps it. */
  readonly receipts?: readonly Receipt[];
  readonly entries: readonly EntryDraft[];
}

export interface Committed {
  /** In the order of `change.entries`. */
  readonly entries: readonly {
    readonly index: bigint;
    readonly leafHash: Uint8Array;
    readonly timeMs: number;
  }[];
}

/** A part of a list: at most `limit` after the first `offset`; `total` beside it counts the whole list. */
export interface Page {
  readonly limit: number;
  readonly offset: number;
}

/**
 * Run state, payloads and log in one place. Two processes may hold it open at once.
 * Errors: STORE_CONFLICT (compare-and-set lost, nothing written), and the fatal STORE_* codes; a driver's own
 * error never crosses this port (it is the `cause`).
 */
export interface Store {
  /**
   * Atomic and durable when it resolves; on rejection nothing was written. Concurrent calls may share one
   * transaction (group commit) but each keeps its own all-or-nothing.
   */
  commit(change: Change): Promise<Committed>;

  workflow(id: string, hash?: Hex): Promise<WorkflowRecord | null>;
  workflows(): Promise<readonly WorkflowRecord[]>;
  /** The newest version of each, by id. */
  workflowsPage(
    page: Page,
  ): Promise<{ readonly workflows: readonly WorkflowRecord[]; readonly total: number }>;
  run(id: string): Promise<RunRecord | null>;
  /** Of its record; null when there is no such run. Cheaper than `run`, whatever its plan holds. */
  runVersion(id: string): Promise<number | null>;
  /** Runs that have not ended, oldest first. */
  unfinishedRuns(): Promise<readonly RunHead[]>;
  /**
   * Runs that have to be looked at although nothing happens, the first one first: at `wakeAtMs`, when a task of theirs
   * has given no sign of life for too long, and at once (0) where a task was answered. A run may be there once for each
   * of these. Of 10,000 that wait the first are read in a moment.
   */
  wakeUps(limit: number): Promise<readonly WakeUp[]>;
  runs(filter?: {
    readonly unfinished?: boolean;
    readonly workflowId?: string;
  }): Promise<readonly RunRecord[]>;
  /** Newest first; of one workflow, or of all. */
  runsPage(
    page: Page & { readonly workflowId?: string },
  ): Promise<{ readonly runs: readonly RunRecord[]; readonly total: number }>;
  /** In order of stepPath's first start, then attempt. */
  attempts(run: string): Promise<readonly AttemptRecord[]>;
  attempt(run: string, stepPath: string, attempt: number): Promise<AttemptRecord | null>;
  /** Parts of the run whose key begins with `prefix` (default: every part), in no order; none when it has ended. */
  parts(run: string, prefix?: string): Promise<ReadonlyMap<string, Json>>;
  /** In the order of `meters`; 0 for one that isn't there. */
  used(meters: readonly Meter[]): Promise<readonly number[]>;
  approval(id: string): Promise<ApprovalRecord | null>;
  /** Oldest first. */
  approvals(filter?: ApprovalFilter): Promise<readonly ApprovalRecord[]>;
  /**
   * The one that expires first is first, and of those the one that was asked for first; a list of 10,000 is read in a
   * moment. `limit` absent = all.
   */
  approvalKeys(filter: {
    readonly states: readonly ApprovalState[];
    readonly limit?: number;
  }): Promise<readonly ApprovalKey[]>;
  /** Waiting runs of which a request was decided or has expired, oldest first; they may have gone on since. */
  decidedRuns(): Promise<readonly string[]>;
  task(id: string): Promise<TaskRecord | null>;
  taskOfToken(tokenHash: Hex): Promise<TaskRecord | null>;
  /** The task of an attempt; null when it has none. */
  taskOfAttempt(run: string, stepPath: string, attempt: number): Promise<TaskRecord | null>;
  /** Oldest first. */
  tasks(filter?: TaskFilter): Promise<readonly TaskRecord[]>;
  payload(commitment: Commitment): Promise<StoredPayload | null>;
  receipt(source: string, id: string): Promise<Receipt | null>;
  /** As they were kept under this hash, which is for the caller to check; null when they are not. */
  policyFiles(policyHash: Hex): Promise<PolicyFiles['files'] | null>;

  /** Durable when it resolves; called before the file is written. The same path again replaces its record. */
  recordCopy(copy: HandedOutCopy): Promise<void>;
  /** In the order they were made. */
  copies(): Promise<readonly HandedOutCopy[]>;
  /** The file is gone; no error when the path was not recorded. */
  forgetCopy(path: string): Promise<void>;
  /** Erased payloads whose bytes may still be in the store's files, or in copies: `scrub` and `markScrubbed` are due. */
  unscrubbed(): Promise<readonly Commitment[]>;
  /**
   * Leaves no erased byte in any file of the store. `busy`: somebody else's writing or reading of an old state was in
   * the way for `waitMs`; `full`: there was no room for a second copy of the file. Then bytes may remain, nothing is
   * lost, and a later call finishes.
   */
  scrub(waitMs: number): Promise<'done' | 'busy' | 'full'>;
  /** After a `scrub` that succeeded: `unscrubbed` no longer names these. */
  markScrubbed(commitments: readonly Commitment[]): Promise<void>;

  log(): Promise<LogState>;
  /** Rows with first <= index < end, in order, at most `limit`. */
  entries(first: bigint, end: bigint, limit: number): Promise<readonly LogRow[]>;
  /** The bytes of the entries first..first+count-1, in order; throws STORE_IO when one is absent. */
  entryBytes(first: bigint, count: number): Promise<readonly Uint8Array[]>;
  /** In order; with `part` those from the run's entry number `from` on (0 = its first), at most `limit`. */
  entriesOfRun(
    run: string,
    part?: { readonly from: number; readonly limit: number },
  ): Promise<readonly LogRow[]>;
  /** The entries of the run but for those that name a step which is not one of these, in order; unreadable ones too. */
  entriesOfSteps(run: string, stepPaths: readonly string[]): Promise<readonly LogRow[]>;
  /** The newest entry of the run that is of one of these types; null when it has none. */
  lastOfRun(run: string, types: readonly string[]): Promise<LogRow | null>;
  /** What was asked, decided and became of this approval, in order; the cost does not grow with the log. */
  entriesOfApproval(id: string): Promise<readonly LogRow[]>;
  /** What this task asked, and how it was answered, in order; the cost does not grow with the log. */
  entriesOfTask(id: string): Promise<readonly LogRow[]>;
  /** The newest entries of this type in the log's own chain, newest first; the cost does not grow with the log. */
  ownEntries(type: string, limit: number): Promise<readonly LogRow[]>;
  /** Hashes at (level, first..first+count-1); level 0 = leaf hashes; throws STORE_IO when one is absent. */
  hashes(level: number, first: bigint, count: number): Promise<readonly Uint8Array[]>;
  /** The stored checkpoint of `size`; the first one stored for a size stays. */
  putCheckpoint(row: CheckpointRow): Promise<CheckpointRow>;
  lastCheckpoint(): Promise<CheckpointRow | null>;
  /**
   * The note of `size` becomes `after`, the same text with more signatures, and `atMs` the time it was anchored; false,
   * and nothing written, when the stored note is not `before`.
   */
  anchorCheckpoint(size: bigint, before: string, after: string, atMs: number): Promise<boolean>;
  /** Anchored checkpoints, largest size first, at most `limit`. */
  anchoredCheckpoints(limit: number): Promise<readonly AnchoredCheckpointRow[]>;
  markPublished(size: bigint): Promise<void>;

  /** Changes whenever another process or this one has committed; cheap enough to poll every 50 ms. */
  changeCounter(): number;
  close(): Promise<void>;
}
