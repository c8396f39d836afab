// The interpreter: moves cursors through the nodes of the plan until each needs the outside world, and turns what has
// happened to a task into what follows. Pure: no I/O, clock or random. A fault of the document that shows only at run
// time is a failure of its node (failures.ts), never of the engine.
import { WritError } from '../errors.js';
import { isObject, type Json } from '../json.js';
import type { Plan, PlanNode, TaskNode } from '../workflow/plan.js';
import { taskAt } from '../workflow/state-gate.js';
import type { Values } from './amount.js';
import { tokenOf } from './context.js';
import { Conversations } from './conversations.js';
import { MAX_WORK, measure } from './data-limit.js';
import { runFailure } from './fault.js';
import { fractionOf } from './draws.js';
import { Failures } from './failures.js';
import { Forks } from './forks.js';
import { attemptKey, begun, isGate, isRunnable, isSubmitted, landed, madeAgain, unopened } from './frame.js';
import { Maps } from './maps.js';
import type { Answer } from './query.js';
import { prefixAt, type Trace } from './stage.js';
import { StateData } from './state-data.js';
import type { Ask, CurrentTask, Frame, Stage, StepError } from './state.js';
import { callNode, stepPathOf } from './step-path.js';
import { Steps } from './steps.js';
import type { RunTree } from './tree.js';
import type { Beginning, Failure, Walk } from './walk.js';

/** Transitions of one slice: the runner has other runs to look after. */
const SLICE = 10_000;
const ENTER: Stage = { name: 'enter', index: null };
const LEAVE: Stage = { name: 'leave', index: null };
const NO_LIMITS = { timeoutMs: null, heartbeatMs: null };

export class Interpreter implements Walk {
  readonly plan: Plan;
  readonly tree: RunTree;
  readonly trace: Trace | null;
  readonly isAlone: boolean;
  readonly data: StateData;
  readonly steps: Steps;
  readonly calls: Conversations;
  readonly maps: Maps;
  readonly forks: Forks;
  readonly failures: Failures;
  nowMs = 0;
  #sliceLeft = 0;
  /** Characters worked through since a task last gave something. */
  #work = 0;

  /** `trace` is told what a state makes of its data, for people who test one; `isAlone`: it is a run of one state. */
  constructor(plan: Plan, tree: RunTree, trace: Trace | null = null, isAlone = false) {
    this.plan = plan;
    this.tree = tree;
    this.trace = trace;
    this.isAlone = isAlone;
    this.data = new StateData(this);
    this.steps = new Steps(this);
    this.calls = new Conversations(this);
    this.maps = new Maps(this);
    this.forks = new Forks(this);
    this.failures = new Failures(this);
  }

  spend(): void {
    this.#sliceLeft -= 1;
  }

  rested(): void {
    this.#work = 0;
  }

  /** A new slice of work, at this time. */
  begin(nowMs: number): void {
    this.nowMs = nowMs;
    this.#sliceLeft = SLICE;
  }

