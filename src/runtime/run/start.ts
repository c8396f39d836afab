// Starting a run: the document is checked whole, the initiator is authorized, and run, plan, input and the entry
// `run.started` become durable together before anything else happens.
import { parseEntry } from '../../audit/entry.js';
import { canonicalJson } from '../../canonical-json.js';
import { Execution } from '../../engine/execution.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { isPrincipal } from '../../policy/file/text.js';
import { checkInput } from '../../workflow/input.js';
import { withDefaults } from '../../workflow/input-default.js';
import type { Plan } from '../../workflow/plan.js';
import { authorize } from '../authorize.js';
import { draft, type EntryContext } from '../log/entries.js';
import { newId } from '../ids.js';
import type { Guard } from '../guard-parts.js';
import { workflowLayer } from '../attempt/layers.js';
import { openJson, sealJson } from '../log/payload.js';
import type { RunRecord, WorkflowRecord } from '../ports.js';
import { dataJson, dataOf, requireKnownLabels } from './data.js';
import { POLICIES_KEPT } from './policies.js';
import { planDigest, planOf, stored } from './state.js';
import { settle } from './settlement.js';
import { refuseUnavailable } from '../call/unavailable.js';
import type { Principal } from '../writ.js';

export interface RunStart {
  readonly workflow: WorkflowRecord;
  readonly plan: Plan;
  readonly input: Json;
  readonly agents: Readonly<Record<string, string>>;
  readonly initiator: Principal;
  /** The caller has asked policy already; absent: `workflow.run` of this workflow is asked. */
  readonly isAllowed?: true;
  /** Registers the workflow and keeps its packages; called once the initiator may run it. */
  readonly keep: () => Promise<void>;
}

/**
 * The new run's id, once durable; `hold` is called with it before anybody can see the run. A refusal throws POLICY_*
 * and leaves its entry in the log's own chain; FUNCTION_UNAVAILABLE: nothing is registered or run.
 */
export async function startRun(
  guard: Guard,
  request: RunStart,
  hold: (runId: string) => void,
): Promise<string> {
  const { workflow, plan, agents, initiator } = request;
  const input = runInput(plan, request.input);
  checkAgents(guard, plan, agents);
  checkLabels(guard, plan);
  const data = dataJson(dataOf(plan));
  // Asked once: what the log names is what is kept, whatever comes into force meanwhile.
  const policies = guard.policyFiles();
  const log: EntryContext = {
    tenant: guard.tenant,
    run: null,
    workflow: { id: workflow.id, hash: workflow.hash },
    policy: policies.policyHash,
    actor: { id: initiator.id, via: guard.via },
  };
  if (request.isAllowed !== true)
    await authorize(guard, log, { subject: initiator.id, action: 'workflow.run', resource: workflow.id });
  await refuseUnavailable(guard, { plan, input, agents });
  await request.keep();
  const id = newId('run', guard.random);
  const nowMs = guard.clock.nowMs();
  const context = { ...log, run: id };
  const seed = Buffer.from(guard.random.bytes(32)).toString('hex');
  const execution = Execution.start(plan, { runId: id, initiator: initiator.id, input, nowMs, seed });
  const payload = sealJson(id, 'input', input, guard);
  const about = {
    initiator: initiator.id,
    assurance: initiator.assurance,
    key: initiator.publicKey,
    parentRun: null,
    agents,
    plan: planDigest(plan),
    ...POLICIES_KEPT,
    ...(data === null ? {} : { data }),
  };
  const started = draft(context, 'run.started', about, { input: payload.commitment });
  const fresh = freshRun(request, { id, tenant: guard.tenant, policyHash: policies.policyHash, nowMs });
  // It may wait for a timer, or be over, at once; then that is part of the same commit.
  const sealing = { entry: context, nowMs, random: guard.random, redact: guard.redact };
  const situation = { lost: null, waits: new Map(), endsLater: false };
  const first = settle(execution, execution.takeChanges(), fresh, situation, sealing);
  hold(id);
  await guard.journal.commit({
    runs: [{ op: 'insert', record: first.run }],
    policies: [policies],
    parts: [first.parts],
    attempts: first.attempts,
    entries: [started, ...first.entries],
    payloads: [{ payload, entry: 0 }, ...first.payloads.map((one) => ({ ...one, entry: one.entry + 1 }))],
  });
  return id;
}

