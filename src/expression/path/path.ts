// Paths of dialect 2 (ASL: paths): parsed once and kept, read within budgets. Pure data access: every key,
// `__proto__` too, is an ordinary own key; a prototype is never read or written.
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { valueAt } from './evaluate.js';
import { unresolved, unresolvedAs } from './fault.js';
import { parseWholePath } from './parse.js';
import type { Path } from './shape.js';
import type { Sources } from '../sources.js';

export { PATH_MAX_LENGTH, PATH_MAX_SEGMENTS, PATH_MAX_VISITS } from './shape.js';
export { writePath } from './write.js';
export type { Path };

/** Paths kept; texts come from documents, so their number must be bounded. */
const MAX_KEPT = 4096;
const kept = new Map<string, Path>();

/**
 * Parses `$.a-b['c'][0][-1]`, `$$.Execution.Id`, `$variable.a`, wildcards, slices, unions, filters, `..` and functions.
 * Throws DOC_EXPRESSION with `details.offset`.
 */
export function parsePath(source: string): Path {
  const known = kept.get(source);
  if (known !== undefined) return known;
  const path = parseWholePath(source);
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(source, path);
  return path;
}

/** Only names and single indices: the path means a place, which has one value at most. */
export function isDefinite(path: Path): boolean {
  return path.definite;
}

/** As parsePath, for what can be written: definite, no function, and in the input (`$`). */
export function parseReferencePath(source: string): Path {
  const path = parsePath(source);
  const hint = 'a result goes to a place such as $.claim.review';
  if (path.root !== 'input') {
    const root = path.root === 'context' ? 'the context "$$"' : 'a variable';
    throw new WritError('DOC_EXPRESSION', `a result can not be written to ${root}`, {
      details: { offset: 0 },
      hint: path.root === 'context' ? hint : 'set a variable with assign',
    });
  }
  if (!path.definite || path.function !== null) {
    throw new WritError('DOC_EXPRESSION', `path ${JSON.stringify(source)} is no reference path`, {
      details: { offset: 0 },
      hint: 'use names and single indices, such as $.claim.id or $.items[0]',
    });
  }
  return path;
}

/**
 * The value at a definite path, the list of matches (maybe empty) of another one, or the part
 * of the object that names side by side at its end ask for. Throws STEP_PATH_UNRESOLVED, in the
 * words of the States Language service, when a definite path is not in the data or a budget is used up.
 */
export function readPath(path: Path, sources: Sources): Json {
  const value = valueAt(path, sources);
  if (value === undefined) throw unresolved(path, sources);
  return value;
}

/** As readPath, for a field of a Wait: `field` as the service spells it, `SecondsPath`, and as it words the error. */
export function readWaitPath(field: string, path: Path, sources: Sources): Json {
  const value = valueAt(path, sources);
  if (value !== undefined) return value;
  throw unresolvedAs(path, `The ${field} parameter does not reference an input value: ${path.source}`);
}

/** As readPath, but a value that is not there is an answer. */
export function tryReadPath(
  path: Path,
  sources: Sources,
): { readonly found: true; readonly value: Json } | { readonly found: false } {
  const value = valueAt(path, sources);
  return value === undefined ? { found: false } : { found: true, value };
}
