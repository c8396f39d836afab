// The one form the engine runs. Both dialects compile to it. Plain JSON data: it is stored with the run,
// so a run that waits for weeks goes on under the plan it started with.
import type { ChoiceRule } from '../expression/choice.js';
import type { Until } from '../expression/condition/until.js';
import type { Digest, Json, JsonObject } from '../json.js';
import type { DataClass } from './data-class.js';

export type { ChoiceRule, Until };

export interface Plan {
  readonly v: 3;
  readonly dialect: 'steps' | 'states';
  /** Dialect 1 `id`; dialect 2 `metadata.name`. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** Key of the first node. */
  readonly start: string;
  /** By key: the state name, or the step name's slug. The key is the node's step path. */
  readonly nodes: Readonly<Record<string, PlanNode>>;
  /** JSON Schema of the run input, checked before the run starts. */
  readonly inputs: Json | null;
  /** `spec` of the workflow's own ceiling layer; null = none. */
  readonly ceilings: Json | null;
  /** Whole run in ms, waiting for approval not counted. */
  readonly timeoutMs: number | null;
  /** Largest input, output or result in bytes of UTF-8 (ASL: 262,144); null = only the engine's own bound. */
  readonly maxDataBytes: number | null;
  /** `aws`: the context object has nothing of ours in it (plain States Language). */
  readonly context?: 'aws';
  /** What the input carries: the document's word, in a run together with that of its start. Absent: nobody has said. */
  readonly data?: DataClass;
  /** Dialect 1 role names; empty in dialect 2. */
  readonly agents: readonly string[];
  /** Dialect 1: what an unknown template name does. */
  readonly onMissing: 'error' | 'empty' | 'keep';
}

/** How a state takes its data and what it leaves; the language decides the form (ASL: input and output). */
export type Flow = PathFlow | QueryFlow;

/** Dialect 1: strings in `config` are templates, `outputVar` keeps the output. */
export interface StepFlow {
  readonly language: 'template';
  readonly prompt: string | null;
  readonly config: Json | null;
  readonly outputVar: string | null;
}

/** Dialect 2, JSONPath: as in ASL, null = `{}` (inputPath, outputPath) or discarded (resultPath). */
export interface PathFlow {
  readonly language: 'jsonpath';
  readonly inputPath: string | null;
  /** Payload templates; undefined = absent. */
  readonly parameters?: Json;
  readonly resultSelector?: Json;
  readonly resultPath: string | null;
  readonly outputPath: string | null;
  /** Variables: a payload template. */
  readonly assign?: JsonObject;
}

/** Dialect 2, JSONata: strings `{% … %}` at any depth are expressions; undefined = absent. */
export interface QueryFlow {
  readonly language: 'jsonata';
  readonly arguments?: Json;
  readonly output?: Json;
  readonly assign?: JsonObject;
}

/** A number that may be known only in the run; `query` is a `{% … %}` text. */
export type Amount = number | { readonly path: string } | { readonly query: string };

/** A text that may be known only in the run. `path` is a path or an intrinsic call. */
export type Wording = { readonly text: string } | { readonly path: string } | { readonly query: string };

export type PlanNode = TaskNode | ForkNode | ChoiceNode | PassNode | WaitNode | SucceedNode | FailNode;

interface NodeBase {
  /** As the document spells it. */
  readonly name: string;
  /** 1-based place of the node's name in the document. */
  readonly line: number;
  readonly column: number;
}

export interface TaskNode extends NodeBase {
  readonly kind: 'task';
  readonly call: Call;
  /** Dialect 1 `condition`: false skips the step. Source text, checked at load. */
  readonly when: string | null;
  readonly flow: StepFlow | Flow;
  /** Dialect 1 mode `loop`; null = once. */
  readonly loop: Loop | null;
  /** Dialect 1 mode `collect`: the request also gets `fanoutResults` and `fanoutErrors`, where it has a place for them. */
  readonly collects: boolean;
  /** One attempt, in ms; null = ceiling or driver default, or `limits`. */
  readonly timeoutMs: number | null;
  /** Dialect 2: seconds that are known only in the run, and the longest time between two signs of life. */
  readonly limits?: { readonly timeout?: Amount; readonly heartbeat?: Amount };
  /** Dialect 2 `credentials`: a payload template or with expressions; names only, never values. */
  readonly credentials?: Json;
  readonly retry: readonly Retrier[];
  readonly catch: readonly Catcher[];
  /** Dialect 1 `errorMode: skip`: a failure (never a refusal) skips the step. */
  readonly onFailure: 'fail' | 'skip';
  readonly approval: ApprovalSpec | null;
  readonly sandbox: SandboxSpec | null;
  /** What its output carries besides what it was given; absent: nothing more. */
  readonly data?: DataClass;
  /** May run again after a crash between intent and outcome. */
  readonly idempotent: boolean;
  /** null = the run ends here. */
  readonly next: string | null;
}

