// The ceiling layers that come with a step: its workflow, its package, itself. The policy snapshot adds organisation,
// environment and tenant.
import type { Json, JsonObject } from '../../json.js';
import { type Ceiling, type CeilingLayer } from '../../policy/ceiling/ceiling.js';
import { parseCeilingSpec } from '../../policy/ceiling/spec.js';
import { Memo } from '../../policy/memo.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import type { StepLimits } from './limits.js';
import type { AgentPackage, SandboxLimits } from '../ports.js';

export function workflowLayer(plan: Plan): CeilingLayer {
  const { ceilings, id } = plan;
  const spec = ceilings === null ? null : ceilingOf(ceilings, `workflow ${id}`);
  return { layer: 'workflow', name: id, spec };
}

/**
 * Never left out for a package: what it declares bounds it as any other layer does, and a field it leaves out restricts nothing.
 * Absent only where nothing packaged is called.
 */
export function packageLayer(agent: Pick<AgentPackage, 'name' | 'ceiling'> | null): CeilingLayer {
  if (agent === null) return { layer: 'agent', name: '', spec: null };
  return { layer: 'agent', name: agent.name, spec: ceilingOf(agent.ceiling, `package ${agent.name}`) };
}

const known = new WeakMap<TaskNode, readonly CeilingLayer[]>();

/** All layers that come with this step of this plan; made once where nothing packaged is called. */
export function layersOf(
  plan: Plan,
  node: TaskNode,
  agent: Pick<AgentPackage, 'name' | 'ceiling'> | null,
): readonly CeilingLayer[] {
  const before = agent === null ? known.get(node) : undefined;
  if (before !== undefined) return before;
  const layers = [workflowLayer(plan), packageLayer(agent), stepLayer(node, node.name)];
  if (agent === null) known.set(node, layers);
  return layers;
}

/** What a step says about itself is a layer too: it can't be given another sandbox or a longer time. */
function stepLayer(node: TaskNode, stepPath: string): CeilingLayer {
  const limits: JsonObject = { ...askedLimits(node) };
  const spec: JsonObject =
    node.sandbox === null ? { limits } : { limits, sandbox: { allowed: [node.sandbox.driver] } };
  return { layer: 'step', name: stepPath, spec: ceilingOf(spec, `step ${stepPath}`) };
}

// A ceiling is a function of its text: the same object for the same words lets the policy room meet and hash the layers
// of a thousand steps once.
const read = new Memo<Ceiling>(500);
/** Longer texts are read anew each time: what is kept stays small. */
const MAX_KEPT_LENGTH = 16_384;

function ceilingOf(spec: Json, where: string): Ceiling {
  const text = JSON.stringify(spec);
  const before = read.get(text);
  if (before !== undefined) return before;
  const ceiling = parseCeilingSpec(spec, where);
  if (text.length <= MAX_KEPT_LENGTH) read.set(ceiling, text);
  return ceiling;
}

/** Limits the document asks for that ceilings judge; an absent name takes what defaults and ceilings give. */
export function askedLimits(node: TaskNode): Partial<StepLimits> {
  const { memoryMiB, outputBytes, cpus, pids, timeoutMs: sandboxMs, ...more } = node.sandbox?.limits ?? {};
  const { egressBytes, egressRequests } = more;
  // Both bound the step: one attempt of it, and the program in it.
  const both = [node.timeoutMs ?? sandboxMs, sandboxMs].filter((ms) => ms !== undefined);
  const timeoutMs = both.length === 0 ? undefined : Math.min(...both);
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(memoryMiB === undefined ? {} : { memoryMiB }),
    ...(outputBytes === undefined ? {} : { outputBytes }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(pids === undefined ? {} : { pids }),
    ...(egressBytes === undefined ? {} : { egressBytes }),
    ...(egressRequests === undefined ? {} : { egressRequests }),
  };
}

/** Folders of the host that a step asks for, as policy judges them. */
export function mountFacts(node: TaskNode): { readonly path: string; readonly mode: 'ro' | 'rw' }[] {
  return (node.sandbox?.mounts ?? []).map(({ source, mode }) => ({ path: source, mode }));
}

/** Limits the document asks for inside those: CPU time within time and cores, files within memory. */
export function innerLimits(node: TaskNode): Pick<SandboxLimits, 'cpuMs' | 'diskMiB'> {
  const { cpuMs, diskMiB } = node.sandbox?.limits ?? {};
  return { ...(cpuMs === undefined ? {} : { cpuMs }), ...(diskMiB === undefined ? {} : { diskMiB }) };
}
