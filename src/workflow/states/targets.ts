// Where the states of one scope lead: every target is in the same scope, every state can be reached, the scope can end,
// and a loop gives the machine a rest. A scope is the document, a branch of a Parallel, or what a Map runs per item.
import { nearest } from '../../expression/nearest.js';

import { isList, isObject, type Json, type JsonObject } from '../../json.js';
import type { Findings } from '../diagnostic.js';
import type { Segments } from '../located.js';

interface Target {
  readonly name: string;
  readonly at: Segments;
}

/**
 * `machine` in native spelling, `at` its place; `elsewhere`: names of states in every scope of the document. Gives the
 * states that each state of the scope may go on to.
 */
export function checkTargets(
  machine: JsonObject,
  at: Segments,
  elsewhere: ReadonlySet<string>,
  findings: Findings,
): ReadonlyMap<string, readonly string[]> {
  const states = isObject(machine['states']) ? machine['states'] : {};
  const names = Object.keys(states);
  const targets = new Map<string, readonly Target[]>();
  for (const name of names) targets.set(name, targetsOf(states[name], [...at, 'states', name]));
  const known = (target: Target): boolean => {
    if (targets.has(target.name)) return true;
    if (findings.full) return false;
    const other = elsewhere.has(target.name);
    const near =
      nearest(target.name, names) ??
      (names.length > 0 && names.length <= 12 ? `states: ${names.join(', ')}` : undefined);
    findings.add({
      code: 'DOC_UNKNOWN_STATE',
      message: `there is no state ${JSON.stringify(target.name)}${other ? ' in this scope' : ''}`,
      hint: other ? 'it is in another scope; "next", "default" and "startAt" never leave theirs' : near,
      at: target.at,
    });
    return false;
  };
  const edges = new Map(names.map((name) => [name, (targets.get(name) ?? []).filter(known)]));
  if (names.length > 0 && !names.some((name) => ends(states[name]))) {
    findings.add({
      code: 'DOC_NO_TERMINAL_STATE',
      message: at.length <= 1 ? 'no state ends the run' : 'no state ends this scope',
      hint: 'give the last state end: true, or add a Succeed or Fail state',
      at: [...at, 'states'],
      onKey: true,
    });
  }
  warnOfLoops(states, edges, at, findings);
  const start = machine['startAt'];
  const next = new Map([...edges].map(([name, found]) => [name, found.map((target) => target.name)]));
  if (typeof start !== 'string' || !known({ name: start, at: [...at, 'startAt'] })) return next;
  const reached = new Set([start]);
  for (const name of reached) for (const target of next.get(name) ?? []) reached.add(target);
  for (const name of names) {
    if (reached.has(name)) continue;
    findings.add({
      code: 'DOC_UNREACHABLE_STATE',
      message: `no path leads to the state ${JSON.stringify(name)}`,
      hint: 'name it in a "next", "default" or "catch", or remove it',
      at: [...at, 'states', name],
      onKey: true,
    });
  }
  return next;
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

// A loop has no rest when no state in it waits for time or for somebody. What is left when states without a way in or
// out are taken away again and again lies on such a loop, or between two.
function warnOfLoops(
  states: JsonObject,
  edges: ReadonlyMap<string, readonly Target[]>,
  at: Segments,
  findings: Findings,
): void {
  const next = new Map<string, Set<string>>();
  for (const [name, targets] of edges) {
    if (!rests(states[name])) next.set(name, new Set(targets.map((target) => target.name)));
  }
  for (const found of next.values()) for (const name of found) if (!next.has(name)) found.delete(name);
  const left = withoutRoots(withoutRoots(next));
  const [first] = left.keys();
  if (first === undefined) return;
  findings.add({
    code: 'DOC_BAD_VALUE',
    severity: 'warning',
    message: `the loop through ${JSON.stringify(first)} has no Wait`,
    hint: 'put a Wait into it, or be sure that it ends soon',
    at: [...at, 'states', first],
    onKey: true,
  });
}

function rests(state: Json | undefined): boolean {
  if (!isObject(state) || state['human'] !== undefined) return true;
  if (['Wait', 'Succeed', 'Fail'].some((type) => state['type'] === type)) return true;
  const { resource } = state;
  return typeof resource === 'string' && /\.waitForTaskToken$|:activity:/.test(resource);
}

/** The graph without the states that nothing left leads to, turned round: its edges point backwards. */
function withoutRoots(edges: ReadonlyMap<string, ReadonlySet<string>>): Map<string, Set<string>> {
  const into = new Map<string, Set<string>>([...edges.keys()].map((name) => [name, new Set()]));
  for (const [name, targets] of edges) for (const target of targets) into.get(target)?.add(name);
  const roots = [...into].filter(([, from]) => from.size === 0).map(([name]) => name);
  for (const root of roots) {
    into.delete(root);
    for (const target of edges.get(root) ?? []) {
      const from = into.get(target);
      from?.delete(root);
      if (from?.size === 0) roots.push(target);
    }
  }
  return into;
}
