// What only dialect 1 has: conditions, loops, outcomes that later templates read, groups of adjacent steps.
import { WritError } from '../errors.js';
import { evaluateCondition } from '../expression/condition/evaluate.js';
import { parseCondition } from '../expression/condition/parse.js';
import { untilHolds } from '../expression/condition/until.js';
import { member } from '../expression/value.js';
import type { Json } from '../json.js';
import type { ForkNode, StepFlow, TaskNode } from '../workflow/plan.js';
import { withinLimits } from './data-limit.js';
import { stepError } from './fault.js';
import { publicPart } from './frame.js';
import { itemsOf, renderInput } from './node-data.js';
import { scopeAfterIteration, scopeOf, valueOf } from './scope.js';
import type { ChildResult, FanoutResult, Frame, StepError, StepOutcome } from './state.js';
import { stepPathOf } from './step-path.js';
import type { Walk } from './walk.js';

export class Steps {
  readonly #walk: Walk;

  constructor(walk: Walk) {
    this.#walk = walk;
  }

  enterStep(node: TaskNode, flow: StepFlow, frame: Frame): Frame | null {
    // A loop is entered once: its condition is not asked again before each iteration.
    if (node.when !== null && frame.loop === null) {
      const scope = scopeOf(this.#walk.plan, this.#walk.tree, frame);
      const asked = evaluateCondition(parseCondition(node.when, scope.known), scope);
      if (!asked.value) {
        const { reason, unresolved } = asked;
        const values = asked.values.map((one) => ({ ...one }));
        const detail = { condition: node.when, reason, values, unresolved: [...unresolved] };
        const stepPath = stepPathOf(this.#walk.plan, frame);
        this.#walk.tree.note({ kind: 'skipped', stepPath, reason: 'condition', detail });
        return this.skip(node, frame, null);
      }
    }
    const input = renderInput(this.#walk.plan, this.#walk.tree, frame, node, flow);
    return this.#walk.beginAttempt(frame, input, {
      limits: { timeoutMs: node.timeoutMs, heartbeatMs: null },
    });
  }

  /** After an iteration: the next one, or the end of the loop. */
  iterated(node: TaskNode, frame: Frame, result: Json): Frame | null {
    if (node.loop === null) return null;
    const { until, maxIterations, onExhausted } = node.loop;
    const iteration = frame.loop?.iteration ?? 0;
    const output = valueOf(node, result);
    const { holds, why } =
      until === null
        ? { holds: false, why: '' }
        : untilHolds(
            until,
            output,
            scopeAfterIteration(this.#walk.plan, this.#walk.tree, frame, node, output),
          );
    if (!holds && iteration + 1 < maxIterations) {
      const feedback = feedbackIn(result) ?? feedbackIn(output) ?? why;
      return { ...frame, task: null, loop: { iteration: iteration + 1, output, feedback } };
    }
    const converged = holds || until === null;
    const stepPath = stepPathOf(this.#walk.plan, frame);
    this.#walk.tree.note({ kind: 'loop-ended', stepPath, iterations: iteration + 1, converged });
    if (converged || onExhausted === 'continue') return this.recorded(node, frame, result);
    const message = `"${node.name}" went through ${maxIterations} iterations without its until being true`;
    // A loop that has used up its iterations is not begun again.
    const hint = 'look at its last output; raise maxIterations, or say onExhausted: continue';
    return this.#walk.failures.giveUp(
      node,
      frame,
      stepError(new WritError('STEP_LOOP_EXHAUSTED', message, { hint })),
    );
  }

  /** Dialect 1: the step's outcome is kept for later templates; in a group it is the lane's result. */
  recorded(node: TaskNode, frame: Frame, result: Json): Frame | null {
    if (frame.parent !== null) {
      this.#walk.forks.childDone(frame, result, { isSkipped: false, error: null });
      return null;
    }
    const recorded = this.#record(node, frame, { status: 'success', output: result, error: null });
    return this.#walk.next({ ...recorded, data: valueOf(node, result) }, node.next);
  }

  skip(node: TaskNode, frame: Frame, error: StepError | null): Frame | null {
    if (frame.parent !== null) {
      this.#walk.forks.childDone(frame, null, { isSkipped: true, error: publicPart(error) });
      return null;
    }
    return this.#walk.next(
      this.#record(node, frame, { status: 'skipped', output: null, error: publicPart(error) }),
      node.next,
    );
  }

  #record(node: TaskNode, frame: Frame, how: Omit<StepOutcome, 'durationMs'>): Frame {
    if (node.flow.language !== 'template') return frame;
    const durationMs = this.#walk.nowMs - (frame.task?.startedAtMs ?? this.#walk.nowMs);
    this.#walk.tree.setOutcome('', frame.node, { ...how, durationMs });
    return { ...frame, previous: frame.node };
  }

  /** Dialect 1: a group, or again after a failure. A member that has no items and may be skipped is, and no other. */
  openGroup(node: ForkNode, frame: Frame): Frame | null {
    const { plan, tree, failures, forks } = this.#walk;
    const skipped = new Map<number, StepError>();
    const items = node.lanes.map((lane, position) => {
      try {
        return itemsOf(plan, tree, frame, lane);
      } catch (error) {
        const member = plan.nodes[lane.start];
        const here = { ...frame, node: lane.start };
        if (!(error instanceof WritError) || member?.kind !== 'task') throw error;
        const fault = failures.faultOf(member, here, error);
        if (!failures.passes(member, here, fault)) throw error;
        skipped.set(position, fault);
        return null;
      }
    });
    return forks.open(node, frame, { input: frame.data, items, skipped });
  }

  /** Dialect 1: each member's outcome, and what `fanout` and `output` are from now on. */
  joinGroup(frame: Frame, node: ForkNode, results: readonly (readonly ChildResult[])[]): Frame {
    const errors: FanoutResult['errors'][number][] = [];
    const values: Json[] = [];
    let previous = frame.previous;
    node.lanes.forEach(({ start, each }, lane) => {
      const member = this.#walk.plan.nodes[start];
      if (member?.kind !== 'task') return;
      const own = results[lane] ?? [];
      for (const { item, error } of own) {
        if (error !== null) errors.push({ step: member.name, index: item, ...error });
      }
      const [one] = own;
      // A map that was skipped whole has one result, which is of no item.
      const isOne = each === null || one?.item === null;
      const isSkipped = isOne && one?.isSkipped === true;
      const output = isOne ? (one?.output ?? null) : own.map((item) => valueOf(member, item.output));
      const durationMs = this.#walk.nowMs - frame.enteredAtMs;
      const error = isOne ? (one?.error ?? null) : null;
      this.#walk.tree.setOutcome('', start, {
        status: isSkipped ? 'skipped' : 'success',
        output,
        durationMs,
        error,
      });
      values.push(isOne ? valueOf(member, output) : output);
      previous = start;
    });
    const [only] = values;
    const isLoneMap = node.lanes.length === 1 && node.lanes[0]?.each !== null && only !== undefined;
    const data = withinLimits(isLoneMap ? (only ?? []) : values);
    return { ...frame, data, previous, fanout: { results: data, errors } };
  }
}

/** What the output says of itself: its `feedback`, also in JSON text. */
function feedbackIn(output: Json): Json | undefined {
  const own = member(output, 'feedback');
  return own === null ? undefined : own;
}
