// Several cursors at once: lanes begin, end, are joined, and are stopped when one of them fails.
import type { Json } from '../json.js';
import type { ForkNode, PlanNode } from '../workflow/plan.js';
import { fractionOf } from './draws.js';
import { begun, newFrame, publicPart } from './frame.js';
import { eachOf } from './stage.js';
import type { ChildResult, ForkState, Frame, Stage, StepError } from './state.js';
import { childId } from './step-path.js';
import type { Opening, Walk } from './walk.js';

/** Children of one lane at once where the document sets no bound. */
const MAX_CONCURRENCY = 1000;
/**
 * Cursors of a run at once: Maps in Maps would multiply what each may have. Beyond it a lane goes on with one child at a
 * time, so that every lane comes to its end.
 */
const MAX_CURSORS = 10_000;
const LEAVE: Stage = { name: 'leave', index: null };
const NONE: ReadonlyMap<number, StepError> = new Map();

export class Forks {
  readonly #walk: Walk;

  constructor(walk: Walk) {
    this.#walk = walk;
  }

  open(node: ForkNode, frame: Frame, { input, items, map = null, skipped = NONE }: Opening): Frame | null {
    const tree = this.#walk.tree;
    const entry = begun(frame, frame.node) + 1;
    const attempts = { ...frame.attempts, [frame.node]: entry };
    const fork = { entry, retries: frame.fork?.retries ?? [], input, failing: null, map };
    const forked = { ...frame, attempts, fork };
    this.#walk.event(frame, eachOf(node)?.distributed == null ? 1 : 2); // …StateStarted, MapRunStarted
    tree.put(forked);
    tree.beginLanes(frame.id, items);
    for (const [lane, error] of skipped) {
      const { start } = node.lanes[lane] ?? { start: '' };
      const id = childId(this.#walk.plan, frame, entry, { lane, item: null, start });
      const given = { parent: frame.id, lane, item: null, output: null };
      tree.laneEnded(id, { ...given, isSkipped: true, error: publicPart(error) });
    }
    return this.#refill(forked, node);
  }

  /** A redrive: items that a distributed Map has tolerated are begun again with all that did not come to its end. */
  reopen(frame: Frame): Frame | null {
    const node = this.#walk.plan.nodes[frame.node];
    if (node?.kind !== 'fork' || frame.fork === null) return frame;
    const isDistributed = eachOf(node)?.distributed != null;
    const free = this.#walk.tree.reopenLanes(frame.id, ({ error }) => isDistributed && error !== null);
    for (const { lane, item } of free) this.#begin(frame, frame.fork, node, lane, item);
    return this.#refill(frame, node);
  }

  /** Starts what the lanes have room for; joins them when all have ended. */
  #refill(frame: Frame, node: ForkNode): Frame | null {
    const { fork } = frame;
    if (fork === null) return null;
    const lanes = this.#walk.tree.lanes(frame.id);
    let isOver = true;
    lanes.forEach((lane, position) => {
      const each = node.lanes[position]?.each ?? null;
      const total = lane.items?.length ?? 1;
      const bound = fork.map?.concurrency ?? (typeof each?.concurrency === 'number' ? each.concurrency : 0);
      const room = each === null ? 1 : Math.min(bound || MAX_CONCURRENCY, MAX_CONCURRENCY);
      const mayBegin = (live: number): boolean =>
        live === 0 || (live < room && this.#walk.tree.size < MAX_CURSORS);
      while (lane.begun < total && mayBegin(lane.begun - lane.ended)) {
        lane.begun += 1;
        this.#begin(frame, fork, node, position, lane.begun - 1);
      }
      if (lane.ended < total) isOver = false;
    });
    return isOver ? this.#walk.failures.attempted(node, frame, () => this.#join(frame, node)) : null;
  }

  #begin(frame: Frame, fork: ForkState, node: ForkNode, position: number, place: number): void {
    const { start, each } = node.lanes[position] ?? { start: '', each: null };
    const items = this.#walk.tree.lanes(frame.id)[position]?.items ?? null;
    const item = items === null ? null : place;
    const value = items?.[place] ?? null;
    const id = childId(this.#walk.plan, frame, fork.entry, { lane: position, item, start });
    this.#walk.tree.put({
      ...newFrame(id, frame, start, this.#walk.nowMs),
      lane: position,
      item,
      itemKey: item === null ? null : (fork.map?.keys?.[item] ?? null),
      value,
      data: item === null ? fork.input : value,
      seesOuter: frame.seesOuter && each?.distributed == null,
      selects: each?.selector !== undefined && each.distributed?.batcher == null,
    });
    if (item !== null && each?.distributed == null) this.#walk.event(frame); // MapIterationStarted
  }

