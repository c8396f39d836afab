// What the engine asks for and what it is told. What is to be done is derived from the state, so asking again after a
// crash gives the same answer.
import type { Json } from '../json.js';
import type { DataClass } from '../workflow/data-class.js';
import type { TaskNode } from '../workflow/plan.js';
import type { Answer } from './query.js';
import type { ConversationState, CurrentTask, StepError, TaskApproval, TaskWaiting } from './state.js';

/** A task that a cursor stands at. */
export interface Task {
  /** Names the step and its place: `review`, `variants[3]`, `Each[3]/Score`, `research/call[2]`. Unique among tasks. */
  readonly stepPath: string;
  /** Of its node in the plan; of a call, of the node that asked. */
  readonly key: string;
  /** For a call of a conversation a node of its own, made from the one that asked. */
  readonly node: TaskNode;
  readonly attempt: number;
  readonly input: Json;
  readonly idempotencyKey: string;
  readonly phase: CurrentTask['phase'];
  readonly approval: TaskApproval | null;
  /** Null unless its phase is `callback`. */
  readonly waiting: TaskWaiting | null;
  readonly conversation: ConversationState | null;
  /** One attempt, and the longest time between two signs of life; null = none of its own. */
  readonly timeoutMs: number | null;
  readonly heartbeatMs: number | null;
  /** Who had it made again after its outcome was lost; null = nobody has. */
  readonly rerunBy: string | null;
  /** What stands in `input` for the token of this attempt; null when it waits for none. */
  readonly token: string | null;
  /** From 0; null outside a loop, and outside a map. Both are part of what is approved. */
  readonly iteration: number | null;
  readonly item: number | null;
  /** How often its state was entered here, 1-based; retries, turns and what is made again count for nothing. */
  readonly entries: number;
  /** Lanes and items of the widest fork around it; 0 = it is in none. */
  readonly width: number;
  /** How often a fork around it has been entered, retries aside, at least; 0 = it is in none. */
  readonly rounds: number;
  /** Its fork or its run has failed: what runs has to be stopped, and its outcome changes nothing. */
  readonly isStopping: boolean;
}

/** Events of one task name its attempt; one that the run does not stand at changes nothing. */
export type EngineEvent =
  | {
      readonly kind: 'succeeded';
      readonly stepPath: string;
      readonly attempt: number;
      readonly output: Json;
      readonly nowMs: number;
    }
  /** A conversing function asks for calls; the step goes on when they have been answered. */
  | {
      readonly kind: 'asked';
      readonly stepPath: string;
      readonly attempt: number;
      readonly calls: readonly { readonly id: string; readonly functionId: string; readonly input: Json }[];
      readonly transcript: Json;
      readonly nowMs: number;
    }
  /**
   * `draw` in [0, 1): the jitter, from the injected source. `retryAfterMs`: what failed asks to be left alone for so
   * long; absent = it has said nothing.
   */
  | {
      readonly kind: 'failed';
      readonly stepPath: string;
      readonly attempt: number;
      readonly error: StepError;
      readonly retryAfterMs?: number;
      readonly nowMs: number;
      readonly draw: number;
    }
  /** Stopped by the runner. It ends the task only where its fork or run has failed; else the outcome is lost. */
  | {
      readonly kind: 'stopped';
      readonly stepPath: string;
      readonly attempt: number;
      readonly nowMs: number;
    }
  /** The outcome was lost in a crash, or with a stopped process: a person decides. */
  | { readonly kind: 'lost'; readonly stepPath: string; readonly attempt: number; readonly nowMs: number }
  /** A lost attempt runs again under the same idempotency key; `by` whom, where somebody has decided so. */
  | {
      readonly kind: 'rerun';
      readonly stepPath: string;
      readonly attempt: number;
      readonly by?: string;
      readonly nowMs: number;
    }
  /** The step now waits for people. */
  | {
      readonly kind: 'paused';
      readonly stepPath: string;
      readonly attempt: number;
      readonly approval: TaskApproval;
      /** A person has changed what it would be given; absent = nobody has. */
      readonly input?: Json;
      readonly nowMs: number;
    }
  /** Its act is done; what ends it now is an answer from outside, or that none comes. */
  | {
      readonly kind: 'handed';
      readonly stepPath: string;
      readonly attempt: number;
      readonly waiting: TaskWaiting;
      readonly nowMs: number;
    }
  /** A sign of life of whoever is to answer, given at `atMs`: another one is due a heartbeat later. */
  | {
      readonly kind: 'heartbeat';
      readonly stepPath: string;
      readonly attempt: number;
      readonly atMs: number;
      readonly nowMs: number;
    }
  /** Its intent is about to become durable. */
  | { readonly kind: 'started'; readonly stepPath: string; readonly attempt: number; readonly nowMs: number }
  /** The answer to a request; to one that is not waited for it changes nothing. */
  | {
      readonly kind: 'answered';
      readonly id: string;
      readonly at: number;
      readonly answer: Answer;
      readonly nowMs: number;
    }
  /** What a task gives carries this: the run's data only grows by it. Comes before what the task has come to. */
  | { readonly kind: 'carried'; readonly data: DataClass; readonly nowMs: number }
  /** Data from outside the run is about to come in and carries this: what is not known of it is not known of the run. */
  | { readonly kind: 'taken-in'; readonly data: DataClass; readonly nowMs: number }
  /** Timers, time limits and slices of long work: whatever is due at `nowMs` goes on. */
  | { readonly kind: 'tick'; readonly nowMs: number };
