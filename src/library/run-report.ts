// A run as `trigger` gives it: one result for each step (AgentOS page), made of the view that the command
// line shows too. Plain JSON.
import type { Json } from '../json.js';
import type { RunStatus } from '../runtime/ports.js';
import { stepStatus, type StepStatus } from '../runtime/view/step-status.js';
import type { RunView, StepView, Waiting } from '../runtime/writ.js';

export interface RunReport {
  readonly runId: string;
  readonly workflowId: string;
  readonly workflowHash: string;
  readonly status: RunStatus;
  readonly initiator: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** What a waiting run waits for, and until when. */
  readonly waitingFor: Waiting | null;
  /** Of the whole run; null before its end, and when it was erased. */
  readonly output: Json;
  readonly error: RunView['error'];
  readonly results: readonly StepResult[];
}

export type { StepStatus };

export interface StepResult {
  readonly stepName: string;
  readonly stepPath: string;
  readonly status: StepStatus;
  /** Null where there is none, and when it was erased. */
  readonly output: Json;
  /** Its commitment in the log (HMAC-SHA-256, hex). */
  readonly outputHash: string | null;
  readonly durationMs: number | null;
  readonly attempts: number;
  readonly functionId: string;
  /** `agent:<name>`. */
  readonly principal: string;
  readonly approval: StepView['approval'];
  readonly error: StepView['error'];
  /** Log indices (decimal) of the entries about it; null for a map whose items are not all in `nested`. */
  readonly auditEntries: readonly string[] | null;
  /** Why it was skipped; only then. */
  readonly reason?: 'condition' | 'error';
  /** Of a loop; `converged`: `until` held in the end, or there is none; null while it goes on. */
  readonly iterations?: number;
  readonly converged?: boolean | null;
  /** Of a map: its items, which are one step here. */
  readonly items?: { readonly done: number; readonly failed: number; readonly total: number };
  /** The first items of a map, in item order, or the first calls that the step has asked for. */
  readonly nested?: readonly StepResult[];
  /** How many of them are not in `nested`; ask for more with `nested`, else a map's `output` is null. */
  readonly more?: number;
}

export function runReport(view: RunView): RunReport {
  const { id, workflow, status, initiator, createdAtMs, updatedAtMs, waitingFor, output, error } = view;
  return {
    runId: id,
    workflowId: workflow.id,
    workflowHash: workflow.hash,
    status,
    initiator,
    createdAtMs,
    updatedAtMs,
    waitingFor,
    output,
    error,
    results: view.steps.map(stepResult),
  };
}

/** The items or calls below it too, as many as the view has. */
export function stepResult(step: StepView): StepResult {
  const { name, stepPath, output, outputCommitment, durationMs, attempts, functionId } = step;
  const { reason, iterations, converged, items, nested, more } = step;
  return {
    stepName: name,
    stepPath,
    status: stepStatus(step.status),
    output,
    outputHash: outputCommitment,
    durationMs,
    attempts,
    functionId,
    principal: step.principal,
    approval: step.approval,
    error: step.error,
    auditEntries: step.auditEntries ?? null,
    ...(reason === undefined ? {} : { reason }),
    ...(iterations === undefined ? {} : { iterations }),
    ...(converged === undefined ? {} : { converged }),
    ...(items === undefined ? {} : { items }),
    ...(nested === undefined ? {} : { nested: nested.map(stepResult) }),
    ...(more === undefined ? {} : { more }),
  };
}
