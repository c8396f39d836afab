// Everything about a workflow that can be checked without running it: the document, its functions, its packages by
// digest, the modules it names, and whether each step fits under every ceiling.
import { WritError } from '../../errors.js';
import { isDigest, isObject, type Digest, type Json } from '../../json.js';
import { isRole } from '../../policy/file/text.js';
import type { Segments } from '../../workflow/located.js';
import { parseWorkflow } from '../../workflow/parse.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import { taskAt } from '../../workflow/state-gate.js';
import { ofRequest } from '../plan/asked-fields.js';
import { registeredFunctions } from '../call/callable.js';
import type { Guard } from '../guard-parts.js';
import type { AgentPackage } from '../ports.js';
import type { Diagnostic, WorkflowSource } from '../writ.js';
import { at, besides, isMisread, located, type NodeFinding } from './node-finding.js';
import { agentless, strangers } from './acting-agents.js';
import { faultsWritten, writtenRequest } from './written-request.js';
import { checkCeilings, checkLabels } from './ceilings.js';
import { checkBounded, checkFit } from './fit.js';

export interface CheckedWorkflow {
  readonly plan: Plan | null;
  /** The source without secrets: what was parsed, and what is kept. */
  readonly text: string;
  /** The parsed document, of which the workflow's hash is made. */
  readonly document: Json | null;
  readonly diagnostics: readonly Diagnostic[];
  /** Digests of the packages it calls, each found and verified. */
  readonly agents: readonly Digest[];
}

export async function checkWorkflow(guard: Guard, source: WorkflowSource): Promise<CheckedWorkflow> {
  const functions = registeredFunctions(guard.callables);
  const text = guard.redact.text(source.text);
  const { plan, draft, document, diagnostics, place, partAt } = parseWorkflow(text, {
    functions,
    ...(source.file === null ? {} : { file: source.file }),
  });
  const secrets = checkSecrets(guard, source, text, document);
  // Where more errors were found than are told, nothing says which steps are read as they are written.
  if (draft === null || diagnostics.some(isOfAll))
    return { plan, text, document, diagnostics: [...secrets, ...diagnostics], agents: [] };
  const found: NodeFinding[] = [...checkLabels(guard, draft, place)];
  const agents = new Set<Digest>();
  for (const [key, state] of Object.entries(draft.nodes)) {
    const node = taskAt(state);
    if (node === null || isMisread(partAt(node, [])?.path ?? '', diagnostics)) continue;
    const agent = node.call.kind === 'agent' ? await resolve(guard, node, node.call.digest, found) : null;
    if (agent !== null) agents.add(agent.digest);
    await checkModule(guard, node, found);
    checkKept(guard, node, found);
    checkWritten(guard, node, found);
    const isAsked = (fields: readonly Segments[]) => partAt(node, fields)?.path !== partAt(node, [])?.path;
    const { call } = node;
    const resource = call.kind === 'agent' ? `${call.name}@${call.digest}` : call.functionId;
    checkFit(guard, draft, { key, node, resource, agent, isAsked }, found);
    if (agent !== null) checkBounded(guard, node, agent, found);
  }
  found.push(...agentless(draft, diagnostics, partAt), ...strangers(guard.policy(), draft));
  const all = [
    ...diagnostics,
    ...secrets,
    ...besides(diagnostics, [...checkCeilings(guard, draft, place), ...located(found, partAt)]),
  ];
  all.sort((a, b) => a.line - b.line || a.column - b.column);
  return { plan, text, document, diagnostics: all, agents: [...agents] };
}

/** That there may be more: it stays behind what there is. */
function isOfAll({ code, path }: Diagnostic): boolean {
  return code === 'DOC_INVALID' && path === '';
}

/** Where the guard itself is to say what a ceiling refuses: as an answer, or as a step's refusal in the log. */
export function withoutCeilings(checked: CheckedWorkflow): CheckedWorkflow {
  return {
    ...checked,
    diagnostics: checked.diagnostics.filter(({ code }) => code !== 'DOC_CEILING_EXCEEDED'),
  };
}

