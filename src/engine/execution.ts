// One run under way: what has to be done now, and what follows from what has happened. Deterministic: time, random and
// results come in with events. Stored as a small head and parts, of which `takeChanges` gives those that changed.
import { WritError } from '../errors.js';
import type { Json, JsonObject } from '../json.js';
import { grownBy, mixedWith, UNKNOWN_DATA, type DataClass } from '../workflow/data-class.js';
import type { Plan } from '../workflow/plan.js';
import type { EngineEvent, Task } from './command.js';
import { newFrame } from './frame.js';
import { Interpreter } from './interpret.js';
import { runFailure, stepError, toldName } from './fault.js';
import type { Request } from './query.js';
import { redrivenHead, takeUp, type Redrive, type Remains } from './redrive.js';
import { requestOf } from './request.js';
import type { Trace } from './stage.js';
import type { Changes, Frame, Parts, RunHead, Seen, TaskWaiting } from './state.js';
import { stepPathOf } from './step-path.js';
import { taskOf } from './task.js';
import { RunTree } from './tree.js';

export interface StartOptions {
  readonly runId: string;
  readonly initiator: string;
  readonly input: Json;
  readonly nowMs: number;
  /** Default 1,000,000 (AWS stops at 25,000 history events). */
  readonly maxTransitions?: number;
  /** 32 bytes in hex nobody can foresee: UUIDs, random numbers and jitter inside the run come from them. */
  readonly seed: string;
  /** Laid over the context object; `isWhole`: instead of it. */
  readonly context?: { readonly given: JsonObject; readonly isWhole: boolean };
  /** Variables that are set from the beginning. */
  readonly variables?: JsonObject;
  /** Is told what a state makes of its data, by the stage names of TestState. */
  readonly trace?: Trace;
  /** One state is tested: causes of its faults do not name the event by which it was entered. Default false. */
  readonly isAlone?: boolean;
}

const MAX_TRANSITIONS = 1_000_000;

const NO_CALLS = stepError(
  new WritError('STEP_OUTPUT_INVALID', 'the function asked for calls and named none'),
);

/** An answer from outside is waited for. */
const SUSPENDED = ['person', 'callback'] as const;

/** When a wait ends by itself; null = never. */
export function silentAtMs(waiting: TaskWaiting | null): number | null {
  const { untilMs = null, silentUntilMs = null } = waiting ?? {};
  if (untilMs === null || silentUntilMs === null) return untilMs ?? silentUntilMs;
  return Math.min(untilMs, silentUntilMs);
}

export type Standing = Pick<Task, 'attempt' | 'phase' | 'approval' | 'isStopping'>;

export class Execution {
  readonly #plan: Plan;
  readonly #tree: RunTree;
  readonly #interpreter: Interpreter;

  private constructor(plan: Plan, tree: RunTree, trace: Trace | null = null, isAlone = false) {
    this.#plan = plan;
    this.#tree = tree;
    this.#interpreter = new Interpreter(plan, tree, trace, isAlone);
  }

  /** A fresh run, advanced to its first tasks. */
  static start(plan: Plan, options: StartOptions): Execution {
    const { runId, initiator, input, nowMs } = options;
    const head: RunHead = {
      v: 3,
      run: { id: runId, initiator, startedAtMs: nowMs },
      status: 'running',
      transitions: 0,
      maxTransitions: options.maxTransitions ?? MAX_TRANSITIONS,
      deadlineMs: plan.timeoutMs === null ? null : nowMs + plan.timeoutMs,
      pausedAtMs: null,
      failing: null,
      seed: options.seed,
      drawn: 0,
      asked: 0,
      events: plan.dialect === 'states' ? 1 : 0, // ExecutionStarted
      context: options.context ?? null,
      output: null,
      error: null,
    };
    const tree = new RunTree(head, (frame) => stepPathOf(plan, frame));
    tree.input = input;
    const data = plan.dialect === 'states' ? input : null;
    const first = newFrame('', null, plan.start, nowMs);
    tree.put({ ...first, data, variables: options.variables ?? first.variables });
    const execution = new Execution(plan, tree, options.trace, options.isAlone);
    execution.apply({ kind: 'tick', nowMs });
    return execution;
  }

