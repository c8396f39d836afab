// What a program prints, kept up to the limit for both streams together. More than the limit is told once and then
// dropped: a flood never fills the runner's memory.
import { Growing } from '../growing.js';

export interface Captured {
  readonly bytes: Uint8Array;
  readonly truncated: boolean;
}

export interface Capture {
  readonly give: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void;
  /** The stream that went over the limit; null = all of it was kept. */
  full(): 'stdout' | 'stderr' | null;
  result(): { readonly stdout: Captured; readonly stderr: Captured };
}

export function openCapture(
  outputBytes: number,
  told: () => void,
  watch?: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void,
): Capture {
  const kept = { stdout: new Growing(), stderr: new Growing() };
  let room = outputBytes;
  let full: 'stdout' | 'stderr' | null = null;
  const captured = (stream: 'stdout' | 'stderr'): Captured => ({
    bytes: kept[stream].bytes(),
    truncated: full === stream,
  });
  return {
    give(stream, bytes) {
      if (full !== null) return;
      const part = bytes.subarray(0, room);
      room -= part.length;
      if (part.length > 0) {
        kept[stream].append(part);
        // A copy: the chunk it lies in may be much larger.
        watch?.(stream, new Uint8Array(part));
      }
      if (part.length < bytes.length) {
        full = stream;
        told();
      }
    },
    full: () => full,
    result: () => ({ stdout: captured('stdout'), stderr: captured('stderr') }),
  };
}
