// What a check finds of one step or state of a compiled plan, and where that stands in the document.
import type { Place } from '../../workflow/diagnostic.js';
import type { Segments } from '../../workflow/located.js';
import type { ParsedWorkflow } from '../../workflow/parse.js';
import type { Diagnostic } from '../writ.js';

/** Points at the first of `fields` that the document has, else at the step's name. */
export interface NodeFinding extends Diagnostic {
  readonly fields: readonly Segments[];
}

/** An error of a node. */
export function at(
  { line, column, name }: Place & { readonly name: string },
  code: Diagnostic['code'],
  message: string,
  hint: string | undefined,
  fields: readonly Segments[],
): NodeFinding {
  const told = { code, severity: 'error' as const, message, ...(hint === undefined ? {} : { hint }) };
  return { ...told, line, column, path: name, fields };
}

export function located(
  found: readonly NodeFinding[],
  partAt: ParsedWorkflow['partAt'],
): readonly Diagnostic[] {
  return found.map(({ fields, ...one }) => ({ ...one, ...partAt(one, fields) }));
}

/** Errors that leave the values of a step or state as they are written: what else is wrong with it is told in the same pass. */
const LEAVE_VALUES: ReadonlySet<Diagnostic['code']> = new Set<Diagnostic['code']>([
  'DOC_TEMPLATE',
  'DOC_EXPRESSION',
  'DOC_UNKNOWN_NAME',
  'DOC_UNKNOWN_FIELD',
  'DOC_UNKNOWN_FUNCTION',
  'DOC_UNKNOWN_STATE',
  'DOC_UNREACHABLE_STATE',
  'DOC_NO_TERMINAL_STATE',
  'DOC_COLLECT_WITHOUT_FANOUT',
]);

/** Has the step at `path` a value that it can't have? Then what the plan has of it is nobody's. */
export function isMisread(path: string, told: readonly Diagnostic[]): boolean {
  return told.some(
    (one) =>
      one.severity === 'error' &&
      !LEAVE_VALUES.has(one.code) &&
      (one.path === path || one.path.startsWith(`${path}.`)),
  );
}

/** Those of `found` that are not of a field with an error in `told`, which is enough to say of it. */
export function besides(told: readonly Diagnostic[], found: readonly Diagnostic[]): readonly Diagnostic[] {
  const wrong = new Set(told.filter((one) => one.severity === 'error').map(({ path }) => path));
  if (wrong.size === 0) return found;
  return found.filter(({ path }) => {
    const around = [...path.matchAll(/[.[]/g)].map(({ index }) => path.slice(0, index));
    return ![path, ...around].some((one) => wrong.has(one));
  });
}
