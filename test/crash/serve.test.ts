// kill -9 of `writ serve`, and of whoever else drove a run, while only a timer holds the run up: the next server goes on
// with it when it is due. Nobody calls it, and every step runs once.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import {
  BOB,
  changed,
  FLOW,
  LOW,
  newDesk,
  startWaiting,
  type Desk,
  type Started,
} from '../cli/claims-desk.js';
import { startServer, stopServer } from '../server/serving.js';

/** Long enough to be killed and started again in; the runs rest, they are not held (5 s). */
const WAIT_SECONDS = 10;

let desk: Desk;

beforeAll(async () => {
  desk = await newDesk();
});
afterAll(() => {
  desk.remove();
});

interface Told {
  readonly id: string;
  readonly status: string;
  readonly waitingFor: { readonly kind: string } | null;
  readonly results: readonly { readonly stepPath: string; readonly attempts: number }[];
}

async function status(run: string): Promise<Told> {
  return (await desk.json(['workflow', 'status', run])).value as Told;
}

function until(run: string, look: (told: Told) => void): Promise<void> {
  return vi.waitFor(async () => look(await status(run)), { timeout: 300_000, interval: 250 });
}

async function kill(process: Started): Promise<void> {
  process.kill('SIGKILL');
  expect((await process.ended).signal).toBe('SIGKILL');
}

it('a run goes on with the next server after killResterWhileTimerRuns', async () => {
  const rest = (after: string): string => `Rest: { type: Wait, seconds: ${WAIT_SECONDS}, ${after} }`;
  const first = changed(desk, FLOW, 'startAt: Triage', 'startAt: Rest', 'example/first.yaml');
  changed(desk, first, '    Triage:\n', `    ${rest('next: Triage')}\n\n    Triage:\n`);
  const last = changed(
    desk,
    FLOW,
    `        separationOfDuties: true\n      catch:`,
    `        separationOfDuties: true\n      next: Rest\n      catch:`,
    'example/last.yaml',
  );
  changed(desk, last, '          next: Declined\n      end: true\n', '          next: Declined\n');
  changed(desk, last, '    AutoApprove:\n', `    ${rest('end: true')}\n\n    AutoApprove:\n`);

  // One that a server has put to rest.
  const waiting = await startWaiting(desk, last);
  const server = await startServer(desk);
  const vote = ['approvals', 'approve', waiting.approval, '--digest', waiting.digest, '--no-continue'];
  expect(await desk.json(vote, BOB)).toMatchObject({ code: 0 });
  await until(waiting.run, ({ waitingFor }) => expect(waitingFor?.kind).toBe('timer'));
  await kill(server.process);

  // One that a terminal has put to rest.
  const terminal = desk.start(['workflow', 'run', first, '--input', LOW]);
  const abandoned = await vi.waitFor(async () => {
    const { value } = await desk.json(['workflow', 'list', '--runs', '--limit', '1']);
    const [newest] = (value as { runs: readonly { id: string }[] }).runs;
    expect(newest?.id).not.toBe(waiting.run);
    return newest?.id ?? '';
  }, 120_000);
  await until(abandoned, ({ waitingFor }) => expect(waitingFor?.kind).toBe('timer'));
  await kill(terminal);
  for (const run of [waiting.run, abandoned]) expect((await status(run)).status).toBe('waiting');

  const next = await startServer(desk);
  for (const run of [waiting.run, abandoned]) {
    await until(run, (told) => expect(told.status).toBe('completed'));
    const { results } = await status(run);
    expect(
      results.map(({ attempts }) => attempts),
      run,
    ).toEqual([1, 1]);
  }
  expect(await stopServer(next)).toBe(143);
  expect(await desk.run(['audit', 'verify'])).toMatchObject({ code: 0 });
});