  /** Moves every cursor that can move, until the slice is used up. */
  settle(): void {
    const tree = this.tree;
    for (let frame = tree.first('runnable'); frame !== undefined; frame = tree.first('runnable')) {
      if (this.#sliceLeft <= 0 || tree.head.failing !== null) return;
      this.#walk(frame);
    }
  }

  /** The task that the node of this cursor is; a call of a conversation has a node of its own. */
  nodeOf(frame: Frame): TaskNode | null {
    if (frame.call !== null) {
      const asking = frame.parent === null ? undefined : this.tree.frame(frame.parent);
      const node = asking === undefined ? null : this.nodeOf(asking);
      return node === null ? null : callNode(node, frame.call.functionId);
    }
    return taskAt(this.plan.nodes[frame.node]);
  }

  /** The function has answered. */
  succeed(frame: Frame, node: TaskNode, result: Json): void {
    this.#work = 0;
    const here = this.plan.nodes[frame.node];
    if (frame.call !== null) this.calls.answer(frame, frame.call, 'succeeded', result);
    else if (here?.kind === 'pass' || here?.kind === 'fork') this.go(this.#letIn(frame, here));
    else this.go(this.#succeeded(frame, node, result));
  }

  /** The attempt has failed or was refused: retry, then catch, then skip, then fail (ASL: errors). */
  failed(frame: Frame, node: TaskNode, failure: Failure): void {
    if (frame.call !== null) {
      const { error } = failure;
      const status = error.kind === 'refusal' ? 'refused' : 'failed';
      this.calls.answer(frame, frame.call, status, { error: error.code, message: error.message });
    } else this.go(this.failures.recover(frame, node, failure));
  }

  /** As `failed`, and it is not tried again. */
  gaveUp(frame: Frame, node: TaskNode, error: StepError): void {
    if (frame.call !== null) this.failed(frame, node, { error, draw: 0 });
    else this.go(this.failures.giveUp(node, frame, error));
  }

  /** A lost attempt runs again under the same key. */
  rerun(frame: Frame, task: CurrentTask): void {
    this.tree.put(this.beginAttempt(frame, task.input, { again: task }));
  }

  /** What was stopped has ended; its fork, or the run, may now go on with its failure. */
  stopped(frame: Frame): void {
    this.tree.setAside(frame);
    this.forks.childGone(frame);
  }

  /** A timer is due: a retry delay is over, or a Wait state. */
  wake(frame: Frame): void {
    const awake = { ...frame, wakeAtMs: null };
    const node = this.plan.nodes[frame.node];
    if (frame.task !== null) this.tree.put(awake);
    else if (node?.kind === 'fork')
      this.go(this.failures.attempted(node, awake, () => this.enter(node, awake)));
    else if (node?.kind === 'wait') this.go(this.data.staging(node, awake, LEAVE));
  }

  /** What it had asked for outside has come, or could not. */
  answered(frame: Frame, ask: Ask, answer: Answer): void {
    const asking = { ...frame, ask: null };
    const node = ask.name === 'item' ? this.forks.forkOf(frame) : this.plan.nodes[frame.node];
    if (node === undefined)
      throw new WritError('INTERNAL', `plan ${this.plan.id} lost the node "${frame.node}"`);
    if (!answer.ok && ask.kind !== 'query' && node.kind === 'fork') {
      const error = this.failures.faultOf(node, asking, this.#refusedAnswer(asking, ask, answer));
      this.go(this.failures.tryAgain(asking, node, { error, draw: fractionOf(this.tree.random()) }));
      return;
    }
    this.go(
      this.failures.tried(node, asking, ask, () => {
        if (!answer.ok) throw this.#refusedAnswer(asking, ask, answer);
        if ('values' in answer)
          return this.data.staged(node, asking, ask, plainNames(answer.values, prefixAt(node, ask)));
        if (node.kind !== 'fork') throw new WritError('INTERNAL', `"${node.name}" is no Map`);
        return 'items' in answer
          ? this.maps.items(node, asking, heldValues(ask), answer.items)
          : this.forks.written(node, asking, answer.output);
      }),
    );
  }

  #refusedAnswer(frame: Frame, ask: Ask, answer: Extract<Answer, { readonly ok: false }>): WritError {
    const { message } = answer;
    if (ask.kind === 'query') {
      this.event(frame); // EvaluationFailed
      return new WritError('STEP_QUERY', message);
    }
    if ('code' in answer) return new WritError(answer.code, message);
    return new WritError(ask.kind === 'read' ? 'STEP_ITEM_READER' : 'STEP_RESULT_WRITER', message);
  }

  /** The run fails; it ends when what runs has been stopped. */
  failRun(error: StepError): void {
    const tree = this.tree;
    if (tree.head.failing !== null) return;
    tree.head = { ...tree.head, failing: error };
    const main = tree.frame('');
    if (main !== undefined) this.forks.stop(main);
  }

  #walk(frame: Frame): void {
    let here: Frame | null = frame;
    while (here !== null && isRunnable(here) && this.#sliceLeft > 0) {
      here = here.selects ? this.maps.selectItem(here) : this.#enterNode(here);
    }
    this.go(here);
  }

  /** The next AWS event id; children of a distributed Map have a count of their own. */
  event(frame: Frame, count = 1): number {
    if (this.plan.dialect === 'steps' || !frame.seesOuter) return 0;
    const { head } = this.tree;
    this.tree.head = { ...head, events: head.events + count };
    return head.events + count;
  }

  go(frame: Frame | null): void {
    if (frame !== null) this.tree.put(frame);
  }

  #enterNode(frame: Frame): Frame | null {
    this.#sliceLeft -= 1;
    const node = this.plan.nodes[frame.node];
    if (node === undefined)
      throw new WritError('INTERNAL', `plan ${this.plan.id} has no node "${frame.node}"`);
    if (!this.#count()) {
      this.tree.put(frame);
      this.failRun(runFailure('RUN_FAILED', `more than ${this.tree.head.maxTransitions} transitions`));
      return null;
    }
    this.#work += measure(frame.data);
    if (this.#work > MAX_WORK) {
      this.tree.put(frame);
      const message = `worked through more than ${MAX_WORK} characters without a task`;
      this.failRun(runFailure('STEP_DATA_LIMIT', message));
      return null;
    }
    const here = { ...frame, enteredAtMs: this.nowMs, enteredEvent: this.event(frame) };
    this.tree.see(frame.node, 1);
    this.trace?.('input', frame.data, frame.node);
    return this.failures.attempted(node, here, () => this.enter(node, here));
  }

  /** False when the run has used up its transitions. */
  #count(): boolean {
    const { head } = this.tree;
    if (head.transitions >= head.maxTransitions) return false;
    this.tree.head = { ...head, transitions: head.transitions + 1 };
    return true;
  }

