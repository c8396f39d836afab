// A template as a tree that can only do what the AgentOS page lists. Handlebars gives the syntax, whitespace
// control included; its compiler and runtime are not used, so a template is never turned into code. Whatever
// the list does not hold (partials, decorators, other helpers, hash arguments) is refused here, at load.
import Handlebars from 'handlebars';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import type { Condition, ConditionPath } from '../condition/condition.js';
import { nearest } from '../nearest.js';
import {
  CONDITION_MARK,
  type PreparedSource,
  prepareSource,
  TEMPLATE_PARTS,
  templateError,
} from './source.js';

/** Longest template, in UTF-8 bytes. */
export const TEMPLATE_MAX_BYTES = 64 * 1024;

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly value: TemplateExpression; readonly source: string }
  | {
      readonly kind: 'if';
      readonly test: TemplateExpression;
      readonly negate: boolean;
      readonly then: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    }
  | {
      readonly kind: 'each' | 'with';
      readonly over: TemplateExpression;
      /** Block parameters, `as |item index|`. */
      readonly names: readonly string[];
      readonly then: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

export type TemplateExpression =
  | { readonly kind: 'literal'; readonly value: Json }
  | { readonly kind: 'path'; readonly path: TemplatePath }
  | { readonly kind: 'call'; readonly helper: Helper; readonly arguments: readonly TemplateExpression[] }
  | { readonly kind: 'condition'; readonly condition: Condition };

export interface TemplatePath {
  /** As a template may write it. */
  readonly text: string;
  /** `@index` and its like. */
  readonly data: boolean;
  /** Number of `../`. */
  readonly up: number;
  readonly parts: readonly string[];
  /** 0-based, UTF-16 units, in the template as it is written. */
  readonly offset: number;
}

/** Inline helpers with their least and greatest number of arguments. */
const HELPERS = {
  lookup: [2, 2],
  json: [1, 1],
  eq: [2, 2],
  ne: [2, 2],
  gt: [2, 2],
  gte: [2, 2],
  lt: [2, 2],
  lte: [2, 2],
  and: [1, 16],
  or: [1, 16],
  not: [1, 1],
  default: [2, 2],
} as const satisfies Record<string, readonly [number, number]>;
export type Helper = keyof typeof HELPERS;

const DATA_NAMES: ReadonlySet<string> = new Set(['index', 'key', 'first', 'last']);
/**
 * Throws DOC_TEMPLATE or DOC_EXPRESSION; a tree that comes back holds nothing that is not allowed. Parsed once for
 * the same set of names, which must not change any more.
 */
export function parseTemplate(source: string, names: ReadonlySet<string>): readonly TemplateNode[] {
  const parsed = PARSED.get(names) ?? new Map<string, readonly TemplateNode[]>();
  PARSED.set(names, parsed);
  let tree = parsed.get(source);
  if (tree === undefined) {
    tree = freshTree(source, names);
    if (parsed.size >= PARSED_MAX) parsed.clear();
    parsed.set(source, tree);
  }
  return tree;
}

/** Trees kept per set of names. */
const PARSED_MAX = 4096;
const PARSED = new WeakMap<ReadonlySet<string>, Map<string, readonly TemplateNode[]>>();

function freshTree(source: string, names: ReadonlySet<string>): readonly TemplateNode[] {
  const bytes = new TextEncoder().encode(source).length;
  if (bytes > TEMPLATE_MAX_BYTES) {
    throw templateError(`template has ${bytes} bytes, the limit is ${TEMPLATE_MAX_BYTES}`, 0);
  }
  if (!source.includes('{{')) return source === '' ? [] : [{ kind: 'text', text: source }];
  const prepared = prepareSource(source, names);
  return new TreeBuilder(source, prepared, names).program(handlebarsTree(prepared));
}

function handlebarsTree(prepared: PreparedSource): hbs.AST.Program {
  try {
    return Handlebars.parse(prepared.text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const got = /got '(\w+)'/.exec(message)?.[1];
    const offset = got === 'EOF' ? prepared.unclosed : syntaxOffset(prepared, error, message);
    // `if doesn't match unless - 2:16`: the place is told otherwise.
    const said = (message.split('\n')[0] ?? message).replace(/ - \d+:\d+$/, '');
    const detail = got === undefined ? said : (TOKENS[got] ?? `unexpected ${got}`);
    throw new WritError('DOC_TEMPLATE', `template syntax: ${detail}`, {
      hint:
        got === 'EOF'
          ? 'every {{#if …}}, {{#each …}} and the like ends with its own {{/if}}, {{/each}}'
          : 'inside {{ }} quote text, and write a name with other characters in brackets: {{a.[b c]}}',
      details: { offset: offset ?? 0 },
      cause: error,
    });
  }
}

// Where Handlebars stopped: as a property of its own errors, as a drawing in those of its parser:
// `Parse error on line 1:`, up to 20 characters before and after the place without line breaks, and `----^` below.
function syntaxOffset(prepared: PreparedSource, error: unknown, message: string): number | null {
  const { text } = prepared;
  const { lineNumber, column } = (error ?? {}) as { lineNumber?: unknown; column?: unknown };
  if (typeof lineNumber === 'number' && typeof column === 'number') {
    return prepared.place((lineStartsOf(text)[lineNumber - 1] ?? 0) + column);
  }
  const [first = '', drawn = '', dashes = ''] = message.split('\n');
  const line = Number(/on line (\d+)/.exec(first)?.[1]);
  const before = drawn.slice(0, dashes.indexOf('^')).replace(/^\.\.\./, '');
  const around = before + drawn.slice(dashes.indexOf('^')).replace(/\.\.\.$/, '');
  const flat = text.replaceAll('\n', '');
  const breaks = [...text.matchAll(/\n/g)].map((found, i) => found.index - i);
  let best: number | null = null;
  let least = Infinity;
  let above = 0;
  for (let at = flat.indexOf(around); at >= 0; at = flat.indexOf(around, at + 1)) {
    const stop = at + before.length;
    while ((breaks[above] ?? Infinity) <= stop) above++;
    const away = Math.abs(above + 1 - line);
    if (away < least) [best, least] = [prepared.place(stop + above), away];
  }
  return best;
}

function lineStartsOf(text: string): readonly number[] {
  return [0, ...[...text.matchAll(/\n/g)].map((found) => found.index + 1)];
}

const TOKENS: Readonly<Record<string, string>> = {
  EOF: 'a block is not closed',
  INVALID: 'a character that is not allowed inside {{ }}',
  INVERSE: '{{else}} without a block',
  OPEN_ENDBLOCK: 'a closing tag without a block',
  OPEN: '"{{" inside {{ }}',
  NUMBER: 'a number where a name belongs',
  CLOSE_UNESCAPED: '"}}}" ends what "{{" began',
  CLOSE: '{{ }} holds nothing, or ends too early',
};

class TreeBuilder {
  private readonly lineStarts: readonly number[];
  /** Enclosing each and with blocks. */
  private depth = 0;

  constructor(
    private readonly source: string,
    private readonly prepared: PreparedSource,
    private readonly names: ReadonlySet<string>,
  ) {
    this.lineStarts = lineStartsOf(prepared.text);
  }

  program(program: hbs.AST.Program | undefined): readonly TemplateNode[] {
    const nodes: TemplateNode[] = [];
    for (const statement of program?.body ?? []) {
      const node = this.statement(statement);
      if (node !== null) nodes.push(node);
    }
    return nodes;
  }

  private statement(node: hbs.AST.Statement): TemplateNode | null {
    switch (node.type) {
      case 'ContentStatement':
        return { kind: 'text', text: (node as hbs.AST.ContentStatement).value };
      case 'CommentStatement':
        return null;
      case 'MustacheStatement': {
        const mustache = node as hbs.AST.MustacheStatement;
        return { kind: 'print', value: this.call(mustache), source: this.original(node) };
      }
      case 'BlockStatement':
        return this.block(node as hbs.AST.BlockStatement);
      default:
        return this.refuse(node, `${KINDS[node.type] ?? node.type} are not allowed`, TEMPLATE_PARTS);
    }
  }

  private block(node: hbs.AST.BlockStatement): TemplateNode {
    const name = node.path.type === 'PathExpression' ? node.path.original : '';
    if (name !== 'if' && name !== 'unless' && name !== 'each' && name !== 'with') {
      this.refuse(node, `unknown block ${JSON.stringify(name)}`, 'blocks are if, unless, each and with');
    }
    const head = node.params[0];
    if (head === undefined || node.params.length > 1) {
      this.refuse(
        node,
        `#${name} takes one value`,
        name === 'if' || name === 'unless' ? TEST_FORMS : undefined,
      );
    }
    if (node.hash !== undefined) this.refuse(node, `#${name} takes no named values`);
    const value = this.expression(head);
    // Handlebars leaves the branch out when it is empty, and the program out of `{{^if}}`.
    const program = node.program as hbs.AST.Program | undefined;
    const inverse = node.inverse as hbs.AST.Program | undefined;
    if (name === 'if' || name === 'unless') {
      const then = this.program(program);
      return { kind: 'if', test: value, negate: name === 'unless', then, otherwise: this.program(inverse) };
    }
    this.depth++;
    const then = this.program(program);
    this.depth--;
    const names = program?.blockParams ?? [];
    return { kind: name, over: value, names, then, otherwise: this.program(inverse) };
  }

  private expression(node: hbs.AST.Expression): TemplateExpression {
    switch (node.type) {
      case 'SubExpression':
        return this.call(node as hbs.AST.SubExpression);
      case 'PathExpression':
        return this.path(node as hbs.AST.PathExpression);
      case 'StringLiteral':
        return { kind: 'literal', value: (node as hbs.AST.StringLiteral).value };
      case 'NumberLiteral':
        return { kind: 'literal', value: (node as hbs.AST.NumberLiteral).value };
      case 'BooleanLiteral':
        return { kind: 'literal', value: (node as hbs.AST.BooleanLiteral).value };
      case 'NullLiteral':
      case 'UndefinedLiteral':
        return { kind: 'literal', value: null };
      default:
        return this.refuse(node, `${node.type} is not allowed`);
    }
  }

  // `{{x}}` is a variable, whatever its name; `{{helper x}}` and `(helper x)` are calls.
  private call(node: hbs.AST.MustacheStatement | hbs.AST.SubExpression): TemplateExpression {
    if (node.hash !== undefined) this.refuse(node, 'named values are not allowed');
    if (node.params.length === 0 && node.type === 'MustacheStatement') return this.expression(node.path);
    const name = node.path.type === 'PathExpression' ? (node.path as hbs.AST.PathExpression).original : '';
    if (!isHelper(name)) {
      const written = this.original(node);
      const hint = this.meantName(written) ?? TEMPLATE_PARTS;
      this.refuse(node, `unknown helper ${JSON.stringify(name)} in ${written}`, hint);
    }
    const [least, most] = HELPERS[name];
    if (node.params.length < least || node.params.length > most) {
      this.refuse(node, `${name} takes ${least === most ? least : `${least} to ${most}`} values`);
    }
    const values = node.params.map((param) => this.expression(param));
    return { kind: 'call', helper: name, arguments: values };
  }

  /** A step's name with blanks that is mistyped reads as a call. */
  private meantName(written: string): string | undefined {
    const [head = ''] = written.replace(/^[{(~&\s]+/, '').split(/[.}[)]/, 1);
    return nearest(
      head,
      [...this.names].filter((name) => /\s/.test(name)),
    );
  }

  private path(node: hbs.AST.PathExpression): TemplateExpression {
    const parts = node.parts as readonly string[];
    if (node.data && node.original.startsWith(CONDITION_MARK)) {
      const condition = this.prepared.conditions[Number(node.original.slice(CONDITION_MARK.length))];
      if (condition !== undefined) {
        for (const path of condition.paths) this.checkPath(templatePath(path));
        return { kind: 'condition', condition };
      }
    }
    const path = {
      text: parts.length === 0 ? node.original : writtenPath(node.data, node.depth, parts),
      data: node.data,
      up: node.depth,
      parts,
      offset: this.place(node.loc.start),
    };
    this.checkPath(path);
    if (!path.data && parts.length === 0 && path.up === this.depth) {
      this.refuse(node, `${path.text} would print every variable`, 'name the variable');
    }
    return { kind: 'path', path };
  }

  /** Whatever leads out of the template, and data that no block gives. */
  private checkPath({ text, data, up, parts, offset }: TemplatePath): void {
    if (data && (parts.length !== 1 || !DATA_NAMES.has(parts[0] ?? ''))) {
      const hint = '@index, @key, @first and @last are there, inside #each';
      throw templateError(`unknown name ${text}`, offset, hint);
    }
    if (up > this.depth || (data && up >= this.depth)) {
      throw templateError(`${text} leaves the template`, offset, 'use it inside #each or #with');
    }
  }

  private original(node: hbs.AST.Node): string {
    return this.source.slice(this.place(node.loc.start), this.place(node.loc.end));
  }

  private place(position: hbs.AST.Position): number {
    return this.prepared.place((this.lineStarts[position.line - 1] ?? 0) + position.column);
  }

  private refuse(node: hbs.AST.Node, message: string, hint?: string): never {
    throw templateError(message, this.place(node.loc.start), hint);
  }
}

/** A variable of a condition, as a template names it. */
export function templatePath({ text, head, segments, up, offset }: ConditionPath): TemplatePath {
  const data = head.startsWith('@');
  return { text, data, up, parts: [data ? head.slice(1) : head, ...segments.map(String)], offset };
}

/** A head with blanks is a step's name, which needs no brackets. */
function writtenPath(data: boolean, up: number, parts: readonly string[]): string {
  const written = parts.map((part, i) =>
    i === 0 || /^[\p{L}_][\p{L}\p{N}_-]*$/u.test(part) ? part : `[${part}]`,
  );
  return `${data ? '@' : ''}${'../'.repeat(up)}${written.join('.')}`;
}

const TEST_FORMS = 'such as {{#if done}}, {{#if score > 0.9 && !late}} or {{#if (and done (not late))}}';

const KINDS: Readonly<Record<string, string>> = {
  PartialStatement: 'partials',
  PartialBlockStatement: 'partials',
  Decorator: 'decorators',
  DecoratorBlock: 'inline partials',
};

function isHelper(name: string): name is Helper {
  return Object.hasOwn(HELPERS, name);
}
