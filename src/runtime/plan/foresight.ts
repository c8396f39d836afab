// What is known of a run before anything has run: the workflow's own text and the run's input. What only steps can say
// (outputs, items, iterations) stays as the document spells it, and is named.
import { isFilledLater, scopeOfInput } from '../../engine/scope.js';
import { WritError } from '../../errors.js';
import { evaluateCondition } from '../../expression/condition/evaluate.js';
import { parseCondition } from '../../expression/condition/parse.js';
import { parsePath, readPath } from '../../expression/path/path.js';
import type { Scope } from '../../expression/scope.js';
import { renderTemplate, renderValue, templateVariables } from '../../expression/template/template.js';
import { structured } from '../../expression/value.js';
import { isList, isObject, type Json } from '../../json.js';
import type { Each, Flow, Plan, TaskNode } from '../../workflow/plan.js';

/** What a step will ask of its function. */
export interface KnownRequest {
  /** Where something is missing, the text of the document stands in its place. */
  readonly value: Json;
  /** Names that it waits for, sorted; empty: this is the request. */
  readonly needs: readonly string[];
  /** It can't be rendered with this input whatever the steps before it say, so the step would fail. */
  readonly problem: WritError | null;
}

export class Foresight {
  readonly #plan: Plan;
  readonly #input: Json | undefined;
  readonly #scope: Scope;

  /** `input` undefined = not known either. */
  constructor(plan: Plan, input: Json | undefined) {
    this.#plan = plan;
    this.#input = input;
    this.#scope = scopeOfInput(plan, input ?? null);
  }

  request(key: string, node: TaskNode): KnownRequest {
    const { flow: binding, loop } = node;
    if (binding.language !== 'template') return this.#stateInput(key, binding);
    const scope =
      loop === null
        ? this.#scope
        : {
            ...this.#scope,
            values: new Map(this.#scope.values).set('maxIterations', loop.maxIterations),
          };
    const needs = new Set<string>();
    let problem: WritError | null = null;
    const rendered = (source: string, render: () => Json): Json => {
      // Most texts of a configuration ask for nothing.
      if (!source.includes('{{')) return source;
      const missing = this.#missing(source, scope);
      for (const name of missing) needs.add(name);
      if (missing.length > 0) return source;
      try {
        return render();
      } catch (error) {
        problem ??= asProblem(error);
        return source;
      }
    };
    const configured = (value: Json): Json => {
      if (typeof value === 'string') return rendered(value, () => renderValue(value, scope));
      if (typeof value !== 'object' || value === null) return value;
      if (isList(value)) return value.map(configured);
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, configured(one)]));
    };
    const config = binding.config === null ? {} : configured(binding.config);
    const request = isObject(config) ? config : { config };
    const { prompt } = binding;
    const value =
      prompt === null
        ? request
        : { ...request, message: rendered(prompt, () => renderTemplate(prompt, scope)) };
    if (node.collects) needs.add('fanout');
    return { value, needs: [...needs].sort(), problem };
  }

  /** What the step's own `condition` will be; null = not known yet. */
  condition(node: TaskNode): boolean | null {
    if (node.when === null) return true;
    const condition = parseCondition(node.when, this.#scope.known);
    if (condition.paths.some(({ head }) => this.#isMissing(head, this.#scope))) return null;
    return evaluateCondition(condition, this.#scope).value;
  }

  /** How many items a map will have; null = not known yet. `isFirst`: nothing runs before it. */
  items({ items }: Each, isFirst: boolean): number | null {
    switch (items.kind) {
      case 'list':
        return items.list.length;
      case 'path':
      case 'value':
      case 'reader':
        return null;
      case 'template':
        if (this.#missing(items.template, this.#scope).length > 0) return null;
        return this.#itemsOf(items.template);
      case 'implied': {
        const input = this.#input;
        if (!isFirst || input === undefined) return null;
        return lengthOf([input, isObject(input) ? (input['items'] ?? null) : null].map(structured));
      }
    }
  }

  /** Null too where the step will fail for want of a list. */
  #itemsOf(template: string): number | null {
    try {
      return lengthOf([structured(renderValue(template, this.#scope))]);
    } catch (error) {
      asProblem(error);
      return null;
    }
  }

  /** Dialect 2: the first state is given the run's input, every other one what the state before it left. */
  #stateInput(key: string, flow: Flow): KnownRequest {
    const isRead = flow.language === 'jsonpath' && flow.parameters === undefined;
    if (!isRead) return { value: null, needs: ['state input'], problem: null };
    const path = flow.inputPath;
    if (path === null) return { value: {}, needs: [], problem: null };
    const isFirst = key === this.#plan.start && !path.includes('$$');
    if (!isFirst) return { value: null, needs: ['state input'], problem: null };
    if (this.#input === undefined) return { value: null, needs: ['input'], problem: null };
    try {
      const input = this.#input;
      const nothing = { context: () => ({}), variable: () => undefined, random: () => new Uint8Array(32) };
      return { value: readPath(parsePath(path), { input, ...nothing }), needs: [], problem: null };
    } catch (error) {
      return { value: null, needs: [], problem: asProblem(error) };
    }
  }

  #missing(source: string, scope: Scope): readonly string[] {
    return templateVariables(source, scope.known)
      .map(({ name }) => name)
      .filter((name) => this.#isMissing(name, scope));
  }

  #isMissing(name: string, { values }: Scope): boolean {
    if (name === 'workflow' || name === 'maxIterations') return !values.has(name);
    return this.#input === undefined || isFilledLater(this.#plan, name);
  }
}

function lengthOf(candidates: readonly Json[]): number | null {
  return candidates.find(isList)?.length ?? null;
}

/** A fault of the document or the input; anything else is ours. */
function asProblem(error: unknown): WritError {
  if (error instanceof WritError && error.code !== 'INTERNAL') return error;
  throw error;
}
