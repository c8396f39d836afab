// Text of dialect 1's conditions becomes a tree. It is parsed before anything is looked up, so no value can become part of
// the expression. Bounded, and nothing is ever evaluated as code.
import { WritError } from '../../errors.js';
import { longestName } from '../longest-name.js';
import { TextCursor } from '../text-cursor.js';
import type { CompareOperator, Condition, ConditionNode, ConditionPath } from './condition.js';

/** Longest condition, in UTF-16 units. */
export const CONDITION_MAX_LENGTH = 2000;
/** Deepest nesting of `!` and parentheses. */
const CONDITION_MAX_DEPTH = 32;

/**
 * Parses a condition; nothing is looked up. `names` are the plan's names: a step name that holds a dot or a
 * bracket is recognised inside `{{ }}` only when it is given. Throws DOC_EXPRESSION with `details.offset`.
 */
export function parseCondition(source: string, names: ReadonlySet<string> = new Set()): Condition {
  return new ConditionParser(source, names, null).parse();
}

/**
 * As parseCondition, for heads of `#if` in a template, where `@index`, `this` and `../` are there too. Offsets are from
 * the start of the template, in which the condition begins at `at`.
 */
export function parseTemplateCondition(source: string, names: ReadonlySet<string>, at: number): Condition {
  return new ConditionParser(source, names, at).parse();
}

