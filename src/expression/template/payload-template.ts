// Payload templates of dialect 2 (ASL: input and output): a key ending `.$` takes a path or an intrinsic call, the
// suffix is cut off; everything else is literal. What is filled in is data and never looked at as a template.
import { type ErrorCode, WritError } from '../../errors.js';
import { isList, type Json } from '../../json.js';
import { callIntrinsic, isIntrinsic, parseIntrinsic } from '../intrinsic/intrinsic.js';
import { parsePath } from '../path/path.js';
import { valueAt } from '../path/evaluate.js';
import { quoted, unresolvedAs } from '../path/fault.js';
import type { Sources } from '../sources.js';
import { put } from '../value.js';

const SUFFIX = '.$';
/** Lists and objects inside one another; documents are bounded by it at load. */
const MAX_DEPTH = 64;

export interface PayloadFault {
  readonly at: readonly (string | number)[];
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

/**
 * The template filled in; parts without `.$` keys are given back as they are, not copied. Throws STEP_PATH_UNRESOLVED for
 * a path that is not in the data, STEP_INTRINSIC from a call, DOC_EXPRESSION for what payloadFaults would have found.
 */
export function fillPayload(template: Json, sources: Sources, depth = 0): Json {
  if (typeof template !== 'object' || template === null) return template;
  if (depth > MAX_DEPTH) throw new WritError('DOC_EXPRESSION', `template is nested deeper than ${MAX_DEPTH}`);
  if (isList(template)) {
    const filled = template.map((item) => fillPayload(item, sources, depth + 1));
    return filled.some((item, i) => item !== template[i]) ? filled : template;
  }
  const filled: Record<string, Json> = {};
  let changed = false;
  for (const [key, value] of Object.entries(template)) {
    if (key.endsWith(SUFFIX)) {
      put(filled, key.slice(0, -SUFFIX.length), fieldValue(key, value, sources));
      changed = true;
      continue;
    }
    const inner = fillPayload(value, sources, depth + 1);
    if (inner !== value) changed = true;
    put(filled, key, inner);
  }
  return changed ? filled : template;
}

function fieldValue(key: string, text: Json, sources: Sources): Json {
  if (typeof text !== 'string') throw new WritError('DOC_EXPRESSION', notAnExpression(key));
  if (isIntrinsic(text)) return callIntrinsic(parseIntrinsic(text), sources);
  const path = parsePath(text);
  const value = valueAt(path, sources);
  if (value !== undefined) return value;
  throw unresolvedAs(
    path,
    `The JSONPath '${text}' specified for the field '${key}' could not be found in the input '${quoted(sources.input)}'`,
  );
}

/** What is wrong with a template, found without data: syntax, and two keys that become one. */
export function payloadFaults(template: Json): PayloadFault[] {
  const faults: PayloadFault[] = [];
  look(template, []);
  return faults;

  function look(value: Json, at: readonly (string | number)[]): void {
    if (typeof value !== 'object' || value === null) return;
    if (at.length > MAX_DEPTH) {
      faults.push({ at, code: 'DOC_EXPRESSION', message: `template is nested deeper than ${MAX_DEPTH}` });
      return;
    }
    if (isList(value)) return value.forEach((item, i) => look(item, [...at, i]));
    for (const [key, inner] of Object.entries(value)) {
      const here = [...at, key];
      if (!key.endsWith(SUFFIX)) {
        look(inner, here);
        continue;
      }
      const plain = key.slice(0, -SUFFIX.length);
      if (Object.hasOwn(value, plain)) {
        faults.push({
          at: here,
          code: 'DOC_DUPLICATE_FIELD',
          message: `"${plain}" and "${key}" are the same field`,
          hint: 'keep one of them',
        });
      }
      const fault = textFault(key, inner);
      if (fault !== null) faults.push({ at: here, ...fault });
    }
  }
}

function textFault(key: string, text: Json): Omit<PayloadFault, 'at'> | null {
  if (typeof text !== 'string') {
    return {
      code: 'DOC_EXPRESSION',
      message: notAnExpression(key),
      hint: `write a text, or take ".$" off the key`,
    };
  }
  try {
    if (isIntrinsic(text)) parseIntrinsic(text);
    else parsePath(text);
    return null;
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    const { code, message, hint } = error;
    return { code, message: `${notAnExpression(key)}: ${message}`, ...(hint === undefined ? {} : { hint }) };
  }
}

// The service's own words.
function notAnExpression(key: string): string {
  return `the value for the field '${key}' must be a valid JSONPath or a valid intrinsic function call`;
}
