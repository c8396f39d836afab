// What becomes of an error: it is the fault of a node, which is tried again, or caught, or skipped; else the cursor fails,
// and with it the fork that it is in, or the run (ASL: errors).
import { WritError } from '../errors.js';
import type { Catcher, ForkNode, PlanNode, TaskNode } from '../workflow/plan.js';
import { stateFault, stepError, toldName } from './fault.js';
import { begun, isGate, unopened } from './frame.js';
import { catcherFor, retrierFor, retryDelayMs } from './retry.js';
import type { Frame, Stage, StepError } from './state.js';
import { stepPathOf } from './step-path.js';
import type { Failure, FailureMoves, Walk } from './walk.js';

export class Failures implements FailureMoves {
  readonly #walk: Walk;

  constructor(walk: Walk) {
    this.#walk = walk;
  }

  /** Makes the move; what it throws is a failure of the node. */
  attempted(node: PlanNode, frame: Frame, move: () => Frame | null): Frame | null {
    try {
      return move();
    } catch (error) {
      if (!(error instanceof WritError) || error.code === 'INTERNAL') throw error;
      const fault = this.faultOf(node, frame, error);
      this.#noteUnstarted(node, frame, fault);
      return this.giveUp(node, frame, fault);
    }
  }

  /** As `attempted`, where no catcher of the node has a say any more, or the node is the Map around the cursor. */
  tried(node: PlanNode, frame: Frame, stage: Stage, move: () => Frame | null): Frame | null {
    if (stage.name !== 'catch' && stage.name !== 'item') return this.attempted(node, frame, move);
    try {
      return move();
    } catch (error) {
      if (!(error instanceof WritError) || error.code === 'INTERNAL') throw error;
      const around = stage.name === 'item' ? (this.#walk.tree.frame(frame.parent ?? '') ?? frame) : frame;
      return this.failCursor(frame, this.faultOf(node, around, error));
    }
  }

  /** What was thrown, as it is told of this node. */
  faultOf(node: PlanNode, frame: Frame, error: WritError): StepError {
    const fault = stepError(error);
    // A state that is tested alone has no events to point at (as AWS's TestState).
    if (this.#walk.plan.dialect === 'states')
      return this.#walk.isAlone ? fault : stateFault(node, frame, error);
    const key = this.#stepOf(node, frame);
    const name = key === null ? undefined : this.#walk.plan.nodes[key]?.name;
    return name === undefined ? fault : { ...fault, message: `step "${name}": ${fault.message}` };
  }

  /** Retry, then catch, then skip, then fail. */
  recover(frame: Frame, node: TaskNode | ForkNode, failure: Failure): Frame | null {
    if (frame.task === null || !isGate(this.#walk.plan, frame)) this.#walk.event(frame); // …Failed, …TimedOut
    return this.tryAgain(frame, node, failure);
  }

  /** As `recover`, where the event of the failure is counted already. */
  tryAgain(frame: Frame, node: TaskNode | ForkNode, { error, draw, askedMs = 0 }: Failure): Frame | null {
    const { task, fork } = frame;
    const used = task?.retries ?? fork?.retries ?? [];
    const { transitions, maxTransitions } = this.#walk.tree.head;
    const spent = transitions >= maxTransitions;
    const found = spent ? null : retrierFor(node.retry, used, error);
    if (found === null) return this.giveUp(node, frame, error);
    if (fork !== null) this.#walk.tree.endLanes(frame.id);
    const retries = node.retry.map((_, index) => (used[index] ?? 0) + (index === found.index ? 1 : 0));
    const made = used[found.index] ?? 0;
    const { dialect } = this.#walk.plan;
    const delayMs = retryDelayMs(found.retrier, made, {
      draw,
      askedMs,
      mostMs: task?.timeoutMs ?? null,
      dialect,
    });
    const again =
      task === null
        ? { ...frame, fork: { ...(fork ?? unopened(frame)), retries, failing: null } }
        : this.#walk.beginAttempt(frame, task.input, { again: task, retries });
    const attempt = again.task?.attempt ?? begun(frame, frame.node) + 1;
    this.#walk.tree.note({ kind: 'retried', stepPath: this.#pathOf(again), attempt, delayMs });
    if (delayMs > 0) return { ...again, wakeAtMs: this.#walk.nowMs + delayMs };
    return task === null && node.kind === 'fork'
      ? this.attempted(node, again, () => this.#walk.enter(node, again))
      : again;
  }

  /** What follows an error that is not retried. */
  giveUp(node: PlanNode, frame: Frame, error: StepError): Frame | null {
    if (node.kind !== 'task' && node.kind !== 'fork') return this.failCursor(frame, error);
    this.#walk.tree.see(frame.node, 3);
    const catcher = catcherFor(node.catch, error);
    if (catcher !== null) return this.#handOver(node, catcher, frame, error);
    if (node.kind === 'fork') return this.failCursor(frame, error);
    return this.passes(node, frame, error)
      ? this.#walk.steps.skip(node, frame, error)
      : this.failCursor(frame, error);
  }

  /** Whether the step may be skipped for the error; then it is said that it was. */
  passes(node: TaskNode, frame: Frame, error: StepError): boolean {
    if (node.onFailure !== 'skip' || (error.kind !== 'failure' && error.kind !== 'document')) return false;
    const { name, code, message, hint } = error;
    const detail = { code, message, ...(hint === undefined ? {} : { hint }) };
    const why = { reason: 'error', error: { name, code }, detail } as const;
    this.#walk.tree.see(frame.node, 3);
    this.#walk.tree.note({ kind: 'skipped', stepPath: this.#pathOf(frame), ...why });
    return true;
  }

  /** A catcher that can't place its error output fails the state: there is no second catcher for that. */
  #handOver(node: TaskNode | ForkNode, catcher: Catcher, frame: Frame, error: StepError): Frame | null {
    const held = { Error: toldName(error), Cause: error.message };
    if (frame.fork !== null) this.#walk.tree.endLanes(frame.id);
    const task = frame.task === null ? null : ({ ...frame.task, phase: 'ready' } as const);
    const stage: Stage = { name: 'catch', index: node.catch.indexOf(catcher), held };
    return this.#walk.data.staging(node, { ...frame, task }, stage);
  }

  /** Nothing takes the error: the fork that the cursor is in fails, or the run does. */
  failCursor(frame: Frame, error: StepError): null {
    const tree = this.#walk.tree;
    // An item that its Map could not select has not come to a state of its own.
    if (!frame.selects) tree.see(frame.node, 3);
    const parent = frame.parent === null ? undefined : tree.frame(frame.parent);
    const { task } = frame;
    // Its attempt is over: a redrive makes another one.
    const failed: Frame = {
      ...frame,
      task: task === null ? null : { ...task, phase: 'lost', approval: null },
    };
    if (parent === undefined) {
      tree.put(failed);
      this.#walk.failRun(error);
      return null;
    }
    if (this.#walk.maps.isTolerated(parent, failed, error)) return null;
    tree.setAside(failed);
    this.#walk.forks.failFork(parent, error);
    this.#walk.forks.childGone(frame);
    return null;
  }

  /** A step that fails before its first attempt is one that nobody would find otherwise. */
  #noteUnstarted(node: PlanNode, frame: Frame, { name, code }: StepError): void {
    if (frame.task !== null || frame.fork !== null || frame.loop !== null) return;
    const key = this.#stepOf(node, frame);
    if (key === null) return;
    const stepPath = this.#pathOf({ ...frame, node: key });
    this.#walk.tree.note({ kind: 'unstarted', stepPath, error: { name, code } });
  }

  /** Key of the one step that the node stands for; null for a group of several and for a state that is no task. */
  #stepOf(node: PlanNode, frame: Frame): string | null {
    if (node.kind === 'task') return frame.node;
    if (node.kind !== 'fork' || node.flow !== null) return null;
    const [lane, ...more] = node.lanes;
    return lane === undefined || more.length > 0 ? null : lane.start;
  }

  #pathOf(frame: Frame): string {
    return stepPathOf(this.#walk.plan, frame);
  }
}
