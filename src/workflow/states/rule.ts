// Choice rules of a document (states-dialect section 6): exactly one of and, or, not or a comparison; a comparison
// has a variable and exactly one operator, whose operand has the operator's type.
import { CHOICE_OPERATORS, type ChoiceRule } from '../../expression/choice.js';
import { timestampNs } from '../../expression/timestamp.js';
import { isList } from '../../expression/value.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import type { Findings } from '../diagnostic.js';
import type { Segments } from '../located.js';
import { checkPath } from './path.js';

const KINDS = ['and', 'or', 'not', 'variable'] as const;

/** The rule, or null when a finding says what is wrong with it. `top`: only such a rule has `next`. */
export function ruleOf(
  value: Json | undefined,
  at: Segments,
  top: boolean,
  findings: Findings,
): ChoiceRule | null {
  if (!isObject(value)) return null; // the schema has said so
  if (!top && value['next'] !== undefined) {
    findings.add({
      code: 'DOC_BAD_VALUE',
      message: 'only a top-level rule has "next"',
      hint: 'move next to the rule in choices',
      at: [...at, 'next'],
      onKey: true,
    });
  }
  const kinds = KINDS.filter((kind) => value[kind] !== undefined);
  const operators = [...CHOICE_OPERATORS.keys()].filter((name) => value[name] !== undefined);
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    const found = kind === undefined ? 'none of' : 'more than one of';
    return wrong(`a rule has ${found} and, or, not, variable`, 'give it exactly one', at, findings);
  }
  if (kind !== 'variable') {
    const [operator] = operators;
    if (operator !== undefined)
      return wrong(`"${operator}" needs "variable"`, `take it out of "${kind}"`, at, findings);
    return composed(value, kind, at, findings);
  }
  const [operator] = operators;
  if (operator === undefined || operators.length > 1) {
    const found =
      operator === undefined ? 'no operator' : `${operators.length} operators (${operators.join(', ')})`;
    return wrong(`a comparison has ${found}`, 'give it exactly one, such as stringEquals', at, findings);
  }
  return comparison(value, operator, at, findings);
}

function composed(
  value: JsonObject,
  kind: 'and' | 'or' | 'not',
  at: Segments,
  findings: Findings,
): ChoiceRule | null {
  if (kind === 'not') {
    const inner = ruleOf(value['not'], [...at, 'not'], false, findings);
    return inner === null ? null : { not: inner };
  }
  const list: Json = value[kind] ?? [];
  if (!isList(list)) return null;
  const rules = list.map((item, i) => ruleOf(item, [...at, kind, i], false, findings));
  const valid = rules.filter((rule) => rule !== null);
  if (valid.length < rules.length) return null;
  return kind === 'and' ? { and: valid } : { or: valid };
}

function comparison(
  value: JsonObject,
  operator: string,
  at: Segments,
  findings: Findings,
): ChoiceRule | null {
  const { variable } = value;
  const operand = value[operator] ?? null;
  if (typeof variable !== 'string') return null;
  checkPath(variable, [...at, 'variable'], findings);
  const kind = CHOICE_OPERATORS.get(operator);
  if (kind === 'path' && typeof operand === 'string') checkPath(operand, [...at, operator], findings);
  if (kind === 'timestamp' && typeof operand === 'string' && timestampNs(operand) === null) {
    findings.add({
      code: 'DOC_BAD_VALUE',
      message: `"${operator}" needs an RFC 3339 timestamp, not ${JSON.stringify(operand.slice(0, 60))}`,
      hint: 'such as 2026-01-31T09:00:00Z',
      at: [...at, operator],
    });
  }
  return { variable, operator, operand };
}

function wrong(message: string, hint: string, at: Segments, findings: Findings): null {
  findings.add({ code: 'DOC_BAD_VALUE', message, hint, at });
  return null;
}
