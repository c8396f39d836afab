// One run under way: what has to be done now, and what follows from what has happened. Deterministic: time, random and
// results come in with events. Stored as a small head and parts, of which `takeChanges` gives those that changed.
import { WritError } from '../errors.js';
import type { Json, JsonObject } from '../json.js';
import { grownBy, mixedWith, UNKNOWN_DATA, type DataClass } from '../workflow/data-class.js';
import type { Plan, TaskNode } from '../workflow/plan.js';
import { Agenda } from './agenda.js';
import type { EngineEvent } from './command.js';
import { newFrame } from './frame.js';
import { Interpreter } from './interpret.js';
import { runFailure, stepError, toldName } from './fault.js';
import { redrivenHead, takeUp, type Redrive, type Remains } from './redrive.js';
import type { Trace } from './stage.js';
import type { Changes, CurrentTask, Frame, Parts, RunHead, Seen } from './state.js';
import { stepPathOf } from './step-path.js';
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

type TaskEvent = Exclude<EngineEvent, { kind: 'tick' | 'answered' | 'carried' | 'taken-in' }>;
type EndOfAttempt = Extract<TaskEvent, { kind: 'succeeded' | 'failed' | 'asked' }>;

export class Execution extends Agenda {
  private constructor(plan: Plan, tree: RunTree, trace: Trace | null = null, isAlone = false) {
    super(plan, tree, new Interpreter(plan, tree, trace, isAlone));
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
    execution.interpreter.begin(nowMs);
    takeUp(execution.interpreter, (stepPath) => outputs.has(stepPath));
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
    return { head: this.tree.head, parts: this.tree.parts() };
  }

  get head(): RunHead {
    return this.tree.head;
  }

  /** By node key, what has become of every node that the run has come to. */
  get seen(): ReadonlyMap<string, Seen> {
    return this.tree.seen;
  }

  /** What all data of the run together carries: what the plan says of the input, and of tasks what they gave. */
  get data(): DataClass {
    return this.tree.head.data ?? this.plan.data ?? UNKNOWN_DATA;
  }

  /** What has changed since the last call. */
  takeChanges(): Changes {
    return this.tree.takeChanges();
  }

  /** An event that the run does not wait for changes nothing. */
  apply(event: EngineEvent): void {
    const tree = this.tree;
    if (tree.head.status !== 'running') return;
    this.interpreter.begin(event.nowMs);
    if (event.kind === 'tick') this.#tick(event.nowMs);
    else if (event.kind === 'carried') tree.head = { ...tree.head, data: grownBy(this.data, event.data) };
    else if (event.kind === 'taken-in') tree.head = { ...tree.head, data: mixedWith(this.data, event.data) };
    else if (event.kind === 'answered') this.#answered(event);
    else this.#happened(event);
    this.interpreter.settle();
    this.#endFailing();
    this.#countPause(event.nowMs);
  }

  #tick(nowMs: number): void {
    if (this.#isOverdue(nowMs)) this.#timeOut();
    for (const frame of this.tree.all('timer')) {
      if (frame.wakeAtMs !== null && frame.wakeAtMs <= nowMs) this.interpreter.wake(frame);
    }
  }

  #answered({ id, at, answer, nowMs }: Extract<EngineEvent, { kind: 'answered' }>): void {
    if (this.#isOverdue(nowMs)) this.#timeOut();
    const frame = this.tree.frame(id);
    if (frame?.ask?.at !== at || frame.isStopping) return;
    this.interpreter.answered(frame, frame.ask, answer);
  }

