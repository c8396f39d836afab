// A desk with one run that waits for an approval, and suites that need a terminal. Each test has a copy of the desk to
// itself, so that an approval by mistake would show as a run that went on.
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';
import { entriesOf, newDesk, startWaiting, type Desk, type Waiting } from '../cli/claims-desk.js';
import { hosted } from '../cli/writ.js';
import { terminalMaker } from './pseudo-terminal.js';

const WHY_SKIPPED = terminalMaker === null ? ' (skipped: neither util-linux script nor python3 is here)' : '';

/** A suite on a pseudo-terminal, skipped with its reason where there is none. Its tests are several processes each. */
export function describeOnTerminal(what: string, body: () => void): void {
  describe.skipIf(terminalMaker === null)(`${what} on a terminal of 80 by 24${WHY_SKIPPED}`, body);
}

export interface WaitingDesk {
  /** Of the test that runs. */
  readonly desk: Desk;
  readonly waiting: Waiting;
  /** Neither request nor log know of any decision. */
  expectUndecided(): Promise<void>;
}

/** To be called once, in a file or suite. */
export function useWaitingDesk(): WaitingDesk {
  let used: Desk;
  let waiting: Waiting;
  let desk: Desk;
  beforeAll(async () => {
    used = await newDesk(hosted);
    waiting = await startWaiting(used);
  });
  afterAll(() => used.remove());
  beforeEach(() => {
    desk = used.copy();
    return () => desk.remove();
  });
  return {
    get desk() {
      return desk;
    },
    get waiting() {
      return waiting;
    },
    async expectUndecided() {
      const { value } = await desk.json(['approvals', 'show', waiting.approval]);
      expect(value).toMatchObject({ state: 'pending', votes: [] });
      expect(entriesOf(desk, waiting.run).map(({ type }) => type)).not.toContain('approval.decided');
    },
  };
}
