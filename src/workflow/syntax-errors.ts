// What is told of a text that is no YAML: every slip with its place, each once; and what of the document stands whole
// before the first of them. Behind a slip nothing is certain: what is read there may be part of something else.
import { type Document, isScalar, visit, type YAMLError } from 'yaml';
import type { Finding } from './diagnostic.js';
import type { Located } from './located.js';

export const QUOTE_BRACES = 'text that begins with {{ stands in quotes: "{{goal}}"';

/** Characters of a line before a slip, in which what it is about begins. */
const LOOK_BACK = 200;

/** One for each place, in the order of the text. Empty where it is YAML. */
export function syntaxErrors(documents: readonly Document.Parsed[], text: string): readonly Finding[] {
  const told = new Map<number, Finding>();
  for (const document of documents) {
    const opened = quotedTexts(document);
    for (const error of document.errors) {
      const open = error.code === 'MISSING_CHAR' ? (opened.get(error.pos[0]) ?? null) : null;
      const offset = open ?? Math.min(error.pos[0], Math.max(0, text.length - 1));
      // A slip that makes two errors is told as the first.
      if (!told.has(offset))
        told.set(offset, { ...wordsOf(error, text, offset, open !== null), at: [], offset });
    }
  }
  return [...told.values()].sort((a, b) => (a.offset ?? 0) - (b.offset ?? 0));
}

/** Where texts in quotes begin, by where they end: one that lacks its end has its error there. */
function quotedTexts(document: Document.Parsed): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  if (!document.errors.some(({ code }) => code === 'MISSING_CHAR')) return found;
  visit(document.contents, (_, node) => {
    if (!isScalar(node) || node.type?.startsWith('QUOTE') !== true || node.range == null) return;
    if (!found.has(node.range[1])) found.set(node.range[1], node.range[0]);
  });
  return found;
}

function wordsOf(error: YAMLError, text: string, offset: number, isOpen: boolean): Omit<Finding, 'at'> {
  const code = 'DOC_SYNTAX';
  if (isOpen) {
    const quote = text.charAt(offset);
    const message = `text that begins with ${quote} has no ${quote} at its end`;
    return { code, message, hint: 'text that begins with a quote ends with the same' };
  }
  // A line may be as long as a text, with a slip in every word.
  const before = text.slice(Math.max(0, offset - LOOK_BACK), offset);
  const line = before.slice(before.lastIndexOf('\n') + 1);
  const hint = /(?:^|[:-]\s)\s*\{\{/.test(line) ? QUOTE_BRACES : HINTS[error.code];
  return { code, message: error.message.slice(0, 1).toLowerCase() + error.message.slice(1), hint };
}

/** What is most often meant. */
const HINTS: Partial<Record<YAMLError['code'], string>> = {
  TAB_AS_INDENT: 'indent with spaces',
  BAD_INDENT: 'what belongs to one list or object begins in one column, and a [ or { is closed',
  BAD_SCALAR_START: 'put the text in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'text that has a colon and a blank in it stands in quotes: "Review: the draft"',
  MISSING_CHAR: 'what belongs to one list or object begins in one column, and a [ or { is closed',
  MULTILINE_IMPLICIT_KEY: 'a field is written name: value, with a colon and a blank',
};

/**
 * Of a dialect 1 document the fields and steps that are over before `offset`: behind each of them another one begins
 * there; and where the first begins that is not. null where there is no list of steps.
 */
export function wholeBefore(
  root: Located,
  offset: number,
): { readonly root: Located; readonly end: number } | null {
  if (root.kind !== 'map') return null;
  const { entries } = root;
  const isOver = (next: number | undefined) => next !== undefined && next < offset;
  const fields = entries.filter((_, i) => isOver(entries[i + 1]?.keyOffset));
  const rest = entries[fields.length];
  if (rest === undefined) return null;
  if (rest.key !== 'steps' || rest.value.kind !== 'list') {
    const hasSteps = fields.some(({ key }) => key === 'steps');
    return hasSteps ? { root: { ...root, entries: fields }, end: rest.keyOffset } : null;
  }
  const { value } = rest;
  const items = value.items.filter((_, i) => isOver(value.items[i + 1]?.offset));
  const steps = { ...rest, value: { ...value, items } };
  return { root: { ...root, entries: [...fields, steps] }, end: value.items[items.length]?.offset ?? offset };
}
