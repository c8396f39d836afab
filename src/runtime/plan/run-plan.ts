// What a plan of a run says, step by step: the answers to the questions that the guard will ask (runtime/plan/plan.ts).
import type { ErrorCode } from '../../errors.js';
import type { Hex } from '../../json.js';
import type { EffectiveApproval } from '../../policy/ceiling/approval-duty.js';
import type { AuditRequirement } from '../../policy/ceiling/ceiling.js';
import type { CeilingRecord, RbacRecord } from '../../policy/decision/decision.js';
import type { OutlineStep } from './outline.js';
import type { DataClass } from '../../workflow/data-class.js';
import type { FunctionReach } from '../ports.js';

/** `error`: it would fail for another reason than policy. */
export type PlanVerdict = 'allow' | 'needs_approval' | 'deny' | 'error';

/** Why not; null where it may. */
export interface PlanProblem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
}

export interface PlannedLimit {
  readonly name: string;
  readonly value: number;
  /** `step`, `default`, or the layer that lowered it: `ceiling org-default (org)`. */
  readonly from: string;
}

/** Of a form, or of a task token that somebody answers. */
export interface PlannedWait {
  readonly for: 'form' | 'token';
  /** From the intent on; null = nothing bounds it. */
  readonly withinMs: number | null;
  /** Who may fill in the form: roles; empty for a token, which whoever has it answers. */
  readonly roles: readonly string[];
}

/** What policy says of a step, and what the step would have. */
export interface PlannedCall {
  readonly verdict: PlanVerdict;
  readonly problem: PlanProblem | null;
  /** `agent:<name>`; null where the task has none. */
  readonly principal: string | null;
  readonly action: 'agent.invoke' | 'function.invoke';
  /** Initiator first, then the agent. */
  readonly rules: readonly RbacRecord[];
  /** Every layer, absent ones too; one row per violated field where a layer refuses. */
  readonly ceilings: readonly CeilingRecord[];
  readonly limits: readonly PlannedLimit[];
  /** An answer from outside that ends it, after the call or in its place; null = it ends with the call. */
  readonly waits: PlannedWait | null;
  /** Null = none is needed. */
  readonly approval: (EffectiveApproval & { readonly demandedBy: readonly string[] }) | null;
  /** Null = it runs in this process, outside a sandbox. */
  readonly sandbox: { readonly driver: 'wasm' | 'docker'; readonly program: string | null } | null;
  /** Hosts, names of secrets and tools; null = not known before the data that `needs` names. */
  readonly reach: FunctionReach | null;
  /** `anchored`: witnesses have to cosign the log before it begins. */
  readonly audit: AuditRequirement;
  /** What the data that it may be given carries, as far as that is said beforehand; null = nobody has said anything. */
  readonly data: DataClass | null;
  /** Names in its request that only the run fills; empty = the request is known. */
  readonly needs: readonly string[];
}

export interface PlannedStep extends OutlineStep {
  /** From 1, in the order of the run; members of a fanout group begin together and each have their own. */
  readonly order: number;
  /** Of a map; null = no map, or not known yet. */
  readonly itemCount: number | null;
  /** What its condition will be; null = not known yet. True where it has none. */
  readonly conditionHolds: boolean | null;
  /** Null for what is no task. */
  readonly call: PlannedCall | null;
}

export interface RunPlan {
  readonly workflow: {
    readonly id: string;
    readonly hash: Hex;
    /** The one that this content has, or would get. */
    readonly version: number;
    readonly isRegistered: boolean;
    readonly name: string;
    /** Whole run, waiting for approval not counted; null = none. */
    readonly timeoutMs: number | null;
  };
  readonly initiator: string;
  readonly tenant: string;
  readonly policyHash: Hex;
  /** False: no input was given, and what depends on it is not known. */
  readonly inputIsKnown: boolean;
  /** May the initiator start it (`workflow.run`)? */
  readonly start: RbacRecord & { readonly problem: PlanProblem | null };
  /** The worst of all. */
  readonly verdict: PlanVerdict;
  /** 3 when the start or a step would be denied, else that of the first step that would fail, else 0. */
  readonly exitCode: number;
  readonly steps: readonly PlannedStep[];
}
