// A template as a tree that can only do what agentos-dialect section 6 lists. Handlebars gives the syntax, whitespace
// control included; its compiler and runtime are not used, so a template is never turned into code. Whatever
// the list does not hold (partials, decorators, other helpers, hash arguments) is refused here, at load.
import Handlebars from 'handlebars';
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import type { Condition } from './condition.js';
import { CONDITION_MARK, type PreparedSource, prepareSource, templateError } from './template-source.js';

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
  /** As written. */
  readonly text: string;
  /** `@index` and its like. */
  readonly data: boolean;
  /** Number of `../`. */
  readonly up: number;
  readonly parts: readonly string[];
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
const LIST =
  'only if, unless, each, with, lookup, json, eq, ne, gt, gte, lt, lte, and, or, not and default are there';

/** Throws DOC_TEMPLATE or DOC_EXPRESSION; a tree that comes back holds nothing that is not allowed. */
export function parseTemplate(source: string, names: ReadonlySet<string>): readonly TemplateNode[] {
  const bytes = new TextEncoder().encode(source).length;
  if (bytes > TEMPLATE_MAX_BYTES) {
    throw templateError(`template has ${bytes} bytes, the limit is ${TEMPLATE_MAX_BYTES}`, 0);
  }
  const prepared = prepareSource(source, names);
  return new TreeBuilder(prepared).program(handlebarsTree(prepared.text));
}

function handlebarsTree(text: string): hbs.AST.Program {
  try {
    return Handlebars.parse(text);
  } catch (error) {
    // Its messages are several lines with a drawing; the last line says what was expected.
    const message = error instanceof Error ? error.message : String(error);
    if (/reading 'start'/.test(message))
      throw templateError(`partials and decorators are not allowed`, 0, LIST);
    const line = /on line (\d+)/.exec(message)?.[1];
    const got = /got '(\w+)'/.exec(message)?.[1];
    const detail =
      got === undefined ? (message.split('\n')[0] ?? message) : (TOKENS[got] ?? `unexpected ${got}`);
    const where = line === undefined ? '' : ` on line ${line} of the template`;
    throw new WritError('DOC_TEMPLATE', `template syntax${where}: ${detail}`, {
      hint: 'inside {{ }} quote text, and write an index as {{items.[0]}}',
      details: { offset: 0 },
      cause: error,
    });
  }
}

const TOKENS: Readonly<Record<string, string>> = {
  EOF: 'a block is not closed',
  INVALID: 'a character that is not allowed inside {{ }}',
  INVERSE: '{{else}} without a block',
  OPEN_ENDBLOCK: 'a closing tag without a block',
  OPEN: '"{{" inside {{ }}',
  NUMBER: 'a number where a name belongs',
  CLOSE: '{{ }} holds nothing, or ends too early',
};

class TreeBuilder {
  private readonly lineStarts: readonly number[];
  /** Enclosing each and with blocks. */
  private depth = 0;

  constructor(private readonly prepared: PreparedSource) {
    const starts = [0];
    for (let i = 0; i < prepared.text.length; i++) if (prepared.text[i] === '\n') starts.push(i + 1);
    this.lineStarts = starts;
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
        return this.refuse(node, `${KINDS[node.type] ?? node.type} are not allowed`, LIST);
    }
  }

  private block(node: hbs.AST.BlockStatement): TemplateNode {
    const name = node.path.type === 'PathExpression' ? node.path.original : '';
    if (name !== 'if' && name !== 'unless' && name !== 'each' && name !== 'with') {
      this.refuse(node, `unknown block ${JSON.stringify(name)}`, 'blocks are if, unless, each and with');
    }
    const head = node.params[0];
    if (head === undefined || node.params.length > 1) this.refuse(node, `#${name} takes one value`);
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
      this.refuse(node, `unknown helper ${JSON.stringify(name)} in ${this.original(node)}`, LIST);
    }
    const [least, most] = HELPERS[name];
    if (node.params.length < least || node.params.length > most) {
      this.refuse(node, `${name} takes ${least === most ? least : `${least} to ${most}`} values`);
    }
    const values = node.params.map((param) => this.expression(param));
    return { kind: 'call', helper: name, arguments: values };
  }

  private path(node: hbs.AST.PathExpression): TemplateExpression {
    const parts = node.parts as readonly string[];
    if (node.data && node.original.startsWith(CONDITION_MARK)) {
      const condition = this.prepared.conditions[Number(node.original.slice(CONDITION_MARK.length))];
      if (condition !== undefined) return { kind: 'condition', condition };
    }
    if (node.data && (parts.length !== 1 || !DATA_NAMES.has(parts[0] ?? ''))) {
      this.refuse(
        node,
        `unknown name ${node.original}`,
        '@index, @key, @first and @last are there, inside #each',
      );
    }
    if (node.depth > this.depth || (node.data && node.depth >= this.depth)) {
      this.refuse(node, `${node.original} leaves the template`, 'use it inside #each or #with');
    }
    if (!node.data && parts.length === 0 && node.depth === this.depth) {
      this.refuse(node, `${node.original} would print every variable`, 'name the variable');
    }
    return { kind: 'path', path: { text: node.original, data: node.data, up: node.depth, parts } };
  }

  private original(node: hbs.AST.Node): string {
    return this.prepared.original(this.offset(node.loc.start), this.offset(node.loc.end));
  }

  private offset(position: hbs.AST.Position): number {
    return (this.lineStarts[position.line - 1] ?? 0) + position.column;
  }

  private refuse(node: hbs.AST.Node, message: string, hint?: string): never {
    throw templateError(message, this.offset(node.loc.start), hint);
  }
}

const KINDS: Readonly<Record<string, string>> = {
  PartialStatement: 'partials',
  PartialBlockStatement: 'partials',
  Decorator: 'decorators',
  DecoratorBlock: 'inline partials',
};

function isHelper(name: string): name is Helper {
  return Object.hasOwn(HELPERS, name);
}
