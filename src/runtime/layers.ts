// The ceiling layers that come with a step: its workflow, its package, itself. The policy snapshot adds organisation,
// environment and tenant.
import type { JsonObject } from '../json.js';
import { parseCeilingSpec, type CeilingLayer } from '../policy/ceiling.js';
import type { Plan, TaskNode } from '../workflow/plan.js';
import type { AgentPackage, Limits } from './ports.js';

export function workflowLayer(plan: Plan): CeilingLayer {
  const spec = plan.ceilings === null ? null : parseCeilingSpec(plan.ceilings, `workflow ${plan.id}`);
  return { layer: 'workflow', name: plan.id, spec };
}

/** Never left out for a package: what it does not declare does not fit. Absent only where nothing packaged is called. */
export function packageLayer(agent: Pick<AgentPackage, 'name' | 'ceiling'> | null): CeilingLayer {
  if (agent === null) return { layer: 'agent', name: '', spec: null };
  return { layer: 'agent', name: agent.name, spec: parseCeilingSpec(agent.ceiling, `package ${agent.name}`) };
}

/** What a step says about itself is a layer too: it can't be given another sandbox or a longer time. */
export function stepLayer(node: TaskNode, stepPath: string): CeilingLayer {
  const limits: JsonObject = { ...askedLimits(node) };
  const spec: JsonObject =
    node.sandbox === null ? { limits } : { limits, sandbox: { allowed: [node.sandbox.driver] } };
  return { layer: 'step', name: stepPath, spec: parseCeilingSpec(spec, `step ${stepPath}`) };
}

/** Limits the document asks for; an absent name takes what defaults and ceilings give. */
export function askedLimits(node: TaskNode): Partial<Limits> {
  const asked = node.sandbox?.limits ?? {};
  const timeoutMs = node.timeoutMs ?? asked.timeoutMs;
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(asked.memoryMiB === undefined ? {} : { memoryMiB: asked.memoryMiB }),
    ...(asked.outputBytes === undefined ? {} : { outputBytes: asked.outputBytes }),
  };
}
