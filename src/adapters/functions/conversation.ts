// One turn of a conversation with a model: one model call, and another one only when nothing of what the model asked for
// can be carried out. What it asks for is handed back and run by nobody here; the answers come with the next turn.
import { WritError } from '../../errors.js';
import { readJson, type Digest, type Json } from '../../json.js';
import type { Conversation, DataClass, Turn, Usage } from '../../runtime/ports.js';
import { callModel, type ModelCall } from './model/call.js';
import { addUsage, NO_USAGE } from './model/cost.js';
import type { SchemaCheck } from './response-schema.js';
import type { ToolTable } from './tool-table.js';
import {
  beginTranscript,
  lastCalls,
  readTranscript,
  withAnswers,
  withReply,
  writeTranscript,
  type Transcript,
} from './transcript.js';

/** Everything that is settled before a model is asked. */
export interface Talk {
  readonly endpoint: ModelCall['endpoint'];
  readonly system: string | null;
  readonly message: string;
  readonly tools: ToolTable;
  /** Model calls at most. */
  readonly maxTurns: number;
  readonly temperature: number | null;
  readonly maxOutputTokens: number | null;
  readonly response: { readonly schema: Json; readonly check: SchemaCheck } | null;
  /** Over the files this comes from, the endpoint and the model. */
  readonly definition: Digest;
  /** What answers carry besides what was given, all of these together; absent = nothing more. */
  readonly returns?: readonly DataClass[];
}

/** How a conversation has ended. */
export interface Answer {
  /** Never empty; the JSON text of `object` where there is one. */
  readonly content: string;
  /** Fits the response schema; undefined without one. */
  readonly object?: Json;
  readonly model: string;
  readonly transcript: Transcript;
}

export interface TurnContext {
  readonly nowMs: () => number;
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** `shape` makes the output of an answer. Throws FUNCTION_FAILED, FUNCTION_TEMPORARY, STEP_OUTPUT_INVALID. */
export async function takeTurn(
  talk: Talk,
  so: Conversation,
  { nowMs, progress, signal }: TurnContext,
  shape: (answer: Answer) => Json,
): Promise<Turn> {
  let transcript =
    so.transcript === null
      ? beginTranscript(talk.message, nowMs())
      : withAnswers(readTranscript(so.transcript), so.answers);
  let usage = NO_USAGE;
  while (transcript.turns < talk.maxTurns) {
    const reply = await callModel(callOf(talk, transcript), progress, signal);
    usage = addUsage(usage, reply.usage);
    transcript = withReply(transcript, reply, (tool) => offered(talk, tool));
    if (reply.calls.length === 0) {
      return { kind: 'done', output: shape(answerOf(talk, reply.text, transcript, usage)), usage };
    }
    const calls = lastCalls(transcript)
      .filter(({ problem }) => problem === null)
      .map(({ id, tool, input }) => ({ id, functionId: functionOf(talk, tool), input }));
    // After the last turn nobody would hear what the calls gave: they are not run.
    if (transcript.turns >= talk.maxTurns) break;
    if (calls.length > 0) return { kind: 'calls', calls, transcript: writeTranscript(transcript), usage };
    transcript = withAnswers(transcript, []);
  }
  throw new WritError('FUNCTION_FAILED', `no answer after ${talk.maxTurns} turns`, {
    hint: 'raise maxTurns of the agent, or say in its prompt when to stop',
    details: { ...usage },
  });
}

function callOf(talk: Talk, { messages }: Transcript): ModelCall {
  const { endpoint, system, temperature, maxOutputTokens, tools, response } = talk;
  const responseSchema = response?.schema ?? null;
  return { endpoint, system, messages, tools: tools.tools, responseSchema, temperature, maxOutputTokens };
}

function offered(talk: Talk, tool: string): boolean {
  return talk.tools.byName(tool) !== null;
}

function functionOf(talk: Talk, tool: string): string {
  const found = talk.tools.byName(tool);
  if (found === null) throw new WritError('INTERNAL', 'a tool that was not offered is about to be called');
  return found.functionId;
}

function answerOf(talk: Talk, text: string, transcript: Transcript, usage: Usage): Answer {
  const { endpoint, response } = talk;
  const content = text.toWellFormed();
  const refuse = (why: string): WritError =>
    new WritError('STEP_OUTPUT_INVALID', `${endpoint.model} gave an answer that ${why}`, {
      hint: 'try again, or ask more clearly',
      details: { ...usage },
    });
  if (content.trim() === '') throw refuse('is empty');
  if (response === null) return { content, model: endpoint.model, transcript };
  let object: Json;
  try {
    object = readJson(content);
  } catch {
    // The text is the model's own; the message says only that it is no JSON.
    throw refuse('is not JSON, as its response schema asks');
  }
  const problem = response.check(object);
  if (problem !== null) throw refuse(`does not fit its response schema: ${problem}`);
  return { content: JSON.stringify(object), object, model: endpoint.model, transcript };
}
