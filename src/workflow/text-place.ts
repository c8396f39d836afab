// Where in the document a place inside a text value is: exact when the text stands there as it is, else the value.
import type { Located } from './located.js';

/** Offset in `source` of character `inner` of the text `node`; undefined when escapes or folding lie between. */
export function innerOffset(
  source: string,
  node: Located | undefined,
  inner: number | undefined,
): number | undefined {
  if (inner === undefined || node?.kind !== 'scalar' || typeof node.value !== 'string') return undefined;
  for (const quote of [0, 1]) {
    if (source.startsWith(node.value, node.offset + quote)) return node.offset + quote + inner;
  }
  return undefined;
}
