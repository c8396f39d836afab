// Task states (ASL: Task): an agent package by digest, a function, or a person with a form.
import { isObject, type Json } from '../../json.js';
import { nearest } from '../../expression/nearest.js';
import { dataClassOf } from '../data-class.js';
import { approvalSpec, checkApproval, checkSandbox, sandboxSpec } from '../gate.js';
import { checkInputsSchema } from '../input.js';
import { nodeAt } from '../located.js';
import type { ApprovalSpec, PlanNode, TaskNode } from '../plan.js';
import { parseAgentReference } from './agent-reference.js';
import { flowOf } from './data-flow.js';
import type { DocumentFacts } from './document-facts.js';
import { catchersOf, retriersOf } from './errors.js';
import type { Fields } from './fields.js';
import { resourceOf, type Target } from './resource.js';

export type NodeBase = Pick<PlanNode, 'name' | 'line' | 'column'>;

/** null when it is not plain what the task calls; a finding says why. */
export function taskOf(
  base: NodeBase,
  state: Fields,
  next: string | null,
  options: { readonly document: DocumentFacts; readonly express: boolean },
): TaskNode | null {
  const target = targetOf(state, options.document, options.express);
  const approval = approvalOf(state);
  checkSandbox(state.values['sandbox'], [...state.at, 'sandbox'], state.findings);
  const flow = flowOf(state);
  const timeout = state.amount('timeoutSeconds');
  const heartbeat = state.amount('heartbeatSeconds');
  if (typeof timeout === 'number' && typeof heartbeat === 'number' && heartbeat >= timeout) {
    const message = `heartbeatSeconds ${heartbeat} is not less than timeoutSeconds ${timeout}`;
    state.wrong(message, 'a heartbeat comes before the timeout', ['heartbeatSeconds']);
  }
  const credentials = credentialsOf(state, options.document.form);
  const retry = retriersOf(state);
  const catchers = catchersOf(state);
  const data = dataClassOf(state.values['data']);
  if (target === null) return null;
  const limits = {
    ...(timeout === null || typeof timeout === 'number' ? {} : { timeout }),
    ...(heartbeat === null ? {} : { heartbeat }),
  };
  return {
    ...base,
    kind: 'task',
    call: target.call,
    when: null,
    flow,
    loop: null,
    collects: false,
    timeoutMs: typeof timeout === 'number' ? timeout * 1000 : null,
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(credentials === undefined ? {} : { credentials }),
    retry,
    catch: catchers,
    onFailure: 'fail',
    approval,
    sandbox: sandboxSpec(state.values['sandbox'] ?? target.sandbox ?? undefined),
    ...(data === null ? {} : { data }),
    idempotent: state.values['idempotent'] === true,
    next,
  };
}

/** null when the state asks for none. */
function approvalOf(state: Fields): ApprovalSpec | null {
  const approval = approvalSpec(state.values['approval']);
  checkApproval(approval, [...state.at, 'approval'], state.findings);
  return approval;
}

/** Of a state that calls nothing: its approval is of entering it, and `none` is none. */
export function entryApprovalOf(state: Fields): { readonly approval?: ApprovalSpec } {
  const approval = approvalOf(state);
  return approval === null || approval.mode === 'none' ? {} : { approval };
}

function targetOf(state: Fields, document: DocumentFacts, express: boolean): Target | null {
  state.exclusive('agent', 'resource', 'human');
  const agent = state.text('agent');
  const resource = state.text('resource');
  if (agent !== null) return agentOf(state, agent, document);
  if (resource !== null) {
    const { functions, isRegistry, form } = document;
    return resourceOf(state, resource, { functions, isRegistry, form, express });
  }
  const human = state.inner('human');
  if (human !== null) return humanOf(human, document);
  if (state.has('agent') || state.has('resource') || state.has('human')) return null; // of a wrong type
  return state.missing(
    'a Task has none of "agent", "resource" and "human"',
    'add agent: name@sha256:<64 hex digits>, or resource: <function id>',
  );
}

function agentOf(state: Fields, agent: string, document: DocumentFacts): Target | null {
  const reference = document.agents.get(agent);
  if (reference === null) return null;
  if (reference !== undefined) return { call: { kind: 'agent', ...reference }, sandbox: null };
  if (document.form === 'compact' && /^[\w-]+$/.test(agent)) {
    return state.add({
      code: 'DOC_UNKNOWN_NAME',
      message: `"agents" has no ${JSON.stringify(agent)}`,
      hint: nearest(agent, document.agents.keys()) ?? 'add it to agents, as name@sha256:<64 hex digits>',
      at: ['agent'],
    });
  }
  const parsed = parseAgentReference(agent, ['agent']);
  return 'code' in parsed ? state.add(parsed) : { call: { kind: 'agent', ...parsed }, sandbox: null };
}

function humanOf(human: Fields, document: DocumentFacts): Target | null {
  const at = [...human.at, 'form'];
  const form = nodeAt(document.root, at);
  if (form?.kind === 'map') checkInputsSchema(form, at, human.findings, 'form');
  const { approverRoles, quorum, expiresSeconds, separationOfDuties } = human.values;
  const asked: Record<string, Json> = { mode: 'sync' };
  if (approverRoles !== undefined) asked['approverRoles'] = approverRoles;
  if (quorum !== undefined) asked['quorum'] = quorum;
  if (expiresSeconds !== undefined) asked['expiresSeconds'] = expiresSeconds;
  if (separationOfDuties !== undefined) asked['separationOfDuties'] = separationOfDuties;
  const approval = approvalSpec(asked);
  if (approval === null || !human.has('form')) return null;
  const asks = { schema: human.values['form'] ?? {}, approval };
  const call = { kind: 'function', functionId: 'human::form', agent: null, fallback: null } as const;
  return { call: { ...call, waits: 'person', form: asks }, sandbox: null };
}

/** A fault in them names the field as the document spells it. */
function credentialsOf(state: Fields, form: DocumentFacts['form']): Json | undefined {
  const given = state.inner('credentials');
  if (given === null) return undefined;
  if (!given.has('roleArn') && !given.has('roleArn.$')) {
    given.missing('"credentials" has no "roleArn"', 'name the role, or leave credentials out');
  }
  const payload = state.payload('credentials');
  if (form !== 'asl' || payload === undefined || !isObject(payload)) return payload;
  return Object.fromEntries(
    Object.entries(payload).map(([name, value]) => [name.replace(/^roleArn/, 'RoleArn'), value]),
  );
}
