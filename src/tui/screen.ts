// Puts one screen on a real terminal and takes it off again, whatever happens: raw mode, paste and focus reports are
// off when this has returned or the process ends.
import { render } from 'ink';
import type { ReactElement } from 'react';
import { REPORT_PASTE_AND_FOCUS, STOP_REPORTS } from './keys.js';
import type { PromptClock } from './use-keys.js';

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
    restore();
  }
  return answer;
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
