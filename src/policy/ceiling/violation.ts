// A field of a ceiling that refuses a request, and how the lists of a field refuse: by each group that allows nothing of the
// kind, and by what they deny.
import type { ErrorCode } from '../../errors.js';
import type { NameCeiling } from './ceiling.js';
import { fnMatch } from '../rbac/glob.js';

/** One field of a ceiling that refuses the request; `limit` and `requested` are words for people. */
export interface Violation {
  readonly field: string;
  readonly code: Extract<ErrorCode, `CEILING_${string}`>;
  readonly limit: string;
  readonly requested: string;
}

export const NONE: readonly never[] = [];

/** A field that lists names. */
export interface ListedField {
  readonly field: string;
  readonly code: Violation['code'];
  /** Does the value fit the pattern? Default: as names of functions do. */
  readonly match?: (value: string, pattern: string) => boolean;
}

export function nameViolations(
  of: ListedField,
  ceiling: NameCeiling,
  values: readonly string[],
): readonly Violation[] {
  if (values.length === 0 || (ceiling.allow.length === 0 && ceiling.deny.length === 0)) return NONE;
  return values.flatMap((value) => formViolations(of, ceiling, [value]));
}

/** `forms`: every form by which a list may name the one thing that is asked for; `deniedForms`: those of a deny. */
export function formViolations(
  { field, code, match = fnMatch }: ListedField,
  ceiling: NameCeiling,
  forms: readonly string[],
  deniedForms: readonly string[] = forms,
): Violation[] {
  const requested = forms.at(-1) ?? '';
  const inList = (list: readonly string[], names = forms) =>
    list.find((pattern) => names.some((form) => match(form, pattern))) ?? null;
  const found: Violation[] = [];
  for (const group of ceiling.allow) {
    if (inList(group) !== null) continue;
    const empty = group.length === 0;
    found.push({
      field: `${field}.allow`,
      code: empty ? 'CEILING_EMPTY' : code,
      limit: empty ? 'nothing' : group.join(', '),
      requested,
    });
  }
  const denied = inList(ceiling.deny, deniedForms);
  if (denied !== null) found.push({ field: `${field}.deny`, code, limit: denied, requested });
  return found;
}
