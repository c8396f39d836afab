// Everything about a workflow that can be checked without running it: the document, its functions, its packages by
// digest, the modules it names, and whether each step fits under every ceiling.
import { WritError } from '../../errors.js';
import { isDigest, isObject, type Digest, type Json } from '../../json.js';
import { NO_COST } from '../../policy/ceiling/budget.js';
import { NO_CEILING, type CeilingLayer } from '../../policy/ceiling/ceiling.js';
import { ceilingHint } from '../../policy/ceiling/hint.js';
import { checkCeilingSpec } from '../../policy/ceiling/spec.js';
import { boundViolations } from '../../policy/ceiling/permits.js';
import type { Violation } from '../../policy/ceiling/violation.js';
import { isRole } from '../../policy/file/text.js';
import type { LoadedCeiling } from '../../policy/ceiling/loaded.js';
import { widenings } from '../../policy/ceiling/widening.js';
import type { Segments } from '../../workflow/located.js';
import { parseWorkflow, type ParsedWorkflow } from '../../workflow/parse.js';
import type { DataClass } from '../../workflow/data-class.js';
import type { Place } from '../../workflow/diagnostic.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import { taskAt } from '../../workflow/state-gate.js';
import { fieldsAsking, ofRequest } from '../plan/asked-fields.js';
import { registeredFunctions } from '../call/callable.js';
import type { Guard } from '../guard-parts.js';
import { extentOf } from '../attempt/extent.js';
import { askedLimits, mountFacts, layersOf, packageLayer, workflowLayer } from '../attempt/layers.js';
import { packageFacts } from '../call/package-facts.js';
import type { AgentPackage } from '../ports.js';
import { dataFacts, dataOf, unknownLabel } from '../run/data.js';
import { SHELL_EXEC } from '../call/shell-call.js';
import type { Diagnostic, WorkflowSource } from '../writ.js';
import { roomForAnswer } from './answer-room.js';
import { at, besides, isMisread, located, type NodeFinding } from './node-finding.js';
import { agentless, strangers } from './acting-agents.js';
import { faultsWritten, writtenRequest } from './written-request.js';

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

/** What the document's own ceiling says: nothing unknown, and nothing that those above it do not allow. */
function checkCeilings(guard: Guard, plan: Plan, place: ParsedWorkflow['place']): Diagnostic[] {
  if (plan.ceilings === null) return [];
  const placeOf = (path: string, separator: string) => {
    const inside = ['ceilings', ...path.split(separator).filter((one) => one !== '')];
    return placeInside(
      place,
      inside.map((one) => (/^\d+$/.test(one) ? Number(one) : one)),
    );
  };
  const written = plan.ceilings;
  const checked = checkCeilingSpec(written);
  if (checked.ok) {
    return layersAbove(guard).flatMap(({ layer, name, spec }) =>
      widenings(checked.ceiling, spec, written).map(({ field, limit, requested }) => ({
        ...{ code: 'DOC_CEILING_EXCEEDED' as const, severity: 'error' as const, ...placeOf(field, '.') },
        message: `ceilings: ${field} is ${limit} in ceiling ${name} (${layer}), the workflow says ${requested}`,
        hint: `a ceiling can only narrow: stay under it, or have the owner of ${name} raise it`,
        path: `ceilings.${field}`,
      })),
    );
  }
  return checked.problems.map(({ pointer, message, hint }) => ({
    code: 'DOC_BAD_VALUE',
    severity: 'error',
    message: `ceilings${pointer}: ${message}`,
    ...(hint === undefined ? {} : { hint }),
    ...placeOf(pointer, '/'),
    path: `ceilings${pointer.replaceAll('/', '.')}`,
  }));
}

/** Of what stands beside `steps` and `states`: in a native state machine that is `spec`, which leads nowhere elsewhere. */
function placeInside(place: ParsedWorkflow['place'], segments: Segments): Place {
  const top = place([]);
  const outer = place(segments);
  const isOuter = outer.line !== top.line || outer.column !== top.column;
  return isOuter ? outer : place(['spec', ...segments]);
}

