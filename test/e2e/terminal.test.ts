// The approval prompt on a real terminal: what a person types approves or denies, and nothing else does. Each test has
// a desk of its own with one waiting run, so that an approval by mistake would show as a run that went on.
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { BOB, EACH, HIGH, FLOW, entriesOf, expectVerified } from '../cli/claims-desk.js';
import { isThere } from '../processes.js';
import { armed, bobsTerminal, ENTER, ESCAPE, readToTheEnd, typeDigits } from './approver-at-terminal.js';
import { plain, type TerminalSession } from './pseudo-terminal.js';
import { describeOnTerminal, useWaitingDesk } from './waiting-desk.js';

const CTRL_C = '\u0003';
const STYLE = /\u001b\[(?:\d+;)*\d*m/u;

describeOnTerminal('the approval prompt', () => {
  const here = useWaitingDesk();

  const open = (
    env: Record<string, string> = {},
    words = ['approvals', 'approve', here.waiting.approval],
  ): TerminalSession => bobsTerminal(here.desk, words, env);
  const statusOf = async (): Promise<unknown> =>
    (await here.desk.json(['workflow', 'status', here.waiting.run])).value;

  it('approves by reading to the end, a, four digits and Enter, and the run goes on', async () => {
    const terminal = open();
    await armed(terminal);
    terminal.type('a');
    await terminal.shows('more lines to read first');
    await readToTheEnd(terminal);
    terminal.type('a');
    await terminal.shows("type the digest's first 4 hex digits");
    await typeDigits(terminal, here.waiting.digest.slice(0, 4));
    terminal.type(ENTER);
    await terminal.shows('approve by user:bob is recorded');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    expect(plain(terminal.drawn())).toContain(`run ${here.waiting.run} is completed`);
    expect(await statusOf()).toMatchObject({ status: 'completed' });
    await expectVerified(here.desk);
  });

  it('is not approved by Enter, y, space, wrong digits or a pasted digest', async () => {
    const terminal = open();
    await armed(terminal);
    // Help, shown and hidden, proves that the key before was taken.
    for (const key of [ENTER, 'y', ' ', ENTER]) {
      terminal.type(key);
      await redrawn(terminal);
      terminal.type('?');
      await terminal.shows('read to the end, a,');
      terminal.type('?');
      await redrawn(terminal);
    }
    await readToTheEnd(terminal);
    terminal.type('a');
    await terminal.shows("type the digest's first 4 hex digits");
    for (const key of ['y', ' ']) {
      terminal.type(key);
      await terminal.shows('only hex digits');
    }
    terminal.type(ENTER);
    await terminal.shows('that is not how the digest begins');
    terminal.type(`\u001b[200~${here.waiting.digest}\u001b[201~`);
    await terminal.shows('pasted text is ignored');
    terminal.type(`${here.waiting.digest.slice(0, 4)}${ENTER}`);
    await terminal.shows('pasted text is ignored');
    const wrong = here.waiting.digest.slice(0, 3) + (here.waiting.digest[3] === '0' ? '1' : '0');
    await typeDigits(terminal, wrong);
    terminal.type(ENTER);
    await terminal.shows('that is not how the digest begins');
    terminal.type(ESCAPE);
    await terminal.shows('nothing was decided');
    expect(await terminal.ended).toEqual({ code: 10, restored: true });
    await here.expectUndecided();
  });

  // Again when this machine is so busy that our key comes a second after the prompt.
  it('is not decided by keys that came before it could be read', { retry: 2 }, async () => {
    const terminal = open();
    terminal.type(`a${here.waiting.digest.slice(0, 4)}${ENTER}d${ENTER}`);
    await terminal.shows('keys do not count yet');
    terminal.type('d');
    await armed(terminal);
    expect(plain(terminal.drawn())).not.toContain('deny this request for good?');
    terminal.type(ESCAPE);
    expect(await terminal.ended).toEqual({ code: 10, restored: true });
    await here.expectUndecided();
  });

  it('denies by d and Enter', async () => {
    const terminal = open();
    await armed(terminal);
    terminal.type('d');
    await terminal.shows('deny this request for good?');
    terminal.type(ENTER);
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    expect(plain(terminal.drawn())).toContain('deny by user:bob is recorded');
    expect(await statusOf()).toMatchObject({ status: 'completed' });
    expect(
      entriesOf(here.desk, here.waiting.run).filter(({ type }) => type === 'step.intended'),
    ).toHaveLength(1);
    await expectVerified(here.desk);
  });

  it('is not denied by d and another key', async () => {
    const terminal = open();
    await armed(terminal);
    terminal.type('d');
    await terminal.shows('deny this request for good?');
    terminal.type('y');
    await terminal.shows('not denied');
    terminal.type(ESCAPE);
    expect(await terminal.ended).toEqual({ code: 10, restored: true });
    await here.expectUndecided();
  });

  it('is left by Ctrl+C with exit 130', async () => {
    const terminal = open();
    await terminal.shows(`Approval ${here.waiting.approval}`);
    terminal.type(CTRL_C);
    expect(await terminal.ended).toEqual({ code: 130, restored: true });
    await here.expectUndecided();
  });

  it('fits, cuts no line and has no colour under NO_COLOR', async () => {
    const styled = open();
    await armed(styled);
    styled.type('?');
    await styled.shows('read to the end, a,');
    styled.type('q');
    await styled.ended;
    expect(styled.drawn()).toMatch(STYLE);
    expect(plain(styled.drawn())).not.toContain('…');

    const terminal = open({ NO_COLOR: '1' });
    await armed(terminal);
    terminal.type('q');
    expect(await terminal.ended).toEqual({ code: 10, restored: true });
    expect(terminal.drawn()).not.toMatch(STYLE);
    for (const line of plain(terminal.drawn()).split(/\r?\n/u)) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('is not shown on a terminal that can not redraw', async () => {
    const terminal = open({ TERM: 'dumb' });
    expect(await terminal.ended).toMatchObject({ code: 2 });
    expect(terminal.drawn()).toContain('approve needs --digest');
    await here.expectUndecided();
  });

  it('opens during a run for the one who may decide, whose run waits when they leave', async () => {
    const words = ['workflow', 'run', FLOW, '--input', HIGH, '--approver-key', 'bob.key'];
    const terminal = open({ WRIT_KEY: 'alice.key' }, words);
    await armed(terminal);
    terminal.type(ESCAPE);
    expect(await terminal.ended).toEqual({ code: 10, restored: true });
    expect(plain(terminal.drawn())).toContain('waits for  approval ');

    const dumb = open({ WRIT_KEY: 'alice.key', TERM: 'dumb' }, words);
    expect(await dumb.ended).toMatchObject({ code: 10 });
    expect(plain(dumb.drawn())).not.toContain('undecided');
  });

  it('opens during a run for one request after the other, also when the first is left', async () => {
    writeFileSync(here.desk.at('each.yaml'), EACH);
    const input = JSON.stringify({ claims: [{ id: 'one' }, { id: 'two' }] });
    const words = ['workflow', 'run', 'each.yaml', '--input', input, '--approver-key', 'bob.key'];
    const terminal = open({ WRIT_KEY: 'alice.key' }, words);
    await armed(terminal);
    // Items ask at the same time: whichever was first, the other one is next.
    const first = /step: .*\(triage\[(?<item>\d)\]\), attempt 1/u.exec(plain(terminal.drawn()))?.groups?.[
      'item'
    ];
    terminal.type(ESCAPE);
    await terminal.shows(`(triage[${first === '0' ? 1 : 0}]), attempt 1`);
    // Of no effect, now and once keys count; what is drawn after it is of this prompt.
    terminal.type('y');
    await armed(terminal);
    terminal.type(ESCAPE);
    expect(await terminal.ended).toEqual({ code: 10, restored: true });
    const shown = plain(terminal.drawn()).match(/Approval apr_[a-z2-7]{26}/gu);
    expect(new Set(shown).size).toBe(2);
  });

  it('is not shown for what is over: that ends as its vote would, with 4 and not as what waits', async () => {
    const deny = ['approvals', 'deny', here.waiting.approval, '--no-continue'];
    expect(await here.desk.run(deny, BOB)).toMatchObject({ code: 0 });
    const terminal = open();
    expect(await terminal.ended).toEqual({ code: 4, restored: true });
    expect(plain(terminal.drawn())).toContain(`${here.waiting.approval} is denied`);
    expect(plain(terminal.drawn())).not.toContain('undecided');
  });

  it('that somebody else has decided meanwhile ends with 4 too', async () => {
    const terminal = open();
    await armed(terminal);
    const deny = ['approvals', 'deny', here.waiting.approval, '--no-continue'];
    expect(await here.desk.run(deny, BOB)).toMatchObject({ code: 0 });
    await terminal.shows('this request is denied now');
    terminal.type(ESCAPE);
    expect(await terminal.ended).toEqual({ code: 4, restored: true });
  });

  it('does not open for the one who started the run', async () => {
    const terminal = open({ WRIT_KEY: 'alice.key' }, ['workflow', 'run', FLOW, '--input', HIGH]);
    expect(await terminal.ended).toEqual({ code: 10, restored: true });
    expect(plain(terminal.drawn())).not.toContain('undecided');
  });

  let left: readonly number[] = [];

  it('waits for keys for as long as nobody types any', async () => {
    const terminal = open();
    await armed(terminal);
    left = terminal.processes();
    expect(left.length).toBeGreaterThan(1);
    expect(left.filter(isThere)).toEqual(left);
  });

  it('ends with the test that has left it open', () => {
    expect(left.filter(isThere)).toEqual([]);
  });
});

/** The prompt draws itself anew every second; by then it has taken the keys typed before. */
function redrawn(terminal: TerminalSession): Promise<void> {
  return terminal.shows('expires in ');
}
