// A workflow as a picture: what there is to draw, before any of it has a place. Read from the compiled plan; outcomes of
// a run are laid over it. Names are attacker-controlled: they stay plain text here and are escaped where they are drawn.
import type { ChoiceRule } from '../expression/choice.js';
import type { Json } from '../json.js';
import type { ForkNode, Plan, PlanNode } from './plan.js';

/** How a step ended, or stands. Told in words too, never by colour alone. */
export type GraphOutcome =
  'completed' | 'failed' | 'skipped' | 'waiting' | 'running' | 'cancelled' | 'indeterminate';

export interface GraphNode {
  /** Unique in the graph; made here, of digits and letters. */
  readonly id: string;
  /** `start` and `end` are marks, not nodes of the plan. */
  readonly kind: PlanNode['kind'] | 'start' | 'end';
  readonly name: string;
  /** What it is or calls. */
  readonly detail: string;
  readonly outcome: GraphOutcome | null;
  /** Of a fork: what runs inside it, side by side. */
  readonly lanes: readonly GraphScope[];
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** Why it goes there; '' = it just goes on. */
  readonly label: string;
  readonly isCatch: boolean;
}

/** Nodes that lead to one another, and to nothing outside. */
export interface GraphScope {
  /** Of a lane: its place or that it runs once per item. */
  readonly title: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

export interface Graph {
  readonly name: string;
  readonly scope: GraphScope;
}

const MAX_LABEL = 48;

/** `outcomes` by node key or name; without it, the workflow as such. */
export function graphOf(plan: Plan, outcomes: ReadonlyMap<string, GraphOutcome> = new Map()): Graph {
  let count = 0;
  const newId = (): string => `n${count++}`;

  const scopeOf = (start: string, title: string, isWhole: boolean): GraphScope => {
    const ids = new Map<string, string>();
    const nodes: GraphNode[] = [];
    const edges: GraphEdge[] = [];
    const [begin, end] = [newId(), newId()];
    const mark = (id: string, kind: 'start' | 'end'): GraphNode => ({
      id,
      kind,
      name: kind,
      detail: '',
      outcome: null,
      lanes: [],
    });
    if (isWhole) nodes.push(mark(begin, 'start'));
    const ahead = [start];
    for (let key = ahead.pop(); key !== undefined; key = ahead.pop()) {
      const node = Object.hasOwn(plan.nodes, key) ? plan.nodes[key] : undefined;
      if (node === undefined || ids.has(key)) continue;
      const id = newId();
      ids.set(key, id);
      const lanes =
        node.kind === 'fork'
          ? node.lanes.map((lane, at) => scopeOf(lane.start, laneTitle(node, at), false))
          : [];
      const outcome = outcomes.get(key) ?? outcomes.get(node.name) ?? null;
      nodes.push({ id, kind: node.kind, name: node.name, detail: detailOf(node), outcome, lanes });
      ahead.push(
        ...waysOf(node)
          .flatMap(({ to }) => (to === null ? [] : [to]))
          .reverse(),
      );
    }
    if (isWhole) {
      edges.push({ from: begin, to: ids.get(start) ?? end, label: '', isCatch: false });
      nodes.push(mark(end, 'end'));
    }
    for (const [key, from] of ids) {
      const node = plan.nodes[key];
      for (const { to, label, isCatch } of node === undefined ? [] : waysOf(node)) {
        const target = to === null ? (isWhole ? end : undefined) : ids.get(to);
        if (target !== undefined) edges.push({ from, to: target, label: shortened(label), isCatch });
      }
    }
    return { title, nodes, edges: merged(edges) };
  };
  return { name: plan.name, scope: scopeOf(plan.start, '', true) };
}

interface Way {
  /** null = the scope ends here. */
  readonly to: string | null;
  readonly label: string;
  readonly isCatch: boolean;
}

function waysOf(node: PlanNode): readonly Way[] {
  const way = (to: string | null, label = '', isCatch = false): Way => ({ to, label, isCatch });
  switch (node.kind) {
    case 'choice':
      return [
        ...node.choices.map(({ rule, next }) =>
          way(next, 'query' in rule ? queryText(rule.query) : ruleText(rule)),
        ),
        ...(node.default === null ? [] : [way(node.default, 'else')]),
      ];
    case 'task':
    case 'fork':
      return [
        way(node.next),
        ...node.catch.map(({ next, errorEquals }) => way(next, errorEquals.join(', '), true)),
      ];
    case 'pass':
    case 'wait':
      return [way(node.next)];
    case 'succeed':
    case 'fail':
      return [way(null)];
  }
}

/** Two ways between the same states are one line with both reasons. */
function merged(edges: readonly GraphEdge[]): GraphEdge[] {
  const byEnds = new Map<string, GraphEdge>();
  for (const edge of edges) {
    const ends = `${edge.from} ${edge.to} ${edge.isCatch}`;
    const before = byEnds.get(ends);
    const labels = [before?.label ?? '', edge.label].filter((label) => label !== '');
    byEnds.set(ends, { ...edge, label: shortened(labels.join(' or ')) });
  }
  return [...byEnds.values()];
}

function laneTitle(node: ForkNode, at: number): string {
  if (node.form === 'map') return 'for each item';
  if (node.form === 'parallel') return `branch ${at + 1}`;
  return node.lanes[at]?.each == null ? '' : 'for each item';
}

function detailOf(node: PlanNode): string {
  switch (node.kind) {
    case 'task': {
      const { call } = node;
      if (call.kind === 'agent') return shortened(call.name);
      return call.functionId === 'human::form' ? 'a person' : shortened(call.functionId);
    }
    case 'fork':
      return node.form === 'group' ? 'at once' : node.form === 'map' ? 'Map' : 'Parallel';
    case 'wait':
      return 'seconds' in node.until && typeof node.until.seconds === 'number'
        ? `Wait ${node.until.seconds} s`
        : 'Wait';
    case 'choice':
    case 'pass':
    case 'succeed':
    case 'fail':
      return node.kind.slice(0, 1).toUpperCase() + node.kind.slice(1);
  }
}

const SIGNS: readonly (readonly [RegExp, string])[] = [
  [/LessThanEquals(Path)?$/, '<='],
  [/GreaterThanEquals(Path)?$/, '>='],
  [/LessThan(Path)?$/, '<'],
  [/GreaterThan(Path)?$/, '>'],
  [/Equals(Path)?$/, '='],
  [/Matches$/, 'matches'],
];

function ruleText(rule: ChoiceRule): string {
  if ('and' in rule) return rule.and.map(ruleText).join(' and ');
  if ('or' in rule) return rule.or.map(ruleText).join(' or ');
  if ('not' in rule) return `not (${ruleText(rule.not)})`;
  const { variable, operator, operand } = rule;
  if (operator.startsWith('is')) {
    const type = operator.slice(2).toLowerCase();
    return `${variable} is ${operand === false ? 'not ' : ''}${type}`;
  }
  const sign = SIGNS.find(([pattern]) => pattern.test(operator))?.[1] ?? operator;
  return `${variable} ${sign} ${operandText(operand)}`;
}

function operandText(operand: Json): string {
  return typeof operand === 'string' ? operand : JSON.stringify(operand);
}

function queryText(query: string | boolean): string {
  return typeof query === 'string' ? query.replace(/^\{%\s*|\s*%\}$/g, '') : String(query);
}

function shortened(text: string): string {
  const signs = [...text];
  return signs.length <= MAX_LABEL ? text : `${signs.slice(0, MAX_LABEL - 1).join('')}…`;
}

/** Signs that nobody sees, or that turn the direction of others, written out. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (sign) => {
    return `‹U+${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}›`;
  });
}

/** Fill, line and words of each outcome; the same in both forms of the picture. */
export const OUTCOME_COLORS: Readonly<
  Record<GraphOutcome, { readonly fill: string; readonly line: string }>
> = {
  completed: { fill: '#dff5e1', line: '#1a7f37' },
  failed: { fill: '#ffe0de', line: '#cf222e' },
  skipped: { fill: '#f0f0f0', line: '#8c8c8c' },
  waiting: { fill: '#fff3cd', line: '#9a6700' },
  running: { fill: '#ddf0ff', line: '#0969da' },
  cancelled: { fill: '#ececec', line: '#57606a' },
  indeterminate: { fill: '#ffe8d1', line: '#bc4c00' },
};
