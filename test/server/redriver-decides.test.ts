// HOLE: whoever redrove a run after a denial could approve it alone. At the command line and over HTTP.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BOB, errorOf, expectVerified, newDesk, startWaiting, STEPS, type Desk } from '../cli/claims-desk.js';
import { hosted } from '../cli/writ.js';
import { ask, decide, ownBearer, signedDecision, startServer, stopServer, type Running } from './serving.js';

let desk: Desk;
let server: Running;
beforeAll(async () => {
  desk = await newDesk(hosted);
  await desk.enrol('carol');
  // Bob decides, and may go on with runs too.
  desk.changePolicy('roles/default.yaml', (roles) => {
    roles.setIn(['members', 'role:adjuster'], ['user:alice', 'user:bob']);
  });
  server = await startServer(desk);
});
afterAll(async () => {
  await stopServer(server);
  await expectVerified(desk);
  desk.remove();
});

interface Waits {
  readonly waitingFor: { readonly approvalId: string } | null;
}

it('HOLE: bob, who redrove what carol denied, may not approve it; carol may', async () => {
  const { run, approval: denied } = await startWaiting(desk, STEPS);
  const CAROL = { env: { WRIT_KEY: 'carol.key' } };
  const deny = ['approvals', 'deny', denied, '--reason', 'no photographs', '--no-continue'];
  expect(await desk.run(deny, CAROL)).toMatchObject({ code: 0 });
  expect(await desk.json(['workflow', 'resume', run])).toMatchObject({ code: 4 });
  const again = await desk.json(['workflow', 'redrive', run], BOB);
  expect(again).toMatchObject({ code: 10 });
  const approval = (again.value as Waits).waitingFor?.approvalId ?? '';

  const url = `${server.url}/v1/approvals/${approval}`;
  const shown = await ask(url, { headers: ownBearer(desk, 'bob', server.audience) });
  const { subjectDigest: digest, expiresAt } = shown.body as { subjectDigest: string; expiresAt: string };
  expect(shown.body).toMatchObject({ redriver: 'user:bob', requester: expect.any(String) as string });
  const because = { reason: 'photographs came' };
  const own = signedDecision(desk, 'bob', { approval, digest }, 'approve', expiresAt, because);
  const overHttp = await decide(server, approval, own, ownBearer(desk, 'bob', server.audience));
  const refusal = { code: 'APPROVAL_SEPARATION_OF_DUTIES' };
  expect(overHttp).toMatchObject({ status: 403, body: { error: refusal } });

  const approve = ['approvals', 'approve', approval, '--digest', digest, '--reason', because.reason];
  const atTerminal = await desk.json(approve, BOB);
  expect([atTerminal.code, errorOf(atTerminal)]).toMatchObject([
    3,
    { ...refusal, message: expect.stringContaining('user:bob redrove this run') as string },
  ]);
  expect(await desk.json(['workflow', 'status', run])).toMatchObject({ value: { status: 'waiting' } });
  expect(await desk.run([...approve, '--no-continue'], CAROL)).toMatchObject({ code: 0 });
});
