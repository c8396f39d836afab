// Templates and conditions of one step, checked at load: syntax, limits, helpers, and names where they can be known.
// Every finding points at the place inside the text.
import { CONDITION_MAX_LENGTH, parseCondition } from '../../expression/condition/parse.js';
import type { Condition } from '../../expression/condition/condition.js';
import { BLOCKED_NAMES, FIXED_NAMES } from '../../expression/names.js';
import { nearest } from '../../expression/nearest.js';
import {
  checkTemplate,
  isOnePath,
  type NamedVariable,
  templateVariables,
} from '../../expression/template/template.js';
import { parseUntil, parseVariable, type Until } from '../../expression/condition/until.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import type { Findings } from '../diagnostic.js';
import { undeclared } from '../input.js';
import { field, type Located, type Segments, toJson } from '../located.js';
import { innerOffset } from '../text-place.js';
import { bareWords, quotesBraces } from './condition-slips.js';
import { neverSet, type StepPlace, type WorkflowNames } from './names.js';

/** Characters of a word of the document that a message repeats. */
const MAX_SHOWN = 60;

/** How other languages write what the expressions call true, false and null. */
const OTHER_SPELLINGS: ReadonlyMap<string, string> = new Map([
  ...['True', 'TRUE'].map((one) => [one, 'the value is written true'] as const),
  ...['False', 'FALSE'].map((one) => [one, 'the value is written false'] as const),
  ...['None', 'nil', 'Null', 'NULL', 'undefined'].map((one) => [one, 'the value is written null'] as const),
]);

export interface NameSpace {
  /** The document's text, for exact places. */
  readonly source: string;
  readonly names: WorkflowNames;
  /**
   * A name that nothing in the workflow gives. `closed`: it can't exist, because the inputs are declared. `open`: it
   * may be part of the input.
   */
  readonly unknown: 'closed' | 'open';
  /** onMissing says that a name without a value is no error. */
  readonly isMissingAllowed: boolean;
  /** The schema of the inputs; null where there is none. */
  readonly inputs: Json;
}

/** Checks the texts of one step. One instance per step. */
export class StepExpressions {
  constructor(
    private readonly at: Segments,
    private readonly place: StepPlace,
    private readonly space: NameSpace,
    private readonly findings: Findings,
  ) {}

  /** `promptTemplate`, every text in `config` and in a list of `items`, and `condition`. */
  check(step: Located): void {
    for (const name of ['promptTemplate', 'config', 'items']) {
      const value = field(step, name)?.value;
      const isList = value?.kind === 'list';
      if (value !== undefined && (name !== 'items' || isList)) this.texts(value, [...this.at, name]);
    }
    const condition = field(step, 'condition')?.value;
    if (condition?.kind === 'scalar' && typeof condition.value === 'string') {
      this.condition(condition, condition.value, [...this.at, 'condition']);
    }
  }

  /** null when it is malformed; then a finding says so. What the schema has said is not said again. */
  until(node: Located): Until | null {
    const at = [...this.at, 'until'];
    try {
      const until = parseUntil(toJson(node), this.space.names.all);
      if (until.kind === 'phrase' && !/\s/.test(until.phrase)) {
        const { phrase } = until;
        const shown = phrase.length > MAX_SHOWN ? `${phrase.slice(0, MAX_SHOWN)}…`.toWellFormed() : phrase;
        this.findings.add({
          code: 'DOC_UNTIL_WORD',
          severity: 'warning',
          message: `any output with the word ${JSON.stringify(shown)} ends the loop, "not ${shown} yet" too`,
          hint: 'compare a field of the output: until: {path: approved, equals: true}',
          at,
        });
      }
      if (until.kind === 'expression') this.untilExpression(node, until.expression, at);
      return until;
    } catch (error) {
      if (!(error instanceof WritError)) throw error;
      if (error.code === 'DOC_WRONG_TYPE' || error.code === 'DOC_UNKNOWN_FIELD') return null;
      const name = error.details?.['field'];
      const inner = typeof name === 'string' ? field(node, name)?.value : node;
      this.findings.add({
        code: error.code,
        message: error.message,
        hint: error.hint,
        at: typeof name === 'string' ? [...at, name] : at,
        ...this.inside(inner, error.details?.['offset']),
      });
      return null;
    }
  }

