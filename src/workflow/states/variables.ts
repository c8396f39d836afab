// Names that `assign` gives to variables (ASL: variables): what has a value when a Parallel or Map begins, the
// scopes in it may read and may not assign.

import { isList, isObject, type Json, type JsonObject } from '../../json.js';
import type { Findings } from '../diagnostic.js';
import type { Segments } from '../located.js';

/** Longest variable name, in code points. */
const NAME_MAX = 80;
const NAME = /^[\p{ID_Start}_][\p{ID_Continue}]*$/u;
/** What other checkers of the language let pass. No path can name it, so it is told all the same. */
const NAME_WITH_HYPHENS = /^[\p{ID_Start}_][\p{ID_Continue}-]*$/u;

interface Assigned {
  readonly name: string;
  readonly at: Segments;
}

/** By state, the variables it assigns. Reports bad names, and names that belong to `outer` scopes. */
export function checkVariables(
  states: JsonObject,
  at: Segments,
  options: { readonly outer: ReadonlySet<string>; readonly asl: boolean },
  findings: Findings,
): ReadonlyMap<string, readonly string[]> {
  const byState = new Map<string, string[]>();
  for (const [state, value] of Object.entries(states)) {
    for (const assigned of assignedBy(value, [...at, state])) {
      const names = byState.get(state) ?? [];
      names.push(assigned.name);
      byState.set(state, names);
      checkName(assigned, options.asl, findings);
      if (!options.outer.has(assigned.name)) continue;
      findings.add({
        code: 'DOC_BAD_VALUE',
        message: `the variable ${JSON.stringify(assigned.name)} belongs to an outer scope`,
        hint: 'choose another name; branches and items read outer variables and do not assign them',
        at: assigned.at,
        onKey: true,
      });
    }
  }
  return byState;
}

/** Variables that may have a value when a state of the scope begins: those of the states that lead to it. */
export class VariablesBefore {
  private readonly indices = new Map<string, number>();
  private readonly from: number[][] = [];
  private readonly names: (readonly string[])[] = [];

  constructor(
    edges: ReadonlyMap<string, readonly string[]>,
    private readonly assigned: ReadonlyMap<string, readonly string[]>,
  ) {
    for (const state of edges.keys()) {
      this.indices.set(state, this.from.push([]) - 1);
      this.names.push(assigned.get(state) ?? []);
    }
    for (const [state, targets] of edges) {
      for (const target of targets) this.from[this.index(target)]?.push(this.index(state));
    }
  }

  /** `outer` with what the scope adds to it before the state. */
  of(state: string, outer: ReadonlySet<string>): ReadonlySet<string> {
    if (this.assigned.size === 0) return outer;
    const found = new Set(outer);
    const start = this.index(state);
    // What the state itself assigns has a value only when it has ended.
    const seen = new Uint8Array(this.from.length);
    seen[start] = 1;
    const pending = [start];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      for (const before of this.from[at] ?? []) {
        if (seen[before] === 1) continue;
        seen[before] = 1;
        pending.push(before);
        for (const name of this.names[before] ?? []) found.add(name);
      }
    }
    return found;
  }

  private index(state: string): number {
    return this.indices.get(state) ?? -1;
  }
}

function* assignedBy(state: Json | undefined, at: Segments): Generator<Assigned> {
  if (!isObject(state)) return;
  yield* namesOf(state['assign'], [...at, 'assign']);
  for (const list of ['catch', 'choices']) {
    const items = state[list];
    if (items === undefined || !isList(items)) continue;
    for (const [i, item] of items.entries()) {
      if (isObject(item)) yield* namesOf(item['assign'], [...at, list, i, 'assign']);
    }
  }
}

function* namesOf(value: Json | undefined, at: Segments): Generator<Assigned> {
  if (!isObject(value)) return;
  for (const key of Object.keys(value)) yield { name: key.replace(/\.\$$/, ''), at: [...at, key] };
}

function checkName({ name, at }: Assigned, asl: boolean, findings: Findings): void {
  const quoted = JSON.stringify(name.slice(0, 200));
  const length = [...name].length;
  if (length > NAME_MAX) {
    const message = `a variable name has ${length} characters, the limit is ${NAME_MAX}`;
    findings.add({ code: 'DOC_BAD_VALUE', message, hint: 'shorten it', at, onKey: true });
  } else if (name === 'states') {
    const message = 'no variable can be called states';
    findings.add({ code: 'DOC_BAD_VALUE', message, hint: '$states is the state itself', at, onKey: true });
  } else if (!NAME.test(name)) {
    findings.add({
      code: 'DOC_BAD_VALUE',
      ...(asl && NAME_WITH_HYPHENS.test(name) ? { severity: 'warning' as const } : {}),
      message: `${quoted} is no variable name`,
      hint: 'a name begins with a letter or _, and goes on with letters, digits and _',
      at,
      onKey: true,
    });
  }
}