/** A secret in the text is replaced by its handle; one that the document's own escapes hide is refused. */
function checkSecrets(
  guard: Guard,
  source: WorkflowSource,
  text: string,
  document: Json | null,
): Diagnostic[] {
  const place = { code: 'DOC_BAD_VALUE', line: 1, column: 1, path: '' } as const;
  const hint = 'take the value out of the document; a secret is never part of a workflow';
  if (document !== null && guard.redact.json(document) !== document) {
    const message = 'the document spells out the value of a secret in escapes';
    return [{ ...place, severity: 'error', message, hint }];
  }
  if (text === source.text) return [];
  const message = 'the document holds the value of a secret; its handle stands in its place';
  return [{ ...place, severity: 'warning', message, hint }];
}

async function resolve(
  guard: Guard,
  node: TaskNode,
  digest: Digest,
  found: NodeFinding[],
): Promise<AgentPackage | null> {
  try {
    const agent = await guard.callables.packages.resolve(digest);
    if (agent === null) {
      const hint = 'put the package into a packages/ folder beside the workflow file';
      found.push(
        at(node, 'DOC_AGENT_UNRESOLVED', `no package store here holds ${digest}`, hint, [['agent']]),
      );
    }
    return agent;
  } catch (error) {
    if (!(error instanceof WritError) || !error.code.startsWith('INTEGRITY_')) throw error;
    found.push(at(node, error.code, error.message, error.hint, [['agent']]));
    return null;
  }
}

/** What can be simulated and is not carried out yet is refused before anything runs, never left out. */
function checkKept({ callables }: Guard, node: TaskNode, found: NodeFinding[]): void {
  const { call, credentials } = node;
  if (credentials !== undefined) {
    const message = 'this version does not run credentials of a Task yet';
    const hint = 'an agent package names its credentials itself';
    found.push(at(node, 'DOC_UNSUPPORTED', message, hint, [['credentials']]));
  }
  if (call.kind !== 'function') return;
  const provider = callables.providers.find((one) => one.functionIds.includes(call.functionId));
  if (call.waits === 'token' && provider?.converses?.includes(call.functionId) === true) {
    const message = `"${node.name}" would tell a model its task token`;
    const hint = 'call a function that passes the token on, and let the model be a step of its own';
    found.push(at(node, 'DOC_UNSUPPORTED', message, hint, [['resource']]));
  }
  if (call.form === undefined) return;
  const { quorum, approverRoles } = call.form.approval;
  if (quorum !== null && quorum > 1) {
    const hint = 'one person fills in the form; several approve with approval: {quorum}';
    found.push(
      at(node, 'DOC_UNSUPPORTED', `"${node.name}" wants its form from ${quorum} people`, hint, [
        ['human', 'quorum'],
      ]),
    );
  }
  const role = approverRoles.find((one) => !isRole(one));
  if (role !== undefined) {
    const message = `approverRoles of "${node.name}" names ${JSON.stringify(role)}, which is no role`;
    found.push(at(node, 'DOC_BAD_VALUE', message, 'write role:NAME', [['human', 'approverRoles']]));
  }
}

/** A module named in the document itself; one that comes from data is looked up when the step runs. */
async function checkModule(guard: Guard, node: TaskNode, found: NodeFinding[]): Promise<void> {
  const { call, flow } = node;
  if (call.kind !== 'function' || call.functionId !== 'tool::wasm') return;
  const request = writtenRequest(flow);
  const module = isObject(request) ? request['module'] : undefined;
  if (typeof module !== 'string' || /\{\{|^\{%/.test(module)) return;
  const names = await guard.callables.modules.names();
  // One by its digest is found, or not, where the step runs.
  if (names.includes(module) || isDigest(module)) return;
  found.push(
    at(
      node,
      'DOC_UNKNOWN_FUNCTION',
      `tool::wasm has no module "${module}"`,
      `shipped: ${names.join(', ')}`,
      ofRequest('module'),
    ),
  );
}

/** What the step writes into its request, where its function would refuse it. A run may end well without the step. */
function checkWritten({ callables }: Guard, node: TaskNode, found: NodeFinding[]): void {
  const severity = node.when !== null || node.onFailure === 'skip' ? 'warning' : 'error';
  for (const { code, field, message, hint } of faultsWritten(callables, node))
    found.push({ ...at(node, code, `"${node.name}": ${message}`, hint, ofRequest(field)), severity });
}
