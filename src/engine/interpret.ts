// The interpreter: moves cursors through the nodes of the plan until each needs the outside world, starts and joins
// forks, and turns what has happened to a task into what follows. Pure: no I/O, clock or random. A fault of the
// document that shows only at run time is a failure of its node, never of the engine.
import { errorName, WritError } from '../errors.js';
import { evaluateChoice } from '../expression/choice.js';
import { evaluateCondition, parseCondition } from '../expression/condition.js';
import { untilHolds } from '../expression/until.js';
import { member } from '../expression/value.js';
import type { Json } from '../json.js';
import type { Catcher, ForkNode, Plan, PlanNode, TaskNode, WaitNode } from '../workflow/plan.js';
import { contextOf } from './context.js';
import { MAX_WORK, measure, withinLimits } from './data-limit.js';
import { itemsOf, place, renderInput, select, stepError, waitUntilMs } from './node-data.js';
import { catcherFor, retrierFor, retryDelayMs } from './retry.js';
import { scopeOf, valueOf } from './scope.js';
import type { ChildResult, CurrentTask, FanoutResult, Frame, StepError, StepOutcome } from './state.js';
import { callId, callNode, childId, stepPathOf } from './step-path.js';
import type { RunTree } from './tree.js';

/** Transitions of one slice: the runner has other runs to look after. */
const SLICE = 10_000;
/** Children of one lane at once where the document sets no bound. */
const MAX_CONCURRENCY = 1000;

export class Interpreter {
  readonly #plan: Plan;
  readonly #tree: RunTree;
  #nowMs = 0;
  #sliceLeft = 0;
  /** Characters worked through since a task last gave something. */
  #work = 0;

  constructor(plan: Plan, tree: RunTree) {
    this.#plan = plan;
    this.#tree = tree;
  }

  /** A new slice of work, at this time. */
  begin(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#sliceLeft = SLICE;
  }