  /**
   * A run that has failed or was cancelled goes on where it stood, as redrive.ts says. `outputs`: by step path, of tasks that succeeded while they were being stopped. Nothing of it is stored: all parts are changes.
   */
  static redrive(
    plan: Plan,
    remains: Remains,
    options: Redrive & { readonly outputs?: ReadonlyMap<string, Json> },
  ): Execution {
    const { nowMs, outputs = new Map<string, Json>() } = options;
    const head = redrivenHead(plan, remains.head, options);
    const tree = RunTree.from(head, remains.parts, (frame) => stepPathOf(plan, frame));
    const execution = new Execution(plan, tree);
    execution.#interpreter.begin(nowMs);
    takeUp(execution.#interpreter, (stepPath) => outputs.has(stepPath));
    tree.isNew();
    for (const [stepPath, output] of outputs) {
      const attempt = execution.task(stepPath)?.attempt ?? 0;
      execution.apply({ kind: 'succeeded', stepPath, attempt, output, nowMs });
    }
    execution.apply({ kind: 'tick', nowMs });
    return execution;
  }

  /** The run as it was stored; nothing moves by opening it. */
  static open(plan: Plan, head: RunHead, parts: Parts): Execution {
    return new Execution(
      plan,
      RunTree.from(head, parts, (frame) => stepPathOf(plan, frame)),
    );
  }

  /** What a redrive needs; of a run that has completed it means nothing. */
  remains(): Remains {
    return { head: this.#tree.head, parts: this.#tree.parts() };
  }

  get head(): RunHead {
    return this.#tree.head;
  }

  /** By node key, what has become of every node that the run has come to. */
  get seen(): ReadonlyMap<string, Seen> {
    return this.#tree.seen;
  }

  /** What all data of the run together carries: what the plan says of the input, and of tasks what they gave. */
  get data(): DataClass {
    return this.#tree.head.data ?? this.#plan.data ?? UNKNOWN_DATA;
  }

  /** Every task that a cursor stands at, but for those in a retry delay. */
  tasks(): Task[] {
    const standings = [
      ...(['ready', 'approval', 'running', 'lost', 'calls', 'stopping'] as const),
      ...SUSPENDED,
    ];
    return this.#tasksOf(standings.flatMap((phase) => this.#tree.all(phase)));
  }

  task(stepPath: string): Task | null {
    const frame = this.#tree.atTask(stepPath);
    return frame === undefined ? null : this.#taskOf(frame);
  }

  /** What every move asks of a task, for less than `task` costs; null where that gives null. */
  standing(stepPath: string): Standing | null {
    const frame = this.#tree.atTask(stepPath);
    if (frame?.task == null || frame.wakeAtMs !== null || frame.ask !== null) return null;
    if (this.#interpreter.nodeOf(frame) === null) return null;
    const { attempt, phase, approval } = frame.task;
    return { attempt, phase, approval, isStopping: frame.isStopping };
  }

  /** May start now, at most `limit` of them. None while an approval is waited for that is not `async`, or when the run is failing. */
  ready(limit = Infinity): Task[] {
    return this.#mayBegin ? this.#tasksOf(this.#tree.some('ready', limit)) : [];
  }

  /** As `ready`, of this one; a task whose own approval is at hand may start too. */
  mayStart({ phase, isStopping }: Pick<Standing, 'phase' | 'isStopping'>): boolean {
    if (isStopping || this.#tree.head.status !== 'running') return false;
    return phase === 'approval' || (phase === 'ready' && this.#mayBegin);
  }

  /** What is to be evaluated, read or written outside before cursors can go on. */
  requests(nowMs: number): Request[] {
    return this.#tree.all('ask').flatMap((frame) => requestOf(this.#plan, this.#tree, frame, nowMs));
  }

  /** Those whose outcome was lost. */
  lost(): Task[] {
    return this.#tasksOf(this.#tree.all('lost'));
  }

  /** Those that wait for an answer from outside, also where that is to be given up. */
  suspended(): Task[] {
    const tree = this.#tree;
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
    for (const { task } of SUSPENDED.flatMap((one) => this.#tree.all(one))) {
      const atMs = task?.waiting === undefined ? null : endOf(task.waiting);
      if (atMs !== null && (first === null || atMs < first)) first = atMs;
    }
    return first;
  }

  /** Nothing can be done here: people, or answers from outside, hold the run up, and no timer is to be waited for. */
  get isLeftToOthers(): boolean {
    const tree = this.#tree;
    const outside = ['approval', 'lost', ...SUSPENDED] as const;
    return this.isHeldUp && tree.count('timer') === 0 && outside.some((standing) => tree.count(standing) > 0);
  }

  /** Nothing runs, may start or is worked on: only people, answers from outside and timers hold the run up. */
  get isHeldUp(): boolean {
    const tree = this.#tree;
    const going = tree.count('running') + tree.count('stopping') + tree.count('runnable') + tree.count('ask');
    return tree.head.status === 'running' && going === 0 && (tree.count('ready') === 0 || !this.#mayBegin);
  }

  /** The timer that is due first, and where; null when none runs. */
  firstTimer(): { readonly stepPath: string; readonly untilMs: number } | null {
    let first: Frame | null = null;
    for (const frame of this.#tree.all('timer')) {
      if (first === null || (frame.wakeAtMs ?? 0) < (first.wakeAtMs ?? 0)) first = frame;
    }
    if (first?.wakeAtMs == null) return null;
    return { stepPath: stepPathOf(this.#plan, first), untilMs: first.wakeAtMs };
  }

  get #mayBegin(): boolean {
    const { head, hasSyncApproval } = this.#tree;
    return head.status === 'running' && head.failing === null && !hasSyncApproval;
  }

  /** When `tick` has something to do: the earliest timer, or the end of the run's own time. Null = none. */
  nextTimerMs(): number | null {
    const { head } = this.#tree;
    if (head.status !== 'running') return null;
    const timers = this.#tree.all('timer').flatMap(({ wakeAtMs }) => wakeAtMs ?? []);
    if (head.deadlineMs !== null && head.pausedAtMs === null && head.failing === null)
      timers.push(head.deadlineMs);
    return timers.length === 0 ? null : timers.reduce((first, one) => Math.min(first, one));
  }

  /** Long work is done in slices; true: `tick` goes on with it. */
  get hasWork(): boolean {
    const { head } = this.#tree;
    return head.status === 'running' && head.failing === null && this.#tree.count('runnable') > 0;
  }

  /** What has changed since the last call. */
  takeChanges(): Changes {
    return this.#tree.takeChanges();
  }

  /** An event that the run does not wait for changes nothing. */
  apply(event: EngineEvent): void {
    const tree = this.#tree;
    if (tree.head.status !== 'running') return;
    this.#interpreter.begin(event.nowMs);
    if (event.kind === 'tick') this.#tick(event.nowMs);
    else if (event.kind === 'carried') tree.head = { ...tree.head, data: grownBy(this.data, event.data) };
    else if (event.kind === 'taken-in') tree.head = { ...tree.head, data: mixedWith(this.data, event.data) };
    else if (event.kind === 'answered') this.#answered(event);
    else this.#happened(event);
    this.#interpreter.settle();
    this.#endFailing();
    this.#countPause(event.nowMs);
  }

  #tick(nowMs: number): void {
    if (this.#isOverdue(nowMs)) this.#timeOut();
    for (const frame of this.#tree.all('timer')) {
      if (frame.wakeAtMs !== null && frame.wakeAtMs <= nowMs) this.#interpreter.wake(frame);
    }
  }

  #answered({ id, at, answer, nowMs }: Extract<EngineEvent, { kind: 'answered' }>): void {
    if (this.#isOverdue(nowMs)) this.#timeOut();
    const frame = this.#tree.frame(id);
    if (frame?.ask?.at !== at || frame.isStopping) return;
    this.#interpreter.answered(frame, frame.ask, answer);
  }

  #happened(event: Exclude<EngineEvent, { kind: 'tick' | 'answered' | 'carried' | 'taken-in' }>): void {
    const tree = this.#tree;
    const at = (): Frame | undefined => {
      const frame = tree.atTask(event.stepPath);
      // While a timer runs the next attempt is prepared but has not begun: nothing but the timer can end the wait. And
      // an attempt that has asked for calls has ended: what comes next is up to them.
      const { task = null, wakeAtMs = null, ask = null } = frame ?? {};
      const isWaiting = wakeAtMs !== null || ask !== null;
      return task?.attempt === event.attempt && !isWaiting && task.phase !== 'calls' ? frame : undefined;
    };
    if (at() === undefined) return;
    if (event.kind !== 'paused') this.#unpause(event.nowMs);
    const isEnd = event.kind === 'succeeded' || event.kind === 'failed' || event.kind === 'asked';
    if (isEnd && this.#isOverdue(event.nowMs)) this.#timeOut();
    const frame = at();
    const node = frame === undefined ? null : this.#interpreter.nodeOf(frame);
    if (frame?.task == null || node === null) return;
    const { task } = frame;
    if (event.kind === 'handed') {
      if (task.phase === 'running')
        tree.put({ ...frame, task: { ...task, phase: 'callback', waiting: event.waiting } });
      return;
    }
    if (frame.isStopping) {
      if (isEnd || event.kind === 'stopped' || event.kind === 'lost') this.#interpreter.stopped(frame);
      return;
    }
    switch (event.kind) {
      case 'succeeded':
        this.#interpreter.succeed(frame, node, event.output);
        return;
      case 'asked':
        if (event.calls.length > 0) this.#interpreter.calls.ask(frame, task, event.calls, event.transcript);
        else this.#interpreter.failed(frame, node, NO_CALLS, 0);
        return;
      case 'failed':
        // A person has decided that a lost attempt failed: it is not tried again by itself.
        if (task.phase === 'lost') this.#interpreter.gaveUp(frame, node, event.error);
        else this.#interpreter.failed(frame, node, event.error, event.draw, event.retryAfterMs);
        return;
      case 'rerun':
        this.#interpreter.rerun(frame, event.by === undefined ? task : { ...task, rerunBy: event.by });
        return;
      case 'paused': {
        const { approval, input = task.input } = event;
        tree.put({ ...frame, task: { ...task, phase: 'approval', approval, input } });
        return;
      }
      case 'started':
        tree.put({ ...frame, task: { ...task, phase: 'running', approval: null } });
        return;
      case 'lost':
        // What waits for an answer has done its act: a crash loses nothing of it.
        if (task.phase !== 'callback') tree.put({ ...frame, task: { ...task, phase: 'lost' } });
        return;
      case 'heartbeat': {
        const { waiting, heartbeatMs } = task;
        if (waiting === undefined || heartbeatMs === null) return;
        const silentUntilMs = Math.max(waiting.silentUntilMs ?? 0, event.atMs + heartbeatMs);
        tree.put({ ...frame, task: { ...task, waiting: { ...waiting, silentUntilMs } } });
        return;
      }
      case 'stopped':
        // Whoever opens the run again finds a running task whose outcome is lost.
        return;
    }
  }

  #isOverdue(nowMs: number): boolean {
    const { deadlineMs, pausedAtMs } = this.#tree.head;
    return deadlineMs !== null && pausedAtMs === null && nowMs >= deadlineMs;
  }

  #timeOut(): void {
    this.#interpreter.failRun(runFailure('RUN_TIMEOUT', 'the run exceeded its own time limit'));
  }

  /** A failing run has failed once nothing runs any more. */
  #endFailing(): void {
    const tree = this.#tree;
    const { failing } = tree.head;
    if (failing === null || tree.count('running') + tree.count('stopping') > 0) return;
    const error = { ...failing, name: toldName(failing) };
    tree.head = { ...tree.head, status: 'failed', failing: null, output: null, error };
  }

  /** Time in which nothing but people holds the run up does not count against its own limit. */
  #countPause(nowMs: number): void {
    const tree = this.#tree;
    const { head } = tree;
    const people = tree.count('approval') + tree.count('lost') + tree.count('person');
    const busy = ['running', 'stopping', 'runnable', 'ask', 'timer', 'callback'] as const;
    const going = busy.reduce((sum, standing) => sum + tree.count(standing), 0);
    const isPaused =
      head.status === 'running' &&
      people > 0 &&
      going === 0 &&
      (tree.count('ready') === 0 || tree.hasSyncApproval);
    if (!isPaused) this.#unpause(nowMs);
    else if (head.pausedAtMs === null) tree.head = { ...head, pausedAtMs: nowMs };
  }

  #unpause(nowMs: number): void {
    const { head } = this.#tree;
    const { pausedAtMs, deadlineMs } = head;
    if (pausedAtMs === null) return;
    const moved = deadlineMs === null ? null : deadlineMs + Math.max(0, nowMs - pausedAtMs);
    this.#tree.head = { ...head, pausedAtMs: null, deadlineMs: moved };
  }

  #taskOf(frame: Frame): Task | null {
    return taskOf(this.#plan, this.#tree, this.#interpreter.nodeOf(frame), frame);
  }

  #tasksOf(frames: readonly Frame[]): Task[] {
    return frames.flatMap((frame) => this.#taskOf(frame) ?? []);
  }
}
