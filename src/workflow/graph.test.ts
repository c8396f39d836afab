import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GraphOutcome } from './graph.js';
import { type Graph, type GraphScope, graphOf } from './graph.js';
import { type Box, place, type PlacedScope } from './graph-layout.js';
import { toMermaid } from './graph-mermaid.js';
import { toSvg } from './graph-svg.js';
import { parseWorkflow } from './parse.js';
import type { Plan } from './plan.js';

function planOf(definition: object | string): Plan {
  const text = typeof definition === 'string' ? definition : JSON.stringify(definition);
  const { plan, diagnostics } = parseWorkflow(text, { functions: 'any' });
  if (plan === null) throw new Error(JSON.stringify(diagnostics));
  return plan;
}

const CALL = 'arn:aws:states:::lambda:invoke';
const FLOW = {
  StartAt: 'Triage',
  States: {
    Triage: {
      Type: 'Task',
      Resource: CALL,
      Catch: [{ ErrorEquals: ['States.Timeout'], Next: 'Sorry' }],
      Next: 'Risk',
    },
    Risk: {
      Type: 'Choice',
      Choices: [
        { Variable: '$.risk', StringEquals: 'high', Next: 'Each' },
        {
          And: [
            { Variable: '$.n', NumericLessThanEquals: 5 },
            { Variable: '$.n', IsNull: false },
          ],
          Next: 'Again',
        },
      ],
      Default: 'Done',
    },
    Again: { Type: 'Wait', Seconds: 60, Next: 'Triage' },
    Each: {
      Type: 'Map',
      ItemProcessor: {
        StartAt: 'One',
        States: { One: { Type: 'Pass', Next: 'Two' }, Two: { Type: 'Succeed' } },
      },
      Next: 'Both',
    },
    Both: {
      Type: 'Parallel',
      Branches: [
        { StartAt: 'L', States: { L: { Type: 'Pass', End: true } } },
        { StartAt: 'R', States: { R: { Type: 'Task', Resource: CALL, End: true } } },
      ],
      Next: 'Done',
    },
    Sorry: { Type: 'Fail', Error: 'E' },
    Done: { Type: 'Succeed' },
  },
};

const STEPS = `id: x
agents: [a]
steps:
  - {name: one, functionId: "tool::x", agent: a}
  - {name: f1, functionId: "tool::y", mode: fanout}
  - {name: f2, functionId: "tool::y", mode: fanout}
  - {name: two, functionId: "tool::y"}
`;

/** By name: where each node leads, with why. */
function ways({ nodes, edges }: GraphScope): string[] {
  const name = new Map(nodes.map((node) => [node.id, node.name]));
  return edges.map(({ from, to, label, isCatch }) => {
    return `${name.get(from)} ${isCatch ? '~' : '-'}> ${name.get(to)}${label === '' ? '' : `: ${label}`}`;
  });
}

describe('the graph of a workflow', () => {
  it('holds every way, with its reason', () => {
    expect(ways(graphOf(planOf(FLOW)).scope).sort()).toEqual(
      [
        'start -> Triage',
        'Triage -> Risk',
        'Triage ~> Sorry: States.Timeout',
        'Risk -> Each: $.risk = high',
        'Risk -> Again: $.n <= 5 and $.n is not null',
        'Risk -> Done: else',
        'Again -> Triage',
        'Each -> Both',
        'Both -> Done',
        'Sorry -> end',
        'Done -> end',
      ].sort(),
    );
  });

  it('holds what is inside a Map and a Parallel, inside them', () => {
    const { nodes } = graphOf(planOf(FLOW)).scope;
    const inside = (name: string): string[][] =>
      nodes.find((node) => node.name === name)?.lanes.map((lane) => [lane.title, ...ways(lane)]) ?? [];
    expect(inside('Each')).toEqual([['for each item', 'One -> Two']]);
    expect(inside('Both')).toEqual([['branch 1'], ['branch 2']]);
  });

  it('of dialect 1 holds its steps, those that begin together in a group', () => {
    const { scope } = graphOf(planOf(STEPS));
    expect(ways(scope)).toEqual(['start -> one', 'one -> f1 + f2', 'f1 + f2 -> two', 'two -> end']);
    expect(scope.nodes.find(({ kind }) => kind === 'fork')?.lanes).toHaveLength(2);
  });

  it('takes the outcomes of a run, by name or by key', () => {
    const outcomes = new Map<string, GraphOutcome>([
      ['Triage', 'completed'],
      ['R', 'failed'],
    ]);
    const text = toMermaid(graphOf(planOf(FLOW), outcomes));
    expect(text).toMatch(/\["Triage<br\/>arn:aws:states:::lambda:invoke, completed"\]:::completed/);
    expect(text).toMatch(/:::failed/);
    expect(text).toMatch(/classDef completed /);
    expect(text).not.toMatch(/classDef waiting/);
    const svg = toSvg(graphOf(planOf(FLOW), outcomes));
    // In words as well as by colour.
    expect(svg).toMatch(/>arn:aws:states:::lambda:invoke · completed</);
  });
});