  #happened(event: TaskEvent): void {
    if (this.#frameAt(event) === undefined) return;
    if (event.kind !== 'paused') this.#unpause(event.nowMs);
    const isEnd = event.kind === 'succeeded' || event.kind === 'failed' || event.kind === 'asked';
    if (isEnd && this.#isOverdue(event.nowMs)) this.#timeOut();
    // The run's own end may have stopped it.
    const frame = this.#frameAt(event);
    const node = frame === undefined ? null : this.interpreter.nodeOf(frame);
    if (frame?.task == null || node === null) return;
    if (event.kind !== 'handed' && frame.isStopping) {
      if (isEnd || event.kind === 'stopped' || event.kind === 'lost') this.interpreter.stopped(frame);
    } else if (isEnd) this.#ended(event, frame, frame.task, node);
    else this.#moved(event, frame, frame.task);
  }

  /**
   * Where the attempt stands. While a timer runs the next one is prepared but has not begun: nothing but the timer can end
   * the wait. And one that has asked for calls has ended: what comes next is up to them.
   */
  #frameAt({ stepPath, attempt }: TaskEvent): Frame | undefined {
    const frame = this.tree.atTask(stepPath);
    const { task = null, wakeAtMs = null, ask = null } = frame ?? {};
    const isWaiting = wakeAtMs !== null || ask !== null;
    return task?.attempt === attempt && !isWaiting && task.phase !== 'calls' ? frame : undefined;
  }

  #ended(event: EndOfAttempt, frame: Frame, task: CurrentTask, node: TaskNode): void {
    switch (event.kind) {
      case 'succeeded':
        this.interpreter.succeed(frame, node, event.output);
        return;
      case 'asked':
        if (event.calls.length > 0) this.interpreter.calls.ask(frame, task, event.calls, event.transcript);
        else this.interpreter.failed(frame, node, { error: NO_CALLS, draw: 0 });
        return;
      case 'failed': {
        const { error, draw, retryAfterMs: askedMs } = event;
        // A person has decided that a lost attempt failed: it is not tried again by itself.
        if (task.phase === 'lost') this.interpreter.gaveUp(frame, node, error);
        else this.interpreter.failed(frame, node, { error, draw, askedMs });
      }
    }
  }

  #moved(event: Exclude<TaskEvent, EndOfAttempt>, frame: Frame, task: CurrentTask): void {
    const become = (change: Partial<CurrentTask>): void => {
      this.tree.put({ ...frame, task: { ...task, ...change } });
    };
    switch (event.kind) {
      case 'rerun':
        this.interpreter.rerun(frame, event.by === undefined ? task : { ...task, rerunBy: event.by });
        return;
      case 'paused': {
        const { approval, input = task.input } = event;
        become({ phase: 'approval', approval, input });
        return;
      }
      case 'started':
        become({ phase: 'running', approval: null });
        return;
      case 'handed':
        if (task.phase === 'running') become({ phase: 'callback', waiting: event.waiting });
        return;
      case 'lost':
        // What waits for an answer has done its act: a crash loses nothing of it.
        if (task.phase !== 'callback') become({ phase: 'lost' });
        return;
      case 'heartbeat': {
        const { waiting, heartbeatMs } = task;
        if (waiting === undefined || heartbeatMs === null) return;
        const silentUntilMs = Math.max(waiting.silentUntilMs ?? 0, event.atMs + heartbeatMs);
        become({ waiting: { ...waiting, silentUntilMs } });
        return;
      }
      case 'stopped':
        // Whoever opens the run again finds a running task whose outcome is lost.
        return;
    }
  }

  #isOverdue(nowMs: number): boolean {
    const { deadlineMs, pausedAtMs } = this.tree.head;
    return deadlineMs !== null && pausedAtMs === null && nowMs >= deadlineMs;
  }

  #timeOut(): void {
    this.interpreter.failRun(runFailure('RUN_TIMEOUT', 'the run exceeded its own time limit'));
  }

  /** A failing run has failed once nothing runs any more. */
  #endFailing(): void {
    const tree = this.tree;
    const { failing } = tree.head;
    if (failing === null || tree.count('running') + tree.count('stopping') > 0) return;
    const error = { ...failing, name: toldName(failing) };
    tree.head = { ...tree.head, status: 'failed', failing: null, output: null, error };
  }

  /** Time in which nothing but people holds the run up does not count against its own limit. */
  #countPause(nowMs: number): void {
    const tree = this.tree;
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
    const { head } = this.tree;
    const { pausedAtMs, deadlineMs } = head;
    if (pausedAtMs === null) return;
    const moved = deadlineMs === null ? null : deadlineMs + Math.max(0, nowMs - pausedAtMs);
    this.tree.head = { ...head, pausedAtMs: null, deadlineMs: moved };
  }
}
