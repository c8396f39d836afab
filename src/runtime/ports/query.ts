// Expressions that are evaluated away from the runner.
import type { Query, QueryAnswer } from '../../engine/query.js';

export type { Query, QueryAnswer };

/**
 * Evaluates the expressions of a query away from the runner: in a process with bounds on memory and time that is killed
 * when it exceeds them. Same query, same answer: time and random come with it. An expression's fault is an answer; it
 * rejects with SANDBOX_UNAVAILABLE only, when nothing could be evaluated here.
 */
export interface QueryEvaluator {
  evaluate(query: Query): Promise<QueryAnswer>;
  /** Ends what runs; resolves when no process is left. What is still asked for is answered with a failure or rejected. */
  close(): Promise<void>;
}
