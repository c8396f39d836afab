// The inline helpers of templates and how a value prints. Helpers see values only: no scope, no template.
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { compare } from '../condition/evaluate.js';
import type { Helper } from './tree.js';
import type { TemplateWork } from './work.js';
import { equal, member } from '../value.js';

/** A value that is not there comes in as null. Order helpers are false for types that have no order. */
export function callHelper(helper: Helper, values: readonly Json[], work: TemplateWork): Json {
  const [a = null, b = null] = values;
  switch (helper) {
    case 'lookup':
      return typeof b === 'string' || typeof b === 'number' ? (member(a, b, work.open) ?? null) : null;
    case 'json':
      return work.read(asJson(a, 2));
    case 'eq':
      return equal(work.read(a), work.read(b), 0, work.spend);
    case 'ne':
      return !equal(work.read(a), work.read(b), 0, work.spend);
    case 'gt':
      return compare('>', work.read(a), work.read(b)) ?? false;
    case 'gte':
      return compare('>=', work.read(a), work.read(b)) ?? false;
    case 'lt':
      return compare('<', work.read(a), work.read(b)) ?? false;
    case 'lte':
      return compare('<=', work.read(a), work.read(b)) ?? false;
    case 'and':
      return values.every((value) => work.isTrue(value));
    case 'or':
      return values.some((value) => work.isTrue(value));
    case 'not':
      return !work.isTrue(a);
    case 'default':
      return a === null || a === '' ? b : a;
  }
}

/** Text as it is, null as nothing, numbers and booleans as JSON, objects and lists as compact JSON. */
export function printed(value: Json): string {
  if (typeof value === 'string') return value;
  return value === null ? '' : asJson(value, 0);
}

// Data from a step may be nested deeper than the serializer's stack.
function asJson(value: Json, indent: number): string {
  try {
    return JSON.stringify(value, null, indent);
  } catch (error) {
    throw new WritError('DOC_TEMPLATE', 'a value is nested too deeply to print', { cause: error });
  }
}
