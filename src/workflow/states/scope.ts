// The states of a scope and of the scopes inside it, flat and by name: a name is used once in the whole document.
import { BLOCKED_NAMES } from '../../expression/names.js';
import { isObject, type JsonObject } from '../../json.js';
import { field, type Located, type Segments, toJson } from '../located.js';
import type { PlanNode } from '../plan.js';
import type { DocumentFacts } from './document-facts.js';
import { Fields, type Language } from './fields.js';
import { hasExpressItems, isDistributed } from './map.js';
import { stateOf } from './state.js';
import { checkTargets } from './targets.js';
import { checkVariables, VariablesBefore } from './variables.js';

/** Longest state name, in code points. */
const STATE_NAME_MAX = 80;
/** States of a document, and scopes in one another. */
const MAX_STATES = 10_000;
const MAX_SCOPE_DEPTH = 20;

interface Scope {
  /** The machine, branch or item processor, in native spelling. */
  readonly node: Located;
  readonly at: Segments;
  readonly depth: number;
  readonly express: boolean;
  /** Variables that the scopes around it assign. */
  readonly outer: ReadonlySet<string>;
}

/** Every state of the document; null = a finding says why it has no node. */
export function compileScopes(
  document: DocumentFacts,
  node: Located,
  at: Segments,
  express: boolean,
): ReadonlyMap<string, PlanNode | null> {
  const compiler = new ScopeCompiler(document);
  compiler.countNames(node);
  compiler.compile({ node, at, depth: 1, express, outer: new Set() });
  return compiler.nodes;
}

class ScopeCompiler {
  readonly nodes = new Map<string, PlanNode | null>();
  private readonly names = new Set<string>();

  constructor(private readonly document: DocumentFacts) {}

  /** Every state name of the document, whatever its scope. */
  countNames(node: Located): void {
    const states = field(node, 'states')?.value;
    if (states?.kind !== 'map') return;
    for (const { key, value } of states.entries) {
      this.names.add(key);
      for (const inner of innerScopes(value, [])) this.countNames(inner.node);
    }
  }

  compile(scope: Scope): void {
    const { document } = this;
    const { findings } = document;
    const json = toJson(scope.node);
    const machine = isObject(json) ? json : {};
    const edges = checkTargets(machine, scope.at, this.names, findings);
    const located = field(scope.node, 'states')?.value;
    const states = isObject(machine['states']) ? machine['states'] : {};
    const statesAt = [...scope.at, 'states'];
    const asl = document.form === 'asl';
    const before = new VariablesBefore(
      edges,
      checkVariables(states, statesAt, { outer: scope.outer, asl }, findings),
    );
    const entries = located?.kind === 'map' ? located.entries : [];
    for (const entry of entries) {
      const at = [...statesAt, entry.key];
      this.checkName(entry.key, at, entry.keyOffset);
      const value = states[entry.key];
      const state = this.fieldsOf(isObject(value) ? value : {}, at);
      const base = { name: entry.key, ...findings.placeOf(entry.keyOffset, at) };
      const node = stateOf(base, state, { document, express: scope.express });
      if (!this.nodes.has(entry.key)) this.nodes.set(entry.key, node);
      this.compileInner(entry.value, state, scope, before);
    }
    if (this.nodes.size > MAX_STATES) {
      const message = `the document has more than ${MAX_STATES} states`;
      findings.add({ code: 'DOC_TOO_LARGE', message, at: statesAt, onKey: true });
    }
  }

  private compileInner(node: Located, state: Fields, scope: Scope, before: VariablesBefore): void {
    const type = state.text('type');
    if (type !== 'Parallel' && type !== 'Map') return;
    // A run of its own has none of the variables around it.
    const own = type === 'Map' && isDistributed(state);
    const outer = own ? new Set<string>() : before.of(String(state.at.at(-1)), scope.outer);
    const express = scope.express || (own && hasExpressItems(state));
    const depth = scope.depth + 1;
    for (const inner of innerScopes(node, state.at)) {
      if (depth <= MAX_SCOPE_DEPTH) {
        this.compile({ ...inner, depth, express, outer });
        continue;
      }
      const message = `states are nested deeper than ${MAX_SCOPE_DEPTH}`;
      this.document.findings.add({ code: 'DOC_TOO_LARGE', message, at: inner.at });
    }
  }

  private fieldsOf(values: JsonObject, at: Segments): Fields {
    const { document } = this;
    const own = values['queryLanguage'];
    const language: Language =
      (own === 'JSONPath' || own === 'JSONata' ? own : document.queryLanguage) === 'JSONata'
        ? 'jsonata'
        : 'jsonpath';
    const fields = new Fields(values, at, language, document.findings);
    if (own === 'JSONPath' && document.queryLanguage === 'JSONata') {
      const hint = 'take queryLanguage: JSONata from the document, and write it on states';
      fields.wrong('a JSONata document has no JSONPath states', hint, ['queryLanguage']);
    }
    if (own === 'JSONata' && !document.jsonata) fields.add(jsonataOff(['queryLanguage']));
    return fields;
  }

  private checkName(name: string, at: Segments, offset: number): void {
    const { findings } = this.document;
    const length = [...name].length;
    const wrong = (message: string, hint: string) => {
      findings.add({ code: 'DOC_BAD_VALUE', message, hint, at, offset });
    };
    if (this.nodes.has(name)) wrong(`there is a state ${JSON.stringify(name)} already`, 'rename one of them');
    if (length > STATE_NAME_MAX) {
      wrong(`a state name has ${length} characters, the limit is ${STATE_NAME_MAX}`, 'shorten it');
    }
    if (length === 0) wrong('a state has no name', `a name has 1 to ${STATE_NAME_MAX} characters`);
    if (BLOCKED_NAMES.has(name)) wrong(`a state can't be called ${name}`, 'rename it');
  }
}

/** The finding that the operator runs no JSONata; `at` is the field that asks for it. */
export function jsonataOff(at: Segments) {
  return {
    code: 'DOC_JSONATA_OFF',
    message: 'JSONata is switched off here',
    hint: 'write the state in JSONPath, or ask the operator',
    at,
  } as const;
}

/** Branches of a Parallel, the processor of a Map; `at` is the state's place. */
function innerScopes(
  state: Located,
  at: Segments,
): readonly { readonly node: Located; readonly at: Segments }[] {
  const branches = field(state, 'branches')?.value;
  const inner =
    branches?.kind === 'list' ? branches.items.map((node, i) => ({ node, at: [...at, 'branches', i] })) : [];
  for (const name of ['itemProcessor', 'iterator']) {
    const node = field(state, name)?.value;
    if (node !== undefined) inner.push({ node, at: [...at, name] });
  }
  return inner;
}
