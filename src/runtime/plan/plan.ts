// What would run, and what would hold it up: every step of a workflow asked the questions that the guard will ask, with
// what is known before anything has run. A plan is a question: nothing starts, and nothing is written or logged.
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { checkAccess } from '../../policy/rbac/access.js';
import { declaredTogether, grownBy, UNKNOWN_DATA } from '../../workflow/data-class.js';
import type { Plan } from '../../workflow/plan.js';
import { taskAt } from '../../workflow/state-gate.js';
import { Foresight } from './foresight.js';
import type { Guard } from '../guard-parts.js';
import { outline, type OutlineStep } from './outline.js';
import { planCall } from './planned-call.js';
import type { WorkflowRecord } from '../ports.js';
import { dataOf, returnedBy } from '../run/data.js';
import type { PlanVerdict, PlannedStep, RunPlan } from './run-plan.js';

export interface PlanQuestion {
  readonly record: WorkflowRecord;
  readonly isRegistered: boolean;
  readonly plan: Plan;
  readonly input: Json | undefined;
  readonly agents: Readonly<Record<string, string>>;
  readonly initiator: string;
}

export async function planRun(guard: Guard, question: PlanQuestion): Promise<RunPlan> {
  const { record, plan, input, initiator } = question;
  const foresight = new Foresight(plan, input);
  const outlook = { guard, plan, agents: question.agents, foresight };
  const { author } = record;
  const steps: PlannedStep[] = [];
  // Steps of a group begin together: what one of them gives, the next ones after the group are judged with.
  let [data, given, group] = [dataOf(plan), UNKNOWN_DATA, null as string | null];
  for (const step of outline(plan)) {
    if (step.group === null || step.group !== group) [data, given] = [grownBy(data, given), UNKNOWN_DATA];
    group = step.group;
    const node = plan.nodes[step.key];
    // What a file will carry is not known before it is read.
    if (node?.kind === 'fork' && node.lanes.some(({ each }) => each?.items.kind === 'reader'))
      data = UNKNOWN_DATA;
    const task = taskAt(node);
    const isFirst = step.key === plan.start || step.group === plan.start;
    const each = eachOf(plan, step);
    const reached = { key: step.key, data, initiator, author };
    const call = task === null ? null : await planCall(outlook, { ...reached, node: task });
    steps.push({
      ...step,
      order: steps.length + 1,
      itemCount: each === null ? null : foresight.items(each, isFirst),
      conditionHolds: task === null ? true : foresight.condition(task),
      call,
    });
    if (task !== null) given = declaredTogether(given, returnedBy(task, call?.reach ?? {}));
  }
  const start = askStart(guard, record.id, initiator);
  const verdict = worst([start.problem === null ? 'allow' : 'deny', ...steps.map(verdictOf)]);
  const failing = steps.find((step) => verdictOf(step) === 'error')?.call?.problem;
  return {
    workflow: {
      id: record.id,
      hash: record.hash,
      version: record.version,
      isRegistered: question.isRegistered,
      name: record.name,
      timeoutMs: plan.timeoutMs,
    },
    initiator,
    tenant: guard.tenant,
    policyHash: guard.policy().policyHash,
    inputIsKnown: input !== undefined,
    start,
    verdict,
    exitCode: verdict === 'deny' ? DENIED : failing == null ? 0 : new WritError(failing.code, '').exitCode,
    steps,
  };
}

/** Process exit code of a denial. */
const DENIED = 3;
const ORDER: readonly PlanVerdict[] = ['allow', 'needs_approval', 'error', 'deny'];

function worst(verdicts: readonly PlanVerdict[]): PlanVerdict {
  return verdicts.reduce((a, b) => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a));
}

function verdictOf({ call }: PlannedStep): PlanVerdict {
  return call?.verdict ?? 'allow';
}

function askStart(guard: Guard, workflowId: string, initiator: string): RunPlan['start'] {
  const { allowed, ruleId, effect, rolePath, code, message, hint } = checkAccess(guard.policy(), {
    subject: initiator,
    domain: guard.tenant,
    action: 'workflow.run',
    resource: workflowId,
  });
  const problem = allowed ? null : { code: code ?? 'POLICY_ERROR', message, hint };
  return { subject: initiator, ruleId, effect, rolePath, problem };
}

function eachOf(plan: Plan, { key, group }: OutlineStep): Parameters<Foresight['items']>[0] | null {
  const fork = group === null ? undefined : plan.nodes[group];
  return fork?.kind === 'fork' ? (fork.lanes.find(({ start }) => start === key)?.each ?? null) : null;
}