  /** Its names are looked up in the output first, which nobody knows here. */
  private untilExpression(node: Located, expression: string, at: Segments): void {
    const condition = parseCondition(expression, this.space.names.all);
    if (condition.paths.length === 0) {
      this.findings.add({
        code: 'DOC_EXPRESSION',
        severity: 'warning',
        message: 'until names no variable: what it says never changes',
        hint: 'a phrase is written without quotes and brackets, or as until: {contains: "…"}',
        at,
      });
    }
    for (const { head, offset } of bareWords(condition)) {
      if (this.space.names.all.has(head)) continue;
      this.findings.add({
        code: 'DOC_UNKNOWN_NAME',
        severity: 'warning',
        message: `until names ${JSON.stringify(head)}, which only the output or the input can give`,
        hint: OTHER_SPELLINGS.get(head) ?? inQuotes(head),
        at,
        ...this.inside(node, offset),
      });
    }
  }

  /** `items` as a path: the template that gives its value; null when it is no path, and a finding says so. */
  itemsTemplate(node: Located, text: string): string | null {
    const at = [...this.at, 'items'];
    const { all } = this.space.names;
    const trimmed = text.trim();
    try {
      if (trimmed.startsWith('{{') && checkTemplate(trimmed, all) === null && isOnePath(trimmed, all)) {
        this.variables(node, at, 'items', templateVariables(trimmed, all));
        return trimmed;
      }
      const path = parseVariable(text, all);
      this.variables(node, at, 'items', [{ name: path.head, inside: path.segments, offset: path.offset }]);
      const parts = [path.head, ...path.segments].map(
        (part) => `[${String(part).replace(/[\\\]]/g, '\\$&')}]`,
      );
      return `{{${parts.join('.')}}}`;
    } catch (error) {
      if (!(error instanceof WritError)) throw error;
      this.findings.add({
        code: error.code,
        message: `items: ${error.message}`,
        hint: 'items is a list, or one path such as input.documents',
        at,
        ...this.inside(node, error.details?.['offset']),
      });
      return null;
    }
  }

  private texts(node: Located, at: Segments): void {
    if (this.findings.full) return;
    if (node.kind === 'map') {
      for (const { key, value } of node.entries) this.texts(value, [...at, key]);
    } else if (node.kind === 'list') {
      for (const [i, item] of node.items.entries()) this.texts(item, [...at, i]);
    } else if (typeof node.value === 'string') {
      const { all } = this.space.names;
      const problem = checkTemplate(node.value, all);
      if (problem === null) {
        this.variables(node, at, 'template', templateVariables(node.value, all));
      } else {
        const { offset, ...finding } = problem;
        this.findings.add({ ...finding, at, ...this.inside(node, offset) });
      }
    }
  }

  private condition(node: Located, text: string, at: Segments): void {
    // The schema says so.
    if (text === '' || text.length > CONDITION_MAX_LENGTH) return;
    try {
      const condition = parseCondition(text, this.space.names.all);
      const named = condition.paths.map(({ head, segments, offset }) => ({
        name: head,
        inside: segments,
        offset,
      }));
      this.variables(node, at, 'condition', named, quotedOf(condition));
      const { root } = condition;
      if (root.kind === 'literal' && typeof root.value === 'string' && !quotesBraces(root)) {
        this.findings.add({
          code: 'DOC_EXPRESSION',
          severity: 'warning',
          message: `the condition is a text and compared with nothing: it is always ${root.value !== ''}`,
          hint: "compare it, as in {{previous_step.status}} == 'success'",
          at,
        });
      }
      if (quotesBraces(root)) {
        this.findings.add({
          code: 'DOC_EXPRESSION',
          severity: 'warning',
          message: 'text in quotes is compared as it stands, {{ }} in it is no variable',
          hint: 'take the quotes away around {{ }}',
          at,
        });
      }
    } catch (error) {
      if (!(error instanceof WritError)) throw error;
      this.findings.add({
        code: error.code,
        message: `condition: ${error.message}`,
        hint: error.hint,
        at,
        ...this.inside(node, error.details?.['offset']),
      });
    }
  }

