// Templates of dialect 1: check at load, render once per attempt set. Values are data: they are printed, never
// parsed as a template again. Deterministic, bounded, no prototype access; every name is looked up here.
import { WritError } from '../../errors.js';
import { isList, type Json } from '../../json.js';
import type { ConditionPath } from '../condition/condition.js';
import { evaluateNode } from '../condition/evaluate.js';
import { BLOCKED_NAMES } from '../names.js';
import { nearest } from '../nearest.js';
import { valueAt, type Scope } from '../scope.js';
import { callHelper, printed } from './helper.js';
import {
  parseTemplate,
  templatePath,
  type TemplateExpression,
  type TemplateNode,
  type TemplatePath,
} from './tree.js';
import { TemplateWork } from './work.js';
import { descend } from '../value.js';

/** Longest rendered text, in UTF-8 bytes. */
export const RENDERED_MAX_BYTES = 1024 * 1024;
/** Rounds of all `each` of one rendering together. */
export const EACH_MAX_ROUNDS = 10_000;

/** What is wrong with a template; the document's reader adds line and column. */
export interface TemplateProblem {
  readonly code: 'DOC_TEMPLATE' | 'DOC_EXPRESSION';
  readonly message: string;
  readonly hint?: string;
  /** 0-based place in the template, UTF-16 units, when it is known. */
  readonly offset?: number;
}

/** A variable that a template or condition asks the scope for. */
export interface NamedVariable {
  /** The first part of its path. */
  readonly name: string;
  /** The parts behind it. */
  readonly inside: readonly (string | number)[];
  /** 0-based, UTF-16 units, in the text. */
  readonly offset: number;
}

/** What can be known at load: syntax, helpers, limits. null when the template is right. */
export function checkTemplate(source: string, names: ReadonlySet<string>): TemplateProblem | null {
  try {
    parseTemplate(source, names);
    return null;
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    const offset = error.details?.['offset'];
    return {
      code: error.code === 'DOC_EXPRESSION' ? 'DOC_EXPRESSION' : 'DOC_TEMPLATE',
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(typeof offset === 'number' ? { offset } : {}),
    };
  }
}

/** The variables of a template, in the order of the text; none when it is malformed. */
export function templateVariables(source: string, names: ReadonlySet<string>): readonly NamedVariable[] {
  return checkTemplate(source, names) === null ? [...headsOf(parseTemplate(source, names), 0, [])] : [];
}

/** Is the template one `{{path}}` and nothing else, so that renderValue keeps the type of its value? */
export function isOnePath(source: string, names: ReadonlySet<string>): boolean {
  return onlyPath(parseTemplate(source, names)) !== null;
}

function onlyPath(
  tree: readonly TemplateNode[],
): { readonly path: TemplatePath; readonly source: string } | null {
  const only = tree[0];
  if (tree.length !== 1 || only?.kind !== 'print' || only.value.kind !== 'path') return null;
  return { path: only.value.path, source: only.source };
}

/**
 * The template's text with values from `scope`. Throws STEP_TEMPLATE_UNRESOLVED naming the path, or DOC_TEMPLATE
 * above a limit.
 */
export function renderTemplate(source: string, scope: Scope): string {
  return new Rendering(scope, source, new TemplateWork()).text(parseTemplate(source, scope.known));
}

/**
 * A copy of `value` with every string in it rendered; keys are kept. A string that is exactly one `{{path}}` gives
 * the value itself with its type, and null when the name is known but has no value yet. Throws as renderTemplate.
 */
export function renderValue(value: Json, scope: Scope): Json {
  return renderWith(value, scope, new TemplateWork());
}

function renderWith(value: Json, scope: Scope, work: TemplateWork): Json {
  if (typeof value === 'string') {
    const tree = parseTemplate(value, scope.known);
    const only = onlyPath(tree);
    const rendering = new Rendering(scope, value, work);
    return only === null ? rendering.text(tree) : rendering.typed(only.path, only.source);
  }
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map((item) => renderWith(item, scope, work));
  // fromEntries defines own properties, so a key `__proto__` stays a key.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renderWith(item, scope, work)]));
}

