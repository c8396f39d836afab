// What the engine asks for and what it is told. Commands are derived from the state, so asking again after a
// crash gives the same command.
import type { Json } from '../json.js';
import type { TaskNode } from '../workflow/plan.js';
import type { StepError } from './state.js';

export type Command =
  | {
      readonly kind: 'execute';
      readonly stepPath: string;
      readonly node: TaskNode;
      readonly attempt: number;
      readonly input: Json;
      readonly idempotencyKey: string;
    }
  | { readonly kind: 'wait'; readonly stepPath: string; readonly untilMs: number }
  | {
      readonly kind: 'finish';
      readonly status: 'completed' | 'failed';
      readonly output: Json;
      readonly error: StepError | null;
    };

export type EngineEvent =
  | { readonly kind: 'succeeded'; readonly output: Json; readonly nowMs: number }
  /** `draw` in [0, 1): the jitter, from the injected source. */
  | { readonly kind: 'failed'; readonly error: StepError; readonly nowMs: number; readonly draw: number }
  /** The outcome of an attempt was lost in a crash and the step runs again under the same idempotency key. */
  | { readonly kind: 'rerun'; readonly nowMs: number }
  /** The step now waits for a person; time does not count until the next event. */
  | { readonly kind: 'paused'; readonly nowMs: number }
  /** The person has decided and the step starts: time counts again. */
  | { readonly kind: 'resumed'; readonly nowMs: number }
  /** A timer is due; ignored when it is not. */
  | { readonly kind: 'woken'; readonly nowMs: number };
