// The entry as the rules see it: of its data, they ask for single members, and of most entries for few or none. So data
// that is plain stays text until somebody asks.
import type { Json, JsonObject } from '../../json.js';
import { readEntry, type Entry, type EntryFault } from '../entry.js';
import { scanFrame } from '../entry-frame.js';
import { decodeUtf8 } from '../json-reader.js';

/** What an entry says of its event; everything in it is attacker-controlled. */
export interface EntryData {
  /** undefined = there is no such member. Text in it shares no memory with the entry's: it may be kept. */
  get(key: string): Json | undefined;
  all(): JsonObject;
}

export type JudgedEntry = Omit<Entry, 'data'> & { readonly data: EntryData };

/** As `readEntry`. */
export function readJudged(
  bytes: Uint8Array,
): JudgedEntry | { readonly fault: EntryFault; readonly message: string } {
  const text = textOf(bytes);
  const plain = text === null ? null : scanFrame(text);
  if (plain !== null) return plain;
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

function textOf(bytes: Uint8Array): string | null {
  try {
    return decodeUtf8(bytes);
  } catch {
    // Not UTF-8: the strict reader says so.
    return null;
  }
}