  enter(node: PlanNode, frame: Frame): Frame | null {
    if (node.kind === 'task' || taskAt(node) === null) return this.#goIn(node, frame);
    // The gate before a state; it keeps how often the state was tried.
    // A retry is no entry of its own.
    const again = frame.fork === null ? {} : madeAgain(frame, attemptKey(this.plan, frame));
    const here: Frame = { ...frame, fork: null, attempts: { ...frame.attempts, ...again } };
    return this.beginAttempt(here, frame.data, { retries: frame.fork?.retries });
  }

  /** The gate is open: the run enters the state that was approved, with the input that was shown. */
  #letIn(frame: Frame, node: PlanNode): Frame | null {
    // Somebody may have edited it before it was approved.
    const { input: data, retries } = frame.task ?? { input: frame.data, retries: [] };
    const fork = retries.length === 0 ? null : { ...unopened(frame), retries };
    const here: Frame = { ...frame, data, task: null, fork };
    return this.failures.attempted(node, here, () => {
      this.data.fitting(node, data);
      return this.#goIn(node, here);
    });
  }

  #goIn(node: PlanNode, frame: Frame): Frame | null {
    switch (node.kind) {
      case 'task':
        return node.flow.language === 'template'
          ? this.steps.enterStep(node, node.flow, frame)
          : this.data.stage(node, frame, ENTER);
      case 'fork':
        return node.flow === null ? this.steps.openGroup(node, frame) : this.data.stage(node, frame, ENTER);
      case 'choice':
        return this.data.choose(node, frame);
      case 'pass':
      case 'succeed':
        return this.data.stage(node, frame, LEAVE);
      case 'wait':
      case 'fail':
        return this.data.stage(node, frame, ENTER);
    }
  }

  /** The cursor goes on, or it has come to its end. */
  next(frame: Frame, next: string | null): Frame | null {
    this.tree.see(frame.node, 2);
    if (next !== null) return { ...frame, node: next, task: null, loop: null, fork: null, ask: null };
    if (frame.parent !== null) this.forks.childDone(frame, frame.data, { isSkipped: false, error: null });
    else this.#complete(frame);
    return null;
  }

  #complete(frame: Frame): void {
    const tree = this.tree;
    tree.remove(frame);
    tree.head = { ...tree.head, status: 'completed', output: frame.data };
  }

  beginAttempt(frame: Frame, input: Json, beginning: Beginning = {}): Frame {
    const { again, limits = again ?? NO_LIMITS, retries = again?.retries ?? [] } = beginning;
    // A retry is work of the run like any other: no document has more of it than maxTransitions.
    this.#count();
    const key = attemptKey(this.plan, frame);
    const attempt = begun(frame, key) + 1;
    const { run } = this.tree.head;
    const idempotencyKey = again?.idempotencyKey ?? `${run.id}/${stepPathOf(this.plan, frame)}/${attempt}`;
    const task: CurrentTask = {
      attempt,
      input,
      idempotencyKey,
      retries,
      startedAtMs: again?.startedAtMs ?? this.nowMs,
      phase: 'ready',
      approval: null,
      conversation: again?.conversation ?? null,
      timeoutMs: limits.timeoutMs,
      heartbeatMs: limits.heartbeatMs,
    };
    const rerunBy = again?.rerunBy;
    const token = again?.token ?? (frame.call === null ? tokenOf(this.plan, this.tree, frame) : null);
    // …Scheduled, …Started, …Submitted; the gate before a state is no event of its own.
    if (!isGate(this.plan, frame)) this.event(frame, isSubmitted(this.plan, frame) ? 3 : 2);
    return {
      ...frame,
      attempts: { ...frame.attempts, [key]: attempt, ...(again === undefined ? {} : madeAgain(frame, key)) },
      task: {
        ...task,
        ...(rerunBy === undefined ? {} : { rerunBy }),
        ...(token === null ? {} : { token }),
      },
    };
  }

  #succeeded(frame: Frame, node: TaskNode, result: Json): Frame | null {
    if (node.flow.language !== 'template') {
      this.event(frame); // …Succeeded
      this.trace?.('result', result);
      // It does not run any more, and has not left its state yet.
      const done: Frame = { ...frame, task: frame.task === null ? null : landed(frame.task) };
      return this.failures.attempted(node, done, () =>
        this.data.stage(node, done, { ...LEAVE, held: this.data.fitting(node, result) }),
      );
    }
    if (node.loop === null) return this.steps.recorded(node, frame, result);
    return this.failures.attempted(node, frame, () => this.steps.iterated(node, frame, result));
  }
}

function heldValues({ held }: Ask): Values {
  return isObject(held) ? held : {};
}

/** An answer names its fields as the question did. */
function plainNames(values: Values, prefix: string): Values {
  if (prefix === '') return values;
  return Object.fromEntries(
    Object.entries(values).map(([field, value]) => [field.slice(prefix.length), value]),
  );
}
