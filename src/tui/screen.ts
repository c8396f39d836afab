// Puts one screen on a real terminal and takes it off again, whatever happens: raw mode, paste and focus reports are
// off when this has returned or the process ends. A terminal that gets narrower shows nothing of the frame before.
import { render } from 'ink';
import type { ReactElement } from 'react';
import { REPORT_PASTE_AND_FOCUS, STOP_REPORTS } from './keys.js';
import type { PromptClock } from './use-keys.js';

/** The cursor to the first row, and every row empty; what was scrolled away stays. */
const CLEAR = '\u001b[H\u001b[2J';

export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly screenReader: boolean;
  nowMs(): number;
  /** Takes the screen away; its answer is then `interrupted`. */
  readonly signal: AbortSignal;
}

/** Resolves with what `element` answers, or with `interrupted` when it is taken away. Both streams must be a terminal. */
export async function showScreen<Answer>(
  { stdin, stdout, screenReader, signal }: Terminal,
  element: (onAnswer: (answer: Answer) => void) => ReactElement,
  interrupted: Answer,
): Promise<Answer> {
  let answer = interrupted;
  const restore = (): void => {
    stdout.write(STOP_REPORTS);
  };
  process.once('exit', restore);
  stdout.write(REPORT_PASTE_AND_FOCUS);
  // Before anything is drawn: who sees the screen may type, and no key is to be echoed or wait for the end of a line.
  if (stdin.isTTY) stdin.setRawMode(true);
  const stopClearing = screenReader ? () => undefined : clearWhenNarrower(stdout);
  const screen = render(
    element((given) => {
      answer = given;
      screen.unmount();
    }),
    { stdin, stdout, exitOnCtrlC: false, patchConsole: false, isScreenReaderEnabled: screenReader },
  );
  const take = (): void => {
    screen.unmount();
  };
  signal.addEventListener('abort', take);
  if (signal.aborted) take();
  try {
    await screen.waitUntilExit();
  } finally {
    signal.removeEventListener('abort', take);
    process.off('exit', restore);
    stopClearing();
    restore();
    // As linear text a screen ends without a line end: what is said next is not to run on in its last line.
    if (screenReader) stdout.write('\n');
  }
  return answer;
}

/**
 * Rows that are longer than the terminal has become go on in the next row: Ink, which draws all of them anew then, would
 * leave the upper ones where they are. Call the result to stop.
 */
function clearWhenNarrower(stdout: NodeJS.WriteStream): () => void {
  let { columns } = stdout;
  const onResize = (): void => {
    if (stdout.columns < columns) stdout.write(CLEAR);
    columns = stdout.columns;
  };
  stdout.prependListener('resize', onResize);
  return () => {
    stdout.off('resize', onResize);
  };
}

export function terminalClock(nowMs: () => number): PromptClock {
  return {
    nowMs,
    every(ms, tick) {
      const timer = setInterval(tick, ms);
      return () => {
        clearInterval(timer);
      };
    },
  };
}
