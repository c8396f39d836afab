// Runs, from the plan of one to its end.
import type { Json } from '../../json.js';
import type { RunRecord, StopAt } from '../ports.js';
import type { DataDeclaration } from '../run/data.js';
import type { RunPlan } from '../plan/run-plan.js';
import type { Principal } from './principal.js';
import type { RunView } from './run-views.js';
import type { WorkflowSource } from './workflows.js';

export interface StartRequest {
  /** A source (registered first) or the id of a registered workflow. */
  readonly workflow: WorkflowSource | string;
  readonly input: Json;
  /**
   * role -> instance. `*` is the run's own agent, which acts in steps that name none (AgentOS page); a
   * document of dialect 2 has no place for it.
   */
  readonly agents?: Readonly<Record<string, string>>;
  /** What the input carries, besides what the document says of it; absent = nothing more is said. */
  readonly data?: DataDeclaration;
}

/** Runs: planned, started, advanced, stopped. */
export interface Runs {
  /**
   * What would run and what would hold it up, step by step, by the same questions that the guard asks; `input` undefined
   * = it is not known. Nothing starts, and nothing is written or logged. Throws DOC_INVALID, INPUT_INVALID, NOT_FOUND,
   * USAGE; what ceilings or policy refuse is part of the plan.
   */
  plan(
    request: Omit<StartRequest, 'input'> & { readonly input: Json | undefined },
    initiator: Principal,
  ): Promise<RunPlan>;
  /** Resolves with the run id once the start is durable. Refusals throw (POLICY_*, exit 3) and leave an entry. */
  start(request: StartRequest, initiator: Principal): Promise<string>;
  /**
   * A run of the same workflow, input and initiator that a crash interrupted and that nobody advances: starting the
   * same thing again should continue it. Null when there is none; a run that waits is not interrupted.
   */
  interrupted(request: StartRequest, initiator: Principal): Promise<string | null>;
  /**
   * Advances the run. `waiting`: returns when it finished or waits for a person; `resting`: or rests until a timer of its
   * own, `wakeAtMs`; `finished`: waits for decisions made here or by other processes too. Throws RUN_BUSY while another
   * process advances it.
   */
  drive(
    runId: string,
    options: { readonly stopAt: StopAt; readonly signal: AbortSignal },
  ): Promise<RunRecord>;
  /**
   * Checks the right `run.resume`; for an indeterminate run `lost` says what becomes of the lost attempt. `from`: the
   * step that the run stands at, of which a lost attempt is run again; USAGE for any other one. Then `drive`.
   */
  resume(
    runId: string,
    principal: Principal,
    options?: { readonly lost?: 'rerun' | 'fail'; readonly from?: string },
  ): Promise<void>;
  /**
   * A run that has failed, was refused or cancelled goes on where it stood, under the policies of now: what has succeeded
   * keeps its result, what has not is attempted anew, and asks anew for approval. Checks `run.resume`, and that who
   * started the run may still run its workflow. With an attempt whose outcome is not known `lost` is needed. Then
   * `drive`. Throws RUN_NOT_REDRIVABLE, RUN_UNFINISHED, RUN_INDETERMINATE, RUN_BUSY, POLICY_*.
   */
  redrive(runId: string, principal: Principal, options?: { readonly lost?: 'rerun' }): Promise<void>;
  /** Withdraws approvals, stops sandboxes; resolves when the run is `cancelled`. */
  cancel(runId: string, principal: Principal): Promise<RunView>;
  /** Whether a living process advances the run, this one included. */
  isAdvanced(runId: string): boolean;
  /**
   * Runs in the middle of their way that no living process advances, oldest first; without those that call a function which
   * is not registered here. One that has only just been given from process to process may be among them.
   */
  abandoned(): Promise<readonly string[]>;
}
