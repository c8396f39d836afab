// Places for the nodes of a picture: layers from top to bottom, as few crossings as a few sweeps give, lanes inside
// their fork. Deterministic and bounded: the same graph gives the same picture, any graph gives one.
import type { GraphEdge, GraphNode, GraphScope } from './graph.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Top left corner and size, in the picture's own units. */
export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

export interface PlacedNode {
  readonly node: GraphNode;
  readonly box: Box;
  readonly lanes: readonly PlacedScope[];
}

export interface PlacedEdge {
  readonly edge: GraphEdge;
  /** From the rim of one node to the rim of the other. */
  readonly points: readonly Point[];
}

export interface PlacedScope {
  readonly title: string;
  readonly box: Box;
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
}

/** Size of a node without lanes; text decides it. */
export type SizeOf = (node: GraphNode) => { readonly width: number; readonly height: number };

const GAP_X = 36;
const GAP_Y = 52;
const PADDING = 18;
/** Above what is in a fork: its name and what it is. */
export const FORK_HEAD = 46;
const LANE_HEAD = 22;
const SWEEPS = 6;

/** What a layer holds: a node, or where a line passes by. */
interface Slot {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly inner: Inner | null;
  before: Slot[];
  after: Slot[];
  layer: number;
  x: number;
}

interface Inner {
  readonly node: GraphNode;
  readonly lanes: readonly PlacedScope[];
}

/** The scope with its top left corner at (0, 0). */
export function place(scope: GraphScope, sizeOf: SizeOf, isLane = false): PlacedScope {
  const slots = new Map<string, Slot>();
  for (const node of scope.nodes) slots.set(node.id, slotOf(node, sizeOf));
  const backward = findBackward(scope);
  setLayers(scope, slots, backward);
  const chains = new Map<GraphEdge, Slot[]>();
  for (const edge of scope.edges) chains.set(edge, chainOf(edge, slots, backward.has(edge)));
  const layers = layersOf(scope, slots, chains);
  order(layers);
  setX(layers);
  return boxed(scope, { layers, chains, slots, backward }, isLane);
}

function slotOf(node: GraphNode, sizeOf: SizeOf): Slot {
  const lanes: PlacedScope[] = [];
  let size = sizeOf(node);
  if (node.lanes.length > 0) {
    let x = PADDING;
    let height = 0;
    for (const lane of node.lanes) {
      const inner = place(lane, sizeOf, true);
      lanes.push(moved(inner, x, FORK_HEAD));
      x += inner.box.width + PADDING;
      height = Math.max(height, inner.box.height);
    }
    size = { width: Math.max(size.width, x), height: FORK_HEAD + height + PADDING };
  }
  return { id: node.id, ...size, inner: { node, lanes }, before: [], after: [], layer: 0, x: 0 };
}

/** Edges that lead back: taken out, what is left has no circle. */
function findBackward(scope: GraphScope): Set<GraphEdge> {
  const backward = new Set<GraphEdge>();
  const outgoing = new Map<string, GraphEdge[]>();
  for (const edge of scope.edges) {
    if (edge.from === edge.to) backward.add(edge);
    else outgoing.set(edge.from, [...(outgoing.get(edge.from) ?? []), edge]);
  }
  const state = new Map<string, 'open' | 'done'>();
  for (const { id } of scope.nodes) {
    if (state.has(id)) continue;
    // A path of its own, not the call stack: a document may be a chain of thousands.
    const path: { readonly id: string; next: number }[] = [{ id, next: 0 }];
    state.set(id, 'open');
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const edge = outgoing.get(top.id)?.[top.next++];
      if (edge === undefined) {
        state.set(top.id, 'done');
        path.pop();
      } else if (state.get(edge.to) === 'open') backward.add(edge);
      else if (!state.has(edge.to)) {
        state.set(edge.to, 'open');
        path.push({ id: edge.to, next: 0 });
      }
    }
  }
  return backward;
}

