// Whether a step fits under every ceiling, as far as that can be told before it runs.
import { NO_COST } from '../../policy/ceiling/budget.js';
import { NO_CEILING, type CeilingLayer } from '../../policy/ceiling/ceiling.js';
import { ceilingHint } from '../../policy/ceiling/hint.js';
import { checkCeilingSpec } from '../../policy/ceiling/spec.js';
import { boundViolations } from '../../policy/ceiling/permits.js';
import type { Violation } from '../../policy/ceiling/violation.js';
import type { Segments } from '../../workflow/located.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import { fieldsAsking, ofRequest } from '../plan/asked-fields.js';
import type { Guard } from '../guard-parts.js';
import { extentOf } from '../attempt/extent.js';
import { askedLimits, mountFacts, layersOf, packageLayer } from '../attempt/layers.js';
import { packageFacts } from '../call/package-facts.js';
import type { AgentPackage } from '../ports.js';
import { dataFacts, dataOf } from '../run/data.js';
import { roomForAnswer } from './answer-room.js';
import { at, type NodeFinding } from './node-finding.js';
import { sandboxKind } from '../call/sandbox-kind.js';
import { layersAbove } from './ceilings.js';

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
export function checkFit(guard: Guard, plan: Plan, checked: CheckedNode, found: NodeFinding[]): void {
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
export function checkBounded(guard: Guard, node: TaskNode, agent: AgentPackage, found: NodeFinding[]): void {
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

/** What the document doesn't say of its input, whoever starts it may. */
function isLeftToStart({ data }: Plan, field: string): boolean {
  if (field === 'data.labelsAllowed') return (data?.labels ?? null) === null;
  return field === 'data.maxClassification' && (data?.classification ?? null) === null;
}
