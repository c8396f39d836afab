// What waits for an answer from outside, and the answer.
import type { TaskQuestion } from '../../approval/task-answer.js';
import type { Json } from '../../json.js';
import type { TaskFilter, TaskRecord } from '../ports.js';
import type { Principal } from './principal.js';

/** A form is answered under its id, everything else with the token that the step was called with. */
export type TaskReference = { readonly id: string } | { readonly token: string };

/** The person signed on a machine of their own, over this time and an answer with this salt; absent = here and now. */
export interface SignedElsewhere {
  readonly atMs: number;
  /** 32 bytes. */
  readonly salt: Uint8Array;
}

/** As sendTaskSuccess, sendTaskFailure and sendTaskHeartbeat of the States Language. */
export type TaskReply =
  | { readonly kind: 'success'; readonly output: Json; readonly signed?: SignedElsewhere }
  /** Null: of a form `Approval.Denied`, else `States.TaskFailed`; and no cause. */
  | {
      readonly kind: 'failure';
      readonly error: string | null;
      readonly cause: string | null;
      readonly signed?: SignedElsewhere;
    }
  | { readonly kind: 'heartbeat' };

/** A task and what it asks. */
export interface TaskView {
  readonly record: TaskRecord;
  /** Its name in the document. */
  readonly step: string;
  readonly workflow: string;
  /** What the step was given; null when it was erased. A token is not in it. */
  readonly input: Json;
  /** The JSON Schema that the output has to fit; null where any will do. */
  readonly form: Json | null;
  /** What whoever answers with a key of their own signs, with the answer itself (approval/task-answer.ts). */
  readonly question: TaskQuestion;
}

/** Steps that wait for an answer from outside. */
export interface Tasks {
  /** What waits for an answer from outside, or did; oldest first. */
  tasks(filter?: TaskFilter): Promise<readonly TaskRecord[]>;
  /** NOT_FOUND for an unknown id. */
  task(id: string): Promise<TaskView>;
  /** Whether a caller from outside may see the task: who started the run, may answer it, or may read its run's log. */
  mayReadTask(record: TaskRecord, principal: Pick<Principal, 'id'>): boolean;
  /**
   * Answers, once and in time; resolves once durable, and the run goes on where it is driven. Asks for `task.answer` on
   * the function; whoever acts by a key signs. Throws TASK_*, POLICY_*, NOT_FOUND, USAGE, and INPUT_INVALID, with
   * `details.problems`, for what does not fit: then it still waits.
   */
  answerTask(which: TaskReference, reply: TaskReply, principal: Principal): Promise<TaskRecord>;
  /**
   * Rejects as answerTask would when this person may not answer the form, and logs it as that does: ask before anybody
   * fills anything in. What it says holds at this moment; answerTask asks again.
   */
  requireMayAnswer(id: string, principal: Principal): Promise<void>;
}
