// What an operator's files say of agents, hands and model providers: `agents/<name>.yaml`, `hands/<id>.yaml` and
// `models.yaml` in the folder that holds `policies/`. Values are checked when the file is read; a document can only
// narrow what stands here.
import type { Digest, Json } from '../../json.js';
import type { DataClass } from '../data-class.js';

/** Model calls of one conversation where nobody says another number. */
export const DEFAULT_MAX_TURNS = 10;

/** An agent: which model it is, what it is told, and what it may ask for. */
export interface AgentDefinition {
  /** The principal `agent:<name>`. */
  readonly name: string;
  readonly description: string;
  /** A provider of models.yaml, and nothing else; null = the request's, else the default one. */
  readonly provider: string | null;
  /** This model and no other; null = the request's, else the provider's. */
  readonly model: string | null;
  readonly systemPrompt: string | null;
  /** Function ids, or `ns::*` for every registered id of a namespace. */
  readonly tools: readonly string[];
  /** Model calls of one conversation, 1-100. */
  readonly maxTurns: number;
  readonly temperature: number | null;
  readonly maxOutputTokens: number | null;
  /** Before the provider's own prices. */
  readonly prices: Prices | null;
  /** What its answers carry besides what it was given; absent = nothing more. */
  readonly data?: DataClass;
  /** SHA-256 of the file. */
  readonly digest: Digest;
}

/** US dollars for a million tokens; at most six decimals count. */
export interface Prices {
  readonly inputUsdPerMillion: number;
  readonly outputUsdPerMillion: number;
}

/** A hand: a job that an agent does with these functions and no others. */
export interface HandDefinition {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** False: nothing runs it. */
  readonly enabled: boolean;
  /** The agent file that gives model, prompt and numbers where the hand has none of its own; null = none. */
  readonly agent: string | null;
  readonly systemPrompt: string | null;
  /** As `tools` of an agent; takes their place. */
  readonly allowed: readonly string[];
  /** JSON Schema of the input, its defaults are filled in; null = any input. */
  readonly input: Json | null;
  readonly maxTurns: number | null;
  readonly temperature: number | null;
  readonly maxOutputTokens: number | null;
  /** As `data` of an agent, together with that of the hand's own agent. */
  readonly data?: DataClass;
  /** SHA-256 of the file. */
  readonly digest: Digest;
}

/** Where models are asked. */
export interface ModelsDefinition {
  /** A name in `providers`; null = the environment's provider. */
  readonly default: string | null;
  readonly providers: ReadonlyMap<string, ModelProvider>;
}

/** An OpenAI-compatible endpoint. */
export interface ModelProvider {
  readonly name: string;
  /** `/chat/completions` comes behind it. */
  readonly baseUrl: string;
  /** Where the key is found, never the key. */
  readonly key:
    | { readonly kind: 'env'; readonly name: string }
    | { readonly kind: 'secret'; readonly name: string }
    | { readonly kind: 'none' };
  /** Where neither agent nor request names one. */
  readonly model: string | null;
  /** http to a host that is not this machine. */
  readonly plainHttp: boolean;
  /** By model. */
  readonly prices: ReadonlyMap<string, Prices>;
}
