// The screens of the approval inbox on a terminal: one request, and the list of all.
import { createElement } from 'react';
import type { PreviousSubject } from '../runtime/approval/previous-subject.js';
import type { ApprovalKey, ApprovalRecord } from '../runtime/ports.js';
import type { ApprovalView } from '../runtime/writ.js';
import { ApprovalPrompt } from './approval-prompt.js';
import { ApprovalQueue } from './approval-queue.js';
import type { Answer } from './prompt-state.js';
import type { QueueAnswer } from './queue-state.js';
import { showScreen, terminalClock, type Terminal } from './screen.js';

export interface PromptOptions extends Terminal {
  readonly view: ApprovalView;
  readonly previous: PreviousSubject | null;
  readonly canEdit: boolean;
  readonly approver: string;
  readonly reason: string | null;
  /** What to say first. */
  readonly message: string | null;
  readonly refresh: () => Promise<ApprovalRecord>;
  readonly color: boolean;
}

/** Resolves with what the person did; without an answer it is `none`. */
export function promptForApproval(options: PromptOptions): Promise<Answer> {
  const { view, previous, canEdit, approver, reason, message, refresh, color, screenReader } = options;
  const clock = terminalClock(() => options.nowMs());
  const shown = { view, previous, canEdit, approver, reason, message, refresh, color, screenReader, clock };
  return showScreen<Answer>(options, (onAnswer) => createElement(ApprovalPrompt, { ...shown, onAnswer }), {
    decision: 'none',
    why: 'interrupted',
  });
}

export interface QueueOptions extends Terminal {
  readonly keys: readonly ApprovalKey[];
  readonly records: readonly ApprovalRecord[];
  readonly read: (ids: readonly string[]) => Promise<readonly ApprovalRecord[]>;
  readonly approver: string;
  readonly refresh: () => Promise<readonly ApprovalKey[] | null>;
  readonly message: string | null;
  readonly selected: string | null;
  readonly color: boolean;
}

/** Resolves with what to open, or that the person leaves. */
export function showQueue(options: QueueOptions): Promise<QueueAnswer> {
  const { keys, records, read, approver, refresh, message, selected, color, screenReader } = options;
  const clock = terminalClock(() => options.nowMs());
  const shown = { keys, records, read, approver, refresh, message, selected, color, screenReader, clock };
  return showScreen<QueueAnswer>(
    options,
    (onAnswer) => createElement(ApprovalQueue, { ...shown, onAnswer }),
    { kind: 'interrupted' },
  );
}
