// What the store keeps of workflows, runs and their attempts, and of payloads. Data only by commitment.
import type { Commitment, Hex, Json } from '../../json.js';

export interface Payload {
  readonly commitment: Commitment;
  readonly label: string;
  readonly salt: Uint8Array;
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly run: string;
}

export type StoredPayload = Omit<Payload, 'salt' | 'bytes'> & {
  readonly salt: Uint8Array | null;
  readonly bytes: Uint8Array | null;
  readonly entryIndex: bigint;
  /** Log index of the `payload.erased` that took salt and bytes away; null = never erased. */
  readonly erasedBy: bigint | null;
};

/** A file with payload data that this installation has written for somebody: a bundle, an export of payloads. */
export interface HandedOutCopy {
  /** Absolute. */
  readonly path: string;
  /** null = of more than one run. */
  readonly run: string | null;
  readonly madeAtMs: number;
}

export interface WorkflowRecord {
  readonly id: string;
  readonly hash: Hex;
  /** 1 for the first content under this id; the same content again is the same version. */
  readonly version: number;
  readonly name: string;
  /** The document as it was given, and where from (display only). */
  readonly source: string;
  readonly file: string | null;
  readonly createdAtMs: number;
  /** Who registered this version first; null = it is older than such records. */
  readonly author: string | null;
}

/** Policies that runs were started under, as files: what loads the same ones again. */
export interface PolicyFiles {
  readonly policyHash: Hex;
  /** Path in the policy directory -> text. */
  readonly files: ReadonlyMap<string, string>;
}

export type RunStatus =
  'pending' | 'running' | 'waiting' | 'completed' | 'failed' | 'cancelled' | 'indeterminate';

export interface RunRecord {
  readonly id: string;
  readonly tenant: string;
  readonly workflowId: string;
  readonly workflowHash: Hex;
  readonly policyHash: Hex;
  readonly initiator: string;
  readonly status: RunStatus;
  /** The compiled plan; written with the insert and never again. */
  readonly plan: Json;
  /** The head of the engine's snapshot, the rest is in parts; opaque to the store. No data of a finished run. */
  readonly state: Json;
  /** What a waiting run waits for, shown by `status`. */
  readonly waitingFor: Json;
  /**
   * When somebody must look at this run again although nothing happens: a timer, the end of its own time or of a wait, if
   * nobody has gone on with it by then. Null = there is no such time. Signs of life that a task owes are not in it.
   */
  readonly wakeAtMs: number | null;
  /** role -> instance of this run; `*` -> the agent of steps that name none. */
  readonly agents: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly exitCode: number | null;
  /** Compare-and-set counter: every update gives the version it read. */
  readonly version: number;
}

/** A run by what it is and whose, without what it holds: cheap, however large plan and state are. */
export type RunHead = Pick<
  RunRecord,
  'id' | 'tenant' | 'workflowId' | 'workflowHash' | 'policyHash' | 'initiator' | 'status'
>;

/** A run that somebody has to look at, and from when on. */
export interface WakeUp {
  readonly run: string;
  readonly atMs: number;
}

export type AttemptStatus =
  | 'waiting' // for an approval
  | 'intended' // durable intent, no outcome yet
  | 'suspended' // its act is done, and an answer from outside is waited for
  | 'succeeded'
  | 'asked' // a turn of a conversation that ended with calls; the next turn is the next attempt
  | 'failed'
  | 'refused'
  | 'timed-out'
  | 'cancelled'
  | 'indeterminate'
  | 'skipped';

/** What an attempt failed with, in words that hold no payload. */
export interface AttemptError {
  readonly code: string;
  readonly name: string;
  readonly message: string;
  /** What to do about it; absent = nobody said. */
  readonly hint?: string;
}

/** One attempt of one step; key (run, stepPath, attempt). Data only by commitment. */
export interface AttemptRecord {
  readonly run: string;
  readonly stepPath: string;
  readonly attempt: number;
  readonly status: AttemptStatus;
  readonly functionId: string;
  readonly principal: string;
  readonly idempotencyKey: string;
  readonly input: Commitment | null;
  /** Of the row that says that a step was skipped: why. Of one that failed: what was said of it, where something was. */
  readonly output: Commitment | null;
  readonly approvalId: string | null;
  /** Error code and a message without payloads; null when there is none. */
  readonly error: AttemptError | null;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  /** Log index of this attempt's `step.intended`; null before. */
  readonly intentIndex: bigint | null;
  /** From 0; null outside a loop. */
  readonly iteration: number | null;
  /** From 0; null outside a map. */
  readonly item: number | null;
  /** Turns of the conversation before this one; null when the function does not converse. */
  readonly turn: number | null;
  /** Of the attempt that ended a loop: whether `until` held, or there is none; null on all others. */
  readonly converged: boolean | null;
}

/** Counts how much of one budget is used: of a ceiling layer, in one run or on one day. */
export interface Meter {
  readonly layer: string;
  readonly name: string;
  /** The id of a run, a day in UTC, `2026-01-31`, or `rate`. The meters of a run go when its parts end. */
  readonly scope: string;
  readonly budget: string;
}

/** `used` becomes `used + add`, not less than 0; a meter that isn't there counts 0. */
export interface Charge extends Meter {
  /** A whole number; below 0 where less was used than had been charged. */
  readonly add: number;
  /** STORE_CONFLICT when more than this would be used; null = it has happened already. */
  readonly atMost: number | null;
  /** What is used counts as this at least, before `add`; absent = 0. A whole number from 0. */
  readonly from?: number;
}

/** What a run's own parts become, in the transaction of its record. */
export interface PartsChange {
  readonly run: string;
  readonly put: ReadonlyMap<string, Json>;
  readonly removed: readonly string[];
  /** True: every part of the run goes, and its own meters; `put` and `removed` are empty. */
  readonly ended: boolean;
  /** It has ended and may go on one day: its meters stay, so that no budget is full again then. */
  readonly mayGoOn?: boolean;
}

/** A message from outside that may count once: a webhook, a request with an Idempotency-Key, a callback token. */
export interface Receipt {
  /** Who sent it, of what kind: ids of different sources never meet. */
  readonly source: string;
  readonly id: string;
  /** SHA-256 of what was sent, so that another message under the same id is told from the same again. */
  readonly digest: Hex;
  /** What was answered. */
  readonly answer: Json;
  /** It may be forgotten from then on. */
  readonly untilMs: number;
}
