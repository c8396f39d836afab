// Entries that belong together.
import type { JsonObject } from '../../json.js';
import type { ShownEntry } from './report.js';

/** Those of one key together, in order: one pass, however many a hostile bundle holds. */
export function groupsOf(
  entries: readonly ShownEntry[],
  keyOf: (data: JsonObject) => string,
): ReadonlyMap<string, readonly ShownEntry[]> {
  const found = new Map<string, ShownEntry[]>();
  for (const one of entries) {
    const key = keyOf(one.entry.data);
    const group = found.get(key);
    if (group === undefined) found.set(key, [one]);
    else group.push(one);
  }
  return found;
}
