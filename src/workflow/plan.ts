// The one form the engine runs. Both dialects compile to it. Plain JSON data: it is stored with the run,
// so a run that waits for weeks goes on under the plan it started with.
import type { ChoiceRule } from '../expression/choice.js';
import type { Digest, Json } from '../json.js';

export type { ChoiceRule };

export interface Plan {
  readonly v: 1;
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

export type PlanNode = TaskNode | ChoiceNode | PassNode | WaitNode | SucceedNode | FailNode;

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
  /** `agent` is the principal's role or name, null when the document names none. */
  | { readonly kind: 'function'; readonly functionId: string; readonly agent: string | null };

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
  readonly limits: SandboxLimits;
}

export interface SandboxLimits {
  readonly timeoutMs?: number;
  readonly memoryMiB?: number;
  readonly cpus?: number;
  readonly pids?: number;
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
