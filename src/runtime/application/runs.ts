// Runs: planned, started, advanced, stopped, and looked at.
import { WritError } from '../../errors.js';
import { authorize } from '../authorize.js';
import { requestCancel } from '../run/cancel.js';
import { checkWorkflow, withoutCeilings } from '../workflow/check.js';
import { OWN_WORKFLOWS, refuseDeniedCreation, refuseOwnId } from '../workflow/create.js';
import { finishCancel } from '../run/finish-cancel.js';
import { withRepeatableCalls } from '../call/function-registry.js';
import type { HeldRuns } from '../run/held-runs.js';
import type { Guard } from '../guard-parts.js';
import { outline } from '../plan/outline.js';
import { planRun } from '../plan/plan.js';
import type { Dispatcher, RunRecord } from '../ports.js';
import { redrive } from '../run/redrive.js';
import { prepareWorkflow, storedSource } from '../workflow/register.js';
import { requireStandsAt } from '../run/resume-from.js';
import { entryContext, load } from '../run/context.js';
import { withData } from '../run/data.js';
import { runEntries } from '../run/entries.js';
import { isFinished, planOf } from '../run/state.js';
import type { Runner } from '../runner.js';
import { standings } from '../run/standings.js';
import { checkAgents, checkLabels, interruptedRun, runInput, startRun, type RunStart } from '../run/start.js';
import { runView } from '../view/view.js';
import type { Principal, Runs, RunViews, StartRequest } from '../writ.js';
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

export function runCalls(
  core: Core,
  documents: Documents,
  held: HeldRuns,
  runner: Runner,
  dispatcher: Dispatcher,
): Runs {
  const { parts, guard, functions, cadence, anchors } = core;
  const { store, clock, locks } = parts;
  const { near, prepare, keep } = documents;
  const { redact } = guard;

  const toStart = async (request: StartRequest, initiator: Principal): Promise<RunStart> => {
    const { workflow, input, agents = {}, data } = request;
    const prepared = await prepare(
      typeof workflow === 'string' ? await storedSource(store, workflow) : workflow,
      initiator,
    );
    const { plan, record } = prepared;
    refuseOwnId(record.id, parts.isSandboxTrial === true ? [OWN_WORKFLOWS.erase] : undefined);
    return {
      workflow: record,
      plan: withRepeatableCalls(withData(plan, data), functions.providers),
      input: redact.json(input),
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
      const source = typeof workflow === 'string' ? await storedSource(store, workflow) : workflow;
      const looking = near(source);
      // What a ceiling refuses is an answer here, with its layer and field, and no fault of the document.
      const checked = withoutCeilings(await checkWorkflow(looking, source));
      const { record, isKnown, plan: compiled } = await prepareWorkflow(source, checked, store, clock, id);
      const plan = withData(compiled, data);
      checkAgents(guard, plan, agents);
      checkLabels(guard, plan);
      return planRun(looking, {
        record,
        isRegistered: isKnown,
        plan,
        input: input === undefined ? undefined : runInput(plan, redact.json(input)),
        agents,
        initiator: id,
      });
    },
    start: async (request, initiator) => beginRun(guard, held, await toStart(request, initiator)),
    async interrupted(request, initiator) {
      return interruptedRun(guard, await toStart(request, initiator), (runId) => held.isHeld(runId));
    },
    async drive(runId, options) {
      await load(guard, runId);
      held.letGo(runId);
      const run = await dispatcher.drive(runId, options);
      await cadence.settle();
      await anchors.after(runId, options.signal);
      return run;
    },
    async resume(runId, principal, options = {}) {
      const run = await load(guard, runId);
      if (isFinished(run)) throw alreadyFinished(run);
      const context = entryContext(guard, run, { id: principal.id, via: guard.via });
      const { from } = options;
      const isAsked = from !== undefined || run.status === 'indeterminate';
      const lost = options.lost ?? (from === undefined ? null : 'rerun');
      // What they decide about lost attempts stands in the log with their right to.
      const about = isAsked && lost !== null ? { lost } : {};
      const asked = { subject: principal.id, action: 'run.resume', resource: run.workflowId };
      await authorize(guard, context, { ...asked, about });
      if (!isAsked) return;
      if (lost === null) {
        throw new WritError('RUN_INDETERMINATE', `the outcome of a step of ${runId} was lost in a crash`, {
          hint: `look at it, then: writ workflow resume ${runId} --rerun-lost, or --fail-lost`,
        });
      }
      const by = { id: principal.id, via: guard.via };
      await held.during(runId, async () => {
        if (from !== undefined) await requireStandsAt(store, run, from);
        await runner.decideLost(runId, lost, by);
      });
    },
    redrive: (runId, principal, options = {}) =>
      held.during(runId, () => redrive(guard, runId, principal, options)),
    async cancel(runId, principal) {
      const run = await load(guard, runId);
      if (isFinished(run)) throw alreadyFinished(run);
      const context = entryContext(guard, run, { id: principal.id, via: guard.via });
      const asked = { subject: principal.id, action: 'run.cancel', resource: run.workflowId };
      await authorize(guard, context, asked);
      await requestCancel(guard, runId, principal.id);
      held.letGo(runId);
      await finishCancel(guard, locks, runner, runId);
      await cadence.settle();
      return runView(guard, runId, { withData: false });
    },
    isAdvanced: (runId) => held.isHeld(runId),
  };
}

export function runViewCalls({ guard }: Core): RunViews {
  const { store } = guard;
  return {
    runs: (filter) => store.runs(filter),
    unfinishedRuns: () => store.unfinishedRuns(),
    runsPage: (page) => store.runsPage(page),
    status: (runId, options) => runView(guard, runId, { ...options, withData: false }),
    results: (runId, options) => runView(guard, runId, { ...options, withData: true }),

    outline: async (runId) => outline(planOf(await load(guard, runId))),
    compiled: async (runId) => planOf(await load(guard, runId)),
    standings: (runId) => standings(guard, runId),
    entries: (runId, part) => runEntries(store, runId, part),
  };
}

function alreadyFinished(run: RunRecord): WritError {
  return new WritError('RUN_ALREADY_FINISHED', `run ${run.id} is ${run.status}`, {
    hint:
      run.status === 'completed'
        ? `see what it did: writ workflow results ${run.id}`
        : `see what it did: writ workflow results ${run.id}; let it go on: writ workflow redrive ${run.id}`,
  });
}
