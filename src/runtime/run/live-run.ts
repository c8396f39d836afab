// A run in this process while its lock is held: the record as the newest commit leaves it, its execution, and what this
// process carries out of it. The store stays the only truth: several commits may be on their way at once, each with
// the version that the one before will have written, and when one is refused nothing happens before the run has been
// read again.
import type { EngineEvent, Task } from '../../engine/command.js';
import { Execution } from '../../engine/execution.js';
import type { Note } from '../../engine/state.js';
import { WritError } from '../../errors.js';
import type { Plan } from '../../workflow/plan.js';
import { isBusy, isCancelRequested, isRefusedEntry } from '../log/journal.js';
import type { Guard } from '../guard-parts.js';
import { VERSION_JUMP, type Change, type Committed, type RunRecord } from '../ports.js';
import { Batch, MAX_TOGETHER, together, TURNS, type CommitOptions, type Move } from './batch.js';
import { activeHead, isFinished, planOf } from './state.js';
import { entryContext, load } from './context.js';
import { settle } from './settlement.js';
import { Waits } from './waits.js';

/** How often, at most, it is looked at what other processes have done while steps run here. */
const LOOK_MS = 50;

export class LiveRun {
  readonly id: string;
  readonly plan: Plan;
  /** What this process carries out now, from the look at the task to its outcome. */
  readonly executing = new Set<string>();
  /** Tasks that wait for people. */
  readonly waits = new Waits();
  /** Approvals of this run that nothing waits for any more and that are still open. */
  readonly dropped = new Set<string>();
  /** The store's change counter when it was last looked for answers to what waits for one. */
  answersLookedAt = -1;
  /** Set once the run has been looked through for attempts that a crash has lost. */
  isRecovered = false;

  readonly #guard: Guard;
  #run: RunRecord;
  #execution: Execution | null = null;
  #isStale = false;
  #isFirst = true;
  /** Batches that are open or on their way. */
  #inFlight = 0;
  #batch: Batch | null = null;
  /** So many of the next are written one by one. */
  #aloneLeft = 0;
  #landed: (() => void) | null = null;
  #reloading: Promise<void> | null = null;
  #counter = -1;
  #lookedAtMs = -Infinity;

  private constructor(guard: Guard, run: RunRecord) {
    this.#guard = guard;
    this.#run = run;
    this.id = run.id;
    this.plan = planOf(run);
  }

  /** The caller holds the run's lock. Throws NOT_FOUND. */
  static async open(guard: Guard, runId: string): Promise<LiveRun> {
    const live = new LiveRun(guard, await load(guard, runId));
    await live.#read();
    return live;
  }

  /** As the newest commit leaves it; durable once `idle` has resolved. */
  get run(): RunRecord {
    return this.#run;
  }

