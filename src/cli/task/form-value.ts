// One field of a form as a person types it, and what that is as JSON. What is typed is never guessed at: text is taken as
// it is, a yes or no in words, a number as JSON, a choice by its number or in full, anything else as JSON.
import { parseJsonText } from '../../audit/json-reader.js';
import { canonicalJson } from '../../canonical-json.js';
import { WritError } from '../../errors.js';
import { isList, isObject, type Json } from '../../json.js';

/** What was typed, or why it is none of what is asked for, in words for people. */
export type Typed = { readonly value: Json } | { readonly problem: string };

const WORDS: Readonly<Record<string, boolean>> = {
  yes: true,
  y: true,
  true: true,
  no: false,
  n: false,
  false: false,
};

/** The values that a field may have, where its schema lists them; null = it does not. */
export function choicesOf(schema: Json): readonly Json[] | null {
  if (!isObject(schema)) return null;
  if (schema['const'] !== undefined) return [schema['const']];
  const choices = schema['enum'];
  return isList(choices) && choices.length > 0 ? choices : null;
}

/** Whether choices can be named by number: not where one of them could be meant by it. */
export function areNumbered(choices: readonly Json[]): boolean {
  return !choices.some((one) => {
    // Only these are written like a number; an object would be asked to write itself.
    if (typeof one !== 'number' && typeof one !== 'string') return false;
    const number = Number(one);
    return Number.isInteger(number) && number >= 1 && number <= choices.length;
  });
}

/** `text` is as typed, not empty. Whether the value fits the schema's bounds is not looked at. */
export function typedValue(schema: Json, text: string): Typed {
  const choices = choicesOf(schema);
  if (choices !== null) return chosen(choices, text);
  const type = isObject(schema) ? schema['type'] : undefined;
  // How else would an empty text be told from nothing?
  if (type === 'string') return { value: text === '""' ? '' : text };
  if (type === 'boolean') {
    const word = text.trim().toLowerCase();
    return Object.hasOwn(WORDS, word) ? { value: WORDS[word] ?? false } : { problem: 'say yes or no' };
  }
  const value = jsonOf(text);
  if (type === 'number' || type === 'integer')
    return typeof value === 'number' ? { value } : { problem: 'that is no number' };
  return value === undefined ? { problem: 'that is no JSON; a text stands in "quotes"' } : { value };
}

function chosen(choices: readonly Json[], text: string): Typed {
  const word = text.trim();
  const same = choices.filter((one) => one === text || one === word || canonicalJson(one) === word);
  const [only] = same;
  if (only !== undefined && same.length === 1) return { value: only };
  const numbered =
    areNumbered(choices) && /^[1-9]\d{0,5}$/u.test(word) ? choices[Number(word) - 1] : undefined;
  return numbered === undefined ? { problem: 'that is none of them' } : { value: numbered };
}

/** undefined where it is no JSON. */
function jsonOf(text: string): Json | undefined {
  try {
    return parseJsonText(text.trim());
  } catch (error) {
    // What a person mistypes is told them, not thrown.
    if (error instanceof WritError) return undefined;
    throw error;
  }
}
