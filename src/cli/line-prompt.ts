// Questions on a terminal, each answered by one line. Only what is typed after a question is there counts: of several
// lines that come at once, as a paste brings them, the first is the answer and the others are dropped. Ctrl+C and the end
// of input end it; the terminal is as before when it is closed.
import { createInterface } from 'node:readline';
import type { Asking } from './task/fill-form.js';
import type { Context } from './context.js';

export interface LinePrompt extends Asking {
  /** Ctrl+C was pressed. */
  readonly isInterrupted: boolean;
  close(): void;
}

/** Both streams must be a terminal. */
export function openLinePrompt({
  stdin,
  stdout,
  output,
}: Pick<Context, 'stdin' | 'stdout' | 'output'>): LinePrompt {
  const lines = createInterface({ input: stdin, output: stdout, terminal: true, historySize: 0 });
  let answer: ((text: string | null) => void) | null = null;
  let isInterrupted = false;
  let isOver = false;
  const give = (text: string | null): void => {
    const waiting = answer;
    answer = null;
    waiting?.(text);
  };
  lines.on('line', give);
  lines.on('SIGINT', () => {
    isInterrupted = true;
    lines.close();
  });
  lines.on('close', () => {
    isOver = true;
    give(null);
  });
  return {
    say: (line) => {
      output.line(line);
    },
    ask: (question) =>
      new Promise((resolve) => {
        if (isOver) {
          resolve(null);
          return;
        }
        answer = resolve;
        // The rest of a paste is no answer to what is asked now.
        if (lines.line !== '') {
          lines.write(null, { ctrl: true, name: 'e' });
          lines.write(null, { ctrl: true, name: 'u' });
        }
        lines.setPrompt(question);
        lines.prompt();
      }),
    get isInterrupted() {
      return isInterrupted;
    },
    close: () => {
      lines.close();
    },
  };
}
