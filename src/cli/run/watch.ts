// `writ workflow watch RUN`: follows a run to its end, whichever process advances it, and ends with its exit code. On a
// terminal its steps as they go on; else one JSON object a line for each of its log entries, for what its steps say
// while they run, and a last one with what became of it. Watching changes nothing: a run that nobody advances is not advanced by it.
import { listenToRun } from '../../adapters/spoken-words.js';
import { pathsOf } from '../../data-directory.js';
import type { RunEntry, RunView, Writ } from '../../runtime/writ.js';
import { commandLine } from '../command-line.js';
import { canRedraw, untilSignal, withWrit, type Context } from '../context.js';
import { showRun } from './run.js';

/** How often it is looked whether anything was committed. */
const LOOK_MS = 100;
/** Entries read at a time. */
const PAGE = 500;
/** After so long without news it is looked whether anybody advances the run. */
const SILENCE_MS = 3_000;

export async function watchRun(context: Context, runId: string): Promise<number> {
  return withWrit(context, async (writ) => {
    const first = await writ.status(runId, { nested: 0 });
    const watched = { context, writ, runId };
    let last = first;
    const interrupted = await untilSignal(async (signal, interrupt) => {
      if (isOver(first) && canRedraw(context)) return;
      last = canRedraw(context)
        ? await watchLive(watched, signal, interrupt)
        : await watchEntries(watched, signal);
    });
    if (interrupted !== null) {
      context.output.note(`left; follow it again: ${commandLine(context, 'workflow', 'watch', runId)}`);
      return interrupted;
    }
    if (canRedraw(context)) await showRun(context, writ, await writ.status(runId));
    return last.exitCode;
  });
}

/** It does not go on by itself. */
function isOver({ status }: RunView): boolean {
  return ['completed', 'failed', 'cancelled', 'indeterminate'].includes(status);
}

interface Watched {
  readonly context: Context;
  readonly writ: Writ;
  readonly runId: string;
}

async function watchLive(
  { context, writ, runId }: Watched,
  signal: AbortSignal,
  interrupt: () => void,
): Promise<RunView> {
  const { openLiveRun } = await import('./live-run.js');
  const foot = 'Ctrl+C leaves; the run goes on without it';
  const live = await openLiveRun(context, writ, { runId, foot, onInterrupt: interrupt, elsewhere: true });
  try {
    return await live.until(isOver, signal);
  } finally {
    await live.close();
  }
}

async function watchEntries(watched: Watched, signal: AbortSignal): Promise<RunView> {
  const { context, runId } = watched;
  const { output, stdout } = context;
  // A reader that went away ends the watching, for there is nobody to tell.
  const isLeft = (): boolean => signal.aborted || stdout.destroyed || stdout.errored !== null;
  const stopHearing = listenToRun(pathsOf(context.data).live, runId, {
    says: (stepPath, text) => {
      if (isLeft()) return;
      output.record({
        type: 'step.said',
        time: new Date(context.nowMs()).toISOString(),
        data: { stepPath, text },
      });
    },
    ends: () => undefined,
  });
  try {
    return await tellEntries(watched, isLeft);
  } finally {
    stopHearing();
  }
}

async function tellEntries({ context, writ, runId }: Watched, isLeft: () => boolean): Promise<RunView> {
  const { output } = context;
  let from = 0;
  let mayBeOver = true;
  for (;;) {
    const counter = writ.changeCounter();
    const entries = await writ.entries(runId, { from, limit: PAGE });
    for (const { seq, type, timeMs, data } of entries) {
      output.record({ seq, type, time: new Date(timeMs).toISOString(), data });
    }
    from += entries.length;
    mayBeOver ||= entries.some(mayEnd);
    if (isLeft()) return writ.status(runId, { nested: 0 });
    if (entries.length === PAGE) continue;
    if (mayBeOver) {
      const view = await writ.status(runId, { nested: 0 });
      // What was committed between the two readings is told first.
      const isTold = (await writ.entries(runId, { from, limit: 1 })).length === 0;
      if (isOver(view) && isTold) {
        output.record(endOf(view));
        return view;
      }
      mayBeOver = isOver(view);
      if (!isTold) continue;
    }
    const isNews = (): boolean => isLeft() || writ.changeCounter() !== counter;
    if (await within(SILENCE_MS, isNews)) continue;
    if (await isLeftAlone(writ, runId)) {
      const command = commandLine(context, 'workflow', 'resume', runId);
      output.note(`no process advances this run; ${command} goes on with it`);
    }
    await within(Infinity, isNews);
  }
}

/** Entries after which a run may not go on by itself. */
function mayEnd({ type, data }: RunEntry): boolean {
  return type === 'run.finished' || (type === 'step.finished' && data['status'] === 'indeterminate');
}

/** It could go on, and nobody sees to it. */
async function isLeftAlone(writ: Writ, runId: string): Promise<boolean> {
  const { status } = await writ.status(runId, { nested: 0 });
  return (status === 'running' || status === 'pending') && !writ.isAdvanced(runId);
}

/** Looks again and again; false when it has not come true in time. */
async function within(ms: number, isTrue: () => boolean): Promise<boolean> {
  const endMs = performance.now() + ms;
  while (!isTrue()) {
    if (performance.now() >= endMs) return false;
    await new Promise<void>((resolve) => {
      setTimeout(resolve, LOOK_MS);
    });
  }
  return true;
}

function endOf({ id, status, exitCode, waitingFor, error }: RunView): object {
  return { type: 'status', run: id, status, exitCode, waitingFor, error };
}
