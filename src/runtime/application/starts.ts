// Runs before there are any: planned, and started.
import { withRepeatableCalls } from '../call/function-registry.js';
import type { Guard } from '../guard-parts.js';
import { planRun } from '../plan/plan.js';
import { withData } from '../run/data.js';
import type { HeldRuns } from '../run/held-runs.js';
import { recordable } from '../run/recordable.js';
import { checkAgents, checkLabels, interruptedRun, runInput, startRun, type RunStart } from '../run/start.js';
import { checkWorkflow, withoutCeilings } from '../workflow/check.js';
import { OWN_WORKFLOWS, refuseDeniedCreation, refuseOwnId } from '../workflow/create.js';
import { prepareWorkflow, storedSource } from '../workflow/register.js';
import type { Principal, Runs, StartRequest, WorkflowSource } from '../writ.js';
import type { Core } from './core.js';
import type { Documents } from './workflows.js';

/** Makes the run durable and holds it until it is driven; its id. */
export async function beginRun(guard: Guard, held: HeldRuns, request: RunStart): Promise<string> {
  let id: string | null = null;
  try {
    // Held from before the run exists: nobody takes it for interrupted.
    return await startRun(guard, request, (runId) => {
      held.hold(runId);
      id = runId;
    });
  } catch (error) {
    if (id !== null) held.letGo(id);
    throw error;
  }
}

export function startCalls(
  { parts, guard, functions }: Core,
  { near, prepare, keep }: Documents,
  held: HeldRuns,
): Pick<Runs, 'plan' | 'start' | 'interrupted'> {
  const { store, clock } = parts;
  const { redact } = guard;
  const sourceOf = async (workflow: WorkflowSource | string): Promise<WorkflowSource> =>
    typeof workflow === 'string' ? storedSource(store, workflow) : workflow;

  const toStart = async (request: StartRequest, initiator: Principal): Promise<RunStart> => {
    const { workflow, input, agents = {}, data } = request;
    const prepared = await prepare(await sourceOf(workflow), initiator);
    const { plan, record } = prepared;
    refuseOwnId(record.id, parts.isSandboxTrial === true ? [OWN_WORKFLOWS.erase] : undefined);
    return {
      workflow: record,
      plan: withRepeatableCalls(withData(plan, data), functions.providers),
      input: redact.json(recordable(input)),
      agents,
      initiator,
      keep: async () => {
        await refuseDeniedCreation(guard, prepared, initiator);
        await keep(prepared);
      },
    };
  };

  return {
    async plan({ workflow, input, agents = {}, data }, { id }) {
      const source = await sourceOf(workflow);
      const looking = near(source);
      // What a ceiling refuses is an answer here, with its layer and field, and no fault of the document.
      const checked = withoutCeilings(await checkWorkflow(looking, source));
      const {
        record,
        isKnown,
        plan: compiled,
      } = await prepareWorkflow(source, checked, { store, clock, author: id });
      const plan = withData(compiled, data);
      checkAgents(guard, plan, agents);
      checkLabels(guard, plan);
      return planRun(looking, {
        record,
        isRegistered: isKnown,
        plan,
        input: input === undefined ? undefined : runInput(plan, redact.json(recordable(input))),
        agents,
        initiator: id,
      });
    },
    start: async (request, initiator) => beginRun(guard, held, await toStart(request, initiator)),
    async interrupted(request, initiator) {
      return interruptedRun(guard, await toStart(request, initiator), (runId) => held.isHeld(runId));
    },
  };
}
