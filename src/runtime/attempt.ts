// One attempt of one step, on its way through the guard, and what may become of it.
import type { StepError } from '../engine/state.js';
import type { Hex, Json } from '../json.js';
import type { Plan, TaskNode } from '../workflow/plan.js';
import type { EntryDraft, Payload, RunRecord } from './ports.js';

export interface Attempt {
  readonly run: RunRecord;
  readonly plan: Plan;
  readonly workflow: { readonly id: string; readonly hash: Hex };
  readonly node: TaskNode;
  readonly stepPath: string;
  readonly attempt: number;
  /** Rendered once; the same value is approved, executed and audited. */
  readonly input: Json;
  readonly idempotencyKey: string;
  /** What is left of the run's own time limit, in ms; null = none. */
  readonly timeLeftMs: number | null;
}

/** What became of an attempt, as the engine has to hear it. */
export type Outcome =
  /** Its intent is about to become durable. */
  | { readonly kind: 'started' }
  | { readonly kind: 'succeeded'; readonly output: Json }
  | { readonly kind: 'failed'; readonly error: StepError }
  | { readonly kind: 'waiting'; readonly approvalId: string; readonly expiresAtMs: number }
  | { readonly kind: 'cancelled' };

/** The run's side of a commit: its next record, and what else becomes true with it (`run.finished`). */
export interface Settlement {
  readonly run: RunRecord;
  readonly entries: readonly EntryDraft[];
  /** `entry` = position in `entries`. */
  readonly payloads: readonly { readonly payload: Payload; readonly entry: number }[];
}

/** The run's next record from an outcome and the record as it stands now; what it returns is committed with the outcome. */
export type Settle = (outcome: Outcome, run: RunRecord) => Settlement;
