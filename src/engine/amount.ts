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
  // Recorded: counts also come as text, seconds do not.
  const isText = isPath && typeof value === 'string' && field !== 'Seconds' && /^\d{1,15}$/.test(value);
  const number = isText ? Number(value) : value;
  const isWhole = typeof number === 'number' && Number.isFinite(number) && number >= 0;
  if (isWhole && (Number.isInteger(number) || field === 'ToleratedFailurePercentage')) return number;
  if (isPath) {
    throw new WritError(
      'STEP_PATH_UNRESOLVED',
      `The ${field}Path field refers to value "${shown(value)}" which is not a valid integer: ${amount.path}`,
    );
  }
  throw unexpected(amount.query, field, 'number', value);
}

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