  #join(frame: Frame, node: ForkNode): Frame | null {
    const tree = this.#walk.tree;
    const each = eachOf(node);
    if (each?.distributed?.writer != null) {
      return this.#walk.data.inquire({ ...frame, fork: frame.fork }, 'write', LEAVE);
    }
    const results = tree.results(frame.id);
    tree.endLanes(frame.id);
    const joined = { ...frame, fork: null };
    if (node.form === 'group')
      return this.#walk.next(this.#walk.steps.joinGroup(joined, node, results), node.next);
    const outputs = results.map((lane) =>
      lane.filter(({ error }) => error === null).map(({ output }) => output),
    );
    const output = node.form === 'map' ? (outputs[0] ?? []) : outputs.map(([one]) => one ?? null);
    this.#walk.event(frame, each?.distributed == null ? 1 : 2); // …StateSucceeded, MapRunSucceeded
    this.#walk.trace?.('result', output);
    return this.#walk.data.stage(node, joined, { ...LEAVE, held: this.#walk.data.fitting(node, output) });
  }

  written(node: ForkNode, frame: Frame, output: Json): Frame | null {
    this.#walk.tree.endLanes(frame.id);
    this.#walk.event(frame, 2); // MapRunSucceeded, MapStateSucceeded
    return this.#walk.data.stage(node, { ...frame, fork: null }, { ...LEAVE, held: output });
  }

  childDone(child: Frame, output: Json, how: Pick<ChildResult, 'isSkipped' | 'error'>): void {
    const tree = this.#walk.tree;
    const parent = child.parent === null ? undefined : tree.frame(child.parent);
    if (parent === undefined) return;
    const { lane, item } = child;
    tree.childEnded(child, { parent: parent.id, lane, item, output, ...how });
    if (parent.isStopping || parent.fork?.failing != null) {
      this.childGone(child);
      return;
    }
    if (item !== null && child.seesOuter) this.#walk.event(child); // MapIterationSucceeded
    const node = this.#walk.plan.nodes[parent.node];
    if (node?.kind === 'fork') this.#walk.go(this.#refill(parent, node));
  }

  failFork(parent: Frame, error: StepError): void {
    const tree = this.#walk.tree;
    if (parent.fork === null || parent.fork.failing !== null || parent.isStopping) return;
    tree.put({ ...parent, fork: { ...parent.fork, failing: error } });
    for (const child of tree.children(parent.id)) this.stop(child);
  }

  /** What runs in this cursor, or waits for an answer, is being stopped; what does not ends now. */
  stop(frame: Frame): void {
    const tree = this.#walk.tree;
    const { task } = frame;
    if (task?.phase === 'running' || task?.phase === 'callback') {
      tree.put({ ...frame, isStopping: true });
      return;
    }
    if (task?.approval != null) {
      tree.note({ kind: 'approval-dropped', approvalId: task.approval.approvalId });
    }
    const stopping = { ...frame, isStopping: true };
    tree.put(stopping);
    for (const child of tree.children(frame.id)) this.stop(child);
    if (tree.childCount(frame.id) === 0) tree.setAside(stopping);
  }

  /** A child has ended without a result: its parent may have been waiting for that. */
  childGone({ parent: id }: Frame): void {
    const tree = this.#walk.tree;
    const parent = id === null ? undefined : tree.frame(id);
    if (parent === undefined || tree.childCount(parent.id) > 0) return;
    if (parent.isStopping) {
      tree.setAside(parent);
      this.childGone(parent);
      return;
    }
    const error = parent.fork?.failing ?? null;
    const node = this.#walk.plan.nodes[parent.node];
    if (error === null || node?.kind !== 'fork') return;
    this.#walk.go(this.#walk.failures.recover(parent, node, { error, draw: fractionOf(tree.random()) }));
  }

  forkOf(child: Frame): PlanNode | undefined {
    const around = child.parent === null ? undefined : this.#walk.tree.frame(child.parent);
    return around === undefined ? undefined : this.#walk.plan.nodes[around.node];
  }
}