const NAME = /[\p{L}_][\p{L}\p{N}_-]*/uy;
const MEMBER = /[\p{L}\p{N}_][\p{L}\p{N}_-]*/uy;
const NUMBER = /-?\d+(?:\.\d+)?/y;
const OPERATOR = /==|!=|<=|>=|<|>/y;
const BLANKS = /\s*/y;
const HEAD_END = /[\s.[)=!<>&|]|$/y;
/** What may follow the head of a path that fills its braces. */
export const PATH_HEAD_END = /\s*(?:$|[.[])/y;
const WORDS: ReadonlyMap<string, boolean | null> = new Map<string, boolean | null>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

// One instance parses one text; recursion is bounded by CONDITION_MAX_DEPTH.
class ConditionParser extends TextCursor {
  private depth = 0;
  private readonly paths: ConditionPath[] = [];
  private readonly inTemplate: boolean;

  /** `templateAt`: where the condition begins in its template; null = it is in none. */
  constructor(
    source: string,
    private readonly names: ReadonlySet<string>,
    private readonly templateAt: number | null,
  ) {
    super(source, 0, BLANKS);
    this.inTemplate = templateAt !== null;
  }

  parse(): Condition {
    if (this.source.length > CONDITION_MAX_LENGTH) {
      this.fail(`condition has ${this.source.length} characters, the limit is ${CONDITION_MAX_LENGTH}`, 0);
    }
    const root = this.or();
    this.space();
    if (this.at < this.source.length) {
      this.fail(`expected an operator or the end, found ${this.here()}`, this.at, this.hintHere());
    }
    return { source: this.source, root, paths: this.paths };
  }

  private or(): ConditionNode {
    return this.chain('or', '||', () => this.and());
  }

  private and(): ConditionNode {
    return this.chain('and', '&&', () => this.unary());
  }

  private chain(kind: 'and' | 'or', sign: string, next: () => ConditionNode): ConditionNode {
    const first = next();
    const operands = [first];
    while (this.take(sign)) operands.push(next());
    return operands.length === 1 ? first : { kind, operands };
  }

  private unary(): ConditionNode {
    this.space();
    if (this.source[this.at] === '!' && this.source[this.at + 1] !== '=') {
      this.at++;
      return this.nested(() => ({ kind: 'not', operand: this.unary() }));
    }
    return this.comparison();
  }

  private comparison(): ConditionNode {
    const left = this.value();
    this.space();
    const operator = this.match(OPERATOR) as CompareOperator | null; // OPERATOR matches nothing else
    return operator === null ? left : { kind: 'compare', operator, left, right: this.value() };
  }

  private value(): ConditionNode {
    this.space();
    const start = this.at;
    const char = this.source[start];
    if (char === undefined) this.fail('expected a value, found the end', start);
    if (char === "'" || char === '"') return { kind: 'literal', value: this.text() };
    if (this.take('(')) {
      const inner = this.nested(() => this.or());
      if (!this.take(')')) this.fail('expected ")"', this.at);
      return inner;
    }
    if (this.source.startsWith('{{', start)) return this.braced();
    const data = this.inTemplate && this.source.startsWith('@', this.at) ? this.source.charAt(this.at++) : '';
    const up = this.inTemplate ? this.ups() : 0;
    if (this.inTemplate && data === '') {
      const name = this.stepName();
      if (name !== null) return this.path(start, name, this.source.length, up);
    }
    const number = data === '' && up === 0 ? this.match(NUMBER) : null;
    if (number !== null) return { kind: 'literal', value: Number(number) };
    const word = this.match(NAME);
    if (word === null) this.fail(`expected a value, found ${this.here()}`, start, this.hintHere());
    const literal = data === '' && up === 0 ? WORDS.get(word) : undefined;
    if (literal !== undefined) return { kind: 'literal', value: literal };
    return this.path(start, data + word, this.source.length, up);
  }

  private ups(): number {
    let up = 0;
    for (; this.source.startsWith('../', this.at); this.at += 3) up++;
    return up;
  }

  // In a template the whole head is inside `{{ }}`, so a step name may stand there bare or in brackets.
  private stepName(): string | null {
    const rest = this.source.slice(this.at);
    const bracket = /^\[([^\]]+)\]/.exec(rest);
    if (bracket !== null) {
      this.at += bracket[0].length;
      return bracket[1] ?? null;
    }
    const best = longestName(this.source, this.at, this.names, HEAD_END);
    if (best === null || !/[^\p{L}\p{N}_]/u.test(best)) return null;
    this.at += best.length;
    return best;
  }

  // `{{path}}`: the head may be a step name with spaces; the longest known name wins.
  private braced(): ConditionNode {
    const open = this.at;
    const end = this.source.indexOf('}}', open + 2);
    if (end < 0) this.fail('"{{" has no "}}"', open);
    this.at = open + 2;
    this.space();
    const start = this.at;
    const body = this.source.slice(start, end).trimEnd();
    let head = longestName(body, 0, this.names, PATH_HEAD_END);
    if (head !== null) {
      this.at = start + head.length;
    } else if (body.startsWith('[')) {
      const close = body.indexOf(']');
      if (close < 0) this.fail('"[" has no "]"', start);
      head = body.slice(1, close);
      this.at = start + close + 1;
    } else {
      const stop = body.search(/[.[]/);
      const raw = stop < 0 ? body : body.slice(0, stop);
      head = raw.trimEnd();
      this.at = start + raw.length;
    }
    if (head === '') this.fail('"{{ }}" names no variable', open);
    if (/["'{}()=<>!&|#]/.test(head) && !this.names.has(head)) {
      this.fail(`${JSON.stringify(head)} is not a name`, start, 'put operators outside of {{ }}');
    }
    const node = this.path(start, head, start + body.length);
    this.at = end + 2;
    return node;
  }

  private path(start: number, head: string, end: number, up = 0): ConditionNode {
    const segments: (string | number)[] = [];
    while (this.at < end) {
      if (this.source[this.at] === '.' && this.source[this.at + 1] !== '[') {
        this.at++;
        const name = this.match(MEMBER);
        if (name === null) this.fail('expected a name after "."', this.at);
        segments.push(name);
      } else if (this.source[this.at] === '[' || this.source[this.at] === '.') {
        segments.push(this.bracket());
      } else if (end < this.source.length) {
        this.fail(`expected "." or "[" in a path, found ${this.here()}`, this.at);
      } else {
        break;
      }
    }
    const text = this.source.slice(start, this.at).trimEnd();
    const path = { text, head, segments, up, offset: start + (this.templateAt ?? 0) };
    this.paths.push(path);
    return { kind: 'path', path };
  }

  // `[0]` and `["a b"]`; as templates write them, with a dot before it and without quotes, too: `.[0]`, `.[a b]`.
  private bracket(): string | number {
    const bare = this.take('.') ? /^\[([^\]"']*[^\]"'\d][^\]"']*)\]/.exec(this.source.slice(this.at)) : null;
    if (bare !== null) {
      this.at += bare[0].length;
      return bare[1] ?? '';
    }
    this.at++;
    this.space();
    const char = this.source[this.at];
    const digits = /\d+/y;
    const segment = char === "'" || char === '"' ? this.text() : this.match(digits);
    if (segment === null) this.fail('expected an index or a quoted name after "["', this.at);
    this.space();
    if (!this.take(']')) this.fail('expected "]"', this.at);
    return char === "'" || char === '"' ? segment : Number(segment);
  }

  private text(): string {
    const start = this.at;
    const quote = this.source[this.at++];
    let out = '';
    for (;;) {
      const char = this.source[this.at++];
      if (char === undefined) this.fail('text has no closing quote', start);
      if (char === quote) return out;
      if (char !== '\\') {
        out += char;
        continue;
      }
      const escaped = this.source[this.at++];
      if (escaped === 'n') out += '\n';
      else if (escaped === "'" || escaped === '"' || escaped === '\\') out += escaped;
      else this.fail(`unknown escape "\\${escaped ?? ''}"`, this.at - 2, `use \\', \\", \\\\ or \\n`);
    }
  }

  private nested(next: () => ConditionNode): ConditionNode {
    if (++this.depth > CONDITION_MAX_DEPTH) {
      this.fail(`condition is nested deeper than ${CONDITION_MAX_DEPTH}`, this.at);
    }
    const node = next();
    this.depth--;
    return node;
  }

  private here(): string {
    const rest = this.source.slice(this.at);
    return rest === '' ? 'the end' : JSON.stringify(/^\S{1,20}/u.exec(rest)?.[0] ?? rest[0]);
  }

  private hintHere(): string | undefined {
    const rest = this.source.slice(this.at);
    if (/^=(?!=)/.test(rest)) return 'compare with ==';
    if (/^&(?!&)/.test(rest)) return 'join with &&';
    if (/^\|(?!\|)/.test(rest)) return 'join with ||';
    if (/^(and|or|not)\b/i.test(rest) || /\bnot\s+$/i.test(this.source.slice(0, this.at))) {
      return 'use &&, || and !';
    }
    return /^[a-z+*/%?-]/i.test(rest) ? 'operators: ==, !=, <, <=, >, >=, &&, || and !' : undefined;
  }

  private fail(message: string, offset: number, hint?: string): never {
    throw new WritError('DOC_EXPRESSION', message, {
      details: { offset: offset + (this.templateAt ?? 0) },
      ...(hint === undefined ? {} : { hint }),
    });
  }
}
