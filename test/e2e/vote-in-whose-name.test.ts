// In whose name a vote is cast at a terminal: what the flags say stands on the screen, is recorded, and is signed. And what
// a signal ends ends as it says.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { expectVerified } from '../cli/claims-desk.js';
import { MAIN } from '../cli/writ.js';
import { bobsTerminal, ENTER } from './approver-at-terminal.js';
import { describeOnTerminal, useWaitingDesk } from './waiting-desk.js';

/** The process id of the one `writ` that was told of this folder; the shell around it begins otherwise. */
function processOf(folder: string): number {
  const processes = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  const found = processes.flatMap((line) => {
    const [, pid, command = ''] = /^\s*(\d+) (.*)$/u.exec(line) ?? [];
    return command.startsWith(`${process.execPath} ${MAIN} `) && command.includes(folder)
      ? [Number(pid)]
      : [];
  });
  expect(found).toHaveLength(1);
  return found[0] ?? 0;
}

describeOnTerminal('a vote at the prompt', () => {
  const here = useWaitingDesk();

  const recorded = async (): Promise<unknown> =>
    (await here.desk.json(['approvals', 'show', here.waiting.approval])).value;

  it('is for whom --for names (vote-at-terminal-ignored-for)', async () => {
    here.desk.changePolicy('approvers.yaml', (document) => {
      const scope = { roles: ['role:reviewer'], domains: ['default'] };
      const lent = { from: 'user:carol', to: 'user:bob', scope, notAfter: '2999-01-01T00:00:00Z' };
      document.set('delegations', [lent]);
    });
    const words = ['approvals', 'approve', here.waiting.approval, '--for', 'user:carol'];
    const terminal = bobsTerminal(here.desk, words);
    await terminal.shows('undecided; you are user:bob for user:carol');
    terminal.type('d');
    await terminal.shows('deny this request for good?');
    terminal.type(ENTER);
    await terminal.shows('deny by user:bob for user:carol is recorded');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    expect(await recorded()).toMatchObject({
      state: 'denied',
      votes: [{ approver: 'user:bob', delegation: 'user:carol', decision: 'deny' }],
    });
    await expectVerified(here.desk);
  });

  it('is under the emergency role by --break-glass, with a reason (vote-at-terminal-ignored-break-glass)', async () => {
    here.desk.changePolicy('approvers.yaml', (document) => {
      document.set('breakGlass', { role: 'role:emergency', reviewWithinHours: 24 });
    });
    here.desk.changePolicy('roles/default.yaml', (document) => {
      document.setIn(['members', 'role:emergency'], ['user:bob']);
    });
    const right = { effect: 'allow', subject: 'role:emergency', domain: 'default', resource: '*' };
    const rule = { id: 'BG-1', ...right, action: 'approval.breakglass', reason: 'emergencies' };
    const more = { apiVersion: 'writ/v1', kind: 'Rules', rules: [rule] };
    writeFileSync(here.desk.at('policies', 'rbac', 'emergency.yaml'), JSON.stringify(more));
    const terminal = bobsTerminal(here.desk, [
      ...['approvals', 'approve', here.waiting.approval, '--break-glass'],
    ]);
    await terminal.shows('undecided; you are user:bob in an emergency');
    terminal.type('d');
    await terminal.shows('reason to deny: ');
    terminal.type('x');
    await terminal.shows('reason to deny: x_');
    terminal.type(ENTER);
    await terminal.shows('deny by user:bob in an emergency is recorded');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    expect(await recorded()).toMatchObject({
      votes: [{ approver: 'user:bob', breakGlass: true, decision: 'deny' }],
      review: { closedBy: null },
    });
    await expectVerified(here.desk);
  });

  it('SIGTERM ends the inbox with 143, and the terminal is as before (sigterm-counted-twice)', async () => {
    const data = here.desk.at('.writ');
    const terminal = bobsTerminal(here.desk, ['approvals', '--data', data]);
    await terminal.shows('1 request waits');
    process.kill(processOf(data), 'SIGTERM');
    expect(await terminal.ended).toEqual({ code: 143, restored: true });
    await here.expectUndecided();
  });

  it('is not waited for when the folder is removed meanwhile: SIGTERM ends it (removed-folder-never-ends)', async () => {
    const policies = here.desk.at('policies');
    const terminal = bobsTerminal(here.desk, ['approvals', '--policies', policies]);
    await terminal.shows('1 request waits');
    rmSync(here.desk.folder, { recursive: true });
    process.kill(processOf(policies), 'SIGTERM');
    expect(await terminal.ended).toMatchObject({ restored: true });
  });
});