/** One more than the lowest layer that leads here. The end comes last. */
function setLayers(
  scope: GraphScope,
  slots: ReadonlyMap<string, Slot>,
  backward: ReadonlySet<GraphEdge>,
): void {
  const forward = scope.edges.filter((edge) => !backward.has(edge));
  const left = new Map<string, number>();
  const outgoing = new Map<string, string[]>();
  for (const { from, to } of forward) {
    left.set(to, (left.get(to) ?? 0) + 1);
    outgoing.set(from, [...(outgoing.get(from) ?? []), to]);
  }
  const ready = scope.nodes.filter(({ id }) => !left.has(id)).map(({ id }) => id);
  for (let at = 0; at < ready.length; at += 1) {
    const id = ready[at] ?? '';
    for (const to of outgoing.get(id) ?? []) {
      const target = slots.get(to);
      if (target !== undefined) target.layer = Math.max(target.layer, (slots.get(id)?.layer ?? 0) + 1);
      const rest = (left.get(to) ?? 1) - 1;
      left.set(to, rest);
      if (rest === 0) ready.push(to);
    }
  }
}

/** Slots from the upper end of an edge to its lower end, with one more in each layer between. */
function chainOf(edge: GraphEdge, slots: Map<string, Slot>, isBackward: boolean): Slot[] {
  const [upperId, lowerId] = isBackward ? [edge.to, edge.from] : [edge.from, edge.to];
  const [upper, lower] = [slots.get(upperId), slots.get(lowerId)];
  if (upper === undefined || lower === undefined || upper === lower) return [];
  const chain = [upper];
  for (let layer = upper.layer + 1; layer < lower.layer; layer += 1) {
    const passing = { width: 8, height: 0, inner: null, before: [], after: [], layer, x: 0 };
    const id = `${edge.from}>${edge.to}>${edge.isCatch}>${layer}`;
    const slot: Slot = { id, ...passing };
    slots.set(id, slot);
    chain.push(slot);
  }
  chain.push(lower);
  chain.forEach((slot, at) => {
    const next = chain[at + 1];
    if (next === undefined) return;
    slot.after.push(next);
    next.before.push(slot);
  });
  return chain;
}

function layersOf(
  scope: GraphScope,
  slots: ReadonlyMap<string, Slot>,
  chains: ReadonlyMap<GraphEdge, readonly Slot[]>,
): Slot[][] {
  const layers: Slot[][] = [];
  const put = (slot: Slot | undefined): void => {
    if (slot === undefined) return;
    const layer = (layers[slot.layer] ??= []);
    layer.push(slot);
  };
  for (const { id } of scope.nodes) put(slots.get(id));
  for (const chain of chains.values()) for (const slot of chain.slice(1, -1)) put(slot);
  return Array.from(layers, (layer: Slot[] | undefined) => layer ?? []);
}

/** Sweeps down and up, each layer by the mean place of what it is joined to. */
function order(layers: Slot[][]): void {
  const position = new Map<Slot, number>();
  const renumber = (layer: readonly Slot[]): void => layer.forEach((slot, at) => position.set(slot, at));
  layers.forEach(renumber);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isDown = sweep % 2 === 0;
    for (const layer of isDown ? layers : [...layers].reverse()) {
      const mean = new Map<Slot, number>();
      for (const slot of layer) {
        const joined = isDown ? slot.before : slot.after;
        const sum = joined.reduce((total, one) => total + (position.get(one) ?? 0), 0);
        mean.set(slot, joined.length === 0 ? (position.get(slot) ?? 0) : sum / joined.length);
      }
      layer.sort((a, b) => (mean.get(a) ?? 0) - (mean.get(b) ?? 0));
      renumber(layer);
    }
  }
}

/** `x` = the middle of a slot: near what it is joined to, without lying on a neighbour. */
function setX(layers: readonly Slot[][]): void {
  for (const layer of layers) {
    let x = 0;
    for (const slot of layer) {
      slot.x = x + slot.width / 2;
      x += slot.width + GAP_X;
    }
  }
  for (let sweep = 0; sweep < SWEEPS * 2; sweep += 1) {
    const isDown = sweep % 2 === 0;
    for (const layer of isDown ? layers : [...layers].reverse()) {
      const wanted = layer.map((slot) => {
        const joined = isDown ? slot.before : slot.after;
        return joined.length === 0 ? slot.x : joined.reduce((sum, one) => sum + one.x, 0) / joined.length;
      });
      spread(layer, wanted);
    }
  }
}

