// What a step calls: functions, and what a call answers, costs and would use.
import type { Digest, Json } from '../../json.js';
import type { DataClass } from '../../workflow/data-class.js';

export type { DataClass } from '../../workflow/data-class.js';
export type {
  AgentDefinition,
  HandDefinition,
  ModelProvider,
  ModelsDefinition,
  Prices,
} from '../../workflow/agents/definition.js';

export interface FunctionRequest {
  readonly functionId: string;
  /** Rendered once; exactly the approved and audited value. */
  readonly input: Json;
  /** The run that calls. */
  readonly run: string;
  /** The step that calls, and the principal it acts as (`agent:<name>`); null where the task names no agent. */
  readonly stepPath: string;
  readonly agent: string | null;
  readonly idempotencyKey: string;
  readonly timeoutMs: number;
  /** Text as it comes, for people who watch; never stored. Absent when nobody does. */
  readonly progress?: (text: string) => void;
}

/**
 * `functionId -> invoke`; knows nothing of policy. Only runtime/guard.ts calls `invoke` and `converse`. What a
 * provider throws says nothing of secrets.
 */
export interface FunctionProvider {
  readonly functionIds: readonly string[];
  /** Of these, whose calls may be made again with the same idempotency key, as by a step that says `idempotent: true`. */
  readonly idempotent?: readonly string[];
  /** What the function does, in a sentence a model may be shown when it is offered as a tool. */
  describe?(functionId: string): string | null;
  /** JSON Schemas (2020-12) of request and response; the guard checks the one before approval, the other after the act. */
  schemas?(functionId: string): { readonly input: Json | null; readonly output: Json | null };
  /**
   * What this very call would use, found out before anything runs, and judged under every ceiling. Starts nothing.
   * Throws FUNCTION_REQUEST_INVALID, or FUNCTION_UNAVAILABLE when a provider, key or service is not configured.
   */
  reach?(functionId: string, input: Json, agent: string | null): Promise<FunctionReach>;
  /** Resolves with the output; rejects with a WritError of kind failure. Stops when `signal` aborts. */
  invoke(request: FunctionRequest, signal: AbortSignal): Promise<Json>;
  /**
   * In place of `invoke`, for ids in `converses`: one turn of a function that may ask for other calls (a model with
   * tools). The calls go through the guard one by one, then the next turn gets their answers.
   */
  readonly converses?: readonly string[];
  converse?(request: FunctionRequest, so: Conversation, signal: AbortSignal): Promise<Turn>;
  /** Ends what it has started or keeps open; nothing is called after it. */
  close?(): Promise<void>;
}

/** What a step says while it runs (a model's answer as it comes): for people who watch, stored nowhere. */
export interface ProgressNotice {
  readonly run: string;
  readonly stepPath: string;
  readonly text: string;
}

/** What a call would use outside this process. */
export interface FunctionReach {
  /** Hosts, `name:port`. */
  readonly network: readonly string[];
  /** Names of secrets, never values. */
  readonly credentials: readonly string[];
  /** Function ids that it may ask for (`converse`). */
  readonly tools: readonly string[];
  /**
   * SHA-256 over the operator's files that say how the call is carried out (an agent, a hand); absent = none. An
   * approval binds it, so that what was approved is not run by other instructions.
   */
  readonly definition?: Digest;
  /**
   * What the call will use at least, settled when it has ended. Absent = nothing, or for an id in `converses` an amount
   * that nobody knows, which fits under no budget. Null = as little known for this one.
   */
  readonly estimate?: { readonly tokens: number | null; readonly costMicroUsd: number | null };
  /** What its answer carries besides what it was given, all of these together; absent = nothing more. */
  readonly returns?: readonly DataClass[];
}

/** Earlier turns of a conversation; both empty at the first. */
export interface Conversation {
  /** What the last turn left, as it left it; null at the first. */
  readonly transcript: Json;
  /** In the order of the calls that the last turn asked for. */
  readonly answers: readonly CallAnswer[];
}

export interface CallAnswer {
  readonly id: string;
  readonly functionId: string;
  /** `refused`: policy or a person said no, and nothing ran. */
  readonly status: 'succeeded' | 'failed' | 'refused';
  /** The output, or a message that may be shown to a model. */
  readonly output: Json;
}

export type Turn =
  | { readonly kind: 'done'; readonly output: Json; readonly usage: Usage }
  | {
      readonly kind: 'calls';
      /** Attacker-controlled: a model asks for them. Ids are unique within the turn; 1-32 calls. */
      readonly calls: readonly { readonly id: string; readonly functionId: string; readonly input: Json }[];
      readonly transcript: Json;
      readonly usage: Usage;
    };

/** What a call has cost; charged to every ceiling layer that has a budget. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Millionths of a US dollar; 0 where no price is configured. */
  readonly costMicroUsd: number;
}

/** Limits as they are enforced; all set. */
export interface Limits {
  readonly timeoutMs: number;
  readonly memoryMiB: number;
  readonly outputBytes: number;
}
