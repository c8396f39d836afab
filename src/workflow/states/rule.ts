// Choice rules of a document (ASL: Choice): in JSONPath exactly one of and, or, not or a comparison, and a
// comparison has a variable and exactly one operator, whose operand has the operator's type; in JSONata a condition.
import { CHOICE_OPERATORS, type ChoiceRule } from '../../expression/choice.js';
import { timestampNs } from '../../expression/timestamp.js';
import type { Alternative } from '../plan.js';
import type { Fields } from './fields.js';

const KINDS = ['and', 'or', 'not', 'variable'] as const;

/** The entries of `choices`; one that is wrong is left out, and a finding says why. */
export function alternativesOf(state: Fields): readonly Alternative[] {
  const found: Alternative[] = [];
  for (const entry of state.each('choices')) {
    const next = entry.text('next');
    if (!entry.has('next')) {
      const message = 'a top-level rule has no "next"';
      entry.add({ code: 'DOC_MISSING_FIELD', message, hint: 'add next: <state>', at: [] });
    }
    const rule = entry.language === 'jsonata' ? conditionOf(entry) : ruleOf(entry, true);
    entry.checkLanguage();
    const assign = entry.variables('assign');
    const output = entry.language === 'jsonata' ? entry.payload('output') : undefined;
    if (rule === null || next === null) continue;
    found.push({
      rule,
      ...(assign === undefined ? {} : { assign }),
      ...(output === undefined ? {} : { output }),
      next,
    });
  }
  return found;
}

function conditionOf(entry: Fields): { readonly query: string | boolean } | null {
  const condition = entry.values['condition'];
  for (const name of CHOICE_OPERATORS.keys()) {
    if (entry.has(name)) entry.wrong(`"${name}" is for JSONPath`, 'write condition in JSONata', [name], true);
  }
  if (condition === undefined) {
    const hint = 'such as condition: "{% $states.input.risk = \'high\' %}"';
    return entry.add({ code: 'DOC_MISSING_FIELD', message: 'a rule has no "condition"', hint, at: [] });
  }
  if (typeof condition !== 'string' && typeof condition !== 'boolean') return null;
  entry.payload('condition');
  return { query: condition };
}

/** `top`: only such a rule has `next`, `assign` and `output`. */
function ruleOf(entry: Fields, top: boolean): ChoiceRule | null {
  for (const name of top ? [] : ['next', 'assign', 'output']) {
    if (!entry.has(name)) continue;
    entry.wrong(`only a top-level rule has "${name}"`, `move ${name} to the rule in choices`, [name], true);
  }
  const kinds = KINDS.filter((kind) => entry.has(kind));
  const operators = [...CHOICE_OPERATORS.keys()].filter((name) => entry.has(name));
  const [kind] = kinds;
  const [operator] = operators;
  if (kind === undefined && entry.has('condition')) return null; // of the other language, which is told
  if (kind === undefined || kinds.length > 1) {
    const found = kind === undefined ? 'none of' : 'more than one of';
    return entry.wrong(`a rule has ${found} and, or, not, variable`, 'give it exactly one');
  }
  if (kind !== 'variable') {
    if (operator === undefined) return composed(entry, kind);
    return entry.wrong(`"${operator}" needs "variable"`, `take it out of "${kind}"`);
  }
  if (operator === undefined || operators.length > 1) {
    const found =
      operator === undefined ? 'no operator' : `${operators.length} operators (${operators.join(', ')})`;
    return entry.wrong(`a comparison has ${found}`, 'give it exactly one, such as stringEquals');
  }
  return comparison(entry, operator);
}

function composed(entry: Fields, kind: 'and' | 'or' | 'not'): ChoiceRule | null {
  if (kind === 'not') {
    const inner = entry.inner('not');
    const rule = inner === null ? null : ruleOf(inner, false);
    return rule === null ? null : { not: rule };
  }
  const rules = entry.each(kind).map((item) => ruleOf(item, false));
  const valid = rules.filter((rule) => rule !== null);
  if (valid.length < rules.length) return null;
  return kind === 'and' ? { and: valid } : { or: valid };
}

function comparison(entry: Fields, operator: string): ChoiceRule | null {
  const variable = entry.text('variable');
  const operand = entry.values[operator] ?? null;
  if (variable === null) return null;
  entry.checkPath(variable, 'one', 'variable');
  const kind = CHOICE_OPERATORS.get(operator);
  if (kind === 'path' && typeof operand === 'string') entry.checkPath(operand, 'one', operator);
  if (kind === 'timestamp' && typeof operand === 'string' && timestampNs(operand) === null) {
    const message = `"${operator}" needs an RFC 3339 timestamp, not ${JSON.stringify(operand.slice(0, 60))}`;
    entry.wrong(message, 'such as 2026-01-31T09:00:00Z', [operator]);
  }
  return { variable, operator, operand };
}