  /** Moves every cursor that can move, until the slice is used up. */
  settle(): void {
    const tree = this.#tree;
    for (let frame = tree.first('runnable'); frame !== undefined; frame = tree.first('runnable')) {
      if (this.#sliceLeft <= 0 || tree.head.failing !== null) return;
      this.#walk(frame);
    }
  }

  /** The task that the node of this cursor is; a call of a conversation has a node of its own. */
  nodeOf(frame: Frame): TaskNode | null {
    if (frame.call !== null) {
      const asking = frame.parent === null ? undefined : this.#tree.frame(frame.parent);
      const node = asking === undefined ? null : this.nodeOf(asking);
      return node === null ? null : callNode(node, frame.call.functionId);
    }
    const node = this.#plan.nodes[frame.node];
    return node?.kind === 'task' ? node : null;
  }

  // --- what has happened to a task -------------------------------------------------------------------------

  /** The function has answered. */
  succeed(frame: Frame, node: TaskNode, result: Json): void {
    this.#work = 0;
    if (frame.call !== null) this.#answer(frame, frame.call, 'succeeded', result);
    else this.#go(this.#succeeded(frame, node, result));
  }

  /** The function asks for calls before it answers. */
  ask(
    frame: Frame,
    task: CurrentTask,
    calls: readonly { readonly id: string; readonly functionId: string; readonly input: Json }[],
    transcript: Json,
  ): void {
    this.#work = 0;
    const turns = task.conversation?.turns ?? 0;
    // Counted over all that the step ever asks for: another iteration does not use a number again.
    const counter = `${frame.call === null ? frame.node : ''}/call`;
    const callsBegun = begun(frame, counter);
    const conversation = {
      turns: turns + 1,
      callsBegun: callsBegun + calls.length,
      transcript,
      answers: calls.map(() => null),
    };
    const attempts = { ...frame.attempts, [counter]: conversation.callsBegun };
    this.#tree.put({ ...frame, attempts, task: { ...task, phase: 'calls', conversation } });
    calls.forEach((call, position) => {
      const id = callId(this.#plan, frame, callsBegun + position);
      const child = { ...newFrame(id, frame, frame.node, this.#nowMs), item: position, call };
      this.#tree.put(this.#beginAttempt(child, call.input, null));
    });
  }

  /** The attempt has failed or was refused: retry, then catch, then skip, then fail (states-dialect section 10). */
  failed(frame: Frame, node: TaskNode, error: StepError, draw: number): void {
    if (frame.call !== null) {
      const status = error.kind === 'refusal' ? 'refused' : 'failed';
      this.#answer(frame, frame.call, status, { error: error.code, message: error.message });
    } else this.#go(this.#recover(frame, node, error, draw));
  }

  /** As `failed`, and it is not tried again. */
  gaveUp(frame: Frame, node: TaskNode, error: StepError): void {
    if (frame.call !== null) this.failed(frame, node, error, 0);
    else this.#go(this.#giveUp(node, frame, error));
  }

  /** A lost attempt runs again under the same key. */
  rerun(frame: Frame, task: CurrentTask): void {
    this.#tree.put(this.#beginAttempt(frame, task.input, task));
  }

  /** What was stopped has ended; its fork, or the run, may now go on with its failure. */
  stopped(frame: Frame): void {
    this.#tree.remove(frame);
    this.#childGone(frame);
  }

  /** A timer is due: a retry delay is over, or a Wait state. */
  wake(frame: Frame): void {
    const awake = { ...frame, wakeAtMs: null };
    const node = this.#plan.nodes[frame.node];
    if (frame.task !== null) this.#tree.put(awake);
    else if (node?.kind === 'fork') this.#go(this.#attempted(node, awake, () => this.#fork(node, awake)));
    else if (node?.kind === 'wait')
      this.#go(this.#attempted(node, awake, () => this.#leaveWait(node, awake)));
  }

  /** The run fails; it ends when what runs has been stopped. */
  failRun(error: StepError): void {
    const tree = this.#tree;
    if (tree.head.failing !== null) return;
    tree.head = { ...tree.head, failing: error };
    const main = tree.frame('');
    if (main !== undefined) this.#stop(main);
  }

  // --- cursors ---------------------------------------------------------------------------------------------

  #walk(frame: Frame): void {
    let here: Frame | null = frame;
    while (here !== null && isRunnable(here) && this.#sliceLeft > 0) here = this.#enterNode(here);
    this.#go(here);
  }

  #go(frame: Frame | null): void {
    if (frame !== null) this.#tree.put(frame);
  }

  #enterNode(frame: Frame): Frame | null {
    this.#sliceLeft -= 1;
    const node = this.#plan.nodes[frame.node];
    if (node === undefined)
      throw new WritError('INTERNAL', `plan ${this.#plan.id} has no node "${frame.node}"`);
    if (!this.#count()) {
      this.failRun(runFailure('RUN_FAILED', `more than ${this.#tree.head.maxTransitions} transitions`));
      return null;
    }
    this.#work += measure(frame.data);
    if (this.#work > MAX_WORK) {
      const message = `worked through more than ${MAX_WORK} characters without a task`;
      this.failRun(runFailure('STEP_DATA_LIMIT', message));
      return null;
    }
    const here = { ...frame, enteredAtMs: this.#nowMs };
    return this.#attempted(node, here, () => this.#enter(node, here));
  }

  /** False when the run has used up its transitions. */
  #count(): boolean {
    const { head } = this.#tree;
    if (head.transitions >= head.maxTransitions) return false;
    this.#tree.head = { ...head, transitions: head.transitions + 1 };
    return true;
  }

  #attempted(node: PlanNode, frame: Frame, move: () => Frame | null): Frame | null {
    try {
      return move();
    } catch (error) {
      if (!(error instanceof WritError) || error.code === 'INTERNAL') throw error;
      return this.#giveUp(node, frame, stepError(error));
    }
  }

  #enter(node: PlanNode, frame: Frame): Frame | null {
    const context = (): Json => contextOf(this.#plan, this.#tree, frame);
    switch (node.kind) {
      case 'task':
        return this.#enterTask(node, frame);
      case 'fork':
        return this.#fork(node, frame);
      case 'choice': {
        const input = select(node.inputPath, frame.data, context);
        const seen = context();
        const chosen = node.choices.find((choice) => evaluateChoice(choice.rule, input, seen));
        const next = chosen?.next ?? node.default;
        if (next === null)
          throw new WritError('STEP_NO_CHOICE', `no rule of "${node.name}" is true and it has no default`);
        return this.#next({ ...frame, data: select(node.outputPath, input, context) }, next);
      }
      case 'pass': {
        const input = select(node.inputPath, frame.data, context);
        const merged = place(node.resultPath, frame.data, node.result === undefined ? input : node.result);
        return this.#next({ ...frame, data: select(node.outputPath, merged, context) }, node.next);
      }
      case 'wait': {
        const untilMs = waitUntilMs(this.#plan, this.#tree, frame, node, this.#nowMs);
        return untilMs > this.#nowMs ? { ...frame, wakeAtMs: untilMs } : this.#leaveWait(node, frame);
      }
      case 'succeed': {
        const input = select(node.inputPath, frame.data, context);
        return this.#next({ ...frame, data: select(node.outputPath, input, context) }, null);
      }
      case 'fail': {
        const message = node.cause ?? '';
        const error = { name: node.error ?? '', code: 'STEP_FAILED', kind: 'failure', message } as const;
        return this.#failCursor(frame, error);
      }
    }
  }

  #leaveWait(node: WaitNode, frame: Frame): Frame | null {
    const context = (): Json => contextOf(this.#plan, this.#tree, frame);
    const input = select(node.inputPath, frame.data, context);
    return this.#next({ ...frame, data: select(node.outputPath, input, context) }, node.next);
  }

  /** The cursor goes on, or it has come to its end. */
  #next(frame: Frame, next: string | null): Frame | null {
    if (next !== null) return { ...frame, node: next, task: null, loop: null, fork: null };
    if (frame.parent !== null) this.#childDone(frame, frame.data, { isSkipped: false, error: null });
    else this.#complete(frame);
    return null;
  }

  #complete(frame: Frame): void {
    const tree = this.#tree;
    tree.remove(frame);
    tree.head = { ...tree.head, status: 'completed', output: frame.data };
  }