// What surrounds a place in the template: the current item of an `each` or `with`, and the frame around it.
interface Frame {
  readonly parent: Frame | null;
  readonly value: Json;
  readonly data: { readonly [name: string]: Json };
  readonly named: ReadonlyMap<string, Json>;
}

// `print`: a name that can't be known is an error. `argument`: only a head that can't be known is.
// `optional`: the first value of `default`, where nothing is.
type Use = 'print' | 'argument' | 'optional';

class Rendering {
  private readonly pieces: string[] = [];
  private bytes = 0;
  private rounds = 0;
  private missed = false;

  constructor(
    private readonly scope: Scope,
    private readonly template: string,
    private readonly work: TemplateWork,
  ) {}

  text(tree: readonly TemplateNode[]): string {
    this.render(tree, null);
    return this.pieces.join('');
  }

  typed(path: TemplatePath, source: string): Json {
    const value = this.lookup(path, null, 'print');
    if (this.missed && this.scope.onMissing === 'keep') return source;
    return value ?? null;
  }

  private render(tree: readonly TemplateNode[], frame: Frame | null): void {
    for (const node of tree) {
      this.work.spend();
      switch (node.kind) {
        case 'text':
          this.write(node.text);
          break;
        case 'print': {
          this.missed = false;
          const value = this.evaluate(node.value, frame, 'print');
          this.write(this.missed && this.scope.onMissing === 'keep' ? node.source : printed(value ?? null));
          break;
        }
        case 'if': {
          const test = this.work.isTrue(this.evaluate(node.test, frame, 'argument') ?? null);
          this.render(test !== node.negate ? node.then : node.otherwise, frame);
          break;
        }
        case 'with': {
          const value = this.evaluate(node.over, frame, 'argument') ?? null;
          if (!this.work.isTrue(value)) this.render(node.otherwise, frame);
          else this.render(node.then, inner(frame, value, {}, node.names, [value]));
          break;
        }
        case 'each':
          this.each(node, frame);
          break;
      }
    }
  }

  private each(node: Extract<TemplateNode, { kind: 'each' | 'with' }>, frame: Frame | null): void {
    const over = this.work.open(this.evaluate(node.over, frame, 'argument') ?? null);
    const items: readonly (readonly [string | number, Json])[] = isList(over)
      ? over.map((item, i) => [i, item] as const)
      : typeof over === 'object' && over !== null
        ? Object.entries(over)
        : [];
    if (items.length === 0) this.render(node.otherwise, frame);
    items.forEach(([key, item], i) => {
      if (++this.rounds > EACH_MAX_ROUNDS) {
        throw new WritError('DOC_TEMPLATE', `#each goes beyond ${EACH_MAX_ROUNDS} rounds`, {
          hint: 'pass fewer items to the step',
        });
      }
      const data = { index: i, key, first: i === 0, last: i === items.length - 1 };
      this.render(node.then, inner(frame, item, data, node.names, [item, key]));
    });
  }

  private evaluate(node: TemplateExpression, frame: Frame | null, use: Use): Json | undefined {
    switch (node.kind) {
      case 'literal':
        return node.value;
      case 'path':
        return this.lookup(node.path, frame, use);
      case 'condition':
        return evaluateNode(node.condition.root, (path) => this.variable(path, frame), this.work.spend).value;
      case 'call': {
        const values = node.arguments.map(
          (argument, i) =>
            this.evaluate(argument, frame, node.helper === 'default' && i === 0 ? 'optional' : 'argument') ??
            null,
        );
        return callHelper(node.helper, values, this.work);
      }
    }
  }

  private variable(path: ConditionPath, frame: Frame | null): Json {
    const asked = templatePath(path);
    // Outside of every block `this` is a name like any other.
    const isItem = path.head === 'this' && frame !== null;
    const parts = isItem ? asked.parts.slice(1) : asked.parts;
    return this.work.read(this.lookup({ ...asked, parts }, frame, 'argument') ?? null);
  }

