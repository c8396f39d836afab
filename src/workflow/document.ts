// Text to data with places: YAML 1.2 core or JSON, one document. The text is attacker-controlled: bytes, depth,
// lexemes, nodes and alias expansions are bounded before they cost anything, tags and other YAML versions are
// refused, duplicate keys are findings. Never throws on bad input.
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  Parser,
  type Scalar,
} from 'yaml';
import { Findings } from './diagnostic.js';
import type { Located, LocatedEntry, Segments } from './located.js';
import { readPlainDocument } from './plain-document.js';
import { QUOTE_BRACES, syntaxErrors, wholeBefore } from './syntax-errors.js';

export const DOCUMENT_MAX_BYTES = 1024 * 1024;
/** Deepest nesting of lists and maps; what RFC 8785 hashing takes, less room for a wrapper. */
const DOCUMENT_MAX_DEPTH = 60;
export const DOCUMENT_MAX_ALIASES = 100;
/** Values after alias expansion. */
export const DOCUMENT_MAX_NODES = 200_000;
const MAX_LEXEMES = 500_000;

/** What stands whole before the first slip, up to `end`; `findings` are of the reading, also behind that. */
export interface BeforeSlip {
  readonly root: Located;
  readonly end: number;
  readonly findings: Findings;
}

export interface ReadDocument {
  /** null when the text is no document at all. */
  readonly root: Located | null;
  /** Of a dialect 1 text that is no YAML, what is certain: never a document of its own. */
  readonly before: BeforeSlip | null;
  readonly findings: Findings;
}

export function readDocument(text: string): ReadDocument {
  const root = readPlainDocument(text);
  if (root === null) return readWithParser(text);
  const findings = new Findings(lineStarts(text));
  findings.locateIn(root);
  return { root, before: null, findings };
}

/** As `readDocument`, by the YAML parser whatever the text is. */
export function readWithParser(text: string): ReadDocument {
  const findings = new Findings(lineStarts(text.length > DOCUMENT_MAX_BYTES ? '' : text));
  type Code = 'DOC_TOO_LARGE' | 'DOC_SYNTAX' | 'DOC_UNSUPPORTED';
  const refuse = (code: Code, message: string, offset = 0, hint?: string) => {
    findings.add({ code, message, hint, at: [], offset });
    return { root: null, before: null, findings };
  };
  const isEmpty = () => refuse('DOC_SYNTAX', 'document is empty', 0, 'begin with id: and steps:');
  // A UTF-16 unit is at least one byte of UTF-8, so the second count is only made for texts that can be short enough.
  if (text.length > DOCUMENT_MAX_BYTES || new TextEncoder().encode(text).length > DOCUMENT_MAX_BYTES) {
    return refuse('DOC_TOO_LARGE', `document is larger than ${DOCUMENT_MAX_BYTES} bytes`, 0, LESS);
  }
  const tokens = tokenize(text);
  if ('problem' in tokens) return refuse('DOC_TOO_LARGE', tokens.problem, tokens.offset, tokens.hint);
  const composer = new Composer({ version: '1.2', schema: 'core', uniqueKeys: false, prettyErrors: false });
  const documents = [...composer.compose(tokens, true, text.length)];
  const document = documents[0];
  if (document === undefined) return isEmpty();
  const errors = syntaxErrors(documents, text);
  const first = errors[0]?.offset;
  for (const error of errors) findings.add(error);
  const second = documents[1];
  if (second !== undefined) {
    refuse('DOC_SYNTAX', 'a file holds one document, this one holds more', second.range[0], ONE_EACH);
  }
  if (first !== undefined)
    return { root: null, before: certain(document, first, findings.ofSameText()), findings };
  if (second !== undefined) return { root: null, before: null, findings };
  if (document.directives.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
    return refuse('DOC_UNSUPPORTED', `YAML ${document.directives.yaml.version} is not read, only 1.2`);
  }
  if (document.contents === null) return isEmpty();
  const converter = new Converter(document, findings);
  const root = converter.convert(document.contents, [], 0);
  // What lies behind a limit was not read: nothing can be said of what is missing.
  if (root === null || converter.stopped) return { root: null, before: null, findings };
  findings.locateIn(root);
  return { root, before: null, findings };
}

