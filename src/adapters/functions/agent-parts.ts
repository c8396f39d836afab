// What agent::chat and hand::run share: the operator's agents and hands by name, the catalog of functions, and how a
// request is read. A file with errors is no agent: whoever needs it gets its errors, everybody else goes on.
import { createHash } from 'node:crypto';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { WritError } from '../../errors.js';
import { isDigest, type Digest, type Json } from '../../json.js';
import type { AgentDefinition, FunctionReach, HandDefinition } from '../../runtime/ports.js';
import type { Talk } from './conversation.js';
import { leastUsage } from './model/cost.js';
import { endpointOf, type ModelEndpoint, type ModelSources } from './model/endpoint.js';
import { openToolTable, type ToolCatalog, type ToolTable } from './tool-table.js';

export interface AgentParts extends ModelSources {
  /** By name; an error stands for a file that can't be used. */
  readonly agents: ReadonlyMap<string, AgentDefinition | WritError>;
  /** By id. */
  readonly hands: ReadonlyMap<string, HandDefinition | WritError>;
  readonly tools: ToolCatalog;
  readonly nowMs: () => number;
}

/** No model is offered these: a model that asks a model is two steps of a workflow. */
const CONVERSING: ReadonlySet<string> = new Set(['agent::chat', 'hand::run']);

/** Model calls of one conversation where no file says another number. */
export const PLAIN_MAX_TURNS = 10;

/** What a collect step adds to every request: a template is how a model reads it. */
export const COLLECTED = { fanoutResults: {}, fanoutErrors: {} } as const;

/** Null when there is no such file. Throws what is wrong with it. */
export function agentOf({ agents }: AgentParts, name: string): AgentDefinition | null {
  const found = agents.get(name);
  if (found instanceof WritError) throw found;
  return found ?? null;
}

/** The endpoint of an agent; `wanted` may name what the agent's file leaves open. Throws FUNCTION_*. */
export function endpointFor(
  parts: AgentParts,
  agent: AgentDefinition | null,
  wanted: { readonly provider: string | null; readonly model: string | null },
): ModelEndpoint {
  const provider = bound(agent, 'provider', wanted.provider);
  const endpoint = endpointOf(parts, { provider, model: bound(agent, 'model', wanted.model) });
  return { ...endpoint, prices: agent?.prices ?? endpoint.prices };
}

/** What the agent's file says holds: a request that says otherwise is refused, not overruled without a word. */
function bound(
  agent: AgentDefinition | null,
  field: 'provider' | 'model',
  wanted: string | null,
): string | null {
  const own = agent?.[field] ?? null;
  if (own === null || wanted === null || own === wanted) return own ?? wanted;
  throw invalid(`the agent "${agent?.name ?? ''}" is bound to the ${field} ${own}`, {
    hint: `leave ${field} out of the step's config, or change agents/${agent?.name ?? ''}.yaml`,
  });
}

export function toolsOf(parts: AgentParts, allowed: readonly string[], whose: string): ToolTable {
  return openToolTable(allowed, parts.tools, CONVERSING, whose);
}

/** SHA-256 over everything that decides how the model is asked and is not in the request. */
export function definitionDigest(
  files: readonly (Digest | null)[],
  { baseUrl, model }: Pick<ModelEndpoint, 'baseUrl' | 'model'>,
): Digest {
  const text = JSON.stringify(['writ.agent.v1', ...files, baseUrl, model]);
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  if (!isDigest(digest)) throw new WritError('INTERNAL', 'SHA-256 gave no digest');
  return digest;
}

export function reachOf(talk: Talk): FunctionReach {
  const { endpoint, tools, definition } = talk;
  return {
    network: [endpoint.host],
    credentials: endpoint.key === null ? [] : [endpoint.key.name],
    tools: tools.tools.map(({ functionId }) => functionId),
    definition,
    estimate: estimateOf(talk),
    ...(talk.returns === undefined ? {} : { returns: talk.returns }),
  };
}

/** Of one turn: what it is told, and the longest answer where one is set. Nobody knows the cost of a model without prices. */
function estimateOf({
  endpoint,
  system,
  message,
  maxOutputTokens,
}: Talk): NonNullable<FunctionReach['estimate']> {
  const { prices } = endpoint;
  const promptBytes = Buffer.byteLength(system ?? '') + Buffer.byteLength(message);
  const { inputTokens, outputTokens, costMicroUsd } = leastUsage(promptBytes, maxOutputTokens ?? 0, prices);
  return { tokens: inputTokens + outputTokens, costMicroUsd: prices === null ? null : costMicroUsd };
}

/** A reader of requests: the value as `Request`, or FUNCTION_REQUEST_INVALID with place and rule, never a value. */
export function requestReader<Request>(functionId: string, schema: object): (input: Json) => Request {
  let fits: ValidateFunction<Request> | null = null;
  return (input) => {
    fits ??= new Ajv2020({ strictTypes: false, strictRequired: false }).compile<Request>(schema);
    if (fits(input)) return input;
    const [error] = fits.errors ?? [];
    const params = error?.params as { readonly additionalProperty?: unknown } | undefined;
    const field =
      typeof params?.additionalProperty === 'string' ? ` (${params.additionalProperty.slice(0, 80)})` : '';
    const place = error?.instancePath ?? '';
    throw invalid(
      `the request of ${functionId}: ${place === '' ? 'it' : place} ${error?.message ?? 'is wrong'}${field}`,
      {
        hint: `fields: ${Object.keys((schema as { readonly properties: object }).properties).join(', ')}`,
      },
    );
  };
}

export function invalid(message: string, { hint }: { readonly hint: string }): WritError {
  return new WritError('FUNCTION_REQUEST_INVALID', message, { hint });
}