  get isFinished(): boolean {
    return isFinished(this.#run);
  }

  /** Throws INTERNAL for a run that has finished. */
  get execution(): Execution {
    if (this.#execution === null)
      throw new WritError('INTERNAL', `run ${this.id} has finished and goes on nevertheless`);
    return this.#execution;
  }

  /** Resolves when nothing is on its way to the store and the run is what the store says. */
  async idle(): Promise<void> {
    while (this.#inFlight > 0 || this.#isStale) {
      if (this.#isStale) await this.#reload();
      else await this.#landing();
    }
  }

  /** Reads the run again when a commit of it was refused. */
  async fresh(): Promise<void> {
    while (this.#isStale) await this.#reload();
  }

  /**
   * One commit. `move` is asked on the run as it is then and decides whether there is still something to write; null =
   * nothing was. Its events are applied before anybody else gets a turn, and it is written together with those that
   * come at the same moment. When the store or the log refuses it (STORE_CONFLICT, AUDIT_ENTRY_INVALID), nothing was
   * written.
   */
  async commit(move: () => Move | null, options: CommitOptions = {}): Promise<Committed | null> {
    while (this.#isStale) await this.#reload();
    if (this.isFinished) return null;
    const asked = move();
    if (asked === null) return null;
    const isAlone = asked.settlement !== undefined || options.actor !== undefined || this.#aloneLeft > 0;
    if (this.#aloneLeft > 0) this.#aloneLeft -= 1;
    if (isAlone) this.#send();
    this.#apply(asked.events);
    const batch = (this.#batch ??= this.#openBatch());
    const place = batch.members.length;
    const nowMs = options.nowMs ?? this.#guard.clock.nowMs();
    batch.members.push({ move: asked, nowMs, actor: options.actor });
    if (isAlone || batch.members.length === MAX_TOGETHER) this.#send();
    const { entries } = await batch.written;
    const [first, end] = batch.places[place] ?? [0, 0];
    return { entries: entries.slice(first, end) };
  }

  /**
   * As `commit`, until it is written: what has happened is recorded whatever others do to the run meanwhile, and for as
   * long as they hold the store.
   */
  async commitOutcome(move: () => Move | null, options: CommitOptions = {}): Promise<Committed | null> {
    for (;;) {
      try {
        return await this.commit(move, options);
      } catch (error) {
        if (isBusy(error)) this.#guard.journal.waits(error);
        else if (!isConflict(error)) throw error;
      }
    }
  }

  /** As `commit`, again after each conflict. STORE_BUSY: nothing has happened yet that could be lost. */
  async commitAnew(move: () => Move | null, options: CommitOptions = {}): Promise<Committed | null> {
    for (;;) {
      try {
        return await this.commit(move, options);
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    }
  }

  /** A lost attempt that only a person may run again. */
  lostTask(): Task | null {
    return this.#execution?.lost().find((task) => !task.node.idempotent) ?? null;
  }

  /** Sees what other processes have done to the run: a request to cancel it, votes. Cheap while nothing has changed. */
  async look(): Promise<void> {
    const { store, clock } = this.#guard;
    const nowMs = clock.nowMs();
    const expiryMs = this.waits.firstExpiryMs(this.executing);
    const isExpiring = expiryMs !== null && expiryMs <= nowMs;
    const counter = store.changeCounter();
    if (counter === this.#counter && !isExpiring) return;
    // Either way: a clock that was set back hides no request to cancel.
    const isSoon = Math.abs(nowMs - this.#lookedAtMs) < LOOK_MS;
    if (this.executing.size > 0 && isSoon && !isExpiring) return;
    this.#counter = counter;
    this.#lookedAtMs = nowMs;
    const stored = await store.runVersion(this.id);
    // Whoever else changes the run raises its version above all that this process has on its way.
    if (stored !== null && stored > this.#run.version) this.#isStale = true;
    await this.fresh();
    if (this.isFinished || this.waits.byStep.size === 0) return;
    const isWhole = await this.waits.look(this.#guard, this.id, this.executing);
    if (!isWhole) this.#counter = -1;
  }

  /** What can't go on has happened in memory only: the run is read again. */
  #apply(events: readonly EngineEvent[]): void {
    try {
      for (const event of events) {
        this.execution.apply(event);
        if (event.kind === 'paused') this.waits.sent(event.approval.approvalId);
        if ('stepPath' in event) this.#noteTask(event.stepPath);
      }
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  #openBatch(): Batch {
    this.#inFlight += 1;
    const batch = new Batch();
    void this.#sendSoon(batch);
    return batch;
  }

  async #sendSoon(batch: Batch): Promise<void> {
    for (let turn = 0; turn < TURNS; turn += 1) {
      await Promise.resolve();
      if (this.#batch !== batch) return;
    }
    this.#send();
  }

  /** The open batch becomes one change of the store; what comes from now on is another. */
  #send(): void {
    const batch = this.#batch;
    if (batch === null) return;
    this.#batch = null;
    const landed = (): void => {
      for (const { move } of batch.members) {
        for (const event of move.events)
          if (event.kind === 'paused') this.waits.landed(event.approval.approvalId);
      }
      this.#inFlight -= 1;
      this.#landed?.();
    };
    const failed = (error: unknown): void => {
      this.#isStale = true;
      landed();
      batch.fail(this.#blame(batch, error));
    };
    let change: Change;
    try {
      change = this.#combine(batch);
    } catch (error) {
      failed(error);
      return;
    }
    this.#guard.journal.commit(change).then((committed) => {
      landed();
      batch.done(committed);
    }, failed);
  }

  /** Of several together nobody knows which one was refused: each is tried again by itself. */
  #blame({ members }: Batch, error: unknown): unknown {
    const isOver = error instanceof WritError && error.kind === 'fatal' && !isRefusedEntry(error);
    if (members.length < 2 || isOver) return error;
    this.#aloneLeft = 2 * members.length;
    return new WritError('STORE_CONFLICT', `one of ${members.length} changes of run ${this.id} was refused`, {
      hint: 'read it again and decide anew',
      cause: error,
    });
  }

  #combine(batch: Batch): Change {
    const { execution } = this;
    const last = batch.members.at(-1);
    const changes = execution.takeChanges();
    this.#noteDropped(changes.notes);
    const { random, redact, clock } = this.#guard;
    const nowMs = last?.nowMs ?? clock.nowMs();
    const entry = entryContext(this.#guard, this.#run, last?.actor);
    const lost = this.lostTask();
    const situation = {
      lost: lost === null ? null : { stepPath: lost.stepPath, attempt: lost.attempt },
      waits: this.waits.byStep,
      endsLater: this.dropped.size > 0,
    };
    const next =
      last?.move.settlement ??
      settle(execution, changes, this.#run, situation, { entry, nowMs, random, redact });
    const jump = this.#isFirst;
    const { run } = next;
    const change: Change = {
      ...together(batch, next, changes.notes),
      runs: [{ op: 'update', record: run, jump }],
      parts: [next.parts],
    };
    this.#run = { ...run, version: this.#run.version + (jump ? VERSION_JUMP : 1) };
    this.#isFirst = false;
    return change;
  }

  #noteDropped(notes: readonly Note[]): void {
    const dropped = notes.flatMap((note) => (note.kind === 'approval-dropped' ? [note.approvalId] : []));
    if (dropped.length === 0) return;
    for (const id of dropped) this.dropped.add(id);
    for (const stepPath of this.waits.byStep.keys()) this.#noteTask(stepPath);
  }

  /** Keeps in mind who waits for people. */
  #noteTask(stepPath: string): void {
    const task = this.execution.head.status === 'running' ? this.execution.standing(stepPath) : null;
    this.waits.note(stepPath, task);
  }

  #landing(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#landed;
      this.#landed = () => {
        before?.();
        this.#landed = null;
        resolve();
      };
    });
  }

  /** Once nothing is on its way any more: what was submitted after the refused commit is refused too. */
  #reload(): Promise<void> {
    this.#reloading ??= this.#reloadOnce().finally(() => {
      this.#reloading = null;
    });
    return this.#reloading;
  }

  async #reloadOnce(): Promise<void> {
    while (this.#inFlight > 0) await this.#landing();
    this.#guard.journal.assertGoing();
    this.#run = await load(this.#guard, this.id);
    await this.#read();
    this.#isFirst = true;
    this.#isStale = false;
  }

  async #read(): Promise<void> {
    this.waits.clear();
    this.dropped.clear();
    this.#counter = -1;
    if (this.isFinished) {
      this.#execution = null;
      return;
    }
    const { store } = this.#guard;
    this.#execution = Execution.open(this.plan, activeHead(this.#run), await store.parts(this.id));
    if (this.#execution.head.status === 'running') {
      for (const task of this.#execution.tasks()) if (task.approval !== null) this.#noteTask(task.stepPath);
    }
    const waitedFor = new Set([...this.waits.byStep.values()].map((wait) => wait.approvalId));
    for (const one of await store.approvals({ run: this.id, states: ['pending', 'approved'] })) {
      // Made by who changed the input: the step has yet to hear of it.
      const isSuccessor =
        one.editors !== undefined && this.#execution.task(one.stepPath)?.attempt === one.attempt;
      if (!waitedFor.has(one.id) && !isSuccessor) this.dropped.add(one.id);
    }
  }
}

/** Nothing was written, because somebody else was faster: look again. */
export function isConflict(error: unknown): boolean {
  return error instanceof WritError && error.code === 'STORE_CONFLICT';
}

/** Whether the run that a commit left is one that asked for its own end. */
export function isToBeCancelled(live: LiveRun): boolean {
  return !live.isFinished && isCancelRequested(live.run);
}
