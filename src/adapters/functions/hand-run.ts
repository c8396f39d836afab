// `hand::run`: a job of an operator's hand file, carried out by a model with the functions the hand allows and no others.
// The input has to fit the hand's schema; its defaults are filled in. A failure is the step's failure, never an output.
import { WritError } from '../../errors.js';
import { isObject, readJson, type Json, type JsonObject } from '../../json.js';
import type { HandDefinition } from '../../runtime/ports.js';
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

export const HAND_RUN = 'hand::run';

interface HandRequest {
  readonly handId: string;
  readonly input?: Json;
}

/** JSON Schema of the request. */
export const HAND_REQUEST: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['handId'],
  properties: {
    handId: { type: 'string', minLength: 1, maxLength: 128, description: 'a file of hands/' },
    input: { description: "has to fit the hand's input schema" },
    ...COLLECTED,
  },
};

/** JSON Schema of the response. */
export const HAND_RESPONSE: JsonObject = {
  type: 'object',
  required: ['handId', 'status', 'startedAt', 'durationMs', 'response'],
  properties: {
    handId: { type: 'string' },
    status: { const: 'completed' },
    startedAt: { type: 'string' },
    durationMs: { type: 'integer' },
    response: { type: 'string' },
  },
};

const readRequest = requestReader<HandRequest>(HAND_RUN, HAND_REQUEST);

/** Throws FUNCTION_REQUEST_INVALID, FUNCTION_UNAVAILABLE; sends nothing. */
export function prepareHand(
  parts: AgentParts,
  request: Json,
): { readonly hand: HandDefinition; readonly talk: Talk } {
  const { handId, input = null } = readRequest(request);
  const hand = handOf(parts, handId);
  const agent = hand.agent === null ? null : agentOf(parts, hand.agent);
  if (hand.agent !== null && agent === null) {
    throw new WritError(
      'FUNCTION_UNAVAILABLE',
      `the hand "${handId}" needs the agent "${hand.agent}", which has no file`,
      {
        hint: `write agents/${hand.agent}.yaml, or name another agent in hands/${handId}.yaml`,
      },
    );
  }
  const message = messageOf(hand, input);
  const endpoint = endpointFor(parts, agent, { provider: null, model: null });
  return {
    hand,
    talk: {
      endpoint,
      system: hand.systemPrompt ?? agent?.systemPrompt ?? null,
      message,
      tools: toolsOf(parts, hand.allowed, `the hand "${handId}"`),
      maxTurns: hand.maxTurns ?? agent?.maxTurns ?? PLAIN_MAX_TURNS,
      temperature: hand.temperature ?? agent?.temperature ?? null,
      maxOutputTokens: hand.maxOutputTokens ?? agent?.maxOutputTokens ?? null,
      response: null,
      definition: definitionDigest([hand.digest, agent?.digest ?? null], endpoint),
      returns: [hand.data, agent?.data].filter((data) => data !== undefined),
    },
  };
}

export function handOutput({ id }: HandDefinition, { content, transcript }: Answer, nowMs: number): Json {
  return {
    handId: id,
    status: 'completed',
    startedAt: new Date(transcript.startedAtMs).toISOString(),
    durationMs: Math.max(0, nowMs - transcript.startedAtMs),
    response: content,
  };
}

function handOf({ hands }: AgentParts, id: string): HandDefinition {
  const hand = hands.get(id);
  if (hand instanceof WritError) throw hand;
  if (hand === undefined) {
    const known = [...hands.keys()].join(', ');
    throw invalid(`there is no hand "${id}"`, {
      hint: known === '' ? `write hands/${id}.yaml beside the policies directory` : `hands: ${known}`,
    });
  }
  if (hand.enabled) return hand;
  throw invalid(`the hand "${id}" is not enabled`, { hint: `set enabled: true in hands/${id}.yaml` });
}

/** The input as a model reads it: text as it is, anything else as JSON. */
function messageOf(hand: HandDefinition, given: Json): string {
  // The check fills defaults in: into a copy, which nobody else holds.
  const input = readJson(JSON.stringify(given ?? (hand.input === null ? null : {})));
  if (hand.input !== null) {
    const check = compileSchema(hand.input, `the input schema of the hand "${hand.id}"`, { defaults: true });
    const problem = check(input);
    if (problem !== null) {
      throw invalid(`the input of the hand "${hand.id}" does not fit its schema: ${problem}`, {
        hint: `see input in hands/${hand.id}.yaml`,
      });
    }
  }
  if (typeof input === 'string' && input !== '') return input;
  const nothing = input === null || input === '' || (isObject(input) && Object.keys(input).length === 0);
  return nothing ? 'Begin.' : JSON.stringify(input);
}
