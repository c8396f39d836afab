// Cancelling a run: no new step starts, running sandboxes are aborted, open approvals are withdrawn. It works while
// the run waits, and from a process other than the one that advances it.
import { isObject, type Commitment } from '../../json.js';
import { approvalEnded, type EntryContext } from '../log/entries.js';
import { isCancelRequested } from '../log/journal.js';
import type { Guard } from '../guard-parts.js';
import { isConflict, type LiveRun } from './live-run.js';
import type { AttemptRecord, EntryDraft, RunRecord, TaskRecord } from '../ports.js';
import { indeterminateEntry } from './recovery.js';
import { sealRemains } from './remains.js';
import { lastWrite } from './result-write.js';
import { isFinished } from './state.js';
import { entryContext } from './context.js';
import { finished } from './settlement.js';
import { answerFault } from '../task/proof.js';
import { waitFinished } from '../task/wait.js';

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

/** Of a run that was cancelled. */
const CANCELLED = { status: 'cancelled', exitCode: 1, error: null, payload: null } as const;

async function end(guard: Guard, live: LiveRun): Promise<void> {
  const { run } = live;
  // Who asked for the end stands in the log, not who started the run.
  const by = isObject(run.waitingFor) ? run.waitingFor['by'] : undefined;
  const actor = { id: typeof by === 'string' ? by : run.initiator, via: 'runner' };
  const entry = entryContext(guard, run, actor);
  const nowMs = guard.clock.nowMs();
  const open = await guard.store.approvals({ run: run.id, states: ['pending', 'approved'] });
  const withdrawn = open.map((approval) =>
    approvalEnded(entry, 'approval.withdrawn', approval, 'run cancelled'),
  );
  const waiting = await guard.store.tasks({ run: run.id, states: ['open', 'answered'] });
  const ends = await attemptEnds(guard, live, { waiting, entry, nowMs });
  const approvals = open.map((approval) => ({
    op: 'update' as const,
    record: { ...approval, state: 'withdrawn' as const },
  }));
  // Compared with what was read: an answer that comes at this moment is looked at first.
  const tasks = waiting.map((task) => {
    const state = ends.answered.has(task.id) ? ('used' as const) : ('withdrawn' as const);
    return { op: 'update' as const, record: { ...task, state } };
  });
  const entries = [...withdrawn, ...ends.entries];
  await live.commit(() => {
    const context = { entry, nowMs, random: guard.random, redact: guard.redact };
    const remains = sealRemains(run.id, live.execution.remains(), context);
    return {
      events: [],
      change: { entries, attempts: ends.attempts, approvals, tasks },
      settlement: finished(live.run, { ...CANCELLED, remains, seen: live.execution.seen }, context),
    };
  });
}

/** What becomes of the attempts that were under way or waited. */
interface AttemptEnds {
  readonly entries: readonly EntryDraft[];
  readonly attempts: readonly { readonly record: AttemptRecord }[];
  /** Tasks whose answer counts. */
  readonly answered: ReadonlySet<string>;
}

interface Cancelling {
  readonly waiting: readonly TaskRecord[];
  readonly entry: EntryContext;
  readonly nowMs: number;
}

async function attemptEnds(guard: Guard, live: LiveRun, cancelling: Cancelling): Promise<AttemptEnds> {
  const { run } = live;
  const { waiting, entry, nowMs } = cancelling;
  const entries: EntryDraft[] = [];
  const attempts: { record: AttemptRecord }[] = [];
  const answered = new Set<string>();
  const lose = async (row: AttemptRecord): Promise<void> => {
    entries.push(await indeterminateEntry(guard, row, nowMs, entry));
    attempts.push({ record: { ...row, status: 'indeterminate', finishedAtMs: nowMs } });
  };
  for (const { stepPath, attempt } of live.execution.tasks()) {
    const row = await guard.store.attempt(run.id, stepPath, attempt);
    if (row?.status === 'waiting')
      attempts.push({ record: { ...row, status: 'cancelled', finishedAtMs: nowMs } });
    if (row?.status === 'suspended') {
      const task = waiting.find((one) => one.stepPath === stepPath && one.attempt === attempt) ?? null;
      const output = task === null ? null : await answerOf(guard, run, { task, input: row.input });
      if (task !== null && output !== null) answered.add(task.id);
      const status = output === null ? 'cancelled' : 'succeeded';
      const code = output === null ? 'STEP_CANCELLED' : null;
      entries.push(await waitFinished(guard, row, { status, code, output, nowMs, context: entry }));
      attempts.push({ record: { ...row, status, output, finishedAtMs: nowMs } });
    }
    if (row?.status === 'intended') await lose(row);
  }
  for (const request of live.execution.requests(nowMs)) {
    const row = request.kind === 'write' ? await lastWrite(guard, run, request.stepPath) : null;
    if (row?.status === 'intended') await lose(row);
  }
  return { entries, attempts, answered };
}

/** An answer that was acknowledged counts, though nothing goes on with it: a redrive does not ask for it again. */
async function answerOf(
  guard: Guard,
  run: RunRecord,
  asked: { readonly task: TaskRecord; readonly input: Commitment | null },
): Promise<Commitment | null> {
  const { answer } = asked.task;
  if (answer?.kind !== 'success') return null;
  return (await answerFault(guard, { run, ...asked })) === null ? answer.payload : null;
}
