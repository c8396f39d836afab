// The moves of runs in this process, under one guard. Whoever holds a run's lock may make them, in any order after a
// crash; what is kept in memory between them is what the store says (live-run.ts).
import type { EngineEvent, Task } from '../engine/command.js';
import { WritError } from '../errors.js';
import { cancelNow } from './run/cancel.js';
import type { Attempt, AttemptChange, Outcome, Settle } from './attempt/attempt.js';
import { withResultsInPlace } from './call/collected-results.js';
import { extentOf } from './attempt/extent.js';
import { govern } from './guard.js';
import { drawUnit } from './ids.js';
import type { Guard } from './guard-parts.js';
import { isBusy } from './log/journal.js';
import { answerRequests } from './run/requests.js';
import { isConflict, isToBeCancelled, LiveRun } from './run/live-run.js';
import type { Move } from './run/batch.js';
import type { Next, RunSteps } from './ports.js';
import { decideLost, recoverLost } from './run/recovery.js';
import { settleWaits } from './task/wait.js';
import { withdrawDropped } from './approval/withdrawal.js';

/** Attempts of one run that are carried out at once. */
const MAX_RUNNING = 256;

export interface Runner extends RunSteps {
  /** Ends the run as cancelled, unless it has ended. The caller holds its lock; nothing of it is running. */
  cancel(runId: string): Promise<void>;
  /** What a person says of every lost attempt of the run; false when there is none. As `cancel`. */
  decideLost(
    runId: string,
    choice: 'rerun' | 'fail',
    by: { readonly id: string; readonly via: string },
  ): Promise<boolean>;
}

export function openRunner(guard: Guard): Runner {
  const lives = new Map<string, Promise<LiveRun>>();
  const live = (runId: string): Promise<LiveRun> => {
    const known = lives.get(runId);
    if (known !== undefined) return known;
    const opening = LiveRun.open(guard, runId);
    lives.set(runId, opening);
    // One that can't be read is tried again.
    opening.catch(() => lives.delete(runId));
    return opening;
  };
  const leave = (runId: string): void => {
    lives.delete(runId);
  };
  return {
    advance: (runId) =>
      inRun(runId, async () => {
        try {
          return await advance(guard, await live(runId));
        } catch (error) {
          if (isBusy(error)) guard.journal.waits(error);
          throw error;
        }
      }),
    execute: (runId, stepPath, stop, moved) =>
      inRun(runId, async () => execute(guard, await live(runId), stepPath, stop, moved)),
    leave,
    cancel: (runId) => inRun(runId, async () => cancelNow(guard, await LiveRun.open(guard, runId))),
    decideLost: (runId, choice, by) =>
      inRun(runId, async () => {
        const run = await LiveRun.open(guard, runId);
        await recoverLost(guard, run);
        return decideLost(guard, run, choice, by);
      }),
  };
}