function certain(document: Document.Parsed, offset: number, findings: Findings): BeforeSlip | null {
  const converter = new Converter(document, findings);
  const read = converter.convert(document.contents, [], 0);
  const whole = read === null || converter.stopped ? null : wholeBefore(read, offset);
  return whole === null ? null : { ...whole, findings };
}

// The parser's stack is the nesting depth: composing recurses along it, and would take the process down on a
// hostile text, so it is checked while the parser, which does not recurse, goes through the text.
function tokenize(
  text: string,
):
  | Parameters<Composer['compose']>[0]
  | { readonly problem: string; readonly offset: number; readonly hint: string } {
  const parser = new Parser();
  const tokens = [];
  let lexemes = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > DOCUMENT_MAX_DEPTH + 2) {
      return { problem: `document is nested deeper than ${DOCUMENT_MAX_DEPTH}`, offset, hint: FLATTER };
    }
    if (++lexemes > MAX_LEXEMES) {
      return { problem: `document has more than ${MAX_LEXEMES} words and signs`, offset, hint: LESS };
    }
    if (!NOT_IN_TEXT.has(lexeme)) offset += lexeme.length;
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

/** What the lexer puts between the parts of the text: document, flow end, scalar. */
const NOT_IN_TEXT: ReadonlySet<string> = new Set(['\u0002', '\u0018', '\u001f']);

class Converter {
  private nodes = 0;
  private aliases = 0;
  /** A limit was met, and the rest was left unread. */
  stopped = false;

  constructor(
    private readonly document: Document.Parsed,
    private readonly findings: Findings,
  ) {}

  /** null behind a limit. A value that has no place in JSON is told, and null stands for it: its key is there. */
  convert(node: unknown, path: Segments, depth: number): Located | null {
    if (this.stopped) return null;
    if (++this.nodes > DOCUMENT_MAX_NODES || depth > DOCUMENT_MAX_DEPTH) {
      const limit =
        this.nodes > DOCUMENT_MAX_NODES
          ? `has more than ${DOCUMENT_MAX_NODES} values`
          : 'is nested too deeply';
      return this.stop(`document ${limit}`, node, path);
    }
    if (!isNode(node)) return { kind: 'scalar', value: null, offset: 0 };
    const offset = node.range?.[0] ?? 0;
    if (isAlias(node)) {
      if (++this.aliases > DOCUMENT_MAX_ALIASES) {
        return this.stop(`document expands more than ${DOCUMENT_MAX_ALIASES} aliases`, node, path);
      }
      const target = node.resolve(this.document);
      if (target === undefined) {
        return this.fail('DOC_SYNTAX', `alias *${node.source} has no anchor before it`, node, path);
      }
      return this.convert(target, path, depth + 1);
    }
    if (typeof node.tag === 'string' && !CORE_TAGS.has(node.tag)) {
      return this.fail('DOC_UNSUPPORTED', `tag ${node.tag} is not read`, node, path);
    }
    if (isScalar(node)) return this.scalar(node, path, offset);
    if (isSeq(node)) {
      const items = node.items.map((item, i) => this.convert(item, [...path, i], depth + 1));
      return { kind: 'list', offset, items: items.filter((item) => item !== null) };
    }
    if (!isMap(node)) return this.fail('DOC_SYNTAX', 'not a value', node, path);
    const entries: LocatedEntry[] = [];
    const keys = new Set<string>();
    for (const pair of node.items) {
      const key = this.key(pair.key, path);
      // `{{goal}}` without quotes: of what was meant to be a text, that it is an object is nothing to tell.
      if (isMap(pair.key)) this.findings.leaveUnread(offset);
      if (key === null) continue;
      const keyOffset = isNode(pair.key) ? offsetIn(pair.key) : offset;
      if (keys.has(key)) {
        this.findings.add({
          code: 'DOC_DUPLICATE_FIELD',
          message: `${JSON.stringify(key)} is given twice`,
          hint: 'keep one of them',
          at: [...path, key],
          offset: keyOffset,
        });
        continue;
      }
      keys.add(key);
      const value = this.convert(pair.value, [...path, key], depth + 1);
      // A key without a value (`key:`) has no node; it stands where its key does.
      if (value !== null)
        entries.push({ key, keyOffset, value: isNode(pair.value) ? value : { ...value, offset: keyOffset } });
    }
    return { kind: 'map', offset, entries };
  }

