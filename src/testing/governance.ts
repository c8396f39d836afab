// What policy says in a simulation: the same question as before an attempt of a run, asked of a snapshot. Nothing is logged,
// no budget is charged, and no approval is used. What only the place of a run knows is not judged: packages are not
// opened, and what a function would reach (hosts, credentials, tools, cost) counts as nothing.
import { stepError } from '../engine/fault.js';
import type { StepError, Task } from '../engine/index.js';
import { WritError } from '../errors.js';
import { checkAccess, type PolicySnapshot } from '../policy/index.js';
import { sandboxKind } from '../runtime/call/sandbox-kind.js';
import { extentOf } from '../runtime/attempt/extent.js';
import { askPolicy, NOWHERE } from '../runtime/attempt/judge.js';
import { factsOf } from '../runtime/plan/foreseen-call.js';
import type { DataClass } from '../workflow/data-class.js';
import type { Plan } from '../workflow/index.js';

export interface Governed {
  /** As `loadPolicies` of `writ/policy` gives it. */
  readonly snapshot: PolicySnapshot;
  /** Who would start the run, `user:alice`. */
  readonly initiator: string;
  /** Default `default`. */
  readonly tenant?: string;
  /** Who fills the roles of dialect 1, as `--agent role=instance`. */
  readonly agents?: Readonly<Record<string, string>>;
}

export interface Governance {
  /** Why no run of the workflow may begin; null = it may. */
  readonly refusal: StepError | null;
  /** Of an attempt that is about to begin; `nowMs` on the virtual clock. */
  judge(task: Task, data: DataClass, nowMs: number): Judgement;
}

export type Judgement =
  | { readonly verdict: 'allow' | 'needs_approval' }
  /** As the run would see it: a refusal. */
  | { readonly verdict: 'deny'; readonly error: StepError };

export function governanceOf(plan: Plan, governed: Governed): Governance {
  const { snapshot, initiator, tenant = 'default', agents = {} } = governed;
  const start = checkAccess(snapshot, {
    subject: initiator,
    domain: tenant,
    action: 'workflow.run',
    resource: plan.id,
  });
  return {
    refusal: start.allowed ? null : stepError(new WritError(start.code ?? 'POLICY_ERROR', start.message)),
    judge: ({ key, node, ...task }, data, nowMs) => {
      const limited = task.timeoutMs === node.timeoutMs ? node : { ...node, timeoutMs: task.timeoutMs };
      const { verdict, code, message } = askPolicy(
        {
          policy: () => snapshot,
          clock: { nowMs: () => nowMs, sleepUntil: () => Promise.resolve(), sleep: () => Promise.resolve() },
          tenant,
        },
        {
          plan,
          node: limited,
          initiator,
          callable: factsOf(plan, agents, node),
          sandbox: sandboxKind(node),
          reach: NOWHERE,
          extent: extentOf(plan, key, task),
          data,
        },
      );
      if (verdict !== 'deny') return { verdict };
      return { verdict, error: stepError(new WritError(code ?? 'POLICY_ERROR', message)) };
    },
  };
}
