// Where a machine's states lead: every target exists, every state can be reached, and the run can end.
import { nearest } from '../../expression/nearest.js';
import { isList } from '../../expression/value.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import type { Findings } from '../diagnostic.js';
import type { Segments } from '../located.js';

interface Target {
  readonly name: string;
  readonly at: Segments;
}

/** `machine` in native spelling; `at` is where it stands in the document. */
export function checkFlow(machine: JsonObject, at: Segments, findings: Findings): void {
  const states = isObject(machine['states']) ? machine['states'] : {};
  const names = Object.keys(states);
  const start = machine['startAt'];
  const targets = new Map<string, readonly Target[]>();
  for (const name of names) {
    targets.set(name, targetsOf(states[name], [...at, 'states', name]));
  }
  const known = (target: Target): boolean => {
    if (targets.has(target.name)) return true;
    if (findings.full) return false;
    findings.add({
      code: 'DOC_UNKNOWN_STATE',
      message: `there is no state ${JSON.stringify(target.name)}`,
      hint: nearest(target.name, names) ?? (names.length <= 12 ? `states: ${names.join(', ')}` : undefined),
      at: target.at,
    });
    return false;
  };
  const edges = new Map(names.map((name) => [name, (targets.get(name) ?? []).filter(known)]));
  if (names.length > 0 && !names.some((name) => ends(states[name]))) {
    findings.add({
      code: 'DOC_NO_TERMINAL_STATE',
      message: 'no state ends the run',
      hint: 'give the last state end: true, or add a Succeed or Fail state',
      at: [...at, 'states'],
      onKey: true,
    });
  }
  if (typeof start !== 'string' || !known({ name: start, at: [...at, 'startAt'] })) return;
  const reached = new Set([start]);
  for (const name of reached) for (const target of edges.get(name) ?? []) reached.add(target.name);
  for (const name of names) {
    if (reached.has(name)) continue;
    findings.add({
      code: 'DOC_UNREACHABLE_STATE',
      message: `no path leads to the state ${JSON.stringify(name)}`,
      hint: 'name it in a next, default or catch, or remove it',
      at: [...at, 'states', name],
      onKey: true,
    });
  }
}

function targetsOf(state: Json | undefined, at: Segments): readonly Target[] {
  if (!isObject(state)) return [];
  const found: Target[] = [];
  const add = (value: Json | undefined, where: Segments) => {
    if (typeof value === 'string') found.push({ name: value, at: where });
  };
  if (state['type'] === 'Choice') add(state['default'], [...at, 'default']);
  else add(state['next'], [...at, 'next']);
  for (const list of state['type'] === 'Choice' ? ['choices'] : ['catch']) {
    const items: Json = state[list] ?? [];
    if (!isList(items)) continue;
    items.forEach((item, i) => {
      if (isObject(item)) add(item['next'], [...at, list, i, 'next']);
    });
  }
  return found;
}

function ends(state: Json | undefined): boolean {
  return (
    isObject(state) && (state['end'] === true || state['type'] === 'Succeed' || state['type'] === 'Fail')
  );
}
