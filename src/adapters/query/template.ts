// Where expressions stand in a template: a string that begins with `{%` and ends with `%}`, at any depth of lists and
// objects; with a blank before or behind it is a literal (ASL: JSONata expressions).
import type { Json } from '../../json.js';

/** Lists and objects in one another; what is deeper is refused before it is walked. */
const MAX_DEPTH = 200;

/** The text between the marks; null = a literal. */
function expressionIn(text: string): string | null {
  return text.length >= 4 && text.startsWith('{%') && text.endsWith('%}') ? text.slice(2, -2).trim() : null;
}

/** A copy of the template in which every expression is what `evaluate` made of it, in document order. */
export async function fill(
  template: Json,
  at: string,
  evaluate: (expression: string, at: string) => Promise<Json>,
  depth = 0,
): Promise<Json> {
  if (typeof template === 'string') {
    const expression = expressionIn(template);
    return expression === null ? template : evaluate(expression, at);
  }
  if (typeof template !== 'object' || template === null) return template;
  if (depth >= MAX_DEPTH) throw new RangeError(`a template nests deeper than ${MAX_DEPTH}`);
  if (isList(template)) {
    const list: Json[] = [];
    for (const [index, item] of template.entries())
      list.push(await fill(item, `${at}[${index}]`, evaluate, depth + 1));
    return list;
  }
  const entries: [string, Json][] = [];
  for (const [key, value] of Object.entries(template))
    entries.push([key, await fill(value, `${at}/${key}`, evaluate, depth + 1)]);
  return Object.fromEntries(entries);
}

/** The expressions of a template with their places, in document order. */
export function expressionsIn(template: Json, at: string, depth = 0): { expression: string; at: string }[] {
  if (typeof template === 'string') {
    const expression = expressionIn(template);
    return expression === null ? [] : [{ expression, at }];
  }
  if (typeof template !== 'object' || template === null || depth >= MAX_DEPTH) return [];
  return isList(template)
    ? template.flatMap((item, index) => expressionsIn(item, `${at}[${index}]`, depth + 1))
    : Object.entries(template).flatMap(([key, value]) => expressionsIn(value, `${at}/${key}`, depth + 1));
}

/** As that of json.ts: the process that evaluates reads no file but those beside this one. */
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