/** Each as near as can be to where it wants to be, in order: the mean of pushing from the left and from the right. */
function spread(layer: readonly Slot[], wanted: readonly number[]): void {
  const apart = (a: Slot, b: Slot): number => (a.width + b.width) / 2 + GAP_X;
  const fromLeft: number[] = [];
  layer.forEach((slot, at) => {
    const before = layer[at - 1];
    const least = before === undefined ? -Infinity : (fromLeft[at - 1] ?? 0) + apart(before, slot);
    fromLeft.push(Math.max(wanted[at] ?? 0, least));
  });
  const fromRight: number[] = [];
  for (let at = layer.length - 1; at >= 0; at -= 1) {
    const slot = layer[at];
    const after = layer[at + 1];
    if (slot === undefined) continue;
    const most = after === undefined ? Infinity : (fromRight[at + 1] ?? 0) - apart(slot, after);
    fromRight[at] = Math.min(wanted[at] ?? 0, most);
  }
  layer.forEach((slot, at) => {
    slot.x = ((fromLeft[at] ?? 0) + (fromRight[at] ?? 0)) / 2;
  });
}

/** Where everything has its place, before anything has coordinates. */
interface Layout {
  readonly layers: readonly (readonly Slot[])[];
  readonly chains: ReadonlyMap<GraphEdge, readonly Slot[]>;
  readonly slots: ReadonlyMap<string, Slot>;
  readonly backward: ReadonlySet<GraphEdge>;
}

function boxed(scope: GraphScope, { layers, chains, slots, backward }: Layout, isLane: boolean): PlacedScope {
  const all = layers.flat();
  const left = Math.min(...all.map(({ x, width }) => x - width / 2), 0);
  const right = Math.max(...all.map(({ x, width }) => x + width / 2), 0);
  const tops: number[] = [];
  const heights = layers.map((layer) => Math.max(...layer.map(({ height }) => height), 0));
  let y = PADDING + (isLane ? LANE_HEAD : 0);
  for (const height of heights) {
    tops.push(y);
    y += height + GAP_Y;
  }
  const boxOf = (slot: Slot): Box => ({
    x: slot.x - slot.width / 2 - left + PADDING,
    y: (tops[slot.layer] ?? 0) + ((heights[slot.layer] ?? 0) - slot.height) / 2,
    width: slot.width,
    height: slot.height,
  });
  const nodes = all.flatMap((slot): PlacedNode[] => {
    if (slot.inner === null) return [];
    const box = boxOf(slot);
    const { node, lanes } = slot.inner;
    return [{ node, box, lanes: lanes.map((lane) => moved(lane, box.x, box.y)) }];
  });
  const edges = scope.edges.map((edge): PlacedEdge => {
    const chain = chains.get(edge) ?? [];
    const own = slots.get(edge.from);
    if (chain.length === 0) return { edge, points: own === undefined ? [] : loopAt(boxOf(own)) };
    // A line changes sides only between layers; one that leads back stands apart from those that lead on.
    const aside = backward.has(edge) ? 0.25 : 0;
    const points = chain.flatMap((slot, at): Point[] => {
      const box = boxOf(slot);
      const x = box.x + box.width * (0.5 + (slot.inner === null ? 0 : aside));
      const top = tops[slot.layer] ?? 0;
      const bottom = top + (heights[slot.layer] ?? 0);
      if (at === 0) return distinct({ x, y: box.y + box.height }, { x, y: bottom });
      return at === chain.length - 1
        ? distinct({ x, y: top }, { x, y: box.y })
        : distinct({ x, y: top }, { x, y: bottom });
    });
    return { edge, points: backward.has(edge) ? points.reverse() : points };
  });
  const titleWidth = scope.title.length * 7 + PADDING;
  const width = Math.max(right - left + 2 * PADDING, titleWidth);
  return { title: scope.title, box: { x: 0, y: 0, width, height: y - GAP_Y + PADDING }, nodes, edges };
}

function distinct(a: Point, b: Point): Point[] {
  return a.y === b.y ? [a] : [a, b];
}

/** A line from a node to itself, at its right side. */
function loopAt({ x, y, width, height }: Box): Point[] {
  const side = x + width;
  return [
    { x: side, y: y + height * 0.3 },
    { x: side + GAP_X / 2, y: y + height * 0.3 },
    { x: side + GAP_X / 2, y: y + height * 0.7 },
    { x: side, y: y + height * 0.7 },
  ];
}

function moved(scope: PlacedScope, dx: number, dy: number): PlacedScope {
  const shift = <P extends Point>(point: P): P => ({ ...point, x: point.x + dx, y: point.y + dy });
  return {
    title: scope.title,
    box: shift(scope.box),
    nodes: scope.nodes.map(({ node, box, lanes }) => ({
      node,
      box: shift(box),
      lanes: lanes.map((lane) => moved(lane, dx, dy)),
    })),
    edges: scope.edges.map(({ edge, points }) => ({ edge, points: points.map(shift) })),
  };
}