/** What a task calls. */
export type Call =
  | { readonly kind: 'agent'; readonly name: string; readonly digest: Digest }
  /**
   * `agent` is the principal's role or name, null when the step names none; then the run's own agent acts, else
   * `fallback`: the workflow's agent for this step (AgentOS page), null when it lists none.
   */
  | {
      readonly kind: 'function';
      readonly functionId: string;
      readonly agent: string | null;
      readonly fallback: string | null;
      /**
       * `token`: `.waitForTaskToken`, it goes on when the token comes back; `job`: `.sync`; `person`: somebody fills in
       * `form`, and `functionId` is `human::form`. Absent: it goes on with the function's own answer.
       */
      readonly waits?: 'token' | 'job' | 'person';
      readonly form?: { readonly schema: Json; readonly approval: ApprovalSpec };
    };

/** Dialect 1 mode `loop`: the step again, until its output says so or the iterations are used up. */
export interface Loop {
  /** 1-1000. */
  readonly maxIterations: number;
  /** null = always to maxIterations. */
  readonly until: Until | null;
  /** Used up without `until` having been true: go on with the last output, or fail with STEP_LOOP_EXHAUSTED. */
  readonly onExhausted: 'continue' | 'fail';
}

/**
 * Several cursors at once, joined before `next`: a dialect 1 fanout group, an ASL Parallel or Map. A failure that no
 * retrier or catcher takes stops the other lanes; nothing goes on before they have ended.
 */
export interface ForkNode extends NodeBase {
  readonly kind: 'fork';
  readonly form: 'group' | 'parallel' | 'map';
  /** `group`: one per step, in step order. `parallel`: one per branch. `map`: exactly one, with `each`. */
  readonly lanes: readonly Lane[];
  /** null = a group of dialect 1. */
  readonly flow: Flow | null;
  /** Of entering it (state-gate.ts); absent = none is asked for. */
  readonly approval?: ApprovalSpec;
  readonly retry: readonly Retrier[];
  readonly catch: readonly Catcher[];
  /** null = the run, or the lane this node is in, ends here. */
  readonly next: string | null;
}

export interface Lane {
  /** Its first node. Lanes share no nodes; a lane ends where `next` is null. */
  readonly start: string;
  /** null = runs once; else once per item. */
  readonly each: Each | null;
}

export interface Each {
  /**
   * `path`: ASL itemsPath. `value`: JSONata items, a list or an expression. `reader`: ASL itemReader. `list`: a list in
   * the document, strings in it are templates. `template`: a string that is one `{{path}}`. `implied`: dialect 1
   * without `items`: `output`, `input` or `input.items`, the first that is a list; else STEP_FANOUT_NO_ITEMS.
   */
  readonly items:
    | { readonly kind: 'path'; readonly path: string }
    | { readonly kind: 'value'; readonly value: Json }
    | { readonly kind: 'reader'; readonly reader: ItemReader }
    | { readonly kind: 'list'; readonly list: readonly Json[] }
    | { readonly kind: 'template'; readonly template: string }
    | { readonly kind: 'implied' };
  /** Items at once; 0 = as many as the runner runs. */
  readonly concurrency: Amount;
  /** What a lane gets instead of the item: a payload template, or with expressions. */
  readonly selector?: Json;
  /** ASL DISTRIBUTED: the items are child runs without the variables around them. null = INLINE. */
  readonly distributed?: Distributed | null;
}

export interface Distributed {
  readonly executionType: 'STANDARD' | 'EXPRESS';
  readonly label: string | null;
  readonly batcher: {
    readonly maxItems: Amount | null;
    readonly maxInputBytes: Amount | null;
    readonly batchInput?: Json;
  } | null;
  readonly writer: ResultWriter | null;
  /** Failed items up to these leave the state whole. Default 0. */
  readonly toleratedCount: Amount | null;
  readonly toleratedPercentage: Amount | null;
}

