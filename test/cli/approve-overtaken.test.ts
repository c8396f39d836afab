// The policies change while a request waits: whoever looks at it, or approves it, is told that this starts nothing.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BOB, newDesk, startWaiting, type Desk } from './claims-desk.js';
import { hosted } from './writ.js';

let desk: Desk;
beforeAll(async () => {
  desk = await newDesk(hosted);
});
afterAll(() => {
  desk.remove();
});

it('says before the vote that the policies have changed, and the step asks again', async () => {
  const { run, approval, digest } = await startWaiting(desk);
  const told = 'the policies have changed since this was asked: an approval of it starts nothing';
  const show = ['approvals', 'show', approval];
  expect((await desk.run(show)).stdout).not.toContain('the policies have changed');
  expect(await desk.json(show)).toMatchObject({ value: { isOvertaken: false } });
  desk.changePolicy('ceilings/org.yaml', (org) => {
    org.setIn(['spec', 'limits', 'timeoutMs'], 299_000);
  });
  expect((await desk.run(show)).stdout.replaceAll('\n', ' ')).toContain('the policies have changed since');
  expect(await desk.json(show)).toMatchObject({ value: { isOvertaken: true } });
  const approved = await desk.run(['approvals', 'approve', approval, '--digest', digest], BOB);
  expect(approved.stderr).toContain(told);
  expect(approved.stderr).toContain(`writ workflow resume ${run}`);
  const { value } = await desk.json(['approvals', 'list', '--run', run]);
  const [again] = (value as { approvals: readonly { id: string; subjectDigest: string }[] }).approvals;
  expect(again?.id).not.toBe(approval);
  const words = ['approvals', 'approve', again?.id ?? '', '--digest', again?.subjectDigest ?? ''];
  const counted = await desk.run(words, BOB);
  expect(counted.stderr).not.toContain('the policies have changed');
  expect(counted.stdout).toContain(`run ${run} is completed`);
});
