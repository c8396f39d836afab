// What is known of a registered workflow: its versions, and the steps of the newest with who acts in each.
import { WritError } from '../../errors.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import { taskAt } from '../../workflow/state-gate.js';
import { actingAgent } from '../call/callable.js';
import { checkWorkflow } from './check.js';
import type { Guard } from '../guard-parts.js';
import { outline } from '../plan/outline.js';
import type { WorkflowView } from '../writ.js';

/** Null for an unknown id. `guard` knows the packages beside the workflow's file. */
export async function workflowView(guard: Guard, id: string): Promise<WorkflowView | null> {
  const versions = (await guard.store.workflows()).filter((one) => one.id === id);
  const record = await guard.store.workflow(id);
  if (record === null) return null;
  const { plan, diagnostics } = await checkWorkflow(guard, { text: record.source, file: record.file });
  const steps: WorkflowView['steps'][number][] = [];
  for (const step of plan === null ? [] : outline(plan)) {
    const node = taskAt(plan?.nodes[step.key]);
    const principal = plan !== null && node !== null ? await principalOf(guard, plan, node) : null;
    steps.push({ ...step, principal });
  }
  return {
    record,
    versions: versions.map(({ version, hash, createdAtMs }) => ({ version, hash, createdAtMs })),
    steps,
    diagnostics,
  };
}

async function principalOf(guard: Guard, plan: Plan, node: TaskNode): Promise<string | null> {
  const { call } = node;
  try {
    if (call.kind === 'function') return actingAgent(plan, { agents: {} }, node);
    const found = await guard.callables.packages.resolve(call.digest);
    return found === null ? null : `agent:${found.name}`;
  } catch (error) {
    // Nobody acts, or the bytes are not those of the digest: the diagnostics, or the run, say which.
    if (error instanceof WritError && error.code !== 'INTERNAL') return null;
    throw error;
  }
}
