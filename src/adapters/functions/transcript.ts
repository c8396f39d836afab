// What has been said in a conversation, as plain JSON that is stored between turns. Everything a model has said in it is
// attacker-controlled: text is made well-formed, arguments are parsed once and bounded, ids are ours. It is bounded,
// and read back strictly.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { WritError } from '../../errors.js';
import { isList, isObject, readJson, type Json, type JsonObject } from '../../json.js';
import type { CallAnswer } from '../../runtime/ports.js';

/** Longest transcript, in bytes of its JSON. */
export const MAX_TRANSCRIPT_BYTES = 2 * 1024 * 1024;
/** Of one answer to a call, in characters; a longer one is cut before a model sees it. */
const MAX_TOOL_TEXT = 64 * 1024;
/** Deepest arguments of a call. */
const MAX_ARGUMENT_DEPTH = 32;
/** Calls of one turn that are carried out (ports.ts). */
const MAX_CALLS = 32;

export interface Transcript {
  readonly v: 1;
  readonly startedAtMs: number;
  /** Model calls so far. */
  readonly turns: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly messages: readonly Message[];
}

export type Message =
  | { readonly role: 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly calls: readonly AskedCall[] }
  | { readonly role: 'tool'; readonly results: readonly CallResult[] };

/** A call as a model has asked for it. */
export interface AskedCall {
  readonly id: string;
  /** The name it was offered under, or a made-up one. */
  readonly tool: string;
  readonly input: JsonObject;
  /** Why it is not carried out; null = it is. */
  readonly problem: string | null;
}

export interface CallResult {
  readonly id: string;
  readonly tool: string;
  readonly text: string;
  readonly isError: boolean;
}

export function beginTranscript(message: string, nowMs: number): Transcript {
  return {
    v: 1,
    startedAtMs: nowMs,
    turns: 0,
    inputTokens: 0,
    outputTokens: 0,
    messages: [{ role: 'user', text: message.toWellFormed() }],
  };
}

