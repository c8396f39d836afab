// `writ workflow redrive` on the built binary: a refused run asks again and goes on; what has completed is not begun again.
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  BOB,
  errorOf,
  expectVerified,
  FLOW,
  LOW,
  newDesk,
  startWaiting,
  STEPS,
  type Desk,
} from './claims-desk.js';
import { hosted } from './writ.js';

let desk: Desk;
beforeAll(async () => {
  desk = await newDesk(hosted);
});
afterAll(() => desk.remove());

interface Shown {
  readonly id: string;
  readonly waitingFor: { readonly approvalId: string } | null;
}

it('asks for the approval anew that was denied, goes on when it is given, and is no second run', async () => {
  const { run: id, approval: denied } = await startWaiting(desk, STEPS);
  const deny = ['approvals', 'deny', denied, '--reason', 'no photographs', '--no-continue'];
  expect(await desk.run(deny, BOB)).toMatchObject({ code: 0 });
  const ended = await desk.json(['workflow', 'resume', id]);
  expect([ended.code, ended.value]).toMatchObject([4, { status: 'failed' }]);

  const again = await desk.json(['workflow', 'redrive', id]);
  expect([again.code, again.value]).toMatchObject([10, { id, status: 'waiting' }]);
  const asked = (again.value as Shown).waitingFor?.approvalId ?? '';
  expect(asked).not.toBe(denied);
  const { value } = await desk.json(['approvals', 'show', asked]);
  const { subjectDigest } = value as { subjectDigest: string };
  const because = ['--reason', 'photographs came', '--no-continue'];
  const approve = ['approvals', 'approve', asked, '--digest', subjectDigest, ...because];
  expect(await desk.run(approve, BOB)).toMatchObject({ code: 0 });
  const done = await desk.json(['workflow', 'resume', id]);
  expect([done.code, done.value]).toMatchObject([0, { id, status: 'completed' }]);
  await expectVerified(desk);
});

it('refuses a run that has completed, and one that nobody knows, with exit code 2', async () => {
  const { value } = await desk.json(['workflow', 'run', FLOW, '--input', LOW]);
  const completed = await desk.json(['workflow', 'redrive', (value as Shown).id]);
  expect([completed.code, errorOf(completed)]).toMatchObject([2, { code: 'RUN_NOT_REDRIVABLE' }]);
  const unknown = await desk.json(['workflow', 'redrive', 'run_none']);
  expect([unknown.code, errorOf(unknown)]).toMatchObject([2, { code: 'NOT_FOUND' }]);
});