  private lookup(path: TemplatePath, frame: Frame | null, use: Use): Json | undefined {
    let at = frame;
    for (let up = path.up; up > 0 && at !== null; up--) at = at.parent;
    const [head = '', ...rest] = path.parts;
    this.work.spend();
    if (path.data) return at?.data[head];
    const inside = (value: Json, parts: readonly string[]): Json | undefined =>
      descend(value, parts, this.work.open);
    if (path.up === 0) {
      const named = nearestNamed(frame, head);
      if (named !== undefined) return this.found(path, inside(named, rest), use);
    }
    if (at !== null) return this.found(path, inside(at.value, path.parts), use, true);
    const value = BLOCKED_NAMES.has(head) ? undefined : this.scope.values.get(head);
    if (value !== undefined) {
      return this.found(path, value === null ? null : valueAt(this.scope, head, rest, this.work.open), use);
    }
    if (this.scope.known.has(head)) return undefined;
    return this.unresolved(path, use === 'argument' ? 'print' : use);
  }

  private found(path: TemplatePath, value: Json | undefined, use: Use, inBlock = false): Json | undefined {
    return value === undefined ? this.unresolved(path, use, inBlock) : value;
  }

  private unresolved(path: TemplatePath, use: Use, inBlock = false): undefined {
    if (use !== 'print') return undefined;
    this.missed = true;
    if (this.scope.onMissing !== 'error') return undefined;
    const above = this.template.slice(0, path.offset).split('\n');
    const line = above.length;
    const column = (above.at(-1)?.length ?? 0) + 1;
    const place = `line ${line}, column ${column} of the template`;
    const head = path.parts[0] ?? '';
    const known = this.scope.known.has(head) || this.scope.values.has(head);
    const outside = inBlock && known ? `, or {{../${path.text}}} for what is outside of the block` : '';
    throw new WritError(
      'STEP_TEMPLATE_UNRESOLVED',
      `template names ${path.text}, which has no value (${place})`,
      {
        hint:
          (known ? undefined : nearest(head, this.scope.known)) ??
          `${known || inBlock ? '' : 'give it in the input, '}check the name, or write {{default ${path.text} "…"}}${outside}`,
        details: { path: path.text, line, column },
      },
    );
  }

  private write(text: string): void {
    this.bytes += new TextEncoder().encode(text).length;
    if (this.bytes > RENDERED_MAX_BYTES) {
      throw new WritError('DOC_TEMPLATE', `rendered text goes beyond ${RENDERED_MAX_BYTES} bytes`, {
        hint: 'pass less data to the step',
      });
    }
    this.pieces.push(text);
  }
}

function inner(
  parent: Frame | null,
  value: Json,
  data: Frame['data'],
  names: readonly string[],
  values: readonly Json[],
): Frame {
  return { parent, value, data, named: new Map(names.map((name, i) => [name, values[i] ?? null])) };
}

function nearestNamed(frame: Frame | null, head: string): Json | undefined {
  for (let at = frame; at !== null; at = at.parent) {
    const value = at.named.get(head);
    if (value !== undefined) return value;
  }
  return undefined;
}

// Heads that will be looked up in the scope: those outside of each and with, and those that `../` leads out.
function* headsOf(
  tree: readonly TemplateNode[],
  depth: number,
  named: readonly string[],
): Generator<NamedVariable, void> {
  for (const node of tree) {
    if (node.kind === 'text') continue;
    const value = node.kind === 'print' ? node.value : node.kind === 'if' ? node.test : node.over;
    yield* headsIn(value, depth, named);
    if (node.kind === 'print') continue;
    const inside = node.kind === 'if' ? depth : depth + 1;
    yield* headsOf(node.then, inside, node.kind === 'if' ? named : [...named, ...node.names]);
    yield* headsOf(node.otherwise, depth, named);
  }
}

function* headsIn(
  node: TemplateExpression,
  depth: number,
  named: readonly string[],
): Generator<NamedVariable, void> {
  if (node.kind === 'call') for (const argument of node.arguments) yield* headsIn(argument, depth, named);
  if (node.kind === 'condition') {
    for (const { head, segments, up, offset } of node.condition.paths) {
      if (up !== depth || head.startsWith('@') || (up === 0 && named.includes(head))) continue;
      yield { name: head, inside: segments, offset };
    }
  }
  if (node.kind !== 'path' || node.path.data || node.path.up !== depth) return;
  const [head, ...inside] = node.path.parts;
  if (head !== undefined && !(node.path.up === 0 && named.includes(head))) {
    yield { name: head, inside, offset: node.path.offset };
  }
}
