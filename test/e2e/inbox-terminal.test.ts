// `writ approvals` on a real terminal: the queue, one request after the other, and nothing decided by a key that was
// not meant for it. Without a terminal it only says what waits.
import { chmodSync, writeFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { BOB, entriesOf, expectVerified } from '../cli/claims-desk.js';
import { armed, bobsTerminal, ENTER, ESCAPE, readToTheEnd, typeDigits } from './approver-at-terminal.js';
import { plain, type TerminalSession } from './pseudo-terminal.js';
import { describeOnTerminal, useWaitingDesk } from './waiting-desk.js';

const here = useWaitingDesk();

const open = (env: Record<string, string> = {}, words = ['approvals']): TerminalSession =>
  bobsTerminal(here.desk, words, env);

describeOnTerminal('the approval inbox', () => {
  it('lists what waits, opens it, approves it by the typed digits, goes on with its run and is empty', async () => {
    const terminal = open();
    await terminal.shows('1 request waits; you are user:bob');
    await terminal.shows('HumanReview');
    terminal.type('a');
    await terminal.shows('open the request first');
    terminal.type(ENTER);
    await armed(terminal);
    await readToTheEnd(terminal);
    terminal.type('a');
    await terminal.shows("type the digest's first 4 hex digits");
    await typeDigits(terminal, here.waiting.digest.slice(0, 4));
    terminal.type(ENTER);
    await terminal.shows('approve by user:bob is recorded');
    await terminal.shows('0 requests wait');
    terminal.type('q');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    const status = await here.desk.json(['workflow', 'status', here.waiting.run]);
    expect(status.value).toMatchObject({ status: 'completed' });
    await expectVerified(here.desk);
  });

  it(
    'is not approved by keys typed ahead of the request: Enter, a and the digits at once',
    { retry: 2 },
    async () => {
      const terminal = open();
      await terminal.shows('1 request waits');
      terminal.type(ENTER);
      await terminal.shows('keys do not count yet');
      terminal.type(`a${here.waiting.digest.slice(0, 4)}${ENTER}d${ENTER}`);
      await armed(terminal);
      expect(plain(terminal.drawn())).not.toContain('deny this request for good?');
      terminal.type(ESCAPE);
      await terminal.shows('nothing was decided');
      terminal.type('q');
      expect(await terminal.ended).toEqual({ code: 0, restored: true });
      await here.expectUndecided();
    },
  );

  it('tells who may not decide why, and leaves the request as it is', async () => {
    const terminal = open({ WRIT_KEY: 'alice.key' });
    await terminal.shows('(yours)');
    terminal.type(ENTER);
    await terminal.shows('undecided; you are user:alice');
    terminal.type('d');
    await terminal.shows('deny this request for good?');
    terminal.type(ENTER);
    await terminal.shows('refused: ');
    // Keys are dropped until the queue is back.
    await terminal.shows('1 request waits');
    terminal.type('q');
    await terminal.ended;
    const { value } = await here.desk.json(['approvals', 'show', here.waiting.approval]);
    expect(value).toMatchObject({ state: 'pending', votes: [] });
  });

  it('has the input changed in an editor: the old request is withdrawn, the new one waits for another person', async () => {
    const editor = here.desk.at('editor.sh');
    writeFileSync(editor, '#!/bin/sh\necho \'{"changed": true}\' > "$1"\n');
    chmodSync(editor, 0o700);
    const terminal = open({ EDITOR: editor });
    await terminal.shows('1 request waits');
    terminal.type(ENTER);
    await armed(terminal);
    terminal.type('e');
    await terminal.shows('another person decides about the new request');
    await terminal.shows('(you have changed it)');
    terminal.type('q');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    const { value } = await here.desk.json(['approvals', 'show', here.waiting.approval]);
    expect(value).toMatchObject({ state: 'withdrawn', votes: [] });
    const { value: list } = await here.desk.json(['approvals', 'list']);
    expect(list).toMatchObject({ approvals: [{ state: 'pending', editors: ['user:bob'] }] });
    await expectVerified(here.desk);
  });

  it('asks about the same request again when the editor changes nothing, fails, or leaves no JSON', async () => {
    const editor = here.desk.at('editor.sh');
    writeFileSync(
      editor,
      '#!/bin/sh\necho here\nread -r what && case $what in bad) echo "{" > "$1";; fail) exit 3;; esac\n',
    );
    chmodSync(editor, 0o700);
    const terminal = open({ EDITOR: editor });
    await terminal.shows('1 request waits');
    terminal.type(ENTER);
    await armed(terminal);
    for (const [typed, said] of [
      ['none', 'nothing was changed'],
      ['fail', 'not changed: the editor ended with code 3'],
      ['bad', "not changed: the text can't be taken"],
    ] as const) {
      // What is typed next is the editor's: nobody else reads the terminal meanwhile.
      terminal.type('e');
      await terminal.shows('here');
      terminal.type(`${typed}\n`);
      await terminal.shows(said);
      await armed(terminal);
    }
    terminal.type('q');
    await terminal.shows('nothing was decided');
    terminal.type('q');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    await here.expectUndecided();
  });

  it('says to who is barred why, and ends what has expired when it is looked at (expired-request-waits-for-ever)', async () => {
    const gate = { type: 'Pass', approval: { mode: 'sync', expiresSeconds: 1 }, end: true };
    const spec = { startAt: 'Gate', states: { Gate: gate } };
    const head = {
      apiVersion: 'agentrc.workflow/v0.1',
      kind: 'AgentWorkflow',
      metadata: { name: 'claims-gate' },
    };
    writeFileSync(here.desk.at('gate.yaml'), JSON.stringify({ ...head, spec }));
    await here.desk.run(['run', 'gate.yaml', '--input', '{}']);
    const terminal = open({ WRIT_KEY: 'alice.key' });
    await terminal.shows('2 requests wait');
    await terminal.shows('expired ');
    terminal.type(ENTER);
    await terminal.shows('this request has expired');
    // Until keys count nothing moves.
    await vi.waitFor(
      () => {
        const hasMoved = plain(terminal.drawn()).includes('lines 2-');
        if (!hasMoved) terminal.type('j');
        expect(hasMoved).toBe(true);
      },
      { timeout: 60_000, interval: 300 },
    );
    terminal.type(ESCAPE);
    await terminal.shows('that request is not what it was');
    await terminal.shows('1 request waits');
    terminal.type(ENTER);
    await terminal.shows('you started this run: another person has to decide');
    await terminal.shows('undecided; you are user:alice');
    terminal.type(ESCAPE);
    await terminal.shows('nothing was decided');
    terminal.type('q');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    const { value } = await here.desk.json(['approvals', 'list', '--all']);
    expect(value).toMatchObject({ approvals: [{ state: 'pending' }, { state: 'expired' }] });
    await expectVerified(here.desk);
  });

  it('reads as plain lines with a screen reader, and has no colour under NO_COLOR', async () => {
    const terminal = open({ INK_SCREEN_READER: 'true', NO_COLOR: '1' });
    await terminal.shows('selected 1 of 1');
    terminal.type('q');
    expect(await terminal.ended).toMatchObject({ code: 0, restored: true });
    expect(terminal.drawn()).not.toMatch(/\u001b\[(?:\d+;)*\d*m/u);
  });

  it('fits into 80 columns', async () => {
    const terminal = open();
    await terminal.shows('1 request waits');
    terminal.type('w');
    await terminal.shows('why: ');
    terminal.type('q');
    await terminal.ended;
    for (const line of plain(terminal.drawn()).split(/\r?\n/u)) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe('writ approvals without a terminal', () => {
  it('asks nobody: it lists what waits with its id and ends with 10', async () => {
    const { code, stdout, stderr } = await here.desk.run(['approvals'], BOB);
    expect(code).toBe(10);
    expect(stdout).toContain(here.waiting.approval);
    expect(stderr).toContain('writ approvals approve ID --digest HEX64');
    const json = await here.desk.json(['approvals'], BOB);
    expect(json).toMatchObject({ code: 10, value: { approvals: [{ id: here.waiting.approval }] } });
    await here.expectUndecided();
  });

  it('ends with 0 when nothing waits', async () => {
    expect(await here.desk.run(['approvals', 'deny', here.waiting.approval], BOB)).toMatchObject({ code: 0 });
    expect(await here.desk.run(['approvals'], BOB)).toMatchObject({ code: 0 });
  });

  it('revokes, changes and counts by commands', async () => {
    const { approval, digest } = here.waiting;
    const approve = ['approvals', 'approve', approval, '--digest', digest, '--no-continue'];
    expect(await here.desk.run(approve, BOB)).toMatchObject({ code: 0 });
    const revoked = await here.desk.json(['approvals', 'revoke', approval, '--no-continue'], BOB);
    expect(revoked).toMatchObject({ code: 0, value: { approval: { state: 'revoked' } } });
    const stats = await here.desk.json(['approvals', 'list', '--stats'], BOB);
    expect(stats.value).toMatchObject({ statistics: { requests: 1, runs: 1, votes: 2, approvals: 1 } });
    // This workflow catches Approval.Denied by name, and goes on without the payment.
    expect(await here.desk.run(['workflow', 'resume', here.waiting.run])).toMatchObject({ code: 0 });
    expect(
      entriesOf(here.desk, here.waiting.run).filter(({ type }) => type === 'step.intended'),
    ).toHaveLength(1);
    await expectVerified(here.desk);
  });

  it('changes the input by --input, and the editor may not approve what they made of it', async () => {
    const { approval, digest } = here.waiting;
    const edit = ['approvals', 'edit', approval, '--digest', digest, '--input', '{"changed": true}'];
    const { code, value } = await here.desk.json(edit, BOB);
    expect(code).toBe(0);
    const made = (value as { approval: { id: string; subjectDigest: string } }).approval;
    const approve = ['approvals', 'approve', made.id, '--digest', made.subjectDigest];
    expect(await here.desk.run(approve, BOB)).toMatchObject({ code: 3 });
    const { stdout } = await here.desk.run(['approvals', 'show', made.id], BOB);
    expect(stdout).toContain('input changed by: user:bob');
    expect(stdout).toContain('changed since the request before');
    expect(stdout).toContain('+ input.changed: true');
    await expectVerified(here.desk);
  });

  it('names the digest of a batch in no other way than by showing it', async () => {
    expect(await here.desk.run(['approvals', 'approve', here.waiting.approval, 'apr_x'], BOB)).toMatchObject({
      code: 2,
    });
    expect(await here.desk.run(['approvals', 'revoke', here.waiting.approval], BOB)).toMatchObject({
      code: 2,
    });
  });
});
