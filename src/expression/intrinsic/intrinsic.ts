// Intrinsic functions of dialect 2 (ASL: intrinsics): a call's text is parsed once and kept, its value is worked
// out from the sources. Time and randomness come in by the sources only.
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { INTRINSICS, IntrinsicFault, type Argument } from './functions.js';
import { type IntrinsicCall, type Operand, parseCall } from './parse.js';
import { parsePath, type Path, readPath } from '../path/path.js';
import { valueAt } from '../path/evaluate.js';
import { quoted, unresolvedAs, whyMissing } from '../path/fault.js';
import type { Sources } from '../sources.js';

export type { IntrinsicCall };

/** Calls kept, and the longest one that is: texts come from documents. */
const MAX_KEPT = 4096;
const MAX_KEPT_LENGTH = 2048;
const kept = new Map<string, IntrinsicCall>();

/** Does the text call a function? It may still be malformed: parseIntrinsic says so. */
export function isIntrinsic(text: string): boolean {
  return text.startsWith('States.');
}

/** Throws DOC_EXPRESSION with `details.offset` for what is not a call of one of the 18 functions. */
export function parseIntrinsic(text: string): IntrinsicCall {
  const known = kept.get(text);
  if (known !== undefined) return known;
  const call = parseCall(text);
  if (text.length > MAX_KEPT_LENGTH) return call;
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(text, call);
  return call;
}

/**
 * What the call gives. Throws STEP_INTRINSIC for an argument a function can't take, STEP_PATH_UNRESOLVED for a path that
 * is not in the data, both in the words of the States Language service.
 */
export function callIntrinsic(call: IntrinsicCall, sources: Sources): Json {
  return evaluate(call, call.source, sources);
}

/** The value of a path or of an intrinsic call: a payload field, `causePath` and the like. */
export function readText(text: string, sources: Sources): Json {
  if (isIntrinsic(text)) return callIntrinsic(parseIntrinsic(text), sources);
  return readPath(parsePath(text), sources);
}

// `whole`: the outermost call as written, which is what messages name.
function evaluate(call: IntrinsicCall, whole: string, sources: Sources): Json {
  const args = call.args.map((operand) => argument(operand, whole, sources));
  const { least, most, run } = INTRINSICS[call.name];
  if (args.length < least || args.length > most) {
    throw failed(whole, wrongArguments(call, `it does not take ${args.length}`));
  }
  try {
    return run(args, sources.random);
  } catch (error) {
    if (error instanceof IntrinsicFault)
      throw failed(whole, error.isTemplate ? error.message : wrongArguments(call, error.message));
    // Data nested deeper than the stack can follow, or a text longer than one can be.
    if (error instanceof RangeError)
      throw failed(whole, wrongArguments(call, 'the data is too large or too deeply nested'));
    throw error;
  }
}

function argument(operand: Operand, whole: string, sources: Sources): Argument {
  if ('text' in operand) return { value: operand.text, format: operand.raw };
  if ('value' in operand) return { value: operand.value };
  if ('call' in operand) return { value: evaluate(operand.call, whole, sources) };
  const value = valueAt(operand.path, sources);
  if (value === undefined) throw missing(operand.path, whole, sources);
  return { value };
}

function missing(path: Path, whole: string, sources: Sources): WritError {
  const why = whyMissing(path, sources);
  const detail = why.startsWith('Filter: ')
    ? why
    : `The JsonPath argument for the field '${path.source}' could not be found in the input '${quoted(sources.input)}'`;
  return unresolvedAs(path, `The function '${whole}' had the following error: ${detail}`);
}

/** In the service's words, and why: it does not say. */
function wrongArguments({ name }: IntrinsicCall, why: string): string {
  return `Invalid arguments in States.${name}: ${why}`;
}

function failed(whole: string, why: string): WritError {
  const message = `There was an error while evaluating the intrinsic function: ${whole}. ${why}`;
  return new WritError('STEP_INTRINSIC', message, {
    hint: 'check the arguments against the data, or catch States.IntrinsicFailure',
    details: { call: whole },
  });
}
