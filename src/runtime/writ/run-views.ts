// What is told of a run.
import type { Hex, Json } from '../../json.js';
import type { Plan } from '../../workflow/plan.js';
import type { OutlineStep } from '../plan/outline.js';
import type {
  ApprovalState,
  AttemptError,
  AttemptStatus,
  Page,
  RunHead,
  RunRecord,
  RunStatus,
  WakeUp,
} from '../ports.js';
import type { StepStatus } from '../view/step-status.js';

/** What a waiting run waits for. */
export type Waiting =
  | {
      readonly kind: 'approval';
      readonly approvalId: string;
      readonly stepPath: string;
      readonly expiresAtMs: number;
      /** Approvals that it waits for besides; absent = none. */
      readonly others?: number;
    }
  /** An answer from outside: of a person with a form, or of whoever has the step's token. */
  | {
      readonly kind: 'task';
      readonly taskId: string;
      readonly by: 'person' | 'token';
      readonly stepPath: string;
      /** Null = at no time. */
      readonly expiresAtMs: number | null;
      /** Other tasks that it waits for besides; absent = none. */
      readonly others?: number;
    }
  | { readonly kind: 'timer'; readonly stepPath: string; readonly untilMs: number }
  | { readonly kind: 'person'; readonly stepPath: string; readonly attempt: number }
  | { readonly kind: 'cancel'; readonly by: string };

export interface StepView {
  readonly stepPath: string;
  readonly name: string;
  /** `pending`: the run has not come to it, or has ended before it. */
  readonly status: AttemptStatus | 'pending';
  readonly attempts: number;
  readonly functionId: string;
  readonly principal: string;
  readonly startedAtMs: number | null;
  readonly durationMs: number | null;
  readonly approval: {
    readonly id: string;
    readonly state: ApprovalState;
    readonly decidedBy: readonly string[];
  } | null;
  readonly error: AttemptError | null;
  /** Commitment of the output's payload (HMAC-SHA-256, hex); null when there is none. */
  readonly outputCommitment: string | null;
  /** Only in `results`; null when absent or erased. */
  readonly output: Json;
  /** Only in `results`, and only when the output was erased: log index of the entry that says so. */
  readonly outputErasedBy?: string;
  /** Only in `results`: log indices of the entries about it; null for a map whose items are not all in `nested`. */
  readonly auditEntries?: readonly string[] | null;
  /** Why it was skipped; only then. */
  readonly reason?: 'condition' | 'error';
  /** Of a loop: iterations begun, and whether `until` held in the end, or there is none; null = it has not ended. */
  readonly iterations?: number;
  readonly converged?: boolean | null;
  /**
   * Of a map, which is one step here: items that have ended well or were skipped, that have failed, and all. `total`
   * counts those that were attempted once the run has moved on.
   */
  readonly items?: { readonly done: number; readonly failed: number; readonly total: number };
  /** The first items of a map, in item order, or the first calls that the step has asked for. */
  readonly nested?: readonly StepView[];
  /** How many of them are not in `nested`; absent = none. */
  readonly more?: number;
}

export interface RunView {
  readonly id: string;
  readonly workflow: {
    readonly id: string;
    readonly hash: Hex;
    readonly version: number;
    readonly name: string;
  };
  readonly status: RunStatus;
  readonly initiator: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly waitingFor: Waiting | null;
  /** Dialect 1: one for each step of the document, in its order. Dialect 2: the states that the run has come to. */
  readonly steps: readonly StepView[];
  readonly output: Json;
  /** As that of a step. */
  readonly outputErasedBy?: string;
  readonly error: AttemptError | null;
  /** Exit code of the process that ran it to here; 10 while waiting for approval. */
  readonly exitCode: number;
}

/** A committed log entry, as progress: public data only. */
export interface EntryNotice {
  readonly type: string;
  readonly run: string | null;
  readonly timeMs: number;
  readonly data: { readonly [key: string]: Json };
}

/** An entry of a run, whichever process has committed it. */
export interface RunEntry extends EntryNotice {
  /** Its number in the run, from 0. */
  readonly seq: number;
}

/** Runs as people look at them; looking changes nothing. */
export interface RunViews {
  /** Those that have not ended, oldest first. */
  unfinishedRuns(): Promise<readonly RunHead[]>;
  /** Those that are to go on at a time though nobody does anything, as the store keeps them; the first one first. */
  wakeUps(limit: number): Promise<readonly WakeUp[]>;
  runs(filter?: {
    readonly workflowId?: string;
    readonly unfinished?: boolean;
  }): Promise<readonly RunRecord[]>;
  /** Newest first. */
  runsPage(
    page: Page & { readonly workflowId?: string },
  ): Promise<{ readonly runs: readonly RunRecord[]; readonly total: number }>;
  /** NOT_FOUND for an unknown id. Without outputs. `nested`: how many items or calls of a step are told, default 20. */
  status(runId: string, options?: { readonly nested?: number }): Promise<RunView>;
  /** With outputs. */
  results(runId: string, options?: { readonly nested?: number }): Promise<RunView>;
  /** The steps of the plan that the run goes by, in their order. NOT_FOUND for an unknown id. */
  outline(runId: string): Promise<readonly OutlineStep[]>;
  /** The plan that the run goes by. NOT_FOUND for an unknown id. */
  compiled(runId: string): Promise<Plan>;
  /** By node key, how everything stands that the run has come to, what calls nothing too. NOT_FOUND for an unknown id. */
  standings(runId: string): Promise<ReadonlyMap<string, StepStatus>>;
  /**
   * What the log says of a run, as `onEntry` tells it: from its entry number `from` on (default 0), at most `limit`
   * (default 1,000). Empty when there is nothing yet.
   */
  entries(
    runId: string,
    part?: { readonly from?: number; readonly limit?: number },
  ): Promise<readonly RunEntry[]>;
}
