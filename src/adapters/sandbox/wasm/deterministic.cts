// Loaded before anything else of a guest's process, and of each worker of its engine: clock and random bytes are what
// the command line says, so that two runs see the same. Replacing `Date.now` alone is not enough: the engine makes dates.
import crypto = require('node:crypto');

const TITLE = /^--title=writ-fixed-([0-9a-f]{64})-([0-9]{1,15})$/;
const given = process.execArgv.map((option) => TITLE.exec(option)).find((found) => found !== null);
// No preload, no mode: the process ends here, and the driver tells that it did not start.
if (given === undefined) throw new Error('nothing to fix the clock to');
const [, seed = '', now = ''] = given;
const nowMs = Number(now);

const RealDate = Date;
class FixedDate extends RealDate {
  constructor(...parts: readonly unknown[]) {
    if (parts.length === 0) super(nowMs);
    else super(...(parts as [number]));
  }

  static override now(): number {
    return nowMs;
  }
}
globalThis.Date = FixedDate as DateConstructor;

let block = 0;
let left = Buffer.alloc(0);
/** SHA-256 of seed and counter, as many blocks as are asked for. */
function fill<View extends NodeJS.ArrayBufferView | null>(view: View): View {
  if (view === null) return view;
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  for (let at = 0; at < bytes.length;) {
    if (left.length === 0) {
      left = crypto.createHash('sha256').update(`${seed}-${block}`).digest();
      block += 1;
    }
    const part = left.subarray(0, bytes.length - at);
    bytes.set(part, at);
    left = left.subarray(part.length);
    at += part.length;
  }
  return view;
}
Object.defineProperty(globalThis.crypto, 'getRandomValues', { value: fill });
Object.defineProperty(crypto, 'randomFillSync', { value: fill });
