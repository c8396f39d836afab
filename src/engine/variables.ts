// Variables of dialect 2 (ASL: variables): a cursor has its own, reads those of the cursors around it, and they
// vanish with it. The children of a distributed Map see none but their own.
import { WritError } from '../errors.js';
import type { Json, JsonObject } from '../json.js';
import { isWithin, measure } from './data-limit.js';
import type { Frame } from './state.js';
import type { RunTree } from './tree.js';

/** Of one, and of all that a cursor has; of all it is counted in characters. */
const MAX_BYTES = 256 * 1024;
const MAX_TOTAL = 10 * 1024 * 1024;

/** Undefined = not set. */
export function variableOf(tree: RunTree, frame: Frame, name: string): Json | undefined {
  for (let here: Frame | undefined = frame; here !== undefined; here = outer(tree, here)) {
    if (Object.hasOwn(here.variables, name)) return here.variables[name];
  }
  return undefined;
}

/** All that are set. */
export function variablesOf(tree: RunTree, frame: Frame): JsonObject {
  let all: JsonObject = frame.variables;
  for (let here = outer(tree, frame); here !== undefined; here = outer(tree, here)) {
    all = { ...here.variables, ...all };
  }
  return all;
}

function outer(tree: RunTree, frame: Frame): Frame | undefined {
  return frame.parent === null || !frame.seesOuter ? undefined : tree.frame(frame.parent);
}

/** The cursor with these set. Throws STEP_DATA_LIMIT. */
export function assigned(frame: Frame, values: Json | undefined): Frame {
  if (values === undefined || values === null || typeof values !== 'object') return frame;
  for (const [name, value] of Object.entries<Json>(values)) {
    if (!isWithin(value, MAX_BYTES))
      throw new WritError('STEP_DATA_LIMIT', `The variable '${name}' is larger than ${MAX_BYTES} bytes.`);
  }
  const variables = { ...frame.variables, ...values } as JsonObject;
  if (measure(variables) > MAX_TOTAL)
    throw new WritError('STEP_DATA_LIMIT', `The variables are larger than ${MAX_TOTAL} bytes together.`);
  return { ...frame, variables };
}
