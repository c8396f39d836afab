// What the parts of the interpreter ask of one another: cursors move in interpret.ts, the other parts each know one kind of
// node or of data.
import type { Sources } from '../expression/sources.js';
import type { WritError } from '../errors.js';
import type { Json } from '../json.js';
import type { ForkNode, Plan, PlanNode, TaskNode } from '../workflow/plan.js';
import type { Values } from './amount.js';
import type { Trace } from './stage.js';
import type { Ask, ChildResult, CurrentTask, Frame, MapState, Stage, StepError } from './state.js';
import type { RunTree } from './tree.js';

/** The cursors' own moves. */
export interface Walk {
  readonly plan: Plan;
  readonly tree: RunTree;
  /** Is told what a state makes of its data, for people who test one. */
  readonly trace: Trace | null;
  /** It is a run of one state. */
  readonly isAlone: boolean;
  /** Of this slice of work. */
  readonly nowMs: number;
  readonly data: StateDataMoves;
  readonly steps: StepMoves;
  readonly maps: MapMoves;
  readonly forks: ForkMoves;
  readonly failures: FailureMoves;
  /** A move that is no transition counts for the slice. */
  spend(): void;
  /** Something came from outside: what is worked through from now on is counted from nothing. */
  rested(): void;
  /** The next AWS event id; children of a distributed Map have a count of their own. */
  event(frame: Frame, count?: number): number;
  /** The cursor as it stands now; null = it has ended, or was put already. */
  go(frame: Frame | null): void;
  /** Begins what the node does; a gate before it first. */
  enter(node: PlanNode, frame: Frame): Frame | null;
  /** The cursor goes on, or it has come to its end. */
  next(frame: Frame, next: string | null): Frame | null;
  /** The next attempt, ready to start. */
  beginAttempt(frame: Frame, input: Json, beginning?: Beginning): Frame;
  /** The run fails; it ends when what runs has been stopped. */
  failRun(error: StepError): void;
}

/** How an attempt has failed, and what says when the next one comes. */
export interface Failure {
  readonly error: StepError;
  /** In [0, 1): the jitter. */
  readonly draw: number;
  /** What failed asks to be left alone for so long; absent = it has said nothing. Attacker-controlled. */
  readonly askedMs?: number | undefined;
}

/** What a fork begins with. */
export interface Opening {
  readonly input: Json;
  /** By lane; null = a lane that has no items. */
  readonly items: readonly (readonly Json[] | null)[];
  readonly map?: MapState | null;
  /** By position, those that are skipped and why. */
  readonly skipped?: ReadonlyMap<number, StepError>;
}

/** What an attempt is beside its input. */
export interface Beginning {
  /** The one it follows, with the same input and key. */
  readonly again?: CurrentTask;
  /** Default: as `again`; else none. */
  readonly limits?: Pick<CurrentTask, 'timeoutMs' | 'heartbeatMs'>;
  /** As `limits`. */
  readonly retries?: readonly number[] | undefined;
}

export interface FailureMoves {
  /** Makes the move; what it throws is a failure of the node. */
  attempted(node: PlanNode, frame: Frame, move: () => Frame | null): Frame | null;
  /** As `attempted`, where no catcher of the node has a say any more, or the node is the Map around the cursor. */
  tried(node: PlanNode, frame: Frame, stage: Stage, move: () => Frame | null): Frame | null;
  /** Retry, then catch, then skip, then fail (ASL: errors). */
  recover(frame: Frame, node: TaskNode | ForkNode, failure: Failure): Frame | null;
  /** What was thrown, as it is told of this node. */
  faultOf(node: PlanNode, frame: Frame, error: WritError): StepError;
  /** Whether the step may be skipped for the error; then it is said that it was. */
  passes(node: TaskNode, frame: Frame, error: StepError): boolean;
  /** What follows an error that is not retried. */
  giveUp(node: PlanNode, frame: Frame, error: StepError): Frame | null;
  /** Nothing takes the error: the fork that the cursor is in fails, or the run does. */
  failCursor(frame: Frame, error: StepError): null;
}

export interface StateDataMoves {
  /** Works out what the stage needs and goes on; a cursor that needs an expression evaluated waits for it. */
  stage(node: PlanNode, frame: Frame, stage: Stage): Frame | null;
  /** As `stage`; what it throws is a failure of the node. */
  staging(node: PlanNode, frame: Frame, stage: Stage): Frame | null;
  /** The cursor waits for an answer from outside. */
  inquire(frame: Frame, kind: Ask['kind'], stage: Stage): Frame;
  sources(frame: Frame, input: Json): Sources;
  /** Throws STEP_DATA_LIMIT. */
  fitting(node: PlanNode, value: Json): Json;
}

export interface StepMoves {
  /** The step counts as skipped, and the cursor goes on. */
  skip(node: TaskNode, frame: Frame, error: StepError | null): Frame | null;
  /** Each member's outcome, and what `fanout` and `output` are from now on. */
  joinGroup(frame: Frame, node: ForkNode, results: readonly (readonly ChildResult[])[]): Frame;
}

export interface MapMoves {
  /** A distributed Map goes on without an item that failed, up to its bound. */
  isTolerated(parent: Frame, child: Frame, error: StepError): boolean;
  /** The Map's items are here. */
  items(node: ForkNode, frame: Frame, values: Values, given: Json): Frame | null;
  /** One more of the items that go into batches has been selected. */
  selected(node: ForkNode, frame: Frame, stage: Stage, values: Values): Frame | null;
}

export interface ForkMoves {
  /** The lanes begin, for the first time or again after a failure. */
  open(node: ForkNode, frame: Frame, opening: Opening): Frame | null;
  childDone(child: Frame, output: Json, how: Pick<ChildResult, 'isSkipped' | 'error'>): void;
  failFork(parent: Frame, error: StepError): void;
  /** A child has ended without a result: its parent may have been waiting for that. */
  childGone(child: Frame): void;
  /** The fork that the child is in. */
  forkOf(child: Frame): PlanNode | undefined;
}
