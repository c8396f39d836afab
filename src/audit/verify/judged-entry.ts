// The entry as the rules see it: of its data, they ask for single members, and of most entries for few or none. So data
// that is plain stays text until somebody asks.
import { WritError } from '../../errors.js';
import type { Json, JsonObject } from '../../json.js';
import { readEntry, type Entry, type EntryFault } from '../entry.js';
import { Frame } from '../entry-frame.js';
import { Layouts } from '../frame-layout.js';
import { textOf } from './entry-batch.js';

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

/** The entries of a batch, each as `readEntry` reads its bytes. `layouts` is what `layOutBatch` made of them, if it was asked. */
export function* readBatch(
  entries: readonly Uint8Array[],
  layouts: Int32Array | null,
): Generator<JudgedEntry | Unreadable> {
  const own = new Layouts(layouts === null ? entries.length : 0);
  let at = 0;
  for (const bytes of entries) {
    let frame: Frame | null = null;
    if (layouts === null) {
      const text = textOf(bytes);
      if (text !== null && own.add(text)) frame = new Frame(text, own.numbers, own.last);
    } else {
      const length = layouts[at] ?? 0;
      if (length === 0) throw new WritError('INTERNAL', 'an entry of a batch was not laid out');
      const text = length > 1 ? textOf(bytes) : null;
      if (text !== null) frame = new Frame(text, layouts, at);
      at += length;
    }
    if (frame !== null) {
      yield frame;
      continue;
    }
    const entry = readEntry(bytes);
    yield 'fault' in entry ? entry : judged(entry);
  }
}

/** The same of an entry that was read whole. */
export function judged(entry: Entry): JudgedEntry {
  const { data } = entry;
  return {
    ...entry,
    data: { get: (key) => (Object.hasOwn(data, key) ? data[key] : undefined), all: () => data },
  };
}