/** The record of a run in which nothing has happened yet. */
function freshRun(
  { workflow, plan, agents, initiator }: RunStart,
  { nowMs, ...own }: Pick<RunRecord, 'id' | 'tenant' | 'policyHash'> & { readonly nowMs: number },
): RunRecord {
  return {
    ...own,
    workflowId: workflow.id,
    workflowHash: workflow.hash,
    initiator: initiator.id,
    status: 'running',
    plan: stored(plan),
    state: null,
    waitingFor: null,
    wakeAtMs: null,
    agents,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    exitCode: null,
    version: 0,
  };
}

/**
 * The input of a run of this plan: as given, which `recordable` has passed, and what the workflow's `inputs` give where
 * that says nothing. Throws INPUT_INVALID.
 */
export function runInput(plan: Plan, given: Json): Json {
  const input = plan.inputs === null ? given : withDefaults(plan.inputs, given);
  const problems = checkInput(plan, input);
  const [problem] = problems;
  if (problem !== undefined) {
    throw new WritError('INPUT_INVALID', `the input does not fit ${plan.id}: ${problem.message}`, {
      hint: "see the workflow's inputs schema",
      details: { diagnostics: problems },
    });
  }
  return input;
}

/** Whether these can be the agents of a run of this plan. Throws USAGE. */
export function checkAgents(
  guard: Pick<Guard, 'redact'>,
  plan: Plan,
  agents: Readonly<Record<string, string>>,
): void {
  const unknownRole = Object.keys(agents).find((role) => !namesRole(plan, role));
  if (unknownRole !== undefined) {
    throw new WritError('USAGE', `${plan.id} has no agent role "${unknownRole}"`, {
      hint:
        plan.agents.length > 0
          ? `roles: ${plan.agents.join(', ')}`
          : 'its agents are packages, pinned by digest',
    });
  }
  if (Object.values(agents).some((name) => guard.redact.text(name) !== name)) {
    throw new WritError('USAGE', 'the name of an agent instance holds the value of a secret', {
      hint: 'name the instance, not what it signs in with',
    });
  }
  const badAgent = Object.values(agents).find((name) => !isPrincipal(`agent:${name}`));
  if (badAgent !== undefined) throw new WritError('USAGE', `"${badAgent}" is no agent name`);
}

/** Throws INPUT_INVALID for a label of the run's data that no ceiling names. */
export function checkLabels(guard: Pick<Guard, 'policy' | 'tenant'>, plan: Plan): void {
  const layers = () => [...guard.policy().layers.own(guard.tenant), workflowLayer(plan)];
  requireKnownLabels(dataOf(plan), layers, 'INPUT_INVALID');
}

/**
 * A run of the same workflow, initiator and input that a crash interrupted and nobody is advancing; starting it
 * again continues it. Waiting runs are not interrupted.
 */
export async function interruptedRun(
  guard: Guard,
  request: RunStart,
  isHeld: (runId: string) => boolean,
): Promise<string | null> {
  const { workflow, initiator } = request;
  const dataOfPlan = (plan: Plan) => dataJson(dataOf(plan));
  // Of a version that filled in no defaults the input is there as it was given.
  const inputs = [runInput(request.plan, request.input), request.input];
  const wanted = new Set(
    inputs.map((input) => canonicalJson({ input, agents: request.agents, data: dataOfPlan(request.plan) })),
  );
  for (const head of await guard.store.unfinishedRuns()) {
    if (head.workflowId !== workflow.id || head.workflowHash !== workflow.hash) continue;
    if (head.status !== 'running' || head.initiator !== initiator.id || isHeld(head.id)) continue;
    const run = await guard.store.run(head.id);
    // It may have gone on, or ended, since.
    if (run?.status !== 'running') continue;
    const { agents } = run;
    const data = dataOfPlan(planOf(run));
    if (wanted.has(canonicalJson({ input: await inputOf(guard, run), agents, data }))) return run.id;
  }
  return null;
}

/** The input the run was started with; null when it was erased. */
export async function inputOf(guard: Guard, run: Pick<RunRecord, 'id'>): Promise<Json> {
  const [first] = await guard.store.entriesOfRun(run.id, { from: 0, limit: 1 });
  const commitment = first === undefined ? undefined : parseEntry(first.bytes).commit['input'];
  return commitment === undefined ? null : openJson(await guard.store.payload(commitment));
}

function namesRole(plan: Plan, role: string): boolean {
  if (role === '*') return plan.dialect === 'steps';
  if (plan.agents.includes(role)) return true;
  return Object.values(plan.nodes).some((node) => {
    return node.kind === 'task' && node.call.kind === 'function' && node.call.agent === role;
  });
}
