// What happens to a template's text before Handlebars parses it (AgentOS page): comparisons in heads of
// #if and #unless are lifted out as parsed conditions, step names with blanks get brackets, an index its dot. Only the
// plan's own names count here, never names that came with data, so data can't change what a template says.
import { WritError } from '../../errors.js';
import type { Condition } from '../condition/condition.js';
import { CONDITION_MAX_LENGTH, parseTemplateCondition, PATH_HEAD_END } from '../condition/parse.js';
import { longestName } from '../longest-name.js';

/** Deepest nesting of blocks, and of parentheses in one tag. */
const TEMPLATE_MAX_DEPTH = 32;
/** Stands for a lifted condition in the text Handlebars sees; refused when a document writes it. */
export const CONDITION_MARK = '@writ_condition_';

export interface PreparedSource {
  readonly text: string;
  readonly conditions: readonly Condition[];
  /** Where in the document's own text an offset of `text` is. */
  place(offset: number): number;
  /** Where the innermost block begins that is not closed; null when all are. */
  readonly unclosed: number | null;
}

/** Throws DOC_TEMPLATE or DOC_EXPRESSION, `details.offset` from the start of the source. */
export function prepareSource(source: string, names: ReadonlySet<string>): PreparedSource {
  const conditions: Condition[] = [];
  const edits: Edit[] = [];
  // Per open block, the levels it adds: itself and its `else if`s.
  const open: { levels: number; readonly start: number }[] = [];
  let depth = 0;
  const special = specialNames(names);
  const mayQuote = ![...special].some((name) => /["']/.test(name));
  for (const tag of tags(source, mayQuote)) {
    if (tag.body.includes(CONDITION_MARK)) {
      throw templateError(`the name ${CONDITION_MARK}… is not for documents`, tag.start);
    }
    const foreign = FOREIGN.exec(tag.body)?.[1];
    if (foreign !== undefined) {
      const what = foreign === '>' ? 'partials' : 'decorators and inline partials';
      throw templateError(`${what} are not allowed`, tag.start, TEMPLATE_PARTS);
    }
    const last = open.at(-1);
    if (tag.body.startsWith('/')) {
      depth -= open.pop()?.levels ?? 0;
    } else if (/^[#^]\s*\S/.test(tag.body)) {
      open.push({ levels: 1, start: tag.start });
      depth++;
    } else if (/^else\s+\S/.test(tag.body) && last !== undefined) {
      last.levels++;
      depth++;
    }
    if (depth > TEMPLATE_MAX_DEPTH || tag.body.split('(').length > TEMPLATE_MAX_DEPTH) {
      throw templateError(`template is nested deeper than ${TEMPLATE_MAX_DEPTH}`, tag.start);
    }
    const head = /^([#^]|else\s+)\s*(?:if|unless)(?:\s+|(?=\())/.exec(tag.body);
    const headText = head === null ? '' : tag.body.slice(head[0].length);
    if (head !== null && hasOperator(headText)) {
      const at = tag.bodyAt + head[0].length;
      edits.push({ at, length: headText.length, text: CONDITION_MARK + conditions.length });
      conditions.push(conditionAt(headText, names, at));
    } else {
      const edit = bracketed(tag, special);
      if (edit !== null) edits.push(edit);
      edits.push(...dotted(tag, edit === null ? 0 : edit.at + edit.length - tag.bodyAt));
    }
    // `{"a": {{n}}}`: the tag ends where it can, and the brace behind it is text, which Handlebars needs to be told.
    if (source[tag.end] === '}' && !endsInText(tag.body))
      edits.push({ at: tag.end, length: 0, text: NOTHING });
  }
  return { ...apply(source, edits), conditions, unclosed: open.at(-1)?.start ?? null };
}

/** What a template may hold, for hints. */
export const TEMPLATE_PARTS =
  'only if, unless, each, with, lookup, json, eq, ne, gt, gte, lt, lte, and, or, not and default are there';

/** Prints nothing. */
const NOTHING = '{{!}}';

const FOREIGN = /^#?\s*([>*])/;

/** DOC_TEMPLATE with the place in the template. */
export function templateError(message: string, offset: number, hint?: string): WritError {
  return new WritError('DOC_TEMPLATE', message, {
    details: { offset },
    ...(hint === undefined ? {} : { hint }),
  });
}

interface Edit {
  readonly at: number;
  readonly length: number;
  readonly text: string;
}

interface Tag {
  readonly start: number;
  /** Between the braces, without `~`, `&` and outer blanks. */
  readonly body: string;
  readonly bodyAt: number;
  /** Behind the braces. */
  readonly end: number;
}

// Walks the mustaches as Handlebars' lexer does: `\{{` is text, comments are skipped. `mayQuote`: a quote begins a text,
// no name of the plan has one.
function* tags(source: string, mayQuote: boolean): Generator<Tag> {
  let at = 0;
  for (;;) {
    const start = source.indexOf('{{', at);
    if (start < 0) return;
    if (source[start - 1] === '\\' && source[start - 2] !== '\\') {
      at = start + 2;
      continue;
    }
    if (source.startsWith('{{{{', start)) {
      throw templateError('raw blocks {{{{ }}}} are not part of the template language', start);
    }
    const open = source.startsWith('{{{', start) ? 3 : 2;
    const comment = /^~?!(--)?/.exec(source.slice(start + open, start + open + 4));
    const ended = tagEnd(source, start, comment?.[1]);
    const close = mayQuote ? headEnd(source, start + open, ended) : ended;
    if (close < 0) throw templateError('"{{" has no "}}"', start, 'close it; {{ as text is written \\{{');
    at = close + open;
    if (comment !== null) continue;
    const inside = source.slice(start + open, close);
    const lead = /^[~&\s]*/.exec(inside)?.[0].length ?? 0;
    yield {
      start,
      body: withoutTail(inside.slice(lead)),
      bodyAt: start + open + lead,
      end: at,
    };
  }
}

// Counted from the end: a pattern that ends in `$` tries every blank of a tag anew, and a document may hold many.
function withoutTail(text: string): string {
  let end = text.length;
  while (end > 0 && /[~\s]/.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

// A text with `}}` in it ends the tag early; Handlebars, which reads the tag again, has the last word.
function tagEnd(source: string, start: number, dashes: string | undefined): number {
  if (dashes === undefined) return source.indexOf('}}', start);
  const end = /--~?\}\}/g;
  end.lastIndex = start + 2;
  const found = end.exec(source);
  return found === null ? -1 : found.index + found[0].length - 2;
}

/** A head that is compared ends behind its texts: `}}` may stand in them. `ended`: where the first one is. */
function headEnd(source: string, at: number, ended: number): number {
  if (ended < 0 || !HEAD.test(source.slice(at, at + 40)) || !endsInText(source.slice(at, ended)))
    return ended;
  const found = TO_END.exec(source.slice(at, at + CONDITION_MAX_LENGTH + 40));
  return found === null ? ended : at + found[0].length - 2;
}

const HEAD = /^~?\s*(?:[#^]|else\s)\s*(?:if|unless)[\s(]/;
const TO_END = /^(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[[^\]]*\]|[^"'[}]|\}(?!\}))*\}\}/;

/** Is there a comparison or logical operator outside of text? Each character is looked at once, also of text without an end. */
function hasOperator(head: string): boolean {
  const outside = head.replace(QUOTED, (found: string, ...ends: (string | undefined)[]) =>
    ends.slice(0, 3).includes('') ? found : '',
  );
  return /[=!<>]=|[<>]|&&|\|\||!/.test(outside);
}

function endsInText(body: string): boolean {
  return [...body.matchAll(QUOTED)].some((found) => found.slice(1).includes(''));
}

/** Text, and names in brackets. The group of its kind is empty where the end is missing. */
const QUOTED = /"(?:\\.|[^"\\])*("?)|'(?:\\.|[^'\\])*('?)|\[[^\]]*(\]?)/g;

function conditionAt(head: string, names: ReadonlySet<string>, at: number): Condition {
  try {
    return parseTemplateCondition(head, names, at);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    throw new WritError(error.code, `in the head ${JSON.stringify(head.slice(0, 80))}: ${error.message}`, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.details === undefined ? {} : { details: error.details }),
    });
  }
}

const PLAIN_NAME = /^[\p{L}_][\p{L}\p{N}_-]*$/u;
const SPECIAL_NAMES = new WeakMap<ReadonlySet<string>, ReadonlySet<string>>();

// Only these need brackets: Handlebars reads the others as they are. A plan's names are one set for all its texts.
function specialNames(names: ReadonlySet<string>): ReadonlySet<string> {
  let special = SPECIAL_NAMES.get(names);
  if (special === undefined) {
    special = new Set([...names].filter((name) => !PLAIN_NAME.test(name)));
    SPECIAL_NAMES.set(names, special);
  }
  return special;
}
const ARGUMENT_HEAD = /^(?:(?:[#^]|else\s+)\s*(?:if|unless|each|with)|json|lookup|default)\s+/;

function bracketed(tag: Tag, names: ReadonlySet<string>): Edit | null {
  const lead = ARGUMENT_HEAD.exec(tag.body)?.[0] ?? '';
  const name =
    longestName(tag.body, lead.length, names, PATH_HEAD_END) ??
    (lead === '' ? null : longestName(tag.body, lead.length, names, /\s/y));
  if (name === null) return null;
  return {
    at: tag.bodyAt + lead.length,
    length: name.length,
    text: `[${name.replace(/[\\\]]/g, '\\$&')}]`,
  };
}

/**
 * `list[0]`, as a condition has it and people write it: Handlebars wants a dot there. What stands before `from` is a
 * name, whatever it holds.
 */
function dotted({ body, bodyAt }: Tag, from: number): readonly Edit[] {
  return [...body.slice(from).matchAll(QUOTED)].flatMap(({ 0: found, index }) => {
    const at = from + index;
    const isBehindName = (from > 0 && index === 0) || PATH_END.test(body.slice(Math.max(0, at - 2), at));
    return /^\[\d+\]$/.test(found) && isBehindName ? [{ at: bodyAt + at, length: 0, text: '.' }] : [];
  });
}
/** A part of a path, of two characters; not a bracket that belongs to a name. */
const PATH_END = /(?:[\p{L}\p{N}_-]|(?<!\\)\])$/u;

function apply(source: string, edits: readonly Edit[]): Pick<PreparedSource, 'text' | 'place'> {
  let text = '';
  let at = 0;
  const shifts: { readonly from: number; readonly by: number }[] = [];
  for (const edit of edits) {
    text += source.slice(at, edit.at) + edit.text;
    at = edit.at + edit.length;
    shifts.push({ from: text.length, by: at - text.length });
  }
  text += source.slice(at);
  const place = (offset: number): number => {
    const shift = shifts.findLast((candidate) => candidate.from <= offset);
    return offset + (shift?.by ?? 0);
  };
  return { text, place };
}
