// The entry as the rules see it: of its data, they ask for single members, and of most entries for few or none. So data
// that is plain stays text until somebody asks.
import { WritError } from '../../errors.js';
import type { Json, JsonObject } from '../../json.js';
import { readEntry, type Entry, type EntryFault } from '../entry.js';
import { Frame } from '../entry-frame.js';
import { textOf } from '../frame-layout.js';
import { entryEnd, LENGTH_BYTES } from '../tile.js';
import { layOutBatch } from './entry-batch.js';

/** What an entry says of its event; everything in it is attacker-controlled. */
export interface EntryData {
  /** undefined = there is no such member. Text in it shares no memory with the entry's: it may be kept. */
  get(key: string): Json | undefined;
  all(): JsonObject;
}

export type JudgedEntry = Omit<Entry, 'data'> & { readonly data: EntryData };

/** What is wrong with an entry. */
export interface Unreadable {
  readonly fault: EntryFault;
  readonly message: string;
}

/**
 * The entries in `bundle` (one that `decodeBundle` accepts), each as `readEntry` reads its bytes. `layouts` is what
 * `layOutBatch` made of it, if it was asked.
 */
export function* readBatch(
  bundle: Uint8Array,
  layouts: Int32Array | null,
): Generator<JudgedEntry | Unreadable> {
  const found = layouts ?? layOutBatch(bundle);
  let layout = 0;
  for (let at = 0; at < bundle.length;) {
    const { text, end } = nextText(bundle, at);
    for (const start = at; at < end; at = entryEnd(bundle, at)) {
      const length = found[layout] ?? 0;
      if (length === 0) throw new WritError('INTERNAL', 'an entry of a batch was not laid out');
      if (length > 1 && text !== null) yield new Frame(text, at + LENGTH_BYTES - start, found, layout);
      else yield readAlone(bundle.subarray(at + LENGTH_BYTES, entryEnd(bundle, at)), found, layout);
      layout += length;
    }
  }
}

/** Any entry fits, with its length. A text of more than twice this costs the engine a page of memory of its own. */
const room = new Uint8Array(2 ** 16 + LENGTH_BYTES);

/**
 * Entries from `at` on, as many as there is room for, as one text in which each stands where it stands in the bundle;
 * null unless all of them are ASCII. One decoding instead of a hundred.
 */
function nextText(bundle: Uint8Array, at: number): { readonly text: string | null; readonly end: number } {
  room.set(bundle.subarray(at, at + room.length));
  let end = at;
  for (let next = at; next < bundle.length; end = next) {
    room[next - at] = room[next - at + 1] = 0;
    next = entryEnd(bundle, next);
    if (next - at > room.length) break;
  }
  const text = textOf(room.subarray(0, end - at));
  return { text: text?.length === end - at ? text : null, end };
}

function readAlone(bytes: Uint8Array, layouts: Int32Array, layout: number): JudgedEntry | Unreadable {
  const text = (layouts[layout] ?? 0) > 1 ? textOf(bytes) : null;
  if (text !== null) return new Frame(text, 0, layouts, layout);
  const entry = readEntry(bytes);
  return 'fault' in entry ? entry : judged(entry);
}

/** The same of an entry that was read whole. */
export function judged(entry: Entry): JudgedEntry {
  const { data } = entry;
  return {
    ...entry,
    data: { get: (key) => (Object.hasOwn(data, key) ? data[key] : undefined), all: () => data },
  };
}
