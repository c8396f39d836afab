// What a parsed condition says of values: typed, nothing is coerced, and a variable without a value makes it false.
import type { Json } from '../../json.js';
import { BLOCKED_NAMES } from '../names.js';
import { valueAt, type Scope } from '../scope.js';
import { equal, opener, order, truthy } from '../value.js';
import type { CompareOperator, Condition, ConditionNode, ConditionPath } from './condition.js';

export interface ConditionResult {
  readonly value: boolean;
  /** `path_unresolved` wins over `type_mismatch`. */
  readonly reason: 'evaluated' | 'path_unresolved' | 'type_mismatch';
  /** Every variable that resolved, with its value, in the order of the text. */
  readonly values: readonly { readonly path: string; readonly value: Json }[];
  /** The variables that did not resolve. */
  readonly unresolved: readonly string[];
}

/** A path that does not resolve makes the whole condition false, also under `!`. Never throws. */
export function evaluateCondition(condition: Condition, scope: Scope): ConditionResult {
  const open = opener();
  return evaluateWith(condition, (path) => lookUp(path, scope, open));
}

/** As evaluateCondition, with the caller's lookup; undefined = does not resolve. */
export function evaluateWith(
  condition: Condition,
  lookup: (path: ConditionPath) => Json | undefined,
): ConditionResult {
  const values: { path: string; value: Json }[] = [];
  const unresolved: string[] = [];
  const resolved = new Map<ConditionPath, Json>();
  for (const path of condition.paths) {
    const value = lookup(path);
    if (value === undefined) {
      unresolved.push(path.text);
    } else {
      values.push({ path: path.text, value });
      resolved.set(path, value);
    }
  }
  if (unresolved.length > 0) return { value: false, reason: 'path_unresolved', values, unresolved };
  const outcome = evaluateNode(condition.root, (path) => resolved.get(path) ?? null);
  const reason = outcome.mismatch ? 'type_mismatch' : 'evaluated';
  return { value: truthy(outcome.value), reason, values, unresolved };
}

/**
 * Evaluates with the caller's lookup; `mismatch` when an order comparison met two types that have no order. `look` as in
 * `equal`.
 */
export function evaluateNode(
  node: ConditionNode,
  lookup: (path: ConditionPath) => Json,
  look?: (members: number) => void,
): { readonly value: Json; readonly mismatch: boolean } {
  switch (node.kind) {
    case 'literal':
      return { value: node.value, mismatch: false };
    case 'path':
      return { value: lookup(node.path), mismatch: false };
    case 'not': {
      const operand = evaluateNode(node.operand, lookup, look);
      return { value: !truthy(operand.value), mismatch: operand.mismatch };
    }
    case 'and':
    case 'or': {
      let mismatch = false;
      for (const operand of node.operands) {
        const result = evaluateNode(operand, lookup, look);
        mismatch ||= result.mismatch;
        if (truthy(result.value) === (node.kind === 'or')) return { value: node.kind === 'or', mismatch };
      }
      return { value: node.kind === 'and', mismatch };
    }
    case 'compare': {
      const left = evaluateNode(node.left, lookup, look);
      const right = evaluateNode(node.right, lookup, look);
      const own = compare(node.operator, left.value, right.value, look);
      return { value: own ?? false, mismatch: own === null || left.mismatch || right.mismatch };
    }
  }
}

/** null when the two types have no order; `==` and `!=` always answer. */
export function compare(
  operator: CompareOperator,
  left: Json,
  right: Json,
  look?: (members: number) => void,
): boolean | null {
  if (operator === '==') return equal(left, right, 0, look);
  if (operator === '!=') return !equal(left, right, 0, look);
  const sign = order(left, right);
  if (sign === null) return null;
  switch (operator) {
    case '<':
      return sign < 0;
    case '<=':
      return sign <= 0;
    case '>':
      return sign > 0;
    case '>=':
      return sign >= 0;
  }
}

/** What `path` leads to in the scope; undefined when it does not resolve. */
export function lookUp(path: ConditionPath, scope: Scope, open?: (value: Json) => Json): Json | undefined {
  if (BLOCKED_NAMES.has(path.head)) return undefined;
  return valueAt(scope, path.head, path.segments, open);
}
