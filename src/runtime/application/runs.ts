// Runs once they are there: advanced, stopped, and looked at.
import { WritError } from '../../errors.js';
import { authorize, type Asked } from '../authorize.js';
import type { Guard } from '../guard-parts.js';
import type { EntryContext } from '../log/entries.js';
import { outline } from '../plan/outline.js';
import type { Dispatcher, RunRecord } from '../ports.js';
import { openAbandonedRuns } from '../run/abandoned.js';
import { requestCancel } from '../run/cancel.js';
import { entryContext, load } from '../run/context.js';
import { runEntries } from '../run/entries.js';
import { finishCancel } from '../run/finish-cancel.js';
import type { HeldRuns } from '../run/held-runs.js';
import { redrive } from '../run/redrive.js';
import { requireStandsAt } from '../run/resume-from.js';
import { standings } from '../run/standings.js';
import { isFinished, planOf } from '../run/state.js';
import type { Runner } from '../runner.js';
import { runView } from '../view/run-view.js';
import type { Runs, RunViews } from '../writ.js';
import type { Core } from './core.js';

/** What carries a run forward. */
export interface Drive {
  readonly runner: Runner;
  readonly dispatcher: Dispatcher;
}

export function runCalls(
  { parts, guard, cadence, anchors }: Core,
  held: HeldRuns,
  { runner, dispatcher }: Drive,
): Omit<Runs, 'plan' | 'start' | 'interrupted'> {
  return {
    async drive(runId, options) {
      await load(guard, runId);
      held.letGo(runId);
      const run = await dispatcher.drive(runId, options);
      await cadence.settle();
      await anchors.after(runId, options.signal);
      return run;
    },
    async resume(runId, principal, options = {}) {
      const run = await unfinished(guard, runId);
      const { from } = options;
      const isAsked = from !== undefined || run.status === 'indeterminate';
      const lost = options.lost ?? (from === undefined ? null : 'rerun');
      const by = { id: principal.id, via: guard.via };
      // What they decide about lost attempts stands in the log with their right to.
      const about = isAsked && lost !== null ? { lost } : {};
      await requireRight(guard, run, { by, action: 'run.resume', about });
      if (!isAsked) return;
      if (lost === null) {
        throw new WritError('RUN_INDETERMINATE', `the outcome of a step of ${runId} was lost in a crash`, {
          hint: `look at it, then: writ workflow resume ${runId} --rerun-lost, or --fail-lost`,
        });
      }
      await held.during(runId, async () => {
        if (from !== undefined) await requireStandsAt(guard.store, run, from);
        await runner.decideLost(runId, lost, by);
      });
    },
    redrive: (runId, principal, options = {}) =>
      held.during(runId, () => redrive(guard, runId, principal, options)),
    async cancel(runId, principal) {
      const run = await unfinished(guard, runId);
      const by = { id: principal.id, via: guard.via };
      await requireRight(guard, run, { by, action: 'run.cancel' });
      await requestCancel(guard, runId, principal.id);
      held.letGo(runId);
      await finishCancel(guard, parts.locks, runner, runId);
      await cadence.settle();
      return runView(guard, runId, { withData: false });
    },
    isAdvanced: (runId) => held.isHeld(runId),
    abandoned: openAbandonedRuns(guard, (runId) => held.isHeld(runId)),
  };
}

export function runViewCalls({ guard }: Core): RunViews {
  const { store } = guard;
  return {
    runs: (filter) => store.runs(filter),
    unfinishedRuns: () => store.unfinishedRuns(),
    wakeUps: (limit) => store.wakeUps(limit),
    runsPage: (page) => store.runsPage(page),
    status: (runId, options) => runView(guard, runId, { ...options, withData: false }),
    results: (runId, options) => runView(guard, runId, { ...options, withData: true }),

    outline: async (runId) => outline(planOf(await load(guard, runId))),
    compiled: async (runId) => planOf(await load(guard, runId)),
    standings: (runId) => standings(guard, runId),
    entries: (runId, part) => runEntries(store, runId, part),
  };
}

async function unfinished(guard: Guard, runId: string): Promise<RunRecord> {
  const run = await load(guard, runId);
  if (isFinished(run)) throw alreadyFinished(run);
  return run;
}

async function requireRight(
  guard: Guard,
  run: RunRecord,
  { by, ...asked }: Pick<Asked, 'action' | 'about'> & { readonly by: EntryContext['actor'] },
): Promise<void> {
  await authorize(guard, entryContext(guard, run, by), {
    ...{ subject: by.id, resource: run.workflowId },
    ...asked,
  });
}

function alreadyFinished(run: RunRecord): WritError {
  return new WritError('RUN_ALREADY_FINISHED', `run ${run.id} is ${run.status}`, {
    hint:
      run.status === 'completed'
        ? `see what it did: writ workflow results ${run.id}`
        : `see what it did: writ workflow results ${run.id}; let it go on: writ workflow redrive ${run.id}`,
  });
}