  /** Nothing takes the error: the fork that the cursor is in fails, or the run does. */
  #failCursor(frame: Frame, error: StepError): null {
    const tree = this.#tree;
    const parent = frame.parent === null ? undefined : tree.frame(frame.parent);
    if (parent === undefined) {
      tree.put({ ...frame, task: null });
      this.failRun(error);
      return null;
    }
    tree.remove(frame);
    if (parent.fork !== null && parent.fork.failing === null && !parent.isStopping) {
      tree.put({ ...parent, fork: { ...parent.fork, failing: error } });
      for (const child of tree.children(parent.id)) this.#stop(child);
    }
    this.#childGone(frame);
    return null;
  }

  // --- tasks -----------------------------------------------------------------------------------------------

  #enterTask(node: TaskNode, frame: Frame): Frame | null {
    // A loop is entered once: its condition is not asked again before each iteration.
    if (node.when !== null && frame.loop === null) {
      const scope = scopeOf(this.#plan, this.#tree, frame);
      const asked = evaluateCondition(parseCondition(node.when, scope.known), scope);
      if (!asked.value) {
        const { reason, unresolved } = asked;
        const values = asked.values.map((one) => ({ ...one }));
        const detail = { condition: node.when, reason, values, unresolved: [...unresolved] };
        const stepPath = stepPathOf(this.#plan, frame);
        this.#tree.note({ kind: 'skipped', stepPath, reason: 'condition', detail });
        return this.#skip(node, frame, null);
      }
    }
    return this.#beginAttempt(frame, renderInput(this.#plan, this.#tree, frame, node), null);
  }

  /** The next attempt, ready to start; `again` = the one it follows, with the same input and key. */
  #beginAttempt(
    frame: Frame,
    input: Json,
    again: CurrentTask | null,
    retries: readonly number[] = again?.retries ?? [],
  ): Frame {
    // A retry is work of the run like any other: no document has more of it than maxTransitions.
    this.#count();
    const key = frame.call === null ? frame.node : '';
    const attempt = begun(frame, key) + 1;
    const { run } = this.#tree.head;
    const idempotencyKey = again?.idempotencyKey ?? `${run.id}/${stepPathOf(this.#plan, frame)}/${attempt}`;
    const task: CurrentTask = {
      attempt,
      input,
      idempotencyKey,
      retries,
      startedAtMs: again?.startedAtMs ?? this.#nowMs,
      phase: 'ready',
      approval: null,
      conversation: again?.conversation ?? null,
    };
    return { ...frame, attempts: { ...frame.attempts, [key]: attempt }, task };
  }

  #succeeded(frame: Frame, node: TaskNode, result: Json): Frame | null {
    if (node.output.kind === 'path') {
      const { resultPath, outputPath } = node.output;
      return this.#attempted(node, frame, () => {
        const merged = place(resultPath, frame.data, result);
        const data = select(outputPath, merged, () => contextOf(this.#plan, this.#tree, frame));
        return this.#next({ ...frame, data }, node.next);
      });
    }
    if (node.loop === null) return this.#recorded(node, frame, result);
    return this.#attempted(node, frame, () => this.#iterated(node, frame, result));
  }

  /** After an iteration: the next one, or the end of the loop. */
  #iterated(node: TaskNode, frame: Frame, result: Json): Frame | null {
    if (node.loop === null) return null;
    const { until, maxIterations, onExhausted } = node.loop;
    const iteration = frame.loop?.iteration ?? 0;
    const output = valueOf(node, result);
    const { holds, why } =
      until === null
        ? { holds: false, why: '' }
        : untilHolds(until, output, scopeOf(this.#plan, this.#tree, frame));
    if (!holds && iteration + 1 < maxIterations) {
      const feedback = feedbackIn(result) ?? feedbackIn(output) ?? why;
      return { ...frame, task: null, loop: { iteration: iteration + 1, output, feedback } };
    }
    const converged = holds || until === null;
    const stepPath = stepPathOf(this.#plan, frame);
    this.#tree.note({ kind: 'loop-ended', stepPath, iterations: iteration + 1, converged });
    if (converged || onExhausted === 'continue') return this.#recorded(node, frame, result);
    const message = `"${node.name}" went through ${maxIterations} iterations without its until being true`;
    // A loop that has used up its iterations is not begun again.
    return this.#giveUp(node, frame, stepError(new WritError('STEP_LOOP_EXHAUSTED', message)));
  }

  /** Dialect 1: the step's outcome is kept for later templates; in a group it is the lane's result. */
  #recorded(node: TaskNode, frame: Frame, result: Json): Frame | null {
    if (frame.parent !== null) {
      this.#childDone(frame, result, { isSkipped: false, error: null });
      return null;
    }
    const recorded = this.#record(node, frame, 'success', result, null);
    return this.#next({ ...recorded, data: valueOf(node, result) }, node.next);
  }

  #recover(frame: Frame, node: TaskNode | ForkNode, error: StepError, draw: number): Frame | null {
    const { task, fork } = frame;
    const used = task?.retries ?? fork?.retries ?? [];
    const { transitions, maxTransitions } = this.#tree.head;
    const spent = transitions >= maxTransitions;
    const found = spent ? null : retrierFor(node.retry, used, error);
    if (found === null) return this.#giveUp(node, frame, error);
    const retries = node.retry.map((_, index) => (used[index] ?? 0) + (index === found.index ? 1 : 0));
    const delayMs = retryDelayMs(found.retrier, used[found.index] ?? 0, draw);
    const again =
      task === null
        ? { ...frame, fork: fork === null ? null : { ...fork, retries, failing: null } }
        : this.#beginAttempt(frame, task.input, task, retries);
    const attempt = again.task?.attempt ?? begun(frame, frame.node) + 1;
    this.#tree.note({ kind: 'retried', stepPath: this.#pathOf(again), attempt, delayMs });
    if (delayMs > 0) return { ...again, wakeAtMs: this.#nowMs + delayMs };
    return task === null && node.kind === 'fork'
      ? this.#attempted(node, again, () => this.#fork(node, again))
      : again;
  }

  #pathOf(frame: Frame): string {
    return stepPathOf(this.#plan, frame);
  }

  /** What follows an error that is not retried. */
  #giveUp(node: PlanNode, frame: Frame, error: StepError): Frame | null {
    if (node.kind !== 'task' && node.kind !== 'fork') return this.#failCursor(frame, error);
    const catcher = catcherFor(node.catch, error);
    if (catcher !== null) return this.#handOver(catcher, frame, error);
    if (node.kind === 'fork') return this.#failCursor(frame, error);
    if (node.onFailure === 'skip' && (error.kind === 'failure' || error.kind === 'document')) {
      const { code, message } = error;
      const stepPath = this.#pathOf(frame);
      this.#tree.note({ kind: 'skipped', stepPath, reason: 'error', detail: { code, message } });
      return this.#skip(node, frame, error);
    }
    return this.#failCursor(frame, error);
  }

  /** A catcher that can't place its error output fails the state: there is no second catcher for that. */
  #handOver(catcher: Catcher, frame: Frame, error: StepError): Frame | null {
    try {
      const caught = { Error: error.name, Cause: error.message };
      const data = place(catcher.resultPath, frame.data, caught);
      return this.#next({ ...frame, data }, catcher.next);
    } catch (unplaced) {
      if (!(unplaced instanceof WritError)) throw unplaced;
      return this.#failCursor(frame, stepError(unplaced));
    }
  }

  #skip(node: TaskNode, frame: Frame, error: StepError | null): Frame | null {
    if (frame.parent !== null) {
      this.#childDone(frame, null, { isSkipped: true, error: publicPart(error) });
      return null;
    }
    return this.#next(this.#record(node, frame, 'skipped', null, error), node.next);
  }

  #record(
    node: TaskNode,
    frame: Frame,
    status: StepOutcome['status'],
    output: Json,
    error: StepError | null,
  ): Frame {
    if (node.output.kind !== 'variable') return frame;
    const durationMs = this.#nowMs - (frame.task?.startedAtMs ?? this.#nowMs);
    const outcome = { status, output, durationMs, error: publicPart(error) };
    this.#tree.setOutcome('', frame.node, outcome);
    return { ...frame, previous: frame.node };
  }

  // --- conversations ---------------------------------------------------------------------------------------

  #answer(
    child: Frame,
    { id, functionId }: { readonly id: string; readonly functionId: string },
    status: 'succeeded' | 'failed' | 'refused',
    output: Json,
  ): void {
    const tree = this.#tree;
    tree.remove(child);
    const asking = child.parent === null ? undefined : tree.frame(child.parent);
    const conversation = asking?.task?.conversation ?? null;
    if (asking?.task == null || conversation === null || asking.isStopping) {
      this.#childGone(child);
      return;
    }
    const answers = conversation.answers.map((before, index) =>
      index === child.item ? { id, functionId, status, output } : before,
    );
    const task = { ...asking.task, conversation: { ...conversation, answers } };
    const isOver = answers.every((one) => one !== null);
    tree.put(isOver ? this.#beginAttempt(asking, task.input, task) : { ...asking, task });
  }

  // --- forks -----------------------------------------------------------------------------------------------

  /** Enters a fork, or enters it again after a failure. */
  #fork(node: ForkNode, frame: Frame): Frame | null {
    const tree = this.#tree;
    const isGroup = node.form === 'group';
    const input = isGroup
      ? frame.data
      : select(node.inputPath, frame.data, () => contextOf(this.#plan, tree, frame));
    const entry = begun(frame, frame.node) + 1;
    const attempts = { ...frame.attempts, [frame.node]: entry };
    const fork = { entry, retries: frame.fork?.retries ?? [], input, failing: null };
    const items = itemsOf(this.#plan, tree, frame, node, input);
    const forked = { ...frame, attempts, fork };
    tree.put(forked);
    tree.beginLanes(frame.id, items);
    return this.#refill(forked, node);
  }

  /** Starts what the lanes have room for; joins them when all have ended. */
  #refill(frame: Frame, node: ForkNode): Frame | null {
    const { fork } = frame;
    if (fork === null) return null;
    const lanes = this.#tree.lanes(frame.id);
    let isOver = true;
    lanes.forEach((lane, position) => {
      const { start, each } = node.lanes[position] ?? { start: '', each: null };
      const total = lane.items?.length ?? 1;
      const room = each === null ? 1 : Math.min(each.concurrency || MAX_CONCURRENCY, MAX_CONCURRENCY);
      while (lane.begun < total && lane.begun - lane.ended < room) {
        const item = lane.items === null ? null : lane.begun;
        const value = item === null ? null : (lane.items?.[item] ?? null);
        const id = childId(this.#plan, frame, fork.entry, { lane: position, item, start });
        lane.begun += 1;
        this.#tree.put({
          ...newFrame(id, frame, start, this.#nowMs),
          lane: position,
          item,
          value,
          data: item === null ? fork.input : value,
        });
      }
      if (lane.ended < total) isOver = false;
    });
    return isOver ? this.#attempted(node, frame, () => this.#join(frame, node)) : null;
  }

  #join(frame: Frame, node: ForkNode): Frame | null {
    const tree = this.#tree;
    const results = tree.results(frame.id);
    tree.endLanes(frame.id);
    const joined = { ...frame, fork: null };
    if (node.form === 'group') return this.#next(this.#joinGroup(joined, node, results), node.next);
    const outputs = results.map((lane) => lane.map(({ output }) => output));
    const output = withinLimits(
      node.form === 'map' ? (outputs[0] ?? []) : outputs.map(([one]) => one ?? null),
    );
    const merged = place(node.resultPath, frame.data, output);
    const data = select(node.outputPath, merged, () => contextOf(this.#plan, tree, joined));
    return this.#next({ ...joined, data }, node.next);
  }

  /** Dialect 1: each member's outcome, and what `fanout` and `output` are from now on. */
  #joinGroup(frame: Frame, node: ForkNode, results: readonly (readonly ChildResult[])[]): Frame {
    const errors: FanoutResult['errors'][number][] = [];
    const values: Json[] = [];
    let previous = frame.previous;
    node.lanes.forEach(({ start, each }, lane) => {
      const member = this.#plan.nodes[start];
      if (member?.kind !== 'task') return;
      const own = results[lane] ?? [];
      for (const { item, error } of own) {
        if (error !== null) errors.push({ step: member.name, index: item, ...error });
      }
      const [one] = own;
      const isSkipped = each === null && one?.isSkipped === true;
      const output = each === null ? (one?.output ?? null) : own.map((item) => valueOf(member, item.output));
      const durationMs = this.#nowMs - frame.enteredAtMs;
      const error = each === null ? (one?.error ?? null) : null;
      this.#tree.setOutcome('', start, {
        status: isSkipped ? 'skipped' : 'success',
        output,
        durationMs,
        error,
      });
      values.push(each === null ? valueOf(member, output) : output);
      previous = start;
    });
    const [only] = values;
    const isLoneMap = node.lanes.length === 1 && node.lanes[0]?.each !== null && only !== undefined;
    const data = withinLimits(isLoneMap ? only : values);
    return { ...frame, data, previous, fanout: { results: data, errors } };
  }

  #childDone(child: Frame, output: Json, how: Pick<ChildResult, 'isSkipped' | 'error'>): void {
    const tree = this.#tree;
    const parent = child.parent === null ? undefined : tree.frame(child.parent);
    if (parent === undefined) return;
    if (parent.isStopping || parent.fork?.failing != null) {
      tree.remove(child);
      this.#childGone(child);
      return;
    }
    const { lane, item } = child;
    tree.childEnded(child, { parent: parent.id, lane, item, output, ...how });
    const node = this.#plan.nodes[parent.node];
    if (node?.kind === 'fork') this.#go(this.#refill(parent, node));
  }

  /** What runs in this cursor is being stopped; what does not ends now. */
  #stop(frame: Frame): void {
    const tree = this.#tree;
    const { task } = frame;
    if (task?.phase === 'running') {
      tree.put({ ...frame, isStopping: true });
      return;
    }
    if (task?.approval != null) {
      tree.note({ kind: 'approval-dropped', approvalId: task.approval.approvalId });
    }
    tree.put({ ...frame, isStopping: true });
    for (const child of tree.children(frame.id)) this.#stop(child);
    if (tree.childCount(frame.id) === 0) tree.remove(frame);
  }

  /** A child has ended without a result: its parent may have been waiting for that. */
  #childGone({ parent: id }: Frame): void {
    const tree = this.#tree;
    const parent = id === null ? undefined : tree.frame(id);
    if (parent === undefined || tree.childCount(parent.id) > 0) return;
    if (parent.isStopping) {
      tree.remove(parent);
      this.#childGone(parent);
      return;
    }
    const error = parent.fork?.failing ?? null;
    const node = this.#plan.nodes[parent.node];
    if (error === null || node?.kind !== 'fork') return;
    tree.endLanes(parent.id);
    this.#go(this.#recover(parent, node, error, 0));
  }
}

