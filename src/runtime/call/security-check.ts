// `security::check`: asks policy, as it will be asked before each step, and lets the run go on only when the answer is
// yes. It decides nothing itself and grants nothing. A run may ask about whoever acts in it; the rights of others are
// theirs to know, and need the right `policy.read` on them. A deny is a refusal with policy's own code.
import { WritError, type ErrorCode } from '../../errors.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import { checkAccess } from '../../policy/rbac/access.js';
import type { Decision } from '../../policy/decision/decision.js';
import { isPrincipal } from '../../policy/file/text.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import { taskAt } from '../../workflow/state-gate.js';
import { policyRefusal } from '../authorize.js';
import { actingAgent } from './callable.js';
import { sandboxKind } from './sandbox-kind.js';
import { extentOf } from '../attempt/extent.js';
import { dataOf } from '../run/data.js';
import type { Guard } from '../guard-parts.js';
import { askPolicy, ofRun, NOWHERE } from '../attempt/judge.js';
import { referenceOf } from '../plan/outline.js';
import { narrowedByPackage, packageRefusal } from './package-policy.js';
import type { FunctionProvider, PackageAct, RunRecord } from '../ports.js';
import { load } from '../run/context.js';
import { planOf } from '../run/state.js';

const SECURITY_CHECK = 'security::check';

interface Question {
  readonly subject: string | null;
  readonly action: string;
  readonly resource: string;
}

const text = { type: 'string', minLength: 1, maxLength: 1024 } as const;
const REQUEST_SCHEMA = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: { subject: text, action: text, resource: text },
  dependentRequired: { subject: ['action', 'resource'], action: ['resource'], resource: ['action'] },
} as const;
const RESPONSE_SCHEMA = {
  type: 'object',
  required: ['allowed', 'decisions'],
  properties: { allowed: { const: true }, decisions: { type: 'array', items: { type: 'object' } } },
} as const;

/** The provider of `security::check`; `guard` is asked for when it is called, since the guard is what calls it. */
export function securityCheck(guard: () => Guard): FunctionProvider {
  return {
    functionIds: [SECURITY_CHECK],
    idempotent: [SECURITY_CHECK],
    describe: () =>
      'Asks policy whether somebody may do something; without arguments, whether every step here may.',
    schemas: () => ({ input: REQUEST_SCHEMA, output: RESPONSE_SCHEMA }),
    async invoke({ run: runId, agent, input }): Promise<Json> {
      const run = await load(guard(), runId);
      const question = parse(input);
      const decisions =
        question === null
          ? await everyStep(guard(), run, planOf(run))
          : (await asked(guard(), run, question, agent)).map((one) => ({ ...one }));
      return { allowed: true, decisions };
    },
  };
}

/** null = about every step of the workflow. Throws FUNCTION_REQUEST_INVALID. */
function parse(input: Json): Question | null {
  const { subject = null, action, resource, ...others } = isObject(input) ? input : {};
  const none = subject === null && action === undefined && resource === undefined;
  if ((input === null || isObject(input)) && Object.keys(others).length === 0) {
    if (none) return null;
    if (typeof action === 'string' && typeof resource === 'string') {
      if (subject === null || typeof subject === 'string') return { subject, action, resource };
    }
  }
  throw new WritError('FUNCTION_REQUEST_INVALID', `${SECURITY_CHECK} takes action and resource, or nothing`, {
    hint: 'config: { action: function.invoke, resource: tool::wasm }, and subject to ask about somebody else',
  });
}

