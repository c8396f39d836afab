// Numbers that a state of dialect 2 names by a path or an expression: time limits, counts, percentages.
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import type { Amount } from '../workflow/plan.js';

/** By field name: what paths and expressions of a state have given. */
export type Values = Readonly<Record<string, Json>>;

/** What the field has given, also when that is null. */
export function given(values: Values, field: string, otherwise: Json): Json {
  return Object.hasOwn(values, field) ? (values[field] ?? null) : otherwise;
}

/** `field` as AWS spells it, `MaxConcurrency`. Null = absent. Throws STEP_PATH_UNRESOLVED and STEP_QUERY. */
export function amountIn(amount: Amount | null | undefined, field: string, values: Values): number | null {
  if (amount === null || amount === undefined) return null;
  if (typeof amount === 'number') return amount;
  const value = values[field] ?? null;
  const isPath = 'path' in amount;
  // Numbers at a path also come as text (recorded of counts, measured of seconds).
  const isText = isPath && typeof value === 'string' && /^\d{1,15}$/.test(value);
  const number = isText ? Number(value) : value;
  const isLimit = !isPath && (field === 'TimeoutSeconds' || field === 'HeartbeatSeconds');
  const most = isLimit ? MAX_LIMIT_SECONDS : Number.MAX_VALUE;
  const isWhole = typeof number === 'number' && number >= 0 && number <= most;
  if (isWhole && (Number.isInteger(number) || field === 'ToleratedFailurePercentage')) return number;
  if (isPath) throw new WritError('STEP_PATH_UNRESOLVED', wrongAmount(field, amount.path, value));
  if (!isLimit || typeof number !== 'number') throw unexpected(amount.query, field, 'number', value);
  throw new WritError(
    'STEP_QUERY',
    Number.isInteger(number)
      ? `${field} must be between 0 and ${MAX_LIMIT_SECONDS} but was: ${number}`
      : `The ${field} field cannot be parsed as an integer: ${number}`,
  );
}

/** Longest time limit of a task that AWS takes. */
const MAX_LIMIT_SECONDS = 99_999_999;

// In the service's words, which differ from field to field.
function wrongAmount(field: string, path: string, value: Json): string {
  const isNegative = typeof value === 'number' && Number.isInteger(value) && value < 0;
  switch (field) {
    case 'Seconds': {
      const what = isNegative ? 'references a negative value' : 'cannot be parsed as a long value';
      return `The SecondsPath parameter ${what}: ${path} == ${shown(value)}`;
    }
    case 'MaxConcurrency':
      if (isNegative) return `Expected non-negative integer for MaxConcurrency, got '${value}' instead.`;
      break;
    case 'ToleratedFailureCount':
      if (isNegative) return 'ToleratedFailureCount cannot be negative.';
      break;
    case 'ToleratedFailurePercentage':
      if (typeof value === 'number') return NO_PERCENTAGE;
  }
  const kind = field === 'ToleratedFailurePercentage' ? 'float' : 'integer';
  return `The ${field}Path field refers to value "${shown(value)}" which is not a valid ${kind}: ${path}`;
}

/** Of a percentage above 100, or below 0. */
export const NO_PERCENTAGE = 'ToleratedFailurePercentage must be between 0 and 100.';

/** STEP_QUERY: an expression gave something else than the field takes. */
export function unexpected(query: string, field: string, wanted: string, value: Json): WritError {
  const was = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const expression = query.replace(/^\{%|%\}$/g, '').trim();
  return new WritError(
    'STEP_QUERY',
    `The JSONata expression '${expression}' specified for the field '${field}' returned an unexpected result type. ` +
      `Expected '${wanted}', but was '${was}' for value: ${JSON.stringify(value).slice(0, 200)}`,
  );
}

function shown(value: Json): string {
  return typeof value === 'string' ? value.slice(0, 200) : JSON.stringify(value).slice(0, 200);
}
