// A redrive: a run that has failed, or was cancelled, goes on where it stood (ASL: redriving). What has succeeded keeps its
// result; every state that has not gets a new attempt with the input it had, all its retries and none of its approvals.
// Of Parallel and Map only what has not ended well is begun again. Ids and attempt numbers are never used twice.
import type { Plan, TaskNode } from '../workflow/plan.js';
import { taskAt } from '../workflow/state-gate.js';
import type { CurrentTask, Frame, Parts, RunHead } from './state.js';
import { stepPathOf } from './step-path.js';
import type { Walk } from './walk.js';

/** What is kept of a run that has ended without success: enough to go on with it. */
export interface Remains {
  readonly head: RunHead;
  readonly parts: Parts;
}

/** By whom, when, and what everything random comes from now. */
export interface Redrive {
  readonly by: string;
  readonly nowMs: number;
  /** As at the start. */
  readonly seed: string;
}

/** The head of the run that goes on: its time limit begins anew, and everything random comes from another seed. */
export function redrivenHead(plan: Plan, head: RunHead, { by, nowMs, seed }: Redrive): RunHead {
  return {
    ...head,
    status: 'running',
    failing: null,
    output: null,
    error: null,
    pausedAtMs: null,
    deadlineMs: plan.timeoutMs === null ? null : nowMs + plan.timeoutMs,
    seed,
    drawn: 0,
    events: head.events + (plan.dialect === 'states' ? 1 : 0), // ExecutionRedriven
    redrive: { count: (head.redrive?.count ?? 0) + 1, atMs: nowMs, by },
  };
}

/** A task whose attempt is over, or was stopped: it will get another one. */
export interface StoppedTask {
  readonly stepPath: string;
  readonly attempt: number;
  readonly isIdempotent: boolean;
  /** Its act had begun: where it was stopped, nobody knows how far it came. */
  readonly hadBegun: boolean;
  /** Stopped while it ran, or waited for an answer: it may have come to its end, and nobody took what it gave. */
  readonly mayHaveEnded: boolean;
}

export function stoppedTasks(plan: Plan, { parts }: Remains): readonly StoppedTask[] {
  const found: StoppedTask[] = [];
  for (const [key, part] of parts) {
    if (!key.startsWith('frame/') && !key.startsWith('aside/')) continue;
    const frame = part as unknown as Frame; // our own, as RunTree.from reads it
    const { task, call } = frame;
    if (task === null || frame.ask !== null || task.phase === 'ready' || task.phase === 'calls') continue;
    const node = taskAt(plan.nodes[frame.node]);
    found.push({
      stepPath: stepPathOf(plan, frame),
      attempt: task.attempt,
      isIdempotent: call === null && node?.idempotent === true,
      hadBegun: task.phase === 'running' || task.phase === 'lost',
      mayHaveEnded: isUnderWay(task),
    });
  }
  return found;
}

/** It runs, or waits for an answer from outside. */
function isUnderWay({ phase }: CurrentTask): boolean {
  return phase === 'running' || phase === 'callback';
}

/** The parts of the interpreter that a redrive moves. */
interface Redriving extends Walk {
  nodeOf(frame: Frame): TaskNode | null;
  readonly forks: Walk['forks'] & { reopen(frame: Frame): Frame | null };
}

/** `hasEnded`: the task's outcome is known and is about to be told. Every other cursor goes on, or is as good as about to enter its state again. */
export function takeUp(walk: Redriving, hasEnded: (stepPath: string) => boolean): void {
  const { tree } = walk;
  const frames = tree.takeBack();
  for (const frame of frames) {
    tree.seeAgain(frame.node);
    tree.put(again(walk, frame, hasEnded));
  }
  for (const { id } of frames) {
    const frame = tree.frame(id);
    if (frame?.fork != null) walk.go(walk.forks.reopen(frame));
  }
}

function again(walk: Redriving, frame: Frame, hasEnded: (stepPath: string) => boolean): Frame {
  const here: Frame = { ...frame, isStopping: false };
  const { task, fork, ask } = here;
  // A question that was not answered is asked again as it was.
  if (ask !== null) return here;
  if (task !== null && isUnderWay(task) && hasEnded(stepPathOf(walk.plan, here))) return here;
  if (task !== null) return { ...withTask(walk, here, task), wakeAtMs: null };
  if (fork === null) return here;
  // Without lanes it had failed as a whole, or waited for its retry: it is entered anew.
  if (walk.tree.lanes(here.id).length === 0) return { ...here, fork: null, wakeAtMs: null };
  const map = fork.map === null ? null : { ...fork.map, failed: 0 };
  return { ...here, fork: { ...fork, retries: [], failing: null, map } };
}

function withTask(walk: Redriving, frame: Frame, task: CurrentTask): Frame {
  // Whoever redrives asks for it from now on.
  const { waiting: _, rerunBy: __, ...fresh } = { ...task, retries: [], approval: null };
  // It had not begun.
  if (task.phase === 'ready') return { ...frame, task: fresh };
  const open = task.conversation?.answers.filter((one) => one === null).length ?? 0;
  if (task.phase === 'calls' && open === walk.tree.childCount(frame.id)) return { ...frame, task: fresh };
  return walk.beginAttempt(frame, task.input, { again: { ...fresh, startedAtMs: walk.nowMs } });
}
