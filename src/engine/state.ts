// The engine's snapshot of one run: plain JSON, stored with every commit. It holds data only while the run is
// active; when the run has finished the runtime keeps outcome and commitments, not this.
import type { Json } from '../json.js';

/** A failure or refusal as the workflow sees it; `message` is the cause text. */
export interface StepError {
  /** Dotted name a `retry` or `catch` may list, e.g. `Approval.Denied`. */
  readonly name: string;
  readonly code: string;
  readonly kind: 'document' | 'refusal' | 'failure' | 'fatal';
  readonly message: string;
}

export interface StepOutcome {
  readonly status: 'success' | 'failed' | 'skipped';
  readonly output: Json;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly durationMs: number;
}

/** The task the run stands at. */
export interface CurrentTask {
  /** 1-based over the whole run, per step path: never reused, also when a state is entered again. */
  readonly attempt: number;
  /** Rendered once per entry of the step; approval, execution and audit use this value. */
  readonly input: Json;
  /** Same for every retry of one entry. */
  readonly idempotencyKey: string;
  /** Retries used, per retrier of the node. */
  readonly retries: readonly number[];
  readonly startedAtMs: number;
}

export interface EngineState {
  readonly v: 1;
  readonly run: { readonly id: string; readonly initiator: string; readonly startedAtMs: number };
  readonly status: 'running' | 'completed' | 'failed';
  /** Key of the node the run stands at; null when finished. */
  readonly node: string | null;
  readonly enteredAtMs: number;
  readonly transitions: number;
  /** Workflow input, never overwritten. */
  readonly input: Json;
  /** Dialect 2: the state input document. Dialect 1: the previous step's output. */
  readonly data: Json;
  /** Dialect 1: outputVars by name. */
  readonly variables: Readonly<Record<string, Json>>;
  /** Dialect 1: outcome by step key, and the step that came last. */
  readonly outcomes: Readonly<Record<string, StepOutcome>>;
  readonly previous: string | null;
  /** Attempts begun so far, by step path. */
  readonly attempts: Readonly<Record<string, number>>;
  readonly task: CurrentTask | null;
  /** A retry delay or a Wait state: when it goes on. */
  readonly wakeAtMs: number | null;
  /** End of the run's own time limit; moved on by time spent waiting for people. */
  readonly deadlineMs: number | null;
  readonly pausedAtMs: number | null;
  readonly output: Json;
  readonly error: StepError | null;
}
