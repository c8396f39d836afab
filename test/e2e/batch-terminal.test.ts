// A batch on a real terminal: items of one step, each read in full on one screen, one of them left out, confirmed by the
// digits of a digest that names exactly those that were marked, and each with its own signed vote.
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  entriesOf,
  expectVerified,
  newDesk,
  startWaitingForEach,
  type Asked,
  type Desk,
} from '../cli/claims-desk.js';
import { hosted } from '../cli/writ.js';
import { armed, bobsTerminal, ENTER, ESCAPE, readToTheEnd, typeDigits } from './approver-at-terminal.js';
import { plain, type TerminalSession } from './pseudo-terminal.js';
import { describeOnTerminal } from './waiting-desk.js';

describeOnTerminal('a batch', () => {
  let desk: Desk;
  let run = '';
  let asked: readonly Asked[] = [];

  beforeAll(async () => {
    desk = await newDesk(hosted);
    const claims = ['one', 'two', 'three'].map((id) => ({ id, evil: 'a\u202eb\u001b[2J', amount: 1 }));
    ({ run, asked } = await startWaitingForEach(desk, claims));
  });
  afterAll(() => desk.remove());

  const open = (): TerminalSession => bobsTerminal(desk, ['approvals']);
  /** Of the first rows of the queue, marked one by one. */
  const mark = async (terminal: TerminalSession, count: number): Promise<void> => {
    for (let marked = 1; marked <= count; marked += 1) {
      terminal.type(' ');
      await terminal.shows(`${marked} marked with *`);
    }
    terminal.type(ENTER);
    await terminal.shows(`Approval batch of ${count}`);
    await armed(terminal);
  };
  const type = async (terminal: TerminalSession, digits: string): Promise<void> => {
    terminal.type('a');
    await terminal.shows("type the digest's first 4 hex digits");
    await typeDigits(terminal, digits.slice(0, 4));
    terminal.type(ENTER);
  };
  const states = async (): Promise<readonly string[]> => {
    const { value } = await desk.json(['approvals', 'list', '--all']);
    const { approvals } = value as { approvals: readonly Asked[] };
    return asked.map(({ id }) => approvals.find((one) => one.id === id)?.state ?? '');
  };
  /** In the order of the queue, whose first two are marked. */
  const marked = (): readonly string[] =>
    [...asked]
      .sort(byExpiry)
      .slice(0, 2)
      .map(({ id }) => id);
  const byExpiry = (a: Asked, b: Asked): number =>
    a.expiresAtMs - b.expiresAtMs || (a.stepPath < b.stepPath ? -1 : 1);

  it('shows every item whole, and is not approved before the last line or by the digits of one item', async () => {
    const shown = await desk.json(['approvals', 'show', ...marked()]);
    const { batchDigest } = shown.value as { batchDigest: string };
    const other = asked.find(({ subjectDigest }) => !batchDigest.startsWith(subjectDigest.slice(0, 4)));
    const terminal = open();
    await terminal.shows('3 requests wait');
    await mark(terminal, 2);
    terminal.type('a');
    await terminal.shows('more lines to read first');
    await readToTheEnd(terminal);
    const text = plain(terminal.drawn());
    for (const at of [1, 2]) expect(text).toContain(`--- item ${at} of 2: ${marked()[at - 1] ?? ''}`);
    expect(text).toContain('a\\u202eb\\u001b[2J');
    await type(terminal, other?.subjectDigest ?? '');
    await terminal.shows('that is not how the digest begins');
    terminal.type(ESCAPE);
    await terminal.shows('nothing was decided');
    terminal.type('q');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    expect(await states()).toEqual(['pending', 'pending', 'pending']);
  });

  it('is approved by its own digits: a vote for each that was marked, none for the one left out', async () => {
    const two = marked();
    const shown = await desk.json(['approvals', 'show', ...two]);
    const { batchDigest } = shown.value as { batchDigest: string };
    const terminal = open();
    await terminal.shows('3 requests wait');
    await mark(terminal, 2);
    await readToTheEnd(terminal);
    await type(terminal, batchDigest);
    await terminal.shows('approve by user:bob is recorded');
    await terminal.shows('1 request waits');
    terminal.type('q');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    const votes = entriesOf(desk, run).filter(({ type }) => type === 'approval.decided');
    expect(votes.map(({ data }) => data['approvalId']).sort()).toEqual([...two].sort());
    for (const { data } of votes) {
      const own = asked.find(({ id }) => id === data['approvalId']);
      expect(data).toMatchObject({
        decision: 'approve',
        approver: 'user:bob',
        subjectDigest: own?.subjectDigest,
      });
    }
    const left = asked.findIndex(({ id }) => !two.includes(id));
    expect((await states())[left]).toBe('pending');
    expect(entriesOf(desk, run).filter(({ type }) => type === 'step.intended')).toHaveLength(2);
    await expectVerified(desk);
  });
});
