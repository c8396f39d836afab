// A question to policy, and its answer: what is recorded of it, for allow and deny alike.
import type { ErrorCode } from '../../errors.js';
import type { Hex } from '../../json.js';
import type { ApprovalAsk, EffectiveApproval } from '../ceiling/approval-duty.js';
import type { BudgetUse } from '../ceiling/budget.js';
import type { AuditRequirement, CeilingLayer, LayerName, LimitSet, Rate } from '../ceiling/ceiling.js';
import type { Facts } from '../ceiling/facts.js';

export interface DecisionRequest {
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number;
  readonly initiator: string;
  /** The agent or service that acts for the initiator; null = the step has none, RBAC is asked once. */
  readonly agent: string | null;
  /**
   * Who wrote the workflow; null = nobody knows, and then no approval that they may not give can be given. Absent = the
   * question is about no workflow.
   */
  readonly author?: string | null;
  readonly domain: string;
  readonly action: string;
  readonly resource: string;
  /** Layers beyond the snapshot's own: workflow, agent, parent, step. `spec: null` records an absent one. */
  readonly layers: readonly CeilingLayer[];
  readonly facts: Facts;
  /** What the step asks for; null = it says nothing. */
  readonly approval: ApprovalAsk | null;
}

export type DecisionCode = Extract<
  ErrorCode,
  `POLICY_${string}` | `CEILING_${string}` | 'APPROVAL_QUORUM_UNREACHABLE'
>;

export interface RbacRecord {
  readonly subject: string;
  readonly ruleId: string | null;
  readonly effect: 'allow' | 'deny' | 'none';
  readonly rolePath: readonly string[];
}

/** One row per layer, one per violated field where a layer refuses. `hash: null` = the layer is absent. */
export interface CeilingRecord {
  readonly layer: LayerName;
  readonly name: string;
  readonly hash: Hex | null;
  readonly ok: boolean;
  readonly field?: string;
  readonly limit?: string;
  readonly requested?: string;
}

export interface Decision {
  readonly verdict: 'allow' | 'deny' | 'needs_approval';
  /** Set when and only when the verdict is deny. */
  readonly code: DecisionCode | null;
  /** One sentence; a denial names at least one rule, or a layer and its field. */
  readonly message: string;
  readonly hint: string | null;
  /** Initiator first, then the agent. */
  readonly rbac: readonly RbacRecord[];
  readonly ceiling: readonly CeilingRecord[];
  readonly effective: {
    /** null = no approval is needed. Set also where something else denies. */
    readonly approval: EffectiveApproval | null;
    /** Maximum per limit; an absent name is bounded by the driver's default only. */
    readonly limits: LimitSet;
    /** Limits that a clamping layer lowered below what the step asked. */
    readonly narrowed: readonly string[];
    /** What has to be true of the log before the act. */
    readonly audit: AuditRequirement;
    /** Whether a layer lists the mounts that are asked for: what no layer lists is nobody's to give. Absent = none is asked. */
    readonly mounts?: 'listed' | 'unlisted';
    /**
     * Whether ceilings of the operator list every host that a sandbox asks for, addresses by themselves and not by a
     * pattern. Absent = no sandbox, or no host is asked for.
     */
    readonly network?: 'listed' | 'unlisted';
    /** What the sandbox has to keep; absent = nothing is required. */
    readonly require?: readonly string[];
  };
  /** Which layer and rule, or the step, asked for the approval, for people. */
  readonly demandedBy: readonly string[];
  /** The standing approval (grant.ts) that took the place of a person's; absent = none did. */
  readonly grant?: string;
  /** Budgets the act is to be charged to, of every layer; empty where it is denied. See `underMeters`. */
  readonly budgets: readonly LayerBudget[];
  /** Buckets the act takes from, of every layer; empty where it is denied. See `underRates`. */
  readonly rates: readonly LayerRate[];
  readonly policyHash: Hex;
  /** Hash of the meet of all layers. */
  readonly ceilingHash: Hex;
  readonly modelHash: Hex;
}

/** A budget of one layer, and what of it the act will use at least. */
export interface LayerBudget extends BudgetUse {
  readonly layer: LayerName;
  readonly name: string;
  readonly estimate: number;
}

/** A rate of one layer that counts the act. */
export interface LayerRate extends Rate {
  readonly layer: LayerName;
  readonly name: string;
}
