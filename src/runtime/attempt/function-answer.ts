// What a function answers becomes an attempt's end: a value of our own, within its limits.
import { canonicalJson } from '../../canonical-json.js';
import { WritError } from '../../errors.js';
import { readJson, type Json } from '../../json.js';
import type { Turn } from '../ports.js';
import { failed, readUsage, type Acted, type Failed, type Succeeded } from './outcome.js';

/** A function's output as a value of our own: later changes of it by the function reach nobody. */
export function readFunctionOutput(output: Json, outputBytes: number): Succeeded | Failed {
  let text: string;
  try {
    text = canonicalJson(output);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    return failed('STEP_OUTPUT_INVALID', `the function's output is not JSON: ${error.message}`);
  }
  const size = Buffer.byteLength(text);
  if (size > outputBytes)
    return failed('SANDBOX_OUTPUT_LIMIT', `the output has ${size} bytes, the limit is ${outputBytes}`);
  return { ok: true, output: readJson(text) };
}

/** Characters of a transcript. Every turn carries all before it, so it is bounded by itself. */
const MAX_TRANSCRIPT = 8_388_608;
const MAX_CALLS = 32;
const MAX_NAME = 256;

/**
 * A turn as a value of our own. What it asks for comes from a model, attacker-controlled: a turn that is not of the
 * agreed shape fails the step.
 */
export function readTurn(turn: Turn, outputBytes: number): Acted {
  const usage = readUsage(turn.usage);
  if (turn.kind === 'done') {
    const read = readFunctionOutput(turn.output, outputBytes);
    return { ...read, ...usage };
  }
  const ids = new Set(turn.calls.map((call) => call.id));
  const isShaped =
    turn.calls.length >= 1 &&
    turn.calls.length <= MAX_CALLS &&
    ids.size === turn.calls.length &&
    turn.calls.every(({ id, functionId }) => isName(id) && isName(functionId));
  if (!isShaped) {
    const summary = `a turn has to ask for 1 to ${MAX_CALLS} calls with names of their own`;
    return { ...failed('FUNCTION_FAILED', summary), ...usage };
  }
  const calls = readFunctionOutput(
    turn.calls.map(({ id, functionId, input }) => ({ id, functionId, input })),
    outputBytes,
  );
  if (!calls.ok) return { ...calls, ...usage };
  const transcript = readFunctionOutput(turn.transcript, MAX_TRANSCRIPT);
  if (!transcript.ok) return { ...transcript, ...usage };
  // Made of the checked turn: the same calls, without anything that the provider may still change.
  const own = { calls: calls.output as unknown as typeof turn.calls, transcript: transcript.output };
  return { ok: true, output: { calls: calls.output, transcript: own.transcript }, turn: own, ...usage };
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= MAX_NAME;
}
