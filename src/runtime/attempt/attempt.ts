// One attempt of one step, on its way through the guard, and what may become of it.
import type { ConversationState, StepError, TaskApproval, TaskWaiting } from '../../engine/state.js';
import type { Hex, Json } from '../../json.js';
import type { LimitSet } from '../../policy/ceiling/ceiling.js';
import type { DataClass } from '../../workflow/data-class.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import type {
  ApprovalRecord,
  AttemptRecord,
  Change,
  Charge,
  Committed,
  EntryDraft,
  Payload,
  RunRecord,
  Turn,
} from '../ports.js';

export interface Attempt {
  /** As it was when the attempt began: who, under which workflow and agents. Its version and state move on meanwhile. */
  readonly run: RunRecord;
  readonly plan: Plan;
  readonly workflow: { readonly id: string; readonly hash: Hex };
  readonly node: TaskNode;
  readonly stepPath: string;
  readonly attempt: number;
  readonly iteration: number | null;
  readonly item: number | null;
  /** How large the workflow makes the step (extent.ts), as ceilings judge it. */
  readonly extent: LimitSet;
  /** What all data of the run carries by now: the step may be given any of it. */
  readonly data: DataClass;
  /** What earlier turns left; null at the first, and for functions that do not converse. */
  readonly conversation: ConversationState | null;
  /** Rendered once; the same value is approved, executed and audited. */
  readonly input: Json;
  readonly idempotencyKey: string;
  /** What stands in `input` for a token that is made with the intent; null when none is. */
  readonly token: string | null;
  /** Longest time between two signs of life, once it waits for an answer; null = none is asked for. */
  readonly heartbeatMs: number | null;
  /** What is left of the run's own time limit, in ms; null = none. */
  readonly timeLeftMs: number | null;
  /** It waits for people: its row is stored. False = nothing is stored of this attempt yet. */
  readonly isWaiting: boolean;
  /**
   * Who has redriven the run, or since then had this step made again after a crash: what it asks for now, they ask for.
   * Null = nobody has, or nobody knows.
   */
  readonly redriver: string | null;
  /** The request that the run knows of; its row may name a later one, made by who changed the input. */
  readonly approvalId: string | null;
}

/** What became of an attempt, as the run has to hear it. */
export type Outcome =
  /** Its intent is about to become durable. */
  | { readonly kind: 'started' }
  | { readonly kind: 'succeeded'; readonly output: Json }
  /** A turn that ended with calls. */
  | { readonly kind: 'asked'; readonly turn: Pick<Extract<Turn, { kind: 'calls' }>, 'calls' | 'transcript'> }
  /** `retryAfterMs`: what failed asks to be left alone for so long; absent = it has said nothing. */
  | { readonly kind: 'failed'; readonly error: StepError; readonly retryAfterMs?: number }
  | {
      readonly kind: 'waiting';
      readonly approval: TaskApproval;
      /** What a person has changed the input to; absent = nobody has. */
      readonly input?: Json;
    }
  /** Its act is done, and an answer from outside is waited for. */
  | { readonly kind: 'handed'; readonly waiting: TaskWaiting }
  | { readonly kind: 'cancelled' };

/** What is written with an outcome. Positions count in `entries`. */
export interface AttemptChange {
  readonly entries: readonly EntryDraft[];
  readonly payloads: readonly { readonly payload: Payload; readonly entry: number }[];
  readonly record: AttemptRecord;
  readonly intentEntry?: number;
  readonly approvals: readonly { readonly op: 'insert' | 'update'; readonly record: ApprovalRecord }[];
  readonly charges?: readonly Charge[];
  readonly tasks?: Change['tasks'];
  /** What its output, or what is said of its failure, carries besides; absent = no act has ended. */
  readonly carries?: DataClass;
}

/**
 * Commits an outcome together with the run's next record. Null: the run does not stand at this attempt any more, or it
 * may not start just now, and nothing was written. Throws STORE_CONFLICT before the act (then nothing was written
 * either, and somebody has to look again); after it the outcome is settled until it is durable.
 */
export type Settle = (outcome: Outcome, change: AttemptChange) => Promise<Committed | null>;
