// What a program says: kept up to its limit, and shown as it comes to who wants to see it.
import { openCapture, type Captured } from './capture.js';
import { frameReader } from './frames.js';
import type { Program } from './program.js';

export interface Hearing {
  readonly outputBytes: number;
  readonly onOutput: ((stream: 'stdout' | 'stderr', bytes: Uint8Array) => void) | undefined;
}

export interface Heard {
  /** Resolves when nothing more can come. */
  readonly closed: Promise<void>;
  /** The program has ended: what was held back is shown. */
  close(): void;
  /** The stream that went over the limit; null = all of it was kept. */
  full(): 'stdout' | 'stderr' | null;
  /** Of a program that never ran it is what the engine says. */
  all(): { readonly stdout: Captured; readonly stderr: Captured };
}

/** `over` is called when it says more than it may; nothing more is heard then. */
export function hear(
  program: Program,
  { outputBytes, onOutput }: Hearing,
  over: (stream: 'stdout' | 'stderr') => void,
): Heard {
  const { stream } = program;
  const live = onOutput === undefined ? null : liveOutput(program, onOutput);
  const capture = openCapture(
    outputBytes,
    () => {
      over(capture.full() ?? 'stdout');
      stream.destroy();
    },
    live?.give,
  );
  const closed = new Promise<void>((resolve) => {
    stream.once('end', resolve).once('close', resolve);
  });
  stream.on('error', () => undefined); // a dead container breaks its stream; its end tells the story
  stream.on('data', frameReader(capture.give));
  return { closed, close: () => live?.end(), full: () => capture.full(), all: () => capture.result() };
}

interface LiveOutput {
  readonly give: NonNullable<Hearing['onOutput']>;
  /** The program has ended. */
  readonly end: () => void;
}

/** Shows output as it comes, from when it is known to be the program's and not the engine's words about it. */
function liveOutput(program: Program, show: LiveOutput['give']): LiveOutput {
  let held: Parameters<typeof show>[] | null = null;
  let isShown = false;
  const release = (): void => {
    isShown = true;
    for (const part of held?.splice(0) ?? []) show(...part);
  };
  return {
    give(stream, bytes) {
      if (isShown) return show(stream, bytes);
      held ??= askFirst();
      held.push([stream, bytes]);
    },
    end() {
      if (!program.isUnstarted()) release();
    },
  };
  function askFirst(): [] {
    program.speaks().then(
      (speaks) => {
        if (speaks) release();
      },
      () => undefined, // its end tells
    );
    return [];
  }
}
