// Puts the approval prompt on a real terminal and takes it off again, whatever happens: raw mode, paste and focus
// reports are off when this has returned or the process ends.
import { render } from 'ink';
import { createElement } from 'react';
import type { ApprovalRecord } from '../runtime/ports.js';
import type { ApprovalView } from '../runtime/writ.js';
import { ApprovalPrompt, type PromptClock } from './approval-prompt.js';
import { REPORT_PASTE_AND_FOCUS, STOP_REPORTS } from './keys.js';
import type { Answer } from './prompt-state.js';

export interface PromptOptions {
  readonly view: ApprovalView;
  readonly approver: string;
  readonly reason: string | null;
  readonly refresh: () => Promise<ApprovalRecord>;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly color: boolean;
  readonly screenReader: boolean;
  nowMs(): number;
  /** Takes the prompt away; the answer is then `interrupted`. */
  readonly signal: AbortSignal;
}

/** Resolves with what the person did; without an answer it is `none`. Both streams must be a terminal. */
export async function promptForApproval(options: PromptOptions): Promise<Answer> {
  const { stdin, stdout, signal } = options;
  let answer: Answer = { decision: 'none', why: 'interrupted' };
  const restore = (): void => {
    stdout.write(STOP_REPORTS);
  };
  process.once('exit', restore);
  stdout.write(REPORT_PASTE_AND_FOCUS);
  const prompt = render(
    createElement(ApprovalPrompt, {
      view: options.view,
      approver: options.approver,
      reason: options.reason,
      clock: terminalClock(() => options.nowMs()),
      refresh: options.refresh,
      color: options.color,
      screenReader: options.screenReader,
      onAnswer: (given: Answer) => {
        answer = given;
        prompt.unmount();
      },
    }),
    { stdin, stdout, exitOnCtrlC: false, patchConsole: false, isScreenReaderEnabled: options.screenReader },
  );
  const take = (): void => {
    prompt.unmount();
  };
  signal.addEventListener('abort', take);
  try {
    await prompt.waitUntilExit();
  } finally {
    signal.removeEventListener('abort', take);
    process.off('exit', restore);
    restore();
  }
  return answer;
}

function terminalClock(nowMs: () => number): PromptClock {
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
