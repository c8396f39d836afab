// The one form the engine runs. Both dialects compile to it. Plain JSON data: it is stored with the run,
// so a run that waits for weeks goes on under the plan it started with.
import type { ChoiceRule } from '../expression/choice.js';
import type { Until } from '../expression/until.js';
import type { Digest, Json } from '../json.js';

export type { ChoiceRule, Until };

export interface Plan {
  readonly v: 2;
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
  /** `spec` of the workflow's own ceiling layer (policy-and-ceilings section 6); null = none. */
  readonly ceilings: Json | null;
  /** Whole run in ms, waiting for approval not counted. */
  readonly timeoutMs: number | null;
  /** Dialect 1 role names; empty in dialect 2. */
  readonly agents: readonly string[];
  /** Dialect 1: what an unknown template name does. */
  readonly onMissing: 'error' | 'empty' | 'keep';
}

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
  readonly input: InputBinding;
  readonly output: OutputBinding;
  /** Dialect 1 mode `loop`; null = once. */
  readonly loop: Loop | null;
  /** Dialect 1 mode `collect`: the request also gets `fanoutResults` and `fanoutErrors`. */
  readonly collects: boolean;
  /** One attempt, in ms; null = ceiling or driver default. */
  readonly timeoutMs: number | null;
  readonly retry: readonly Retrier[];
  readonly catch: readonly Catcher[];
  /** Dialect 1 `errorMode: skip`: a failure (never a refusal) skips the step. */
  readonly onFailure: 'fail' | 'skip';
  readonly approval: ApprovalSpec | null;
  readonly sandbox: SandboxSpec | null;
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
   * `fallback`: the workflow's agent for this step (agentos-dialect section 8), null when it lists none.
   */
  | {
      readonly kind: 'function';
      readonly functionId: string;
      readonly agent: string | null;
      readonly fallback: string | null;
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
  /** null as in ASL; ignored by `group`. */
  readonly inputPath: string | null;
  readonly resultPath: string | null;
  readonly outputPath: string | null;
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
   * `path`: ASL itemsPath on the fork's input. `list`: a list in the document, strings in it are templates.
   * `template`: a string that is one `{{path}}`. `implied`: dialect 1 without `items`: `output`, `input` or
   * `input.items`, the first that is a list; else STEP_FANOUT_NO_ITEMS.
   */
  readonly items:
    | { readonly kind: 'path'; readonly path: string }
    | { readonly kind: 'list'; readonly list: readonly Json[] }
    | { readonly kind: 'template'; readonly template: string }
    | { readonly kind: 'implied' };
  /** Items at once; 0 = as many as the runner runs. */
  readonly concurrency: number;
}

/** `path`: ASL inputPath (null = `{}`). `template`: dialect 1; strings in `config` are templates. */
export type InputBinding =
  | { readonly kind: 'path'; readonly inputPath: string | null }
  | { readonly kind: 'template'; readonly prompt: string | null; readonly config: Json | null };

/** `path`: ASL resultPath and outputPath (null as in ASL). `variable`: dialect 1 outputVar. */
export type OutputBinding =
  | { readonly kind: 'path'; readonly resultPath: string | null; readonly outputPath: string | null }
  | { readonly kind: 'variable'; readonly name: string | null };

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
  readonly resultPath: string | null;
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
}

export interface SandboxSpec {
  readonly driver: 'wasm' | 'docker';
  /** Docker: a name the operator gave an image, or `[repository@]sha256:…`; null = the operator's default. */
  readonly image: string | null;
  readonly limits: SandboxLimits;
}

export interface SandboxLimits {
  readonly timeoutMs?: number;
  readonly memoryMiB?: number;
  readonly cpus?: number;
  readonly cpuMs?: number;
  readonly pids?: number;
  readonly diskMiB?: number;
  readonly outputBytes?: number;
}

export interface ChoiceNode extends NodeBase {
  readonly kind: 'choice';
  readonly inputPath: string | null;
  readonly outputPath: string | null;
  readonly choices: readonly { readonly rule: ChoiceRule; readonly next: string }[];
  readonly default: string | null;
}

export interface PassNode extends NodeBase {
  readonly kind: 'pass';
  readonly inputPath: string | null;
  /** undefined = the input passes through. */
  readonly result?: Json;
  readonly resultPath: string | null;
  readonly outputPath: string | null;
  readonly next: string | null;
}

export interface WaitNode extends NodeBase {
  readonly kind: 'wait';
  readonly inputPath: string | null;
  readonly outputPath: string | null;
  readonly until:
    | { readonly seconds: number }
    | { readonly secondsPath: string }
    | { readonly timestamp: string }
    | { readonly timestampPath: string };
  readonly next: string | null;
}

export interface SucceedNode extends NodeBase {
  readonly kind: 'succeed';
  readonly inputPath: string | null;
  readonly outputPath: string | null;
}

export interface FailNode extends NodeBase {
  readonly kind: 'fail';
  readonly error: string | null;
  readonly cause: string | null;
}
