// The first half of reading the entries of a batch: where their parts lie. It needs nothing but the batch, so whoever has
// the time can do it, the thread that walks the tree or the one that judges.
import { Layouts } from '../frame-layout.js';
import { entryEnd, LENGTH_BYTES } from '../tile.js';
import { TILE_WIDTH } from '../tile-path.js';

/**
 * The layouts of the entries in `bundle` (attacker-controlled), one after another: plain numbers, which pass from thread
 * to thread. An entry whose layout is a single number is the strict reader's affair.
 */
export function layOutBatch(bundle: Uint8Array): Int32Array<ArrayBuffer> {
  const layouts = new Layouts(TILE_WIDTH);
  for (let at = 0; at < bundle.length; at = entryEnd(bundle, at)) {
    layouts.add(bundle.subarray(at + LENGTH_BYTES, entryEnd(bundle, at)));
  }
  return layouts.numbers;
}
