// The first half of reading the entries of a batch: where their parts lie. It needs nothing but the batch, so whoever has
// the time can do it, the thread that walks the tree or the one that judges.
import { Layouts } from '../frame-layout.js';
import { decodeUtf8 } from '../json-reader.js';

/**
 * The layouts of `entries` (attacker-controlled), one after another: plain numbers, which pass from thread to thread.
 * An entry whose layout is a single number is the strict reader's affair.
 */
export function layOutBatch(entries: readonly Uint8Array[]): Int32Array<ArrayBuffer> {
  const layouts = new Layouts(entries.length);
  // What is not UTF-8 is no entry, as is no text.
  for (const bytes of entries) layouts.add(textOf(bytes) ?? '');
  return layouts.numbers;
}

/** null when the bytes are not UTF-8. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return decodeUtf8(bytes);
  } catch {
    // Not UTF-8: the strict reader says so.
    return null;
  }
}