/** One answer per subject, all of them yes. Throws POLICY_* for the first no. */
async function asked(
  guard: Guard,
  run: RunRecord,
  { subject, action, resource }: Question,
  agent: string | null,
): Promise<readonly JsonObject[]> {
  const { initiator } = run;
  // What a step of this run may do at most, as for the steps themselves.
  const policy = (await ofRun(guard, run)).policy();
  const domain = guard.tenant;
  const involved = agent === null ? [initiator] : [initiator, agent];
  if (subject !== null && !involved.includes(subject)) {
    // Its form first: a message of the next question would name what was asked.
    if (!isPrincipal(subject))
      throw refusal('POLICY_REQUEST_INVALID', 'subject is no user:, agent: or service: name');
    const may = checkAccess(policy, {
      subject: initiator,
      domain,
      action: 'policy.read',
      resource: subject,
    });
    if (!may.allowed) throw policyRefusal(may);
  }
  // What a step calls is asked for the initiator and for the agent, so both are asked here.
  const both = action === 'function.invoke' || action === 'agent.invoke';
  const subjects = subject !== null ? [subject] : both ? involved : [initiator];
  const answers = subjects.map((one) => {
    const answer = checkAccess(policy, { subject: one, domain, action, resource });
    if (!answer.allowed) throw policyRefusal(answer);
    return {
      subject: one,
      action,
      resource,
      verdict: 'allow',
      ruleId: answer.ruleId,
      rolePath: [...answer.rolePath],
    };
  });
  // A package's own text narrows what its agent may reach, whoever asks.
  if (action === 'network.egress' || action === 'tool.invoke' || action === 'secret.use') {
    await askPackages(guard, planOf(run), subject === null ? involved : subjects, { action, resource });
  }
  return answers;
}

/** Throws POLICY_DENY_RULE or POLICY_ERROR where the policy text of a subject's package, in this workflow, says no. */
async function askPackages(
  { callables }: Guard,
  plan: Plan,
  subjects: readonly string[],
  act: PackageAct,
): Promise<void> {
  for (const node of Object.values(plan.nodes)) {
    if (node.kind !== 'task' || node.call.kind !== 'agent') continue;
    const agent = await callables.packages.resolve(node.call.digest);
    if (agent === null || !subjects.includes(`agent:${agent.name}`)) continue;
    const no = await packageRefusal(callables.packagePolicies ?? null, agent, [act]);
    if (no === null) continue;
    throw refusal(
      no.kind === 'denied' ? 'POLICY_DENY_RULE' : 'POLICY_ERROR',
      `the policy of package ${agent.name} says no of ${act.action} on ${act.resource}: ${no.reason}`,
    );
  }
}

/** What policy and every ceiling say of each step before its data is known. Throws POLICY_*, CEILING_*, APPROVAL_*. */
async function everyStep(guard: Guard, run: RunRecord, plan: Plan): Promise<JsonObject[]> {
  const decisions: JsonObject[] = [];
  for (const [stepPath, state] of Object.entries(plan.nodes)) {
    const node = taskAt(state);
    if (node === null) continue;
    const { resource, decision } = await decideStep(guard, run, plan, stepPath, node);
    if (decision.verdict === 'deny') {
      const { code, message, hint } = decision;
      throw refusal(code ?? 'POLICY_ERROR', `step "${node.name}": ${message}`, hint);
    }
    decisions.push({
      stepPath,
      resource,
      verdict: decision.verdict,
      rules: decision.rbac.map(({ subject, ruleId }) => ({ subject, ruleId })),
      demandedBy: [...decision.demandedBy],
    });
  }
  return decisions;
}

async function decideStep(
  guard: Guard,
  run: RunRecord,
  plan: Plan,
  key: string,
  node: TaskNode,
): Promise<{ readonly resource: string; readonly decision: Decision }> {
  const { call, approval } = node;
  const agent = call.kind === 'agent' ? await guard.callables.packages.resolve(call.digest) : null;
  if (call.kind === 'agent' && agent === null) {
    throw new WritError(
      'DOC_AGENT_UNRESOLVED',
      `"${node.name}" needs a package that no package store here holds`,
    );
  }
  const resource = referenceOf(call);
  const callable = {
    resource,
    action: call.kind === 'agent' ? 'agent.invoke' : 'function.invoke',
    agent: agent === null ? actingAgent(plan, run, node) : `agent:${agent.name}`,
    agentDigest: agent?.digest ?? null,
    package: agent,
    approval,
  } as const;
  const question = {
    plan,
    node,
    initiator: run.initiator,
    callable,
    sandbox: sandboxKind(node),
    reach: NOWHERE,
    extent: extentOf(plan, key, null),
    data: dataOf(plan),
  };
  const { packagePolicies = null } = guard.callables;
  const decision = askPolicy(await ofRun(guard, run), question);
  return { resource, decision: await narrowedByPackage(packagePolicies, decision, agent, NOWHERE) };
}

function refusal(code: ErrorCode, message: string, hint: string | null = null): WritError {
  return new WritError(code, message, hint === null ? {} : { hint });
}
