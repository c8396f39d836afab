// What of a run can be done now, what it waits for, and when a timer of it is due. Nothing here changes the run.
import type { Plan } from '../workflow/plan.js';
import type { Task } from './command.js';
import type { Interpreter } from './interpret.js';
import type { Request } from './query.js';
import { requestOf } from './request.js';
import type { Frame, TaskWaiting } from './state.js';
import { stepPathOf } from './step-path.js';
import { taskOf } from './task.js';
import type { RunTree } from './tree.js';

/** An answer from outside is waited for. */
const SUSPENDED = ['person', 'callback'] as const;

/** When a wait ends by itself; null = never. */
export function silentAtMs(waiting: TaskWaiting | null): number | null {
  const { untilMs = null, silentUntilMs = null } = waiting ?? {};
  if (untilMs === null || silentUntilMs === null) return untilMs ?? silentUntilMs;
  return Math.min(untilMs, silentUntilMs);
}

/** Of a task, what every move asks. */
type Standing = Pick<Task, 'attempt' | 'phase' | 'approval' | 'isStopping'>;

export class Agenda {
  protected readonly plan: Plan;
  protected readonly tree: RunTree;
  protected readonly interpreter: Interpreter;

  protected constructor(plan: Plan, tree: RunTree, interpreter: Interpreter) {
    this.plan = plan;
    this.tree = tree;
    this.interpreter = interpreter;
  }

  /** Every task that a cursor stands at, but for those in a retry delay. */
  tasks(): Task[] {
    const standings = [
      ...(['ready', 'approval', 'running', 'lost', 'calls', 'stopping'] as const),
      ...SUSPENDED,
    ];
    return this.#tasksOf(standings.flatMap((phase) => this.tree.all(phase)));
  }

  task(stepPath: string): Task | null {
    const frame = this.tree.atTask(stepPath);
    return frame === undefined ? null : this.#taskOf(frame);
  }

  /** What every move asks of a task, for less than `task` costs; null where that gives null. */
  standing(stepPath: string): Standing | null {
    const frame = this.tree.atTask(stepPath);
    if (frame?.task == null || frame.wakeAtMs !== null || frame.ask !== null) return null;
    if (this.interpreter.nodeOf(frame) === null) return null;
    const { attempt, phase, approval } = frame.task;
    return { attempt, phase, approval, isStopping: frame.isStopping };
  }

  /** May start now, at most `limit` of them. None while an approval is waited for that is not `async`, or when the run is failing. */
  ready(limit = Infinity): Task[] {
    return this.#mayBegin ? this.#tasksOf(this.tree.some('ready', limit)) : [];
  }

  /** As `ready`, of this one; a task whose own approval is at hand may start too. */
  mayStart({ phase, isStopping }: Pick<Standing, 'phase' | 'isStopping'>): boolean {
    if (isStopping || this.tree.head.status !== 'running') return false;
    return phase === 'approval' || (phase === 'ready' && this.#mayBegin);
  }

  /** What is to be evaluated, read or written outside before cursors can go on. */
  requests(nowMs: number): Request[] {
    return this.tree.all('ask').flatMap((frame) => requestOf(this.plan, this.tree, frame, nowMs));
  }

  /** Those whose outcome was lost. */
  lost(): Task[] {
    return this.#tasksOf(this.tree.all('lost'));
  }

  /** Those that wait for an answer from outside, also where that is to be given up. */
  suspended(): Task[] {
    const tree = this.tree;
    if (SUSPENDED.every((one) => tree.count(one) === 0) && tree.count('stopping') === 0) return [];
    const frames = [...SUSPENDED.flatMap((one) => tree.all(one)), ...tree.all('stopping')];
    return this.#tasksOf(frames).filter(({ phase }) => phase === 'callback');
  }

  /** When the first of them has waited, or been silent, for too long; null = never. */
  nextSilenceMs(): number | null {
    return this.#firstOfWaits(silentAtMs);
  }

  /** When the first of them has waited for too long, whatever signs of life it gives; null = never. */
  nextWaitEndMs(): number | null {
    return this.#firstOfWaits((waiting) => waiting.untilMs);
  }

  #firstOfWaits(endOf: (waiting: TaskWaiting) => number | null): number | null {
    let first: number | null = null;
    for (const { task } of SUSPENDED.flatMap((one) => this.tree.all(one))) {
      const atMs = task?.waiting === undefined ? null : endOf(task.waiting);
      if (atMs !== null && (first === null || atMs < first)) first = atMs;
    }
    return first;
  }

  /** Nothing can be done here: people, or answers from outside, hold the run up, and no timer is to be waited for. */
  get isLeftToOthers(): boolean {
    const tree = this.tree;
    const outside = ['approval', 'lost', ...SUSPENDED] as const;
    return this.isHeldUp && tree.count('timer') === 0 && outside.some((standing) => tree.count(standing) > 0);
  }

  /** Nothing runs, may start or is worked on: only people, answers from outside and timers hold the run up. */
  get isHeldUp(): boolean {
    const tree = this.tree;
    const going = tree.count('running') + tree.count('stopping') + tree.count('runnable') + tree.count('ask');
    return tree.head.status === 'running' && going === 0 && (tree.count('ready') === 0 || !this.#mayBegin);
  }

  /** The timer that is due first, and where; null when none runs. */
  firstTimer(): { readonly stepPath: string; readonly untilMs: number } | null {
    let first: Frame | null = null;
    for (const frame of this.tree.all('timer')) {
      if (first === null || (frame.wakeAtMs ?? 0) < (first.wakeAtMs ?? 0)) first = frame;
    }
    if (first?.wakeAtMs == null) return null;
    return { stepPath: stepPathOf(this.plan, first), untilMs: first.wakeAtMs };
  }

  /** When `tick` has something to do: the earliest timer, or the end of the run's own time. Null = none. */
  nextTimerMs(): number | null {
    const { head } = this.tree;
    if (head.status !== 'running') return null;
    const timers = this.tree.all('timer').flatMap(({ wakeAtMs }) => wakeAtMs ?? []);
    if (head.deadlineMs !== null && head.pausedAtMs === null && head.failing === null)
      timers.push(head.deadlineMs);
    return timers.length === 0 ? null : timers.reduce((first, one) => Math.min(first, one));
  }

  /** Long work is done in slices; true: `tick` goes on with it. */
  get hasWork(): boolean {
    const { head } = this.tree;
    return head.status === 'running' && head.failing === null && this.tree.count('runnable') > 0;
  }

  get #mayBegin(): boolean {
    const { head, hasSyncApproval } = this.tree;
    return head.status === 'running' && head.failing === null && !hasSyncApproval;
  }

  #taskOf(frame: Frame): Task | null {
    return taskOf(this.plan, this.tree, this.interpreter.nodeOf(frame), frame);
  }

  #tasksOf(frames: readonly Frame[]): Task[] {
    return frames.flatMap((frame) => this.#taskOf(frame) ?? []);
  }
}
