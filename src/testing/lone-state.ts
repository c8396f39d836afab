// A state that is tested alone, as a workflow of its own: whatever it can go to is put beside it, and its ways out lead to
// ends that tell by their keys which one was taken. No key of an end is the name of a state in any document.
import { WritError } from '../errors.js';
import { isList, isObject, readJson, type Json, type JsonObject } from '../json.js';
import type { ForkNode, Plan, PlanNode } from '../workflow/index.js';
import { planOf } from './definition.js';

/** The name of a state that is given alone. */
export const ALONE = 'StateName';

/** Keys of ends begin so: longer than any state's name may be (80 characters). */
export const END = '#'.repeat(81);
const NEXT = `${END}next/`;
const CAUGHT = `${END}caught/`;

/** Which way out the end of this key stands for; `catcher` from 0, null when no catcher was taken. */
export function wayOut(key: string): { readonly catcher: number | null; readonly target: string } {
  if (key.startsWith(NEXT)) return { catcher: null, target: key.slice(NEXT.length) };
  const [index = ''] = key.slice(CAUGHT.length).split('/', 1);
  return { catcher: Number(index), target: key.slice(CAUGHT.length + index.length + 1) };
}

/** The state that is given alone; null for a whole workflow. */
function stateIn(definition: unknown): JsonObject | null {
  const given = typeof definition === 'string' ? parsed(definition, 'definition') : (definition as Json);
  return isObject(given) && ('Type' in given || 'type' in given) ? given : null;
}

/** Is it one state given alone, and in JSONPath? */
export function isPathState(definition: unknown): boolean {
  const state = stateIn(definition);
  return state !== null && (state['QueryLanguage'] ?? state['queryLanguage']) !== 'JSONata';
}

/**
 * The plan that holds the state, its ways out tagged, and the state's key. A state alone becomes a workflow of one; what it
 * can go to is put beside it. Throws DOC_INVALID.
 */
export function planAround(definition: unknown, stateName: string | undefined): { plan: Plan; name: string } {
  const state = stateIn(definition);
  if (state === null) {
    const plan = planOf(definition);
    return { plan: tagged(plan, stateName ?? plan.start), name: stateName ?? plan.start };
  }
  const name = stateName ?? ALONE;
  const targets = [...new Set(namesIn(state))].filter((target) => target !== name);
  const ends = Object.fromEntries(targets.map((target) => [target, { Type: 'Succeed' }]));
  const plan = planOf({ StartAt: name, States: { [name]: state, ...ends } });
  return { plan: tagged(plan, name), name };
}

/** Where a state written down alone can go. */
function namesIn(state: JsonObject): string[] {
  const read = (holder: Json, ...names: readonly string[]): string[] =>
    isObject(holder)
      ? names.flatMap((name) => {
          const value = holder[name];
          return typeof value === 'string' ? [value] : [];
        })
      : [];
  const list = (...names: readonly string[]): readonly Json[] =>
    names.flatMap((name) => {
      const value = state[name];
      return isList(value) ? value : [];
    });
  return [
    ...read(state, 'Next', 'next', 'Default', 'default'),
    ...list('Choices', 'choices', 'Catch', 'catch').flatMap((rule) => read(rule, 'Next', 'next')),
  ];
}

/** The plan with the ways out of one state leading to ends of their own. */
function tagged(plan: Plan, name: string): Plan {
  const node = Object.hasOwn(plan.nodes, name) ? plan.nodes[name] : undefined;
  if (node === undefined) return plan;
  const next = (target: string | null): string | null => (target === null ? null : `${NEXT}${target}`);
  const catchers = 'catch' in node ? node.catch : [];
  const changed = {
    ...node,
    ...('next' in node ? { next: next(node.next) } : {}),
    ...(node.kind === 'choice'
      ? {
          default: next(node.default),
          choices: node.choices.map((one) => ({ ...one, next: `${NEXT}${one.next}` })),
        }
      : {}),
    ...('catch' in node
      ? { catch: catchers.map((one, index) => ({ ...one, next: `${CAUGHT}${index}/${one.next}` })) }
      : {}),
  };
  return { ...plan, nodes: { ...plan.nodes, [name]: changed } };
}

/** Wherever the state can go: an end that keeps its input. */
export function endsOf(node: PlanNode): Record<string, PlanNode> {
  return Object.fromEntries(targetsOf(node).map((target) => [target, endNode(target)]));
}

/** Inside a Map or Parallel nothing runs: its first states are ends. */
export function lanesOf(node: ForkNode): Record<string, PlanNode> {
  return Object.fromEntries(node.lanes.map(({ start }) => [start, endNode(start)]));
}

function targetsOf(node: PlanNode): string[] {
  const targets = [
    ...('next' in node ? [node.next] : []),
    ...(node.kind === 'choice' ? [node.default, ...node.choices.map(({ next }) => next)] : []),
    ...('catch' in node ? node.catch.map(({ next }) => next) : []),
  ];
  return targets.filter((target) => target !== null);
}

function endNode(name: string): PlanNode {
  return {
    kind: 'succeed',
    name,
    line: 0,
    column: 0,
    flow: { language: 'jsonpath', inputPath: '$', resultPath: '$', outputPath: '$' },
  };
}

/** A text is JSON text, as in AWS's API; anything else is the value itself. Throws INPUT_INVALID naming `what`. */
export function parsed(value: Json, what: string): Json {
  if (typeof value !== 'string') return value;
  try {
    return readJson(value);
  } catch {
    throw new WritError('INPUT_INVALID', `${what} is no JSON text`);
  }
}