export interface ItemReader {
  /** `artifact:read`, `file:read`, or an AWS ARN that means the artifact store. */
  readonly resource: string;
  /** `parameters` (payload template) or `arguments` (with expressions). */
  readonly parameters?: Json;
  readonly config: {
    readonly inputType: 'JSON' | 'JSONL' | 'CSV' | 'MANIFEST' | 'PARQUET' | null;
    readonly csvHeaderLocation: 'FIRST_ROW' | 'GIVEN' | null;
    readonly csvHeaders: readonly string[] | null;
    readonly csvDelimiter: 'COMMA' | 'PIPE' | 'SEMICOLON' | 'SPACE' | 'TAB';
    readonly maxItems: Amount | null;
    /** RFC 6901, into a JSON document. */
    readonly itemsPointer: string | null;
  };
}

export interface ResultWriter {
  /** null = the results stay in the state's output, in the form of `transformation`. */
  readonly resource: string | null;
  readonly parameters?: Json;
  readonly transformation: 'NONE' | 'COMPACT' | 'FLATTEN';
  readonly outputType: 'JSON' | 'JSONL';
}

/** Delay before retry n (from 0) = min(maxDelayMs, intervalMs * backoffRate^n); FULL: uniform in [0, that]. */
export interface Retrier {
  readonly errorEquals: readonly string[];
  readonly intervalMs: number;
  /** Retries after the first attempt; 0 = never. */
  readonly maxAttempts: number;
  readonly backoffRate: number;
  readonly maxDelayMs: number | null;
  readonly jitter: 'none' | 'full';
}

export interface Catcher {
  readonly errorEquals: readonly string[];
  /** JSONPath: where `{Error, Cause}` goes. Ignored in JSONata. */
  readonly resultPath: string | null;
  /** JSONata: instead of `{Error, Cause}`; undefined = absent. */
  readonly output?: Json;
  readonly assign?: JsonObject;
  readonly next: string;
}

export type ApprovalMode = 'none' | 'async' | 'sync' | 'two-person';

export interface ApprovalSpec {
  readonly mode: ApprovalMode;
  readonly approverRoles: readonly string[];
  readonly quorum: number | null;
  readonly expiresSeconds: number | null;
  readonly reasonRequired: boolean;
  readonly separationOfDuties: boolean | null;
  /** Not by who wrote the workflow either; absent = not asked for. */
  readonly author?: true;
}

export interface SandboxSpec {
  readonly driver: 'wasm' | 'docker';
  /** Docker: a name the operator gave an image, or `[repository@]sha256:…`; null = the operator's default. */
  readonly image: string | null;
  readonly limits: SandboxLimits;
  /** Docker: folders of the host; absent = none. */
  readonly mounts?: readonly SandboxMount[];
  /** Docker: `host:port` that it may reach; absent = no network. */
  readonly egress?: readonly string[];
  /** Names of secrets that are put into its requests outside of it; absent = none. */
  readonly credentials?: readonly string[];
}

export interface SandboxMount {
  readonly source: string;
  readonly target: string;
  readonly mode: 'ro' | 'rw';
}

export interface SandboxLimits {
  readonly timeoutMs?: number;
  readonly memoryMiB?: number;
  readonly cpus?: number;
  readonly cpuMs?: number;
  readonly pids?: number;
  readonly diskMiB?: number;
  readonly outputBytes?: number;
  /** Both ways together, of everything that passes. */
  readonly egressBytes?: number;
  /** Requests and tunnels. */
  readonly egressRequests?: number;
}

export interface ChoiceNode extends NodeBase {
  readonly kind: 'choice';
  /** `assign` and `output` count when no rule is true. */
  readonly flow: Flow;
  readonly choices: readonly Alternative[];
  readonly default: string | null;
}

export interface Alternative {
  /** `query`: a `{% … %}` text or a boolean. */
  readonly rule: ChoiceRule | { readonly query: string | boolean };
  readonly assign?: JsonObject;
  readonly output?: Json;
  readonly next: string;
}

export interface PassNode extends NodeBase {
  readonly kind: 'pass';
  readonly flow: Flow;
  /** undefined = the input passes through. */
  readonly result?: Json;
  /** As a fork's. */
  readonly approval?: ApprovalSpec;
  readonly next: string | null;
}

export interface WaitNode extends NodeBase {
  readonly kind: 'wait';
  readonly flow: Flow;
  readonly until: { readonly seconds: Amount } | { readonly timestamp: Wording };
  readonly next: string | null;
}

export interface SucceedNode extends NodeBase {
  readonly kind: 'succeed';
  readonly flow: Flow;
}

export interface FailNode extends NodeBase {
  readonly kind: 'fail';
  /** Of `cause` and `error`: which language their `path` or `query` is in is plain from them. null = none. */
  readonly error: Wording | null;
  readonly cause: Wording | null;
}
