// Truth of a filter for one value. Nothing coerces: 1 and '1' differ, and only two numbers or two texts have an order.
import { isList, type Json } from '../../json.js';
import type { Filter, FilterOperator, Operand, Path } from './shape.js';
import { equal } from '../value.js';

export interface Seen {
  /** The value of a path seen from the value filtered; undefined when it is not there. */
  readonly read: (path: Path) => Json | undefined;
  /** Counts values looked at against the budget of the reading. */
  readonly look: (values: number) => void;
}

export function holds(filter: Filter, seen: Seen): boolean {
  switch (filter.kind) {
    case 'and':
      return holds(filter.left, seen) && holds(filter.right, seen);
    case 'or':
      return holds(filter.left, seen) || holds(filter.right, seen);
    case 'not':
      return !holds(filter.of, seen);
    case 'exists': {
      const value = seen.read(filter.path);
      return filter.path.definite
        ? value !== undefined
        : value !== undefined && isList(value) && value.length > 0;
    }
    case 'compare':
      return compares(filter.operator, valueOf(filter.left, seen), valueOf(filter.right, seen), seen);
  }
}

function valueOf(operand: Operand, seen: Seen): Json | undefined {
  return 'path' in operand ? seen.read(operand.path) : operand.value;
}

// What is not there equals nothing, not even what else is not there (Jayway).
function compares(
  operator: FilterOperator,
  a: Json | undefined,
  b: Json | undefined,
  { look }: Seen,
): boolean {
  if (operator === '!=') return !same(a, b, look);
  if (operator === 'nin') return !within(a, b, look);
  if (a === undefined || b === undefined) return false;
  switch (operator) {
    case '==':
      return same(a, b, look);
    case 'in':
      return within(a, b, look);
    case '<':
      return (signOf(a, b) ?? 0) < 0;
    case '<=':
      return (signOf(a, b) ?? 1) <= 0;
    case '>':
      return (signOf(a, b) ?? 0) > 0;
    case '>=':
      return (signOf(a, b) ?? -1) >= 0;
  }
}

function same(a: Json | undefined, b: Json | undefined, look: Seen['look']): boolean {
  return a !== undefined && b !== undefined && equal(a, b, 0, look);
}

function within(value: Json | undefined, list: Json | undefined, look: Seen['look']): boolean {
  if (value === undefined || list === undefined || !isList(list)) return false;
  look(list.length);
  return list.some((one) => equal(one, value, 0, look));
}

// Texts by UTF-16 unit, as Java has them; null for what has no order.
function signOf(a: Json, b: Json): number | null {
  const numbers = typeof a === 'number' && typeof b === 'number';
  const texts = typeof a === 'string' && typeof b === 'string';
  if (!numbers && !texts) return null;
  return a === b ? 0 : a < b ? -1 : 1;
}
