// Cancelling a run: no new step starts, running sandboxes are aborted, open approvals are withdrawn. It works while
// the run waits, and from a process other than the one that advances it.
import { isObject } from '../json.js';
import { approvalEnded } from './entries.js';
import { isCancelRequested } from './journal.js';
import type { Guard } from './guard-parts.js';
import { isConflict, type LiveRun } from './live-run.js';
import type { AttemptRecord } from './ports.js';
import { indeterminateEntry } from './recovery.js';
import { sealRemains } from './remains.js';
import { lastWrite } from './result-write.js';
import { isFinished } from './run-state.js';
import { entryContext } from './run-context.js';
import { finished } from './settlement.js';
import { answerFault } from './task-proof.js';
import { waitFinished } from './task-wait.js';

/** Asks whoever advances the run to stop it; durable when it resolves. */
export async function requestCancel(guard: Guard, runId: string, by: string): Promise<void> {
  const run = await guard.store.run(runId);
  if (run === null || isFinished(run) || isCancelRequested(run)) return;
  try {
    const waitingFor = { kind: 'cancel', by };
    await guard.journal.commit({ entries: [], interrupts: [{ run: runId, waitingFor }] });
  } catch (error) {
    // It has ended meanwhile.
    if (!isConflict(error)) throw error;
  }
}

/** Ends the run as cancelled, unless it has ended. The caller holds the run's lock: no attempt of it is running. */
export async function cancelNow(guard: Guard, live: LiveRun): Promise<void> {
  for (;;) {
    await live.idle();
    if (live.isFinished) return;
    try {
      await end(guard, live);
      return;
    } catch (error) {
      // Somebody voted, or asked for the same, at this moment.
      if (!isConflict(error)) throw error;
    }
  }
}

async function end(guard: Guard, live: LiveRun): Promise<void> {
  const { run } = live;
  // Who asked for the end stands in the log, not who started the run.
  const by = isObject(run.waitingFor) ? run.waitingFor['by'] : undefined;
  const actor = { id: typeof by === 'string' ? by : run.initiator, via: 'runner' };
  const entry = entryContext(guard, run, actor);
  const nowMs = guard.clock.nowMs();
  const open = await guard.store.approvals({ run: run.id, states: ['pending', 'approved'] });
  const entries = open.map((approval) =>
    approvalEnded(entry, 'approval.withdrawn', approval, 'run cancelled'),
  );
  const waiting = await guard.store.tasks({ run: run.id, states: ['open', 'answered'] });
  const answered = new Set<string>();
  const attempts: { record: AttemptRecord }[] = [];
  for (const { stepPath, attempt } of live.execution.tasks()) {
    const row = await guard.store.attempt(run.id, stepPath, attempt);
    if (row?.status === 'waiting')
      attempts.push({ record: { ...row, status: 'cancelled', finishedAtMs: nowMs } });
    if (row?.status === 'suspended') {
      const task = waiting.find((one) => one.stepPath === stepPath && one.attempt === attempt);
      // An answer that was acknowledged counts, though nothing goes on with it: a redrive does not ask for it again.
      const answer = task?.answer?.kind === 'success' ? task.answer : null;
      const isProven =
        answer !== null &&
        task !== undefined &&
        (await answerFault(guard, { run, task, input: row.input })) === null;
      const output = isProven ? answer.payload : null;
      if (task !== undefined && output !== null) answered.add(task.id);
      const status = output === null ? 'cancelled' : 'succeeded';
      const ended = { status, code: output === null ? 'STEP_CANCELLED' : null, output } as const;
      entries.push(await waitFinished(guard, live, row, ended, nowMs, entry));
      attempts.push({ record: { ...row, status, output, finishedAtMs: nowMs } });
    }
    if (row?.status !== 'intended') continue;
    entries.push(await indeterminateEntry(guard, row, nowMs, entry));
    attempts.push({ record: { ...row, status: 'indeterminate', finishedAtMs: nowMs } });
  }
  for (const request of live.execution.requests(nowMs)) {
    const row = request.kind === 'write' ? await lastWrite(guard, run, request.stepPath) : null;
    if (row?.status !== 'intended') continue;
    entries.push(await indeterminateEntry(guard, row, nowMs, entry));
    attempts.push({ record: { ...row, status: 'indeterminate', finishedAtMs: nowMs } });
  }
  // Compared with what was read: an answer that comes at this moment is looked at first.
  const tasks = waiting.map((task) => {
    const state = answered.has(task.id) ? ('used' as const) : ('withdrawn' as const);
    return { op: 'update' as const, record: { ...task, state } };
  });
  await live.commit(() => {
    const context = { entry, nowMs, random: guard.random, redact: guard.redact };
    const remains = sealRemains(run.id, live.execution.remains(), context);
    const approvals = open.map((approval) => ({
      op: 'update' as const,
      record: { ...approval, state: 'withdrawn' as const },
    }));
    return {
      events: [],
      change: { entries, attempts, approvals, tasks },
      settlement: finished(
        live.run,
        'cancelled',
        1,
        { payload: null, remains, seen: live.execution.seen },
        null,
        context,
      ),
    };
  });
}
