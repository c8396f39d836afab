// What a program says: kept up to its limit, and shown as it comes to who wants to see it.
import { Growing } from '../growing.js';
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
  /** What the engine says of a program that never ran, however little the program might have said. */
  words(): string;
  all(): { readonly stdout: Captured; readonly stderr: Captured };
}

/** The engine's words, where the program might not have said so much. */
const MAX_WORDS = 4_096;
const NO_BYTES = new Uint8Array(0);

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
  const first = new Growing();
  let room = MAX_WORDS;
  const read = frameReader((from, bytes) => {
    const part = from === 'stdout' ? bytes.subarray(0, room) : NO_BYTES;
    room -= part.length;
    first.append(part);
    capture.give(from, bytes);
  });
  stream.on('data', read);
  return {
    closed,
    close: () => live?.end(),
    full: () => capture.full(),
    words() {
      const bytes = capture.full() === null ? capture.result().stdout.bytes : first.bytes();
      return Buffer.from(bytes).toString('utf8');
    },
    all: () => capture.result(),
  };
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
