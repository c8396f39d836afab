// `agent::chat`: a message to a model, its answer back. The acting agent's file says which model it is, what it is told
// and what it may ask for; a request can only narrow that. An agent without a file has the configured model and no tools.
// Nothing is remembered from one call to the next: `sessionId` is recorded with the request and does nothing else.
import type { Json, JsonObject } from '../../json.js';
import type { AgentDefinition } from '../../runtime/ports.js';
import {
  agentOf,
  COLLECTED,
  definitionDigest,
  endpointFor,
  invalid,
  PLAIN_MAX_TURNS,
  requestReader,
  toolsOf,
  type AgentParts,
} from './agent-parts.js';
import type { Answer, Talk } from './conversation.js';
import { compileSchema } from './response-schema.js';
import { isAllowed } from './tool-table.js';

export const AGENT_CHAT = 'agent::chat';

interface ChatRequest {
  readonly message: string;
  readonly agentId?: string;
  readonly sessionId?: string;
  readonly systemPrompt?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly responseSchema?: JsonObject;
  readonly tools?: readonly string[];
  readonly maxTurns?: number;
}

const name = { type: 'string', minLength: 1, maxLength: 256 };

/** JSON Schema of the request. */
export const CHAT_REQUEST: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['message'],
  properties: {
    message: { type: 'string', minLength: 1, description: 'what the model is asked' },
    agentId: { ...name, description: 'the acting agent, when it is to be said; no other can be named' },
    sessionId: { ...name, description: 'a label for people; nothing is remembered between calls' },
    systemPrompt: { type: 'string', description: "comes after the agent's own" },
    provider: { ...name, description: 'a provider of models.yaml' },
    model: { ...name, description: 'a model of the provider' },
    responseSchema: { type: 'object', description: 'JSON Schema the answer has to fit' },
    tools: {
      type: 'array',
      maxItems: 128,
      items: { type: 'string', maxLength: 256 },
      description: "function ids out of the agent's own; [] = none",
    },
    maxTurns: {
      type: 'integer',
      minimum: 1,
      maximum: 100,
      description: "model calls, up to the agent's own",
    },
    ...COLLECTED,
  },
};

/** JSON Schema of the response. */
export const CHAT_RESPONSE: JsonObject = {
  type: 'object',
  required: ['content', 'model', 'usage', 'iterations', 'durationMs'],
  properties: {
    content: { type: 'string' },
    object: {},
    model: { type: 'string' },
    usage: {
      type: 'object',
      required: ['inputTokens', 'outputTokens'],
      properties: { inputTokens: { type: 'integer' }, outputTokens: { type: 'integer' } },
    },
    iterations: { type: 'integer' },
    durationMs: { type: 'integer' },
  },
};

const readRequest = requestReader<ChatRequest>(AGENT_CHAT, CHAT_REQUEST);

/** `agent` is the acting principal. Throws FUNCTION_REQUEST_INVALID, FUNCTION_UNAVAILABLE; sends nothing. */
export function prepareChat(parts: AgentParts, input: Json, agent: string | null): Talk {
  const request = readRequest(input);
  const acting = actingName(agent, request.agentId ?? null);
  const definition = acting === null ? null : agentOf(parts, acting);
  const whose = acting === null ? 'the step' : `the agent "${acting}"`;
  const allowed = allowedTools(definition, request, whose);
  const response =
    request.responseSchema === undefined
      ? null
      : { schema: request.responseSchema, check: compileSchema(request.responseSchema, 'responseSchema') };
  const { provider = null, model = null } = request;
  const endpoint = endpointFor(parts, definition, { provider, model });
  return {
    endpoint,
    system: joined(definition?.systemPrompt ?? null, request.systemPrompt ?? null),
    message: request.message,
    tools: toolsOf(parts, allowed, whose),
    maxTurns: maxTurns(definition, request, whose),
    temperature: definition?.temperature ?? null,
    maxOutputTokens: definition?.maxOutputTokens ?? null,
    response,
    definition: definitionDigest([definition?.digest ?? null], endpoint),
    ...(definition?.data === undefined ? {} : { returns: [definition.data] }),
  };
}

export function chatOutput({ content, object, model, transcript }: Answer, nowMs: number): Json {
  const { inputTokens, outputTokens, turns, startedAtMs } = transcript;
  return {
    content,
    ...(object === undefined ? {} : { object }),
    model,
    usage: { inputTokens, outputTokens },
    iterations: turns,
    durationMs: Math.max(0, nowMs - startedAtMs),
  };
}

/** Policy was asked about the acting agent: the instructions and tools of another one would be a way around it. */
function actingName(agent: string | null, asked: string | null): string | null {
  const acting = agent?.startsWith('agent:') === true ? agent.slice('agent:'.length) : agent;
  if (acting === null || asked === null || asked === acting) return acting ?? asked;
  throw invalid(`config.agentId is not the acting agent, which is "${acting}"`, {
    hint: 'leave agentId out and give the step the agent: agent: <name>',
  });
}

function allowedTools(
  definition: AgentDefinition | null,
  { tools }: ChatRequest,
  whose: string,
): readonly string[] {
  const own = definition?.tools ?? [];
  if (tools === undefined) return own;
  const other = tools.find((id) => !isAllowed(id, own));
  if (other === undefined) return [...new Set(tools)];
  throw invalid(`${whose} may not ask for ${other.slice(0, 256)}`, {
    hint:
      definition === null
        ? 'tools come from agents/<name>.yaml'
        : `its file allows: ${own.join(', ') || 'nothing'}`,
  });
}

function maxTurns(definition: AgentDefinition | null, request: ChatRequest, whose: string): number {
  const own = definition?.maxTurns ?? PLAIN_MAX_TURNS;
  if (request.maxTurns === undefined || request.maxTurns <= own) return request.maxTurns ?? own;
  throw invalid(`${whose} has ${own} turns, config.maxTurns asks for ${request.maxTurns}`, {
    hint: `ask for at most ${own}`,
  });
}

function joined(own: string | null, asked: string | null): string | null {
  const parts = [own, asked].filter((part) => part !== null && part !== '');
  return parts.length === 0 ? null : parts.join('\n\n');
}