/** A cursor at its first node. */
export function newFrame(id: string, parent: Frame | null, node: string, nowMs: number): Frame {
  return {
    id,
    parent: parent === null ? null : parent.id,
    lane: 0,
    item: null,
    node,
    enteredAtMs: nowMs,
    data: null,
    value: null,
    attempts: {},
    previous: null,
    fanout: null,
    task: null,
    loop: null,
    fork: null,
    call: null,
    wakeAtMs: null,
    isStopping: false,
  };
}

/** A failure of the run itself. */
export function runFailure(
  code: 'RUN_TIMEOUT' | 'RUN_FAILED' | 'STEP_DATA_LIMIT',
  message: string,
): StepError {
  const name = code === 'RUN_FAILED' ? 'States.Runtime' : errorName(code);
  return { name, code, kind: 'failure', message };
}

function isRunnable({ task, fork, wakeAtMs, isStopping }: Frame): boolean {
  return task === null && fork === null && wakeAtMs === null && !isStopping;
}

/** Attempts begun so far. A state may be called `toString`: only own keys count. */
function begun({ attempts }: Frame, key: string): number {
  return Object.hasOwn(attempts, key) ? (attempts[key] ?? 0) : 0;
}

function publicPart(error: StepError | null): StepOutcome['error'] {
  return error === null ? null : { code: error.code, message: error.message };
}

/** What the output says of itself: its `feedback`, also in JSON text. */
function feedbackIn(output: Json): Json | undefined {
  const own = member(output, 'feedback');
  return own === null ? undefined : own;
}
