// How large a workflow makes a step: how deep it lies in forks, how wide those are, how often it comes round and is tried
// again. The document's own numbers, and what only the run knows (items of a map, entries of a state) once it is known.
import type { LimitSet } from '../../policy/ceiling/ceiling.js';
import type { ForkNode, Plan, Retrier } from '../../workflow/plan.js';
import { taskAt } from '../../workflow/state-gate.js';
import { nextOf } from '../plan/outline.js';

/** What the run knows of a step's place; absent = it has not begun. */
export interface Begun {
  /** Lanes and items of the widest fork around it; 0 = it is in none. */
  readonly width: number;
  /** How often a fork around it was entered; 0 = it is in none. */
  readonly rounds: number;
  /** How often the step was entered at this place, 1-based. */
  readonly entries: number;
}

/**
 * `depth`: 1, and one more for each Parallel, Map or fanout group around the step. `fanoutWidth`: lanes and items of the
 * widest of these. `retries`: the most that one node, the step or a fork around it, allows. `loopIterations`: what the
 * loop says; of a state that is entered again and again, the entries so far. What is none is left out.
 */
export function extentOf(plan: Plan, key: string, begun: Begun | null): LimitSet {
  const place = placesOf(plan).get(key);
  // A node that nothing leads to is never asked about.
  if (place === undefined) return {};
  const { depth, retries, iterations } = place;
  const width = Math.max(place.width, begun?.width ?? 0);
  const entries = begun === null ? 0 : Math.max(begun.rounds, begun.entries);
  const rounds = iterations ?? (plan.dialect === 'states' ? entries : 0);
  return {
    depth,
    ...(width === 0 ? {} : { fanoutWidth: width }),
    ...(retries === 0 ? {} : { retries }),
    ...(rounds === 0 ? {} : { loopIterations: rounds }),
  };
}

interface Place {
  readonly depth: number;
  readonly width: number;
  readonly retries: number;
  /** Of dialect 1's mode `loop`; null = no loop. */
  readonly iterations: number | null;
}

const known = new WeakMap<Plan, ReadonlyMap<string, Place>>();

function placesOf(plan: Plan): ReadonlyMap<string, Place> {
  const before = known.get(plan);
  if (before !== undefined) return before;
  const places = new Map<string, Place>();
  const around = new Map(forksAround(plan));
  for (const [key, state] of Object.entries(plan.nodes)) {
    const node = taskAt(state);
    if (node === null) continue;
    const forks: ForkNode[] = [];
    for (let fork = around.get(key); fork !== undefined; fork = around.get(fork.key)) forks.push(fork.node);
    places.set(key, {
      depth: 1 + forks.length,
      width: Math.max(0, ...forks.map(widthOf)),
      retries: Math.max(sumOf(node.retry), ...forks.map(({ retry }) => sumOf(retry))),
      iterations: node.loop?.maxIterations ?? null,
    });
  }
  known.set(plan, places);
  return places;
}

interface Around {
  readonly key: string;
  readonly node: ForkNode;
}

/** By key of a node: the innermost fork that it is in. Lanes share no nodes, so there is one at most. */
function* forksAround(plan: Plan): Generator<[string, Around]> {
  for (const [key, node] of Object.entries(plan.nodes)) {
    if (node.kind !== 'fork') continue;
    const seen = new Set<string>();
    const ahead = node.lanes.map(({ start }) => start);
    for (let at = ahead.pop(); at !== undefined; at = ahead.pop()) {
      const inside = Object.hasOwn(plan.nodes, at) ? plan.nodes[at] : undefined;
      if (inside === undefined || seen.has(at)) continue;
      seen.add(at);
      yield [at, { key, node }];
      ahead.push(...nextOf(inside));
    }
  }
}

function widthOf({ lanes }: ForkNode): number {
  return lanes.reduce((sum, { each }) => {
    if (each === null) return sum + 1;
    const { items } = each;
    const list = items.kind === 'list' ? items.list : items.kind === 'value' ? items.value : null;
    return sum + (Array.isArray(list) ? list.length : 1);
  }, 0);
}

function sumOf(retry: readonly Retrier[]): number {
  return retry.reduce((sum, { maxAttempts }) => sum + maxAttempts, 0);
}
