// The picture as Mermaid text (flowchart). Every name stands between quotes with its special signs as entities, and no
// id is made of one: what a document says can't become part of the diagram's language.
import { type Graph, type GraphNode, type GraphScope, OUTCOME_COLORS, visible } from './graph.js';

export function toMermaid(graph: Graph): string {
  const lines = ['flowchart TD', ...scopeLines(graph.scope, '  ')];
  const used = new Set(outcomesIn(graph.scope));
  for (const outcome of used) {
    const { fill, line } = OUTCOME_COLORS[outcome];
    const dash = outcome === 'skipped' ? ',stroke-dasharray:4 3' : '';
    lines.push(`  classDef ${outcome} fill:${fill},stroke:${line},color:#1f2328${dash}`);
  }
  return `${lines.join('\n')}\n`;
}

function scopeLines(scope: GraphScope, indent: string): string[] {
  return [
    ...scope.nodes.flatMap((node) => nodeLines(node, indent)),
    ...scope.edges.map(({ from, to, label, isCatch }) => {
      const arrow = isCatch ? '-.->' : '-->';
      return `${indent}${from} ${arrow}${label === '' ? '' : `|"${escaped(label)}"|`} ${to}`;
    }),
  ];
}

function nodeLines(node: GraphNode, indent: string): string[] {
  const { id, kind, outcome } = node;
  const mark = outcome === null ? '' : `:::${outcome}`;
  if (node.lanes.length > 0) {
    const lanes = node.lanes.flatMap((lane, at) =>
      lane.title === '' && node.lanes.length === 1
        ? scopeLines(lane, `${indent}  `)
        : [
            `${indent}  subgraph ${id}l${at}["${escaped(lane.title === '' ? ' ' : lane.title)}"]`,
            ...scopeLines(lane, `${indent}    `),
            `${indent}  end`,
          ],
    );
    const styled = outcome === null ? [] : [`${indent}class ${id} ${outcome}`];
    return [`${indent}subgraph ${id}["${label(node)}"]`, ...lanes, `${indent}end`, ...styled];
  }
  switch (kind) {
    case 'start':
    case 'end':
      return [`${indent}${id}(("${kind}"))`];
    case 'choice':
      return [`${indent}${id}{"${label(node)}"}${mark}`];
    case 'succeed':
    case 'fail':
      return [`${indent}${id}(["${label(node)}"])${mark}`];
    case 'wait':
      return [`${indent}${id}{{"${label(node)}"}}${mark}`];
    case 'pass':
    case 'task':
    case 'fork':
      return [`${indent}${id}["${label(node)}"]${mark}`];
  }
}

function label({ name, detail, outcome }: GraphNode): string {
  const below = [detail, outcome ?? ''].filter((text) => text !== '').join(', ');
  return below === '' ? escaped(name) : `${escaped(name)}<br/>${escaped(below)}`;
}

/** Mermaid's own entities: `#35;` for `#`. Letters, digits and a few harmless signs stay. */
function escaped(text: string): string {
  return visible(text).replace(
    /[^\p{L}\p{N}\p{M} .,:$=_/@+\-…‹›]/gu,
    (sign) => `#${sign.codePointAt(0) ?? 0};`,
  );
}

function outcomesIn(scope: GraphScope): (keyof typeof OUTCOME_COLORS)[] {
  return scope.nodes.flatMap(({ outcome, lanes }) => [
    ...(outcome === null ? [] : [outcome]),
    ...lanes.flatMap(outcomesIn),
  ]);
}