  private scalar(node: Scalar, path: Segments, offset: number): Located {
    const value = node.value;
    if (typeof value === 'number') {
      if (!Number.isFinite(value))
        return this.fail('DOC_BAD_VALUE', `${String(value)} is not a number JSON knows`, node, path);
      if (Number.isInteger(value) && !Number.isSafeInteger(value) && /^-?\d+$/.test(node.source ?? '')) {
        this.findings.add({
          code: 'DOC_NUMBER_PRECISION',
          severity: 'warning',
          message: `${node.source} is beyond 2^53 and is read as ${value}`,
          hint: 'put it in quotes to keep every digit',
          at: path,
          offset,
        });
      }
      return { kind: 'scalar', value: Object.is(value, -0) ? 0 : value, offset };
    }
    if (typeof value === 'string' && /\p{Surrogate}/u.test(value)) {
      return this.fail('DOC_BAD_VALUE', 'text holds half of a surrogate pair', node, path);
    }
    if (value === null || typeof value === 'boolean' || typeof value === 'string') {
      return { kind: 'scalar', value, offset };
    }
    return this.fail('DOC_BAD_VALUE', 'value has no place in JSON', node, path);
  }

  // Numbers and booleans as keys are what the author wrote: `1:` is the key "1".
  private key(node: unknown, path: Segments): string | null {
    if (isScalar(node) && (node.tag === undefined || CORE_TAGS.has(node.tag))) {
      const text = typeof node.value === 'string' ? node.value : (node.source ?? '');
      if (text === '<<' && node.type === 'PLAIN') {
        const hint = 'write the fields out; an alias for a whole value is read: field: *name';
        const message = 'merge keys (<<) are of YAML 1.1 and are not read';
        this.findings.add({ code: 'DOC_UNSUPPORTED', message, hint, at: path, offset: node.range?.[0] ?? 0 });
        return null;
      }
      // `"": 1` is a field of somebody's data, `: 1` is a slip.
      const isWritten = text !== '' || node.value === '';
      if (isWritten && !/\p{Surrogate}/u.test(text)) return text;
    }
    const message = 'a key is a text of whole characters';
    const hint = isMap(node) ? QUOTE_BRACES : undefined;
    this.findings.add({ code: 'DOC_SYNTAX', message, hint, at: path, offset: offsetIn(node) });
    return null;
  }

  private stop(message: string, node: unknown, path: Segments): null {
    this.stopped = true;
    const hint =
      isAlias(node) || this.aliases > 0 ? `${LESS}; an alias stands for all that is in its anchor` : LESS;
    this.findings.add({ code: 'DOC_TOO_LARGE', message, hint, at: path, offset: offsetIn(node) });
    return null;
  }

  private fail(
    code: 'DOC_SYNTAX' | 'DOC_BAD_VALUE' | 'DOC_UNSUPPORTED',
    message: string,
    node: unknown,
    path: Segments,
  ): Located {
    const offset = offsetIn(node);
    this.findings.add({ code, message, at: path, offset });
    this.findings.leaveUnread(offset);
    return { kind: 'scalar', value: null, offset };
  }
}

const LESS = 'split the workflow, or pass large data as input';
const ONE_EACH = 'write each document into a file of its own';
const FLATTER = 'write lists and objects less deep in one another, or pass deep data as input';

const CORE_TAGS: ReadonlySet<string> = new Set(
  ['map', 'seq', 'str', 'null', 'bool', 'int', 'float'].map((name) => `tag:yaml.org,2002:${name}`),
);

function offsetIn(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
  return starts;
}