/** A word that no ceiling knows is a misspelling: the rules about the right one would not see it. */
function checkLabels(guard: Guard, plan: Plan, place: ParsedWorkflow['place']): NodeFinding[] {
  if (plan.ceilings !== null && !checkCeilingSpec(plan.ceilings).ok) return [];
  const layers = [...layersAbove(guard), workflowLayer(plan)];
  const wrong = (data: DataClass | undefined, where: Place & { readonly name: string }) => {
    const unknown = data === undefined ? null : unknownLabel(data, layers);
    if (unknown === null) return [];
    const message = `no ceiling names the label "${unknown.label}"`;
    const hint = `labels: ${unknown.known.join(', ')}`;
    return [at(where, 'DOC_BAD_VALUE', message, hint, [['data', 'labels']])];
  };
  return [
    ...wrong(plan.data, { name: 'data.labels', ...placeInside(place, ['data', 'labels']) }),
    ...Object.values(plan.nodes).flatMap((node) => (node.kind === 'task' ? wrong(node.data, node) : [])),
  ];
}

/** What the document doesn't say of its input, whoever starts it may. */
function isLeftToStart({ data }: Plan, field: string): boolean {
  if (field === 'data.labelsAllowed') return (data?.labels ?? null) === null;
  return field === 'data.maxClassification' && (data?.classification ?? null) === null;
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

/** Of the policy directory, as they hold for what runs here. */
function layersAbove(guard: Guard): readonly LoadedCeiling[] {
  return guard.policy().ceilings.filter((one) => one.layer !== 'tenant' || one.name === guard.tenant);
}

/** Limits that a step takes although it says nothing of them, and the field by which it would. */
const DEFAULTED: ReadonlyMap<string, string> = new Map([
  ['limits.timeoutMs', 'timeoutMs'],
  ['limits.retries', 'maxRetries'],
  ['limits.loopIterations', 'maxIterations'],
]);

interface CheckedNode {
  readonly key: string;
  readonly node: TaskNode;
  /** What it calls, as policy names it. */
  readonly resource: string;
  readonly agent: AgentPackage | null;
  /** Does the document have one of these fields of it? */
  readonly isAsked: (fields: readonly Segments[]) => boolean;
}

/** A step that asks for more than a ceiling allows is refused here, before anybody waits for it. */
function checkFit(guard: Guard, plan: Plan, checked: CheckedNode, found: NodeFinding[]): void {
  const { key, node, resource, agent } = checked;
  if (node.call.kind === 'agent' && agent === null) return;
  if (plan.ceilings !== null && !checkCeilingSpec(plan.ceilings).ok) return;
  const { call } = node;
  const layers: readonly CeilingLayer[] = [...layersAbove(guard), ...layersOf(plan, node, agent)];
  const room = roomForAnswer(node, layers);
  if (room !== null) {
    const told = at(
      node,
      'DOC_BAD_VALUE',
      `"${node.name}": ${room.message}`,
      room.hint,
      ofRequest('maxBytes'),
    );
    found.push({ ...told, severity: 'warning' });
  }
  for (const { layer, name, spec } of layers) {
    if (spec === null) continue;
    const violations = boundViolations(spec, {
      nowMs: guard.clock.nowMs(),
      action: call.kind === 'agent' ? 'agent.invoke' : 'function.invoke',
      resource,
      facts: {
        functionId: resource,
        agentName: call.kind === 'agent' ? call.name : null,
        agentDigest: agent?.digest ?? null,
        ...packageFacts(guard.policy(), agent, () => layers),
        sandbox: sandboxKind(node),
        // Judged when it would run: who asked for which host is written down then.
        network: [],
        mounts: mountFacts(node),
        credentials: [],
        limits: {
          ...extentOf(plan, key, null),
          ...(layer === 'step' ? askedLimits(node) : writtenLimits(node)),
        },
        ...dataFacts(dataOf(plan)),
        // What it costs is found out with its request.
        estimate: NO_COST,
      },
    });
    for (const violation of violations) {
      if (!isLeftToStart(plan, violation.field))
        found.push(exceeds(guard, checked, { layer, name }, violation));
    }
  }
}

/** What to say of one field of a ceiling that the step does not fit under. */
function exceeds(
  guard: Guard,
  { node, resource, isAsked }: CheckedNode,
  { layer, name }: Pick<CeilingLayer, 'layer' | 'name'>,
  violation: Violation,
): NodeFinding {
  const { field, limit, requested } = violation;
  const isOutside = field === 'sandbox.allowed' && sandboxKind(node) === null;
  if (layer === 'step' && isOutside) {
    const asked = `"${node.name}" asks for the sandbox ${limit}, and ${resource} runs outside every sandbox`;
    return at(node, 'DOC_CEILING_EXCEEDED', asked, 'take sandbox out of the step', [['sandbox']]);
  }
  const above = `"${node.name}": ${field} is ${limit} in ceiling ${name} (${layer})`;
  const unsaid = isAsked(fieldsAsking(field)) ? undefined : DEFAULTED.get(field);
  if (unsaid !== undefined) {
    const message = `${above}, and a step that names no ${unsaid} takes ${requested}`;
    const hint = `write ${unsaid}: ${limit}, or less, in the step`;
    return at(node, 'DOC_CEILING_EXCEEDED', message, hint, []);
  }
  const hint = isOutside
    ? `${resource} runs outside every sandbox: add none to sandbox.allowed in ${fileOf(guard, layer, name)}, if that may be`
    : ceilingHint(violation, name);
  const isOfSandbox = field === 'limits.timeoutMs' && node.sandbox?.limits.timeoutMs === Number(requested);
  const fields = isOfSandbox ? [['sandbox', 'limits', 'timeoutMs']] : fieldsAsking(field);
  return at(node, 'DOC_CEILING_EXCEEDED', `${above}, the step asks for ${requested}`, hint, fields);
}

/** A ceiling that says nothing looks like one: whoever calls the package is told that others alone bound it. */
function checkBounded(guard: Guard, node: TaskNode, agent: AgentPackage, found: NodeFinding[]): void {
  const { spec } = packageLayer(agent);
  const policy = guard.policy();
  if (spec === null || policy.ceilingHash(spec) !== policy.ceilingHash(NO_CEILING)) return;
  const message = `package ${agent.name} restricts itself in nothing: its ceiling is empty`;
  const hint =
    'pack it with the network, sandbox and limits that it needs, or bound it by the workflow’s ceilings';
  const severity = 'warning';
  found.push({ ...at(node, 'DOC_MISSING_FIELD', message, hint, [['agent']]), severity });
}

/** As asked, with the program's own time as it is written: one above a ceiling is told, also where the step has less. */
function writtenLimits(node: TaskNode): ReturnType<typeof askedLimits> {
  const asked = askedLimits(node);
  const written = node.sandbox?.limits.timeoutMs ?? 0;
  return written > (asked.timeoutMs ?? written) ? { ...asked, timeoutMs: written } : asked;
}

/** Where a ceiling is written. */
function fileOf(guard: Guard, layer: string, name: string): string {
  const found = layersAbove(guard).find((one) => one.layer === layer && one.name === name);
  return found === undefined ? `ceiling ${name} (${layer})` : found.file;
}

/** Modules run in WASM and commands in a container, unless the step says otherwise; a provider's function outside. */
export function sandboxKind(node: TaskNode): 'wasm' | 'docker' | null {
  if (node.call.kind === 'function' && node.call.functionId === SHELL_EXEC)
    return node.sandbox?.driver ?? 'docker';
  if (node.call.kind === 'function' && node.call.functionId !== 'tool::wasm') return null;
  return node.sandbox?.driver ?? 'wasm';
}
