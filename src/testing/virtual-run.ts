// One run on a virtual clock: what the engine asks for is answered from mocks, in the order in which it asks; when
// nothing is left to do now, the clock jumps to what comes next. Nothing outside is called but the JSONata evaluator.
import { openQueryEvaluator } from '../adapters/query/index.js';
import type { Answer, Execution, Request, Task } from '../engine/index.js';
import type { QueryEvaluator } from '../runtime/ports.js';
import { endOf, outcomeOf, type AttemptEnd, type AttemptSeen } from './attempt.js';
import { playTask } from './form-answer.js';
import type { Governance } from './governance.js';
import type { MockPlayer } from './mocks.js';
import { readFrom, writeTo } from './object-store.js';

/** What stands for the world that a run is in. */
export interface VirtualWorld {
  readonly player: MockPlayer;
  /** Milliseconds since the Unix epoch. */
  readonly startMs: number;
  /** What it denies does not begin. */
  readonly governance?: Governance | null;
  /** Told how each attempt ended, when it ends. */
  readonly attempted?: ((seen: AttemptSeen) => void) | undefined;
}

export class VirtualRun {
  #nowMs: number;
  /** What is under way: attempts that take time, each with how it ends. */
  #pending: { readonly task: Task; readonly end: AttemptEnd }[] = [];

  constructor(
    readonly execution: Execution,
    readonly world: VirtualWorld,
  ) {
    this.#nowMs = world.startMs;
  }

  /** Milliseconds since the Unix epoch on the virtual clock. */
  nowMs(): number {
    return this.#nowMs;
  }

  /**
   * Does what can be done, then what comes next, until the run has ended or `until` says so: it is asked whenever
   * nothing can be done at the present time. False = something is still to come.
   */
  async play(until: () => boolean = () => false): Promise<boolean> {
    while (this.execution.head.status === 'running') {
      if (await this.#step()) continue;
      if (until() || !this.#jump()) return false;
    }
    return true;
  }

  /** What can be done at the present time, in the order in which it is asked for; false = nothing. */
  async #step(): Promise<boolean> {
    const { execution } = this;
    const nowMs = this.#nowMs;
    if (execution.hasWork) {
      execution.apply({ kind: 'tick', nowMs });
      return true;
    }
    const requests = execution.requests(nowMs);
    if (requests.length > 0) {
      const answers = await Promise.all(requests.map((request) => this.#answerTo(request)));
      answers.forEach((answer, index) => {
        const { id = '', at = 0 } = requests[index] ?? {};
        execution.apply({ kind: 'answered', id, at, answer, nowMs });
      });
      return true;
    }
    const ready = execution.ready();
    for (const { stepPath } of ready) {
      // One that ended before it may have stopped it.
      const task = execution.task(stepPath);
      if (task !== null && execution.mayStart(task)) this.#start(task);
    }
    if (ready.length > 0) return true;
    const stopping = execution.tasks().filter(({ isStopping }) => isStopping);
    for (const { stepPath, attempt } of stopping)
      execution.apply({ kind: 'stopped', stepPath, attempt, nowMs });
    return stopping.length > 0;
  }

  async #answerTo(request: Request): Promise<Answer> {
    const { files } = this.world.player;
    switch (request.kind) {
      case 'query':
        return evaluator().evaluate(request);
      case 'read':
        return readFrom(files, request);
      case 'write':
        return writeTo(files, request, this.execution.head.run.id);
    }
  }

  #start(task: Task): void {
    const { execution } = this;
    const { stepPath, attempt } = task;
    const nowMs = this.#nowMs;
    const judged = this.world.governance?.judge(task, execution.data, nowMs);
    if (judged?.verdict === 'deny') {
      this.#tell(task, { threw: judged.error.name });
      execution.apply({ kind: 'failed', stepPath, attempt, error: judged.error, draw: 0.5, nowMs });
      return;
    }
    if (judged?.verdict === 'needs_approval') this.#tell(task, 'needed approval');
    execution.apply({ kind: 'started', stepPath, attempt, nowMs });
    const end = endOf(task, playTask(this.world.player, task), nowMs);
    if (end.nowMs === nowMs) this.#end(task, end);
    else this.#pending.push({ task, end });
  }

  #end(task: Task, end: AttemptEnd): void {
    this.#tell(task, outcomeOf(end));
    this.execution.apply(end);
  }

  #tell(task: Task, outcome: AttemptSeen['outcome']): void {
    const { node, stepPath, entries } = task;
    this.world.attempted?.({ state: node.name, place: stepPath, visit: entries, outcome });
  }

  /** The clock jumps; false = there is nothing to come. */
  #jump(): boolean {
    const timer = this.execution.nextTimerMs();
    const next = this.#pending.reduce((least, { end }) => Math.min(least, end.nowMs), timer ?? Infinity);
    if (next === Infinity) return false;
    const nowMs = Math.max(this.#nowMs, next);
    this.#nowMs = nowMs;
    const due = this.#pending.filter(({ end }) => end.nowMs <= nowMs);
    this.#pending = this.#pending.filter(({ end }) => end.nowMs > nowMs);
    for (const { task, end } of due) this.#end(task, end);
    if (timer !== null && timer <= nowMs) this.execution.apply({ kind: 'tick', nowMs });
    return true;
  }
}

/** Processes that evaluate JSONata, shared by all simulations of this process; idle they keep nothing alive. */
let shared: QueryEvaluator | null = null;

function evaluator(): QueryEvaluator {
  shared ??= openQueryEvaluator();
  return shared;
}
