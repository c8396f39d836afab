// Following a run on a real terminal of 80 by 24: what is seen, what Ctrl+C does, and that the terminal is as it was.
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { BOB, FLOW, HIGH, LOW } from '../cli/claims-desk.js';
import { environmentOf } from '../cli/writ.js';
import { onTerminal, plain, type TerminalSession } from './pseudo-terminal.js';
import { describeOnTerminal, useWaitingDesk } from './waiting-desk.js';

const CTRL_C = '\u0003';
const COLOUR = /\u001b\[3\dm/u;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

describeOnTerminal('a run', () => {
  const here = useWaitingDesk();

  const open = (words: readonly string[], env: Record<string, string> = {}): TerminalSession =>
    onTerminal(words, {
      cwd: here.desk.folder,
      env: { ...environmentOf(here.desk.folder), TERM: 'xterm-256color', WRIT_KEY: 'alice.key', ...env },
    });
  const watch = (env?: Record<string, string>): TerminalSession =>
    open(['workflow', 'watch', here.waiting.run], env);
  const expectClean = (terminal: TerminalSession): void => {
    const drawn = terminal.drawn();
    expect(drawn.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(drawn.lastIndexOf(HIDE_CURSOR));
    for (const line of plain(drawn).split(/\r?\n/u)) expect(line.length).toBeLessThanOrEqual(80);
  };

  it('shows steps and who is waited for, and ends when another process has gone on with it', async () => {
    const terminal = watch();
    await terminal.shows('waits for approval of HumanReview: 1 x role:reviewer, 0 given, expires in');
    await terminal.shows('Ctrl+C leaves; the run goes on without it');
    const seen = plain(terminal.drawn());
    expect(seen).toMatch(/completed +Triage +\d/u);
    expect(seen).toMatch(/waiting +HumanReview/u);
    expect(seen).toMatch(/pending +AutoApprove/u);
    const vote = ['approvals', 'approve', here.waiting.approval, '--digest', here.waiting.digest];
    expect(await here.desk.run(vote, BOB)).toMatchObject({ code: 0 });
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    expect(plain(terminal.drawn())).toMatch(/status {5}completed/u);
    expect(plain(terminal.drawn())).toMatch(/HumanReview +completed .*consumed by user:bob/u);
    expectClean(terminal);
  });

  it.runIf(existsSync('/proc/self/fd'))(
    'leaves no rows of the old width when the terminal gets narrower (old-rows-after-narrowing)',
    async () => {
      const terminal = watch();
      await terminal.shows('Ctrl+C leaves; the run goes on without it');
      const frame = plain(terminal.drawn()).split(/\r?\n/u);
      const top = frame.findLastIndex((row) => row.startsWith('run run_'));
      const end = frame.findLastIndex((row) => row.startsWith('Ctrl+C leaves'));
      const rows = frame.slice(top, end + 1);
      const folded = rows.reduce((sum, row) => sum + Math.max(1, Math.ceil(row.length / 40)), 0);
      expect(folded).toBeGreaterThan(rows.length);
      const before = terminal.drawn().length;
      terminal.resize(40);
      await terminal.shows('Ctrl+C leaves; the run goes on without …');
      // To the first of the rows that they are now, all of it empty, and back to where Ink begins to take its rows off.
      expect(terminal.drawn().slice(before)).toContain(`\u001b[${folded}A\u001b[J\u001b[${rows.length}B`);
      const narrow = terminal.drawn().length;
      terminal.resize(80);
      await terminal.shows('Ctrl+C leaves; the run goes on without it');
      expect(terminal.drawn().slice(narrow)).not.toContain('\u001b[J');
      terminal.type(CTRL_C);
      expect(await terminal.ended).toEqual({ code: 130, restored: true });
    },
  );

  it('is left by Ctrl+C with exit 130, and goes on as it was', async () => {
    const terminal = watch();
    await terminal.shows('Ctrl+C leaves');
    terminal.type('what is typed is not shown');
    terminal.type(CTRL_C);
    expect(await terminal.ended).toEqual({ code: 130, restored: true });
    expect(plain(terminal.drawn())).not.toContain('what is typed');
    expect(plain(terminal.drawn())).toContain(
      `left; follow it again: writ workflow watch ${here.waiting.run}`,
    );
    expectClean(terminal);
    const { value } = await here.desk.json(['workflow', 'status', here.waiting.run]);
    expect(value).toMatchObject({ status: 'waiting' });
  });

  it('has no colour under NO_COLOR, and is told in lines where the terminal can not redraw', async () => {
    const coloured = watch();
    await coloured.shows('Ctrl+C leaves');
    expect(coloured.drawn()).toMatch(COLOUR);
    coloured.type(CTRL_C);
    await coloured.ended;

    const terminal = watch({ NO_COLOR: '1' });
    await terminal.shows('Ctrl+C leaves');
    terminal.type(CTRL_C);
    expect(await terminal.ended).toMatchObject({ code: 130 });
    expect(terminal.drawn()).not.toMatch(COLOUR);

    const dumb = watch({ TERM: 'dumb' });
    await dumb.shows('"type":"approval.requested"');
    dumb.type(CTRL_C);
    expect(await dumb.ended).toMatchObject({ code: 130 });
  });

  it('is drawn while `run` drives it, and told whole when it is over', async () => {
    const terminal = open(['run', FLOW, '--input', LOW]);
    await terminal.shows('Ctrl+C stops it here; it can be resumed');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    const seen = plain(terminal.drawn());
    expect(seen).toMatch(/^run_[a-z2-7]{26}\r?$/mu);
    expect(seen).toMatch(/AutoApprove +completed/u);
    expect(seen).toMatch(/status {5}completed/u);
    expectClean(terminal);
  });

  it('gives the terminal to the prompt where its approver sits at it', async () => {
    const terminal = open(['run', FLOW, '--input', HIGH, '--approver-key', 'bob.key']);
    await terminal.shows('undecided; you are user:bob');
    terminal.type('q');
    expect(await terminal.ended).toEqual({ code: 10, restored: true });
    expect(plain(terminal.drawn())).toContain('waits for  approval ');
  });
});
