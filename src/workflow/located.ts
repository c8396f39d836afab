// A document as data with places: every value and key knows its offset in the text. Built once by document.ts;
// the dialects read from it, so that each finding points at the author's own line.
import type { Json } from '../json.js';

interface LocatedBase {
  /** 0-based, UTF-16 units, where the value begins. */
  readonly offset: number;
}
export interface LocatedEntry {
  readonly key: string;
  readonly keyOffset: number;
  readonly value: Located;
}
export interface LocatedMap extends LocatedBase {
  readonly kind: 'map';
  readonly entries: readonly LocatedEntry[];
}
export interface LocatedList extends LocatedBase {
  readonly kind: 'list';
  readonly items: readonly Located[];
}
export interface LocatedScalar extends LocatedBase {
  readonly kind: 'scalar';
  readonly value: null | boolean | number | string;
}
export type Located = LocatedMap | LocatedList | LocatedScalar;

/** Keys and indices from the root of the document. */
export type Segments = readonly (string | number)[];

/** The plain data. Own properties only, whatever the keys are called. */
export function toJson(node: Located): Json {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(toJson);
    case 'map':
      return Object.fromEntries(node.entries.map((entry) => [entry.key, toJson(entry.value)]));
  }
}

/** The member `key` of a map; undefined when there is none or the node is no map. */
export function field(node: Located | undefined, key: string): LocatedEntry | undefined {
  return node?.kind === 'map' ? node.entries.find((entry) => entry.key === key) : undefined;
}

/** What `segments` lead to; undefined when they lead nowhere. */
export function nodeAt(root: Located, segments: Segments): Located | undefined {
  let node: Located | undefined = root;
  for (const segment of segments) {
    if (node?.kind === 'list' && typeof segment === 'number') node = node.items[segment];
    else node = field(node, String(segment))?.value;
  }
  return node;
}

/** The text at `key`, when it is text. */
export function textField(node: Located | undefined, key: string): string | undefined {
  const value = field(node, key)?.value;
  return value?.kind === 'scalar' && typeof value.value === 'string' ? value.value : undefined;
}

/** Offset of what `segments` lead to; of the last part that exists when they lead nowhere. */
export function offsetOf(root: Located, segments: Segments, of: 'key' | 'value' = 'value'): number {
  let node = root;
  let offset = root.offset;
  for (const segment of segments) {
    if (node.kind === 'list' && typeof segment === 'number') {
      const item = node.items[segment];
      if (item === undefined) return offset;
      node = item;
      offset = item.offset;
      continue;
    }
    const entry = field(node, String(segment));
    if (entry === undefined) return offset;
    node = entry.value;
    offset = of === 'key' ? entry.keyOffset : node.offset;
  }
  return offset;
}

/** `spec.states["Risk Choice"].choices[0]`; empty for the document itself. */
export function pathText(segments: Segments): string {
  let text = '';
  for (const segment of segments) {
    if (typeof segment === 'number') text += `[${segment}]`;
    else if (/^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(segment)) text += text === '' ? segment : `.${segment}`;
    else text += `[${JSON.stringify(segment)}]`;
  }
  return text;
}
