// The picture as one SVG file: no script, no style sheet, no font, no link; it asks nothing of any network. Every text
// from a document is escaped and cannot become markup.
import { type Graph, type GraphNode, type GraphOutcome, OUTCOME_COLORS, visible } from './graph.js';
import {
  type Box,
  FORK_HEAD,
  place,
  type PlacedEdge,
  type PlacedNode,
  type PlacedScope,
  type Point,
} from './graph-layout.js';

const LINE = '#57606a';
const INK = '#1f2328';
const MAX_NAME = 40;
const CHAR = 7.6;
const SMALL_CHAR = 6.6;

export function toSvg(graph: Graph): string {
  const scope = place(graph.scope, sizeOf);
  const width = Math.ceil(scope.box.width);
  const height = Math.ceil(scope.box.height);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      `font-family="ui-sans-serif, system-ui, sans-serif" font-size="13">`,
    `<title>${escaped(graph.name)}</title>`,
    `<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" ` +
      `orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="${LINE}"/></marker></defs>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...scopeParts(scope),
    '</svg>',
    '',
  ].join('\n');
}

function sizeOf(node: GraphNode): { readonly width: number; readonly height: number } {
  if (node.kind === 'start' || node.kind === 'end') return { width: 52, height: 26 };
  const text = Math.max(widthOf(clipped(node.name)) * CHAR, widthOf(belowOf(node)) * SMALL_CHAR);
  const rim = node.kind === 'choice' || node.kind === 'wait' ? 52 : 28;
  return { width: Math.max(96, Math.ceil(text) + rim), height: 46 };
}

/** Lines first, so that they never cross a node's text; what is inside a fork after the fork. */
function scopeParts(scope: PlacedScope): string[] {
  return [...scope.edges.map(edgeLine), ...scope.nodes.flatMap(nodeParts), ...scope.edges.flatMap(edgeLabel)];
}

function nodeParts({ node, box, lanes }: PlacedNode): string[] {
  const { fill, line, dash } = styleOf(node);
  const paint = `fill="${fill}" stroke="${line}" stroke-width="1.5"${dash}`;
  const middle = box.x + box.width / 2;
  const title = `<title>${escaped(node.name)}${node.outcome === null ? '' : `: ${node.outcome}`}</title>`;
  const words = [
    text(middle, box.y + 20, clipped(node.name), `font-weight="600"`),
    text(middle, box.y + 36, belowOf(node), `font-size="11" fill-opacity="0.75"`),
  ];
  if (lanes.length > 0) {
    return [
      `<g>${title}<rect ${rectOf(box)} rx="8" ${paint}/>${words.join('')}</g>`,
      ...lanes.flatMap((lane) => laneParts(lane, box)),
    ];
  }
  const shape = shapeOf(node.kind, box, paint);
  const one =
    node.kind === 'start' || node.kind === 'end' ? [text(middle, box.y + 17, node.name, '')] : words;
  return [`<g>${title}${shape}${one.join('')}</g>`];
}

function laneParts(lane: PlacedScope, around: Box): string[] {
  const box = { ...lane.box, height: around.y + around.height - lane.box.y - (FORK_HEAD - 28) };
  return [
    `<rect ${rectOf(box)} rx="6" fill="#ffffff" fill-opacity="0.75" stroke="${LINE}" stroke-opacity="0.4" stroke-dasharray="3 3"/>`,
    lane.title === ''
      ? ''
      : text(box.x + box.width / 2, box.y + 15, lane.title, `font-size="11" fill-opacity="0.75"`),
    ...scopeParts(lane),
  ].filter((part) => part !== '');
}

function shapeOf(kind: GraphNode['kind'], box: Box, paint: string): string {
  const { x, y, width, height } = box;
  switch (kind) {
    case 'start':
    case 'end':
    case 'succeed':
    case 'fail':
      return `<rect ${rectOf(box)} rx="${n(height / 2)}" ${paint}/>`;
    case 'choice':
    case 'wait': {
      const cut = kind === 'choice' ? 22 : 12;
      const points = [
        [x, y + height / 2],
        [x + cut, y],
        [x + width - cut, y],
        [x + width, y + height / 2],
        [x + width - cut, y + height],
        [x + cut, y + height],
      ].map(([px = 0, py = 0]) => `${n(px)},${n(py)}`);
      return `<polygon points="${points.join(' ')}" ${paint}/>`;
    }
    case 'task':
    case 'pass':
    case 'fork':
      return `<rect ${rectOf(box)} rx="6" ${paint}/>`;
  }
}

function styleOf(node: GraphNode): { readonly fill: string; readonly line: string; readonly dash: string } {
  const dash = node.outcome === 'skipped' || node.kind === 'pass' ? ' stroke-dasharray="5 3"' : '';
  const neutral = { fill: node.kind === 'start' || node.kind === 'end' ? '#eaeef2' : '#f6f8fa', line: LINE };
  const colors: Readonly<Record<GraphOutcome, { readonly fill: string; readonly line: string }>> =
    OUTCOME_COLORS;
  return { ...(node.outcome === null ? neutral : colors[node.outcome]), dash };
}

function edgeLine({ edge, points }: PlacedEdge): string {
  const dash = edge.isCatch ? ' stroke-dasharray="6 4"' : '';
  return `<path d="${curve(points)}" fill="none" stroke="${LINE}" stroke-width="1.4"${dash} marker-end="url(#arrow)"/>`;
}

/** Straight through its points, rounded between layers. */
function curve(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let here = first;
  const parts = [`M${n(first.x)} ${n(first.y)}`];
  for (const point of rest) {
    const isStraight = Math.abs(point.x - here.x) < 0.5 || Math.abs(point.y - here.y) < 0.5;
    const middle = (here.y + point.y) / 2;
    parts.push(
      isStraight
        ? `L${n(point.x)} ${n(point.y)}`
        : `C${n(here.x)} ${n(middle)} ${n(point.x)} ${n(middle)} ${n(point.x)} ${n(point.y)}`,
    );
    here = point;
  }
  return parts.join('');
}

function edgeLabel({ edge, points }: PlacedEdge): string[] {
  if (edge.label === '') return [];
  // Between the first two layers, where ways that part are still apart.
  const at = points.findIndex(
    (point, index) => points[index + 1] !== undefined && !isUpright(point, points[index + 1]),
  );
  const [a, b] = [points[Math.max(at, 0)], points[Math.max(at, 0) + 1]];
  if (a === undefined || b === undefined) return [];
  const label = clipped(edge.label);
  const x = a.x + (b.x - a.x) * 0.6;
  const y = a.y + (b.y - a.y) * 0.6;
  const width = widthOf(label) * SMALL_CHAR + 6;
  return [
    `<g><title>${escaped(edge.label)}</title><rect x="${n(x - width / 2)}" y="${n(y - 9)}" width="${n(width)}" height="16" ` +
      `fill="#ffffff" fill-opacity="0.9"/>${text(x, y + 3, label, 'font-size="11"')}</g>`,
  ];
}

function isUpright(a: Point, b: Point | undefined): boolean {
  return b !== undefined && Math.abs(a.x - b.x) < 0.5 && Math.abs(a.y - b.y) < 0.5;
}

function belowOf({ detail, outcome }: GraphNode): string {
  return [clipped(detail), outcome ?? ''].filter((part) => part !== '').join(' · ');
}

function clipped(name: string): string {
  const signs = [...visible(name)];
  return signs.length <= MAX_NAME ? signs.join('') : `${signs.slice(0, MAX_NAME - 1).join('')}…`;
}

/** In signs of a Latin letter's width. */
function widthOf(label: string): number {
  return [...label].reduce((sum, sign) => sum + ((sign.codePointAt(0) ?? 0) > 0x2e7f ? 1.8 : 1), 0);
}

function text(x: number, y: number, words: string, style: string): string {
  const styled = style === '' ? '' : ` ${style}`;
  return `<text x="${n(x)}" y="${n(y)}" text-anchor="middle" fill="${INK}"${styled}>${escaped(words)}</text>`;
}

function rectOf({ x, y, width, height }: Box): string {
  return `x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}"`;
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(words: string): string {
  return visible(words).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