/** What a model has said in one turn. */
export interface Reply {
  readonly text: string;
  /** Names and arguments as they came. */
  readonly calls: readonly { readonly tool: string; readonly argumentText: string }[];
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** With the reply at its end; `isOffered` says which names may be called. */
export function withReply(
  before: Transcript,
  reply: Reply,
  isOffered: (tool: string) => boolean,
): Transcript {
  const turn = before.turns + 1;
  const calls = reply.calls.map(({ tool, argumentText }, at): AskedCall => {
    const id = `call-${turn}-${at + 1}`;
    const input = readArguments(argumentText);
    const known = isOffered(tool);
    const problem = !known
      ? 'there is no such tool; use only those you were given'
      : at >= MAX_CALLS
        ? `at most ${MAX_CALLS} calls at once; ask again for this one`
        : input === null
          ? 'the arguments are no JSON object, or nested too deeply'
          : null;
    return { id, tool: known ? tool : 'unknown', input: input ?? {}, problem };
  });
  return {
    ...before,
    turns: turn,
    inputTokens: before.inputTokens + reply.inputTokens,
    outputTokens: before.outputTokens + reply.outputTokens,
    messages: [...before.messages, { role: 'assistant', text: reply.text.toWellFormed(), calls }],
  };
}

/** The calls of the last turn; empty when a model has not just spoken. */
export function lastCalls({ messages }: Transcript): readonly AskedCall[] {
  const last = messages.at(-1);
  return last?.role === 'assistant' ? last.calls : [];
}

/** With an answer to every call of the last turn. Throws FUNCTION_FAILED when one is missing or too many. */
export function withAnswers(before: Transcript, answers: readonly CallAnswer[]): Transcript {
  const asked = lastCalls(before);
  const byId = new Map(answers.map((answer) => [answer.id, answer]));
  const results = asked.map(({ id, tool, problem }): CallResult => {
    if (problem !== null) return { id, tool, text: `not run: ${problem}`, isError: true };
    const answer = byId.get(id);
    if (answer === undefined)
      throw new WritError('FUNCTION_FAILED', `the call ${id} of the model has no answer`);
    byId.delete(id);
    return { id, tool, text: textOf(answer), isError: answer.status !== 'succeeded' };
  });
  if (byId.size > 0)
    throw new WritError('FUNCTION_FAILED', 'there are answers to calls that no model has asked for');
  return { ...before, messages: [...before.messages, { role: 'tool', results }] };
}

/** As it is stored. Throws FUNCTION_FAILED when it has grown too long. */
export function writeTranscript(transcript: Transcript): Json {
  const text = JSON.stringify(transcript);
  if (Buffer.byteLength(text) > MAX_TRANSCRIPT_BYTES) {
    throw new WritError('FUNCTION_FAILED', `the conversation is longer than ${MAX_TRANSCRIPT_BYTES} bytes`, {
      hint: 'give the agent fewer turns, or tools with shorter answers',
    });
  }
  return readJson(text);
}

/** As `writeTranscript` gave it. Throws FUNCTION_FAILED for anything else. */
export function readTranscript(stored: Json): Transcript {
  isTranscript ??= new Ajv2020().compile<Transcript>(SCHEMA);
  if (isTranscript(stored)) return stored;
  throw new WritError(
    'FUNCTION_FAILED',
    'the stored conversation is not one that this version can go on with',
    {
      hint: 'start the step again',
    },
  );
}

/** A model is told what happened, and that a refusal is no accident that another try would mend. */
function textOf({ status, output }: CallAnswer): string {
  const text = (typeof output === 'string' ? output : JSON.stringify(output)).toWellFormed();
  const cut =
    text.length > MAX_TOOL_TEXT
      ? `${text.slice(0, MAX_TOOL_TEXT).toWellFormed()} … (cut, ${text.length} characters in all)`
      : text;
  switch (status) {
    case 'succeeded':
      return cut;
    case 'failed':
      return `failed: ${cut}`;
    case 'refused':
      return `refused, and asking again will not change that: ${cut}`;
  }
}

function readArguments(text: string): JsonObject | null {
  let value: Json;
  try {
    // Some endpoints leave the arguments out of a call without parameters.
    value = readJson(text.trim() === '' ? '{}' : text);
  } catch {
    // The model is told.
    return null;
  }
  return isObject(value) && depthOf(value, MAX_ARGUMENT_DEPTH + 1) <= MAX_ARGUMENT_DEPTH
    ? wellFormed(value)
    : null;
}

/** Levels of lists and objects, `limit` at most. */
function depthOf(value: Json, limit: number): number {
  if (typeof value !== 'object' || value === null || limit === 0) return 0;
  let deepest = 0;
  for (const one of Object.values(value) as readonly Json[])
    deepest = Math.max(deepest, depthOf(one, limit - 1));
  return deepest + 1;
}

/** Half a surrogate pair could not be recorded. */
function wellFormed(value: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key.toWellFormed(), wellFormedJson(one)]),
  );
}

function wellFormedJson(value: Json): Json {
  if (typeof value === 'string') return value.toWellFormed();
  if (isList(value)) return value.map(wellFormedJson);
  return isObject(value) ? wellFormed(value) : value;
}

let isTranscript: ValidateFunction<Transcript> | null = null;

const count = { type: 'integer', minimum: 0 };
const text = { type: 'string' };
const closed = (properties: Readonly<Record<string, unknown>>): object => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});

const SCHEMA = closed({
  v: { const: 1 },
  startedAtMs: count,
  turns: count,
  inputTokens: count,
  outputTokens: count,
  messages: {
    type: 'array',
    minItems: 1,
    items: {
      oneOf: [
        closed({ role: { const: 'user' }, text }),
        closed({
          role: { const: 'assistant' },
          text,
          calls: {
            type: 'array',
            items: closed({
              id: text,
              tool: text,
              input: { type: 'object' },
              problem: { type: ['string', 'null'] },
            }),
          },
        }),
        closed({
          role: { const: 'tool' },
          results: {
            type: 'array',
            items: closed({ id: text, tool: text, text, isError: { type: 'boolean' } }),
          },
        }),
      ],
    },
  },
});