/** What nobody foresaw is told with the run it is of: rows of it that somebody has changed, or a defect. */
async function inRun<Result>(runId: string, move: () => Promise<Result>): Promise<Result> {
  try {
    return await move();
  } catch (cause) {
    if (cause instanceof WritError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new WritError('INTERNAL', `run ${runId} can't go on: ${why}`, {
      hint: 'its rows in the store were changed, or this is a defect of writ; WRIT_DEBUG=1 shows where it happened',
      cause,
    });
  }
}

/** Folds in what has happened meanwhile and says what has to be done now. Never blocks on a step. */
async function advance(guard: Guard, live: LiveRun): Promise<Next> {
  for (;;) {
    await live.fresh();
    if (!live.isFinished) await live.look();
    if (live.isFinished) {
      await live.idle();
      if (live.isFinished) return { kind: 'finished', run: live.run };
      continue;
    }
    const isHere = live.executing.size > 0;
    if (isToBeCancelled(live)) {
      if (isHere) return work(live, [], [...live.executing]);
      await cancelNow(guard, live);
    } else if (!live.isRecovered) {
      await recoverLost(guard, live);
    } else if (live.dropped.size > 0) {
      await withdrawDropped(guard, live);
    } else if (live.execution.head.status !== 'running') {
      // Nothing of it runs any more: its last word was left unsaid for an approval that had to be withdrawn before.
      await live.commitAnew(() => ({ events: [] }));
    } else if ((await settleWaits(guard, live)) || (await answerRequests(guard, live))) {
      continue;
    } else if (isDue(live, guard.clock.nowMs())) {
      const nowMs = guard.clock.nowMs();
      await live.commitAnew(() => ({ events: [{ kind: 'tick', nowMs }] }), { nowMs });
    } else {
      return whatNow(live);
    }
  }
}

function isDue({ execution }: LiveRun, nowMs: number): boolean {
  return execution.hasWork || (execution.nextTimerMs() ?? Infinity) <= nowMs;
}

type Work = Exclude<Next, { kind: 'finished' | 'person' }>;

function whatNow(live: LiveRun): Next {
  const { execution, executing } = live;
  const stop = [...executing].filter((stepPath) => execution.standing(stepPath)?.isStopping === true);
  if (live.lostTask() !== null) {
    return executing.size > 0 ? work(live, [], stop) : { kind: 'person', run: live.run };
  }
  const start: string[] = [];
  const room = MAX_RUNNING - executing.size;
  const take = (stepPath: string): void => {
    if (start.length < room && !executing.has(stepPath)) start.push(stepPath);
  };
  for (const stepPath of live.waits.due) take(stepPath);
  if (room > 0) for (const task of execution.ready(2 * MAX_RUNNING)) take(task.stepPath);
  if (start.length > 0 || executing.size > 0) return work(live, start, stop);
  if (execution.head.pausedAtMs !== null || execution.isLeftToOthers)
    return { ...work(live, [], []), kind: 'approval' };
  if (execution.nextTimerMs() !== null) return work(live, [], []);
  // What was lost and may run again is found when a run is opened; here it was stopped with its process.
  if (execution.lost().length > 0) return { kind: 'person', run: live.run };
  throw new WritError('INTERNAL', `run ${live.id} stands with nothing to do`);
}

function work(live: LiveRun, start: readonly string[], stop: readonly string[]): Work {
  const timerMs = live.execution.nextTimerMs();
  const times = [timerMs, live.waits.firstExpiryMs(live.executing), live.execution.nextSilenceMs()];
  const untilMs = times.reduce((a, b) => (a === null || b === null ? (a ?? b) : Math.min(a, b)));
  return { kind: 'work', run: live.run, start, stop, untilMs };
}

/** Carries one step through the guard. */
async function execute(
  guard: Guard,
  live: LiveRun,
  stepPath: string,
  stop: AbortController,
  moved?: () => void,
): Promise<void> {
  await live.fresh();
  const task = live.isFinished ? null : live.execution.task(stepPath);
  if (task === null || live.executing.has(stepPath) || !live.execution.mayStart(task)) return;
  live.waits.taken(stepPath);
  live.executing.add(stepPath);
  try {
    await govern(
      guardOf(guard, live),
      attemptOf(guard, live, task),
      settleOf(guard, live, task, moved),
      stop,
    );
  } catch (error) {
    // Somebody changed the run, or held the store, before the intent was written: nothing ran; advance looks at it again.
    if (isBusy(error) && !(await isUnderWay(live, stepPath))) guard.journal.waits(error);
    else if (!isConflict(error)) throw error;
  } finally {
    live.executing.delete(stepPath);
  }
}

/** As the store has it. */
async function isUnderWay(live: LiveRun, stepPath: string): Promise<boolean> {
  await live.idle();
  return !live.isFinished && live.execution.standing(stepPath)?.phase === 'running';
}

const guards = new WeakMap<LiveRun, Guard>();

/** The guard, who knows when what came before in this run is in the store, and why something of it is stopped. */
function guardOf(guard: Guard, live: LiveRun): Guard {
  const own = guards.get(live) ?? {
    ...guard,
    written: () => live.idle(),
    whyStopped: (stepPath) => whyStopped(live, stepPath),
  };
  guards.set(live, own);
  return own;
}

function whyStopped(live: LiveRun, stepPath: string): string {
  if (isToBeCancelled(live)) return 'its run was cancelled';
  const { failing } = live.execution.head;
  if (failing?.code === 'RUN_TIMEOUT') return 'the time limit of its run was over';
  if (failing !== null || live.execution.standing(stepPath)?.isStopping === true)
    return 'what ran beside it has failed';
  return 'its process was told to end';
}

/** The attempt that `task` is at, as it would go through the guard now. */
export function attemptOf(guard: Guard, live: LiveRun, task: Task): Attempt {
  const { run, plan } = live;
  const { stepPath, key, node, attempt, iteration, item, conversation, idempotencyKey } = task;
  const { deadlineMs, pausedAtMs, redrive } = live.execution.head;
  // The limit that is judged is the limit that is left when the pause begins: a request shows what will then run.
  const judgedAtMs = guard.clock.nowMs();
  return {
    run,
    plan,
    workflow: { id: run.workflowId, hash: run.workflowHash },
    // A limit that was worked out at entry takes the place of the document's.
    node: task.timeoutMs === node.timeoutMs ? node : { ...node, timeoutMs: task.timeoutMs },
    stepPath,
    attempt,
    iteration,
    item,
    extent: extentOf(plan, key, task),
    data: live.execution.data,
    conversation,
    // Rendering may have put a secret together: what is approved, stored and run is the text without it.
    input: guard.redact.json(withResultsInPlace(guard.callables, node, task.input)),
    idempotencyKey,
    token: task.token,
    heartbeatMs: task.heartbeatMs,
    timeLeftMs: deadlineMs === null ? null : Math.max(1, deadlineMs - (pausedAtMs ?? judgedAtMs)),
    isWaiting: task.phase === 'approval',
    redriver: task.rerunBy ?? redrive?.by ?? null,
    approvalId: task.approval?.approvalId ?? null,
  };
}

/** How the outcomes of this attempt reach the run. */
function settleOf(guard: Guard, live: LiveRun, task: Task, moved?: () => void): Settle {
  const { stepPath, attempt } = task;
  const judgedAtMs = guard.clock.nowMs();
  let isRunning = false;
  return async (
    outcome,
    { entries, payloads, record, intentEntry, approvals, charges, tasks, carries }: AttemptChange,
  ) => {
    const nowMs = outcome.kind === 'waiting' ? judgedAtMs : guard.clock.nowMs();
    const event = eventOf(guard, outcome, { stepPath, attempt, nowMs });
    const move = (): Move | null => {
      const now = live.execution.standing(stepPath);
      const isMine = now !== null && now.attempt === attempt;
      const isOpen = isRunning ? now?.phase === 'running' : now !== null && live.execution.mayStart(now);
      if (!isMine || !isOpen || (!isRunning && isToBeCancelled(live))) return null;
      // Of a sequence the outcome is there before the next intent: a crash between the two costs nobody a decision.
      if (isRunning && task.item !== null) moved?.();
      // Stopped with its process, and neither with its fork nor with its run: nobody knows what it has done.
      const isLost = outcome.kind === 'cancelled' && !now.isStopping && !isToBeCancelled(live);
      const row = {
        record: isLost ? { ...record, status: 'indeterminate' as const } : record,
        ...(intentEntry === undefined ? {} : { intentEntry }),
      };
      return {
        // First the data: what the answer leads to is judged with it.
        events: carries === undefined ? [event] : [{ kind: 'carried', data: carries, nowMs }, event],
        change: { entries, payloads, attempts: [row], approvals, charges: charges ?? [], tasks: tasks ?? [] },
      };
    };
    const committed = isRunning
      ? await live.commitOutcome(move, { nowMs })
      : await live.commit(move, { nowMs });
    if (outcome.kind === 'started' && committed !== null) isRunning = true;
    return committed;
  };
}

function eventOf(
  guard: Guard,
  outcome: Outcome,
  about: { readonly stepPath: string; readonly attempt: number; readonly nowMs: number },
): EngineEvent {
  switch (outcome.kind) {
    case 'started':
      return { kind: 'started', ...about };
    case 'succeeded':
      return { kind: 'succeeded', output: outcome.output, ...about };
    case 'asked':
      return { kind: 'asked', ...outcome.turn, ...about };
    case 'failed':
      return { ...outcome, draw: drawUnit(guard.random), ...about };
    case 'waiting':
      return {
        kind: 'paused',
        approval: outcome.approval,
        ...(outcome.input === undefined ? {} : { input: outcome.input }),
        ...about,
      };
    case 'handed':
      return { kind: 'handed', waiting: outcome.waiting, ...about };
    case 'cancelled':
      // Stopped with its fork it ends there; stopped with its process, nobody knows what it has done.
      return { kind: 'lost', ...about };
  }
}
