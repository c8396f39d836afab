// What goes on beside `writ serve`, whoever decided and wherever; and that what can't start leaves nothing running.
import { writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BOB, changed, FLOW, newDesk, startWaiting, type Desk, type Waiting } from '../cli/claims-desk.js';
import { hosted } from '../cli/writ.js';
import { startServer, stopServer, type Running } from './serving.js';

const LATE_SECONDS = 2;

describe('beside a server', () => {
  let desk: Desk;
  let server: Running;
  let denied: Waiting;
  let late: Waiting;

  beforeAll(async () => {
    desk = await newDesk(hosted);
    const soon = changed(
      desk,
      FLOW,
      'expiresSeconds: 86400',
      `expiresSeconds: ${LATE_SECONDS}`,
      'example/soon.yaml',
    );
    late = await startWaiting(desk, soon);
    const startedMs = Date.now();
    denied = await startWaiting(desk);
    await desk.json(['approvals', 'deny', denied.approval, '--no-continue'], BOB);
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(startedMs + LATE_SECONDS * 1_000), 30_000);
    const vote = ['approvals', 'approve', late.approval, '--digest', late.digest];
    expect(await desk.json(vote, BOB)).toMatchObject({ value: { error: { code: 'APPROVAL_EXPIRED' } } });
    server = await startServer(desk);
  });
  afterAll(async () => {
    await stopServer(server);
    desk.remove();
  });

  const goesOn = (run: string): Promise<void> =>
    vi.waitFor(
      async () => {
        const { value } = await desk.json(['workflow', 'status', run]);
        expect(['completed', 'failed']).toContain((value as { status: string }).status);
      },
      { timeout: 60_000, interval: 500 },
    );

  it('a run goes on whose request was denied before it started', () => goesOn(denied.run));

  it('a run goes on whose request was found expired by a vote that came too late', () => goesOn(late.run));

  it('a run goes on whose request was decided elsewhere, by who does not go on with it', async () => {
    const waiting = await startWaiting(desk);
    const words = ['approvals', 'approve', waiting.approval, '--digest', waiting.digest, '--no-continue'];
    expect(await desk.json(words, BOB)).toMatchObject({ code: 0 });
    await goesOn(waiting.run);
  });

  it('a run is left to it at its next timer, by who has decided (prompt-waits-beside-a-server)', async () => {
    const states = {
      Gate: { type: 'Pass', approval: { mode: 'sync' }, next: 'Long' },
      Long: { type: 'Wait', seconds: 86_400, end: true },
    };
    const head = {
      apiVersion: 'agentrc.workflow/v0.1',
      kind: 'AgentWorkflow',
      metadata: { name: 'claims-gate' },
    };
    writeFileSync(desk.at('gate.yaml'), JSON.stringify({ ...head, spec: { startAt: 'Gate', states } }));
    const waiting = await startWaiting(desk, 'gate.yaml');
    const words = ['approvals', 'approve', waiting.approval, '--digest', waiting.digest];
    const decided = await desk.run(words, BOB);
    expect(decided).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`run ${waiting.run} is waiting`),
    });
    expect(decided.stderr).toContain('writ serve goes on with this run when its time has come');
  });

  it('a run whose rows were changed holds up itself alone, and is told by its id', async () => {
    const [broken, next] = [await startWaiting(desk), await startWaiting(desk)];
    const store = new Database(desk.at('.writ', 'writ.db'));
    const change = store.prepare("UPDATE run_part SET value = '{}' WHERE run = ? AND key = 'frame/'");
    expect(change.run(broken.run).changes).toBe(1);
    store.close();
    for (const { approval, digest } of [broken, next]) {
      const words = ['approvals', 'approve', approval, '--digest', digest, '--no-continue'];
      expect(await desk.json(words, BOB)).toMatchObject({ code: 0 });
    }
    await server.process.says(`run ${broken.run} can't go on`);
    await goesOn(next.run);
  });

  it('another one that wants the same address ends, and says what to do', async () => {
    const { host } = new URL(server.url);
    const other = await desk.start(['serve', '--listen', host]).ended;
    expect(other).toMatchObject({ code: 2, stdout: '' });
    expect(other.stderr).toContain(`can't listen on ${host}: it is in use`);
    expect(other.stderr).toContain('choose another port with --listen');
    expect(other.stderr).not.toContain('serve.failed');
  });
});
