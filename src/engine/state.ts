// What a run is between two moments: plain JSON in parts, so that a step of a large run writes little. The parts hold
// data only while the run is active; when it has finished the runtime keeps outcome and commitments, not these.
import type { Json, JsonObject } from '../json.js';
import type { DataClass } from '../workflow/data-class.js';

/** A failure or refusal as the workflow sees it; `message` is the cause text. */
export interface StepError {
  /** Dotted name a `retry` or `catch` may list, e.g. `Approval.Denied`. */
  readonly name: string;
  readonly code: string;
  readonly kind: 'document' | 'refusal' | 'failure' | 'fatal';
  readonly message: string;
  /** What to do, for people; no workflow sees it. */
  readonly hint?: string;
}

/** Dialect 1: what became of a step, kept for templates and the result. */
export interface StepOutcome {
  readonly status: 'success' | 'skipped';
  readonly output: Json;
  /** Of a skipped step: the failure it was skipped for; null = its condition was false. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly durationMs: number;
}

/** The run as a whole. Small: it is written with every change. */
export interface RunHead {
  readonly v: 3;
  readonly run: { readonly id: string; readonly initiator: string; readonly startedAtMs: number };
  readonly status: 'running' | 'completed' | 'failed';
  readonly transitions: number;
  /** More than these end the run. */
  readonly maxTransitions: number;
  /** End of the run's own time limit; moved on by time spent waiting for people. */
  readonly deadlineMs: number | null;
  /** Since when nothing but people holds the run up. */
  readonly pausedAtMs: number | null;
  /** Why it fails, once running attempts have ended. */
  readonly failing: StepError | null;
  /** What everything random in the run comes from, in hex; how often something was drawn, and asked for outside. */
  readonly seed: string;
  readonly drawn: number;
  readonly asked: number;
  /** AWS event ids given so far. */
  readonly events: number;
  /** How often it was begun again after it had ended, when last and by whom (not told by older versions); absent = never. */
  readonly redrive?: { readonly count: number; readonly atMs: number; readonly by?: string };
  /** What the run was started with for its context object; `isWhole`: nothing else is in it. */
  readonly context: { readonly given: JsonObject; readonly isWhole: boolean } | null;
  /** What all data of the run together carries by now, where that has grown; absent: as the plan says. */
  readonly data?: DataClass;
  /** Of a run that has ended. */
  readonly output: Json;
  readonly error: StepError | null;
}

/** One cursor: the run itself, a lane of a fork, one item of a lane, or one call that a conversation asks for. */
export interface Frame {
  /** '' = the run itself; else unique in the run, and never used again. */
  readonly id: string;
  /** Null for the run itself. */
  readonly parent: string | null;
  /** Place in the parent's fork; a call's place in its turn is `item`. */
  readonly lane: number;
  readonly item: number | null;
  /** Key of the node it stands at. */
  readonly node: string;
  readonly enteredAtMs: number;
  /** Dialect 2: the state input document. Dialect 1: the previous step's output. */
  readonly data: Json;
  /** Dialect 1: value of `item`. Dialect 2: `$$.Map.Item.Value`, and `.Key` of an object's item. */
  readonly value: Json;
  readonly itemKey: string | null;
  /** Dialect 2: its own; those of the cursors around it are seen when `seesOuter`. */
  readonly variables: JsonObject;
  readonly seesOuter: boolean;
  /** AWS event id of the entry into its state; 0 where events are not counted. */
  readonly enteredEvent: number;
  /** It waits for an answer from outside: an expression, items, or a place for results. */
  readonly ask: Ask | null;
  /** A lane whose item has not gone through the selector yet. */
  readonly selects: boolean;
  /** Entries and attempts begun so far, by node key, calls by `<key>/call`, attempts made again by `<key>\0again`. */
  readonly attempts: Readonly<Record<string, number>>;
  /** Dialect 1: key of the step that ended last, and what the last group gave. */
  readonly previous: string | null;
  readonly fanout: FanoutResult | null;
  readonly task: CurrentTask | null;
  readonly loop: LoopState | null;
  readonly fork: ForkState | null;
  /** Set in the child that stands for one call of a conversation. */
  readonly call: { readonly id: string; readonly functionId: string; readonly input: Json } | null;
  /** A retry delay or a Wait state: when it goes on. */
  readonly wakeAtMs: number | null;
  /** The fork it is in has failed: nothing starts here any more, and what runs is being stopped. */
  readonly isStopping: boolean;
}

/**
 * `enter`: before anything. `choose`: condition number `index`. `select`: batched items one by one. `item`: a lane's own
 * item. `leave`: with the result, `index` = the Choice rule that was true. `catch`: by catcher `index`.
 */
export interface Stage {
  readonly name: 'enter' | 'choose' | 'select' | 'item' | 'leave' | 'catch';
  readonly index: number | null;
  /** `leave`: the result, of a state that has one. `catch`: `{Error, Cause}`. `select`: items, and what was selected. */
  readonly held?: Json;
}

/** What it asked for, and at which stage of its state. */
export interface Ask extends Stage {
  readonly kind: 'query' | 'read' | 'write';
  /** Its number in the run: an answer to another one changes nothing. */
  readonly at: number;
}

/** The task a cursor stands at. */
export interface CurrentTask {
  /** 1-based over the frame, per node: never reused, also when a state is entered again. */
  readonly attempt: number;
  /** Rendered once per entry of the step; approval, execution and audit use this value. */
  readonly input: Json;
  /** Same for every retry of one entry. */
  readonly idempotencyKey: string;
  /** Retries used, per retrier of the node. */
  readonly retries: readonly number[];
  readonly startedAtMs: number;
  /**
   * `ready`: may start. `approval`: waits for people. `running`: its intent is durable. `lost`: its outcome was lost and
   * a person decides. `calls`: a conversation waits for its calls. `callback`: its act is done, and it waits for an
   * answer from outside.
   */
  readonly phase: 'ready' | 'approval' | 'running' | 'lost' | 'calls' | 'callback';
  readonly approval: TaskApproval | null;
  /** What stands in `input` for the token of an attempt; absent = it waits for none. Kept: the seed changes in a redrive. */
  readonly token?: string;
  /** Who had it made again after its outcome was lost; kept by its retries. Absent = nobody has. */
  readonly rerunBy?: string;
  /** In phase `callback`, and only then. */
  readonly waiting?: TaskWaiting;
  /** Null unless the function converses and has asked for calls. */
  readonly conversation: ConversationState | null;
  /** One attempt, and the longest time between two signs of life; null = none of its own. */
  readonly timeoutMs: number | null;
  readonly heartbeatMs: number | null;
}

export interface TaskApproval {
  readonly approvalId: string;
  readonly expiresAtMs: number;
  /** False: while it waits nothing else of the run starts (`sync`, `two-person`). */
  readonly isAsync: boolean;
}

/** An answer from outside that a task waits for: of whoever has its token, or of a person with a form. */
export interface TaskWaiting {
  /** Names the wait to whoever answers. */
  readonly taskId: string;
  readonly by: 'token' | 'person';
  /** At this time it has waited too long; null = never. */
  readonly untilMs: number | null;
  /** As `untilMs`, unless there is a sign of life before; null = none is asked for. */
  readonly silentUntilMs: number | null;
}

/** A function that asks for calls, between two turns. */
export interface ConversationState {
  /** Turns that have ended. */
  readonly turns: number;
  /** Calls that the step has begun, over all turns and iterations: the next one's number. */
  readonly callsBegun: number;
  readonly transcript: Json;
  /** What this turn asked for, in order; null = not answered yet. */
  readonly answers: readonly (ConversationAnswer | null)[];
}

export interface ConversationAnswer {
  readonly id: string;
  readonly functionId: string;
  readonly status: 'succeeded' | 'failed' | 'refused';
  readonly output: Json;
}

export interface LoopState {
  /** From 0. */
  readonly iteration: number;
  /** Of the iteration before; null in the first. */
  readonly output: Json;
  readonly feedback: Json;
}

/** A fork that is under way; what its children have given is kept apart, child by child. */
export interface ForkState {
  /** 1 for the first time this cursor enters the node; part of the children's ids. */
  readonly entry: number;
  /** Retries used, per retrier of the node. */
  readonly retries: readonly number[];
  /** The fork's own input, for the lanes and for a retry. */
  readonly input: Json;
  /** Why it fails, once children that run have ended. */
  readonly failing: StepError | null;
  /** Null unless it is a Map of dialect 2. */
  readonly map: MapState | null;
}

export interface MapState {
  /** Items at once; 0 = as many as the runner runs. */
  readonly concurrency: number;
  /** Null = none may fail. */
  readonly toleratedCount: number | null;
  readonly toleratedPercentage: number | null;
  readonly failed: number;
  /** Keys of the items when they came from an object. */
  readonly keys: readonly string[] | null;
  /** Arguments of its ResultWriter, worked out at entry; null when it has none. */
  readonly writing: Json;
}

/** What a child has given; kept until its fork is joined. */
export interface ChildResult {
  /** Id of the frame whose fork it is, and its place there. */
  readonly parent: string;
  readonly lane: number;
  readonly item: number | null;
  readonly output: Json;
  readonly isSkipped: boolean;
  /** Dialect 1 `errorMode: skip`, and a failed item that a distributed Map tolerates: why there is no output. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface FanoutResult {
  readonly results: Json;
  readonly errors: readonly {
    readonly step: string;
    readonly index: number | null;
    readonly code: string;
    readonly message: string;
  }[];
}

/** What has become of a node so far: 1 = a cursor has come to it, 2 = and one has left it, 3 = and one has failed there. */
export type Seen = 1 | 2 | 3;

/**
 * Parts by key. `input`: the workflow input. `frame/<id>`: Frame. `outcome/<id>#<node>`: StepOutcome. `items/<id>`: the
 * items of the frame's fork, a list per lane, null for a lane that is no map. `result/<id>`: ChildResult of a child
 * that has ended, <id> its frame's. `aside/<id>`: Frame of a cursor that a failure has stopped. `seen/<node>`: Seen, of
 * every node that the run has come to.
 */
export type Parts = ReadonlyMap<string, Json>;

/** What has changed since the last time: to be written in one commit. */
export interface Changes {
  readonly head: RunHead;
  readonly put: ReadonlyMap<string, Json>;
  readonly removed: readonly string[];
  /** True: the run has ended and every part goes. */
  readonly ended: boolean;
  readonly notes: readonly Note[];
}

/** What the log should say beside the attempts. */
export type Note =
  /** `condition` was false, or it failed: then with that error. `detail` holds values and is sealed as a payload. */
  | {
      readonly kind: 'skipped';
      readonly stepPath: string;
      readonly reason: 'condition' | 'error';
      readonly error?: { readonly name: string; readonly code: string };
      readonly detail: Json;
    }
  /** It failed before its first attempt. */
  | {
      readonly kind: 'unstarted';
      readonly stepPath: string;
      readonly error: { readonly name: string; readonly code: string };
    }
  | {
      readonly kind: 'loop-ended';
      readonly stepPath: string;
      readonly iterations: number;
      readonly converged: boolean;
    }
  /** The attempt that follows, and the delay before it. */
  | {
      readonly kind: 'retried';
      readonly stepPath: string;
      readonly attempt: number;
      readonly delayMs: number;
    }
  /** It was asked for approval and is not waited for any more: its fork or run failed. */
  | { readonly kind: 'approval-dropped'; readonly approvalId: string };