/** Names that would like to be markup, or the diagram's language. */
const HOSTILE = [
  '</text><script>alert(1)</script>',
  '"]; click n0 "javascript:alert(1)" %% ',
  '`x` #quot; &lt; <br/>',
  'end',
  'subgraph',
  '\u202eright to left\u2066',
  'a\u0000b\u001bc',
];

describe('a hostile name', () => {
  const graphWith = (name: string): Graph => ({
    name,
    scope: {
      title: name,
      nodes: ['n0', 'n1'].map((id) => ({ id, kind: 'task', name, detail: name, outcome: null, lanes: [] })),
      edges: [{ from: 'n0', to: 'n1', label: name, isCatch: false }],
    },
  });

  it.each(HOSTILE)('%j stays a name in both forms', (name) => {
    const svg = toSvg(graphWith(name));
    expect(svg.match(/<(?!\/?(svg|title|defs|marker|path|rect|g|text|polygon)[ >\/])/g)).toBeNull();
    expect(svg).not.toMatch(/script[ >]|[\u0000-\u0008\u001b\u202a-\u202e\u2066-\u2069]/);
    const lines = toMermaid(graphWith(name)).trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    for (const line of lines.slice(1)) {
      // Two quotes a label, none of them the name's.
      expect((line.match(/"/g) ?? []).length).toBe(2);
      expect(line).toMatch(
        /^ {2}n\d(\["[^"`<>;]*(?:<br\/>|#\d+;|[^"`<>;])*"\]| -->\|"(?:#\d+;|[^"`<>;])*"\| n\d)$/u,
      );
    }
  });
});

describe('the layout', () => {
  const size = (): { width: number; height: number } => ({ width: 100, height: 40 });
  const overlap = (a: Box, b: Box): boolean =>
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

  function check({ box, nodes, edges }: PlacedScope): void {
    nodes.forEach((one, at) => {
      expect(one.box.x).toBeGreaterThanOrEqual(box.x);
      expect(one.box.x + one.box.width).toBeLessThanOrEqual(box.x + box.width + 1e-6);
      expect(one.box.y + one.box.height).toBeLessThanOrEqual(box.y + box.height + 1e-6);
      for (const other of nodes.slice(at + 1)) expect(overlap(one.box, other.box)).toBe(false);
      one.lanes.forEach(check);
    });
    for (const { points } of edges) expect(points.length).toBeGreaterThan(1);
  }

  it('puts no node on another, and all inside their scope', () => {
    check(place(graphOf(planOf(FLOW)).scope, size));
    check(place(graphOf(planOf(STEPS)).scope, size));
  });

  it('does so for any graph, circles, loops and islands included', () => {
    const graph = fc.integer({ min: 1, max: 14 }).chain((count) =>
      fc
        .array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 30 })
        .map((pairs): GraphScope => ({
          title: '',
          nodes: Array.from({ length: count }, (_, at) => ({
            id: `n${at}`,
            kind: 'task' as const,
            name: `${at}`,
            detail: '',
            outcome: null,
            lanes: [],
          })),
          edges: pairs.map(([from, to]) => ({ from: `n${from}`, to: `n${to}`, label: '', isCatch: false })),
        })),
    );
    fc.assert(
      fc.property(graph, (scope) => check(place(scope, size))),
      { numRuns: 200 },
    );
  });

  it('leads from top to bottom but for what leads back', () => {
    const placed = place(graphOf(planOf(FLOW)).scope, size);
    const top = new Map(placed.nodes.map(({ node, box }) => [node.name, box.y]));
    const order = ['start', 'Triage', 'Risk', 'Each', 'Both', 'Done', 'end'];
    const tops = order.map((name) => top.get(name) ?? NaN);
    expect([...tops].sort((a, b) => a - b)).toEqual(tops);
  });

  it('of a chain of thousands does not use up the stack', () => {
    const count = 3_000;
    const scope: GraphScope = {
      title: '',
      nodes: Array.from({ length: count }, (_, at) => ({
        id: `n${at}`,
        kind: 'task' as const,
        name: `${at}`,
        detail: '',
        outcome: null,
        lanes: [],
      })),
      edges: Array.from({ length: count - 1 }, (_, at) => ({
        from: `n${at}`,
        to: `n${at + 1}`,
        label: '',
        isCatch: false,
      })),
    };
    expect(place(scope, size).nodes).toHaveLength(count);
  });

  it('gives the same picture again', () => {
    const graph = graphOf(planOf(FLOW));
    expect(toSvg(graph)).toBe(toSvg(graphOf(planOf(FLOW))));
  });
});