  /** `hints`: for names that are hardly meant as names. */
  private variables(
    node: Located,
    at: Segments,
    what: string,
    named: readonly NamedVariable[],
    hints: ReadonlyMap<string, string> = new Map(),
  ): void {
    const { names, unknown, isMissingAllowed: isAllowed } = this.space;
    // A name without a value is empty in a text; it makes a condition false, whatever onMissing says.
    if (isAllowed && what !== 'condition') return;
    const severity = isAllowed ? 'warning' : 'error';
    const told = new Set<string>();
    for (const { name, inside, offset } of named) {
      if (!isAllowed) this.inputPart(node, at, what, { name, inside, offset });
      if (told.has(name)) continue;
      told.add(name);
      const text = `${what} names ${JSON.stringify(name)}`;
      const place = { at, ...this.inside(node, offset) };
      const code = 'DOC_UNKNOWN_NAME';
      if (BLOCKED_NAMES.has(name)) {
        const hint = 'choose another name';
        this.findings.add({ code, severity, message: `${text}, which never has a value`, hint, ...place });
      } else if (names.all.has(name)) {
        const why = neverSet(name, this.place, names.givenBy);
        if (why === null) continue;
        const message = `${text}, which has no value here: ${why}`;
        this.findings.add({ code, severity: 'warning', message, ...place });
      } else if (unknown === 'closed') {
        const message = `${text}, which nothing in the workflow gives`;
        const near = nearest(name, names.all) ?? hints.get(name);
        const hint = near ?? 'declare it in inputs, or set it with an outputVar';
        this.findings.add({ code, severity, message, hint, ...place });
      } else {
        // It may be part of the input; only one that is all but spelled like a name of the workflow is told.
        const near = name.length < 4 ? undefined : nearest(name, names.all, name.length < 8 ? 1 : 2);
        const hint = OTHER_SPELLINGS.get(name) ?? near ?? hints.get(name);
        if (hint === undefined) continue;
        const message = `${text}, which only the input can give`;
        this.findings.add({ code, severity: 'warning', message, hint, ...place });
      }
    }
  }

  /** `input.goal` and `claim.amount` where the inputs are declared and closed: nothing else can be in them. */
  private inputPart(node: Located, at: Segments, what: string, variable: NamedVariable): void {
    const { name, inside, offset } = variable;
    const { names, inputs } = this.space;
    const isWhole = name === 'input' || name === 'workflow_input';
    // A declared name of its own is told of where it is no name at all, and may be what a step gives.
    if (!isWhole && (names.givenBy.has(name) || FIXED_NAMES.has(name))) return;
    const parts = isWhole ? inside : [name, ...inside];
    const found = undeclared(inputs, parts);
    if (found === null || (!isWhole && found.count === 1)) return;
    const { count, known } = found;
    const shown = [name, ...inside.slice(0, isWhole ? count : count - 1)].join('.');
    this.findings.add({
      code: 'DOC_UNKNOWN_NAME',
      message: `${what} names ${JSON.stringify(shown)}, which no input has: the inputs schema is closed`,
      hint: nearest(String(parts[count - 1]), known) ?? 'declare it in inputs, or correct the name',
      at,
      ...this.inside(node, offset),
    });
  }

  private inside(node: Located | undefined, inner: unknown): { readonly offset?: number } {
    const offset = innerOffset(this.space.source, node, typeof inner === 'number' ? inner : undefined);
    return offset === undefined ? {} : { offset };
  }
}

function quotedOf(condition: Condition): ReadonlyMap<string, string> {
  return new Map(bareWords(condition).map(({ head }) => [head, inQuotes(head)]));
}

function inQuotes(word: string): string {
  return `a text stands in quotes: '${word}'`;
}
