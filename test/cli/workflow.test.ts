// The workflow commands on the built binary: lists in parts, what is known of a workflow, following a run, runs in the
// background.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  BOB,
  changed,
  entriesOf,
  errorOf,
  FLOW,
  HIGH,
  LOW,
  MALFORMED,
  newDesk,
  startWaiting,
  STEPS,
  expectVerified,
  type Desk,
} from './claims-desk.js';

let desk: Desk;
beforeAll(async () => {
  desk = await newDesk();
});
afterAll(() => desk.remove());

interface Line {
  readonly seq?: number;
  readonly type: string;
  readonly time?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly status?: string;
  readonly exitCode?: number;
}

const linesOf = (stdout: string): Line[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

describe('lists', () => {
  it('come in parts, with how many there are', async () => {
    const own = desk.copy();
    await own.run(['workflow', 'create', STEPS]);
    const all = await own.json(['workflow', 'list']);
    expect(all.value).toMatchObject({
      workflows: [{ id: 'claims-review' }, { id: 'claims-review-flow' }],
      total: 2,
      limit: 50,
      offset: 0,
    });
    const { value, stderr } = await own.json(['workflow', 'list', '--limit', '1', '--offset', '1']);
    expect([value, stderr]).toMatchObject([{ workflows: [{ id: 'claims-review-flow' }], total: 2 }, '']);
    const part = await own.run(['workflow', 'list', '--limit', '1']);
    expect(part.stderr).toBe('1 to 1 of 2; more: --offset 1');
    for (const bad of ['0', '501', '-1', '1.5', 'x']) {
      const { code, value: failed } = await own.json(['workflow', 'list', '--limit', bad]);
      expect([code, failed]).toMatchObject([2, { error: { code: 'USAGE' } }]);
    }
    own.remove();
  });
});

describe('writ workflow show', () => {
  it('tells the definition, its versions and who acts in each step', async () => {
    const own = desk.copy();
    const other = changed(own, STEPS, 'description: ', 'description: another. ', 'example/other.yaml');
    await own.run(['workflow', 'create', STEPS]);
    await own.run(['workflow', 'create', other]);
    const { value } = await own.json(['workflow', 'show', 'claims-review']);
    expect(value).toMatchObject({
      id: 'claims-review',
      version: 2,
      versions: [{ version: 1 }, { version: 2 }],
      steps: [
        { name: 'Triage', principal: 'agent:claims-triage', mode: 'sequential' },
        { name: 'Auto Approve', principal: 'agent:approval-agent', mode: 'conditional' },
        { name: 'Human Review', principal: 'agent:human-review-assistant', mode: 'conditional' },
      ],
      diagnostics: [],
      source: expect.stringContaining('description: another. '),
    });
    const { stdout } = await own.run(['workflow', 'show', 'claims-review']);
    expect(stdout).toMatch(/^version {4}2 of 2$/mu);
    expect(stdout).toMatch(/^before {5}version 1, [0-9a-f]{12}, /mu);
    expect(stdout).toMatch(/^Triage +sequential +tool::wasm +agent:claims-triage$/mu);
    own.remove();
  });
});

describe('writ workflow watch', () => {
  it('tells a run that has ended whole, one JSON object a line, and ends with its exit code', async () => {
    const ended = await desk.json(['workflow', 'run', FLOW, '--input', LOW]);
    const { id } = ended.value as { id: string };
    const { code, stdout, stderr } = await desk.run(['workflow', 'watch', id]);
    expect([code, stderr]).toEqual([0, '']);
    const lines = linesOf(stdout);
    expect(lines.slice(0, -1)).toEqual(
      entriesOf(desk, id).map(({ type, data }, seq) => ({ seq, type, time: expect.any(String), data })),
    );
    expect(lines.at(-1)).toEqual({
      type: 'status',
      run: id,
      status: 'completed',
      exitCode: 0,
      waitingFor: null,
      error: null,
    });

    const failed = await desk.json(['workflow', 'run', STEPS, '--input', MALFORMED]);
    const watched = await desk.run(['workflow', 'watch', (failed.value as { id: string }).id]);
    expect(watched.code).toBe(1);
    expect(linesOf(watched.stdout).at(-1)).toMatchObject({ status: 'failed', exitCode: 1 });
  });

  it('follows a run that another process goes on with', async () => {
    const waiting = await startWaiting(desk);
    const watching = desk.start(['workflow', 'watch', waiting.run]);
    const vote = ['approvals', 'approve', waiting.approval, '--digest', waiting.digest];
    expect(await desk.run(vote, BOB)).toMatchObject({ code: 0 });
    const { code, stdout } = await watching.ended;
    expect(code).toBe(0);
    const types = linesOf(stdout).map(({ type }) => type);
    expect(types.slice(0, -1)).toEqual(entriesOf(desk, waiting.run).map(({ type }) => type));
    expect(types.slice(-2)).toEqual(['run.finished', 'status']);
  });

  it('ends with 143 when it is told to, and the run is as it was', async () => {
    const waiting = await startWaiting(desk);
    const watching = desk.start(['workflow', 'watch', waiting.run, '--json']);
    await watching.shows('approval.requested');
    watching.kill('SIGTERM');
    const { code, stdout } = await watching.ended;
    expect(code).toBe(143);
    expect(linesOf(stdout).at(-1)?.type).toBe('approval.requested');
    expect((await desk.json(['workflow', 'status', waiting.run])).value).toMatchObject({ status: 'waiting' });
    // What a run has not given yet is not shown as `null`.
    const { stdout: results } = await desk.run(['workflow', 'results', waiting.run]);
    expect(results).toContain('\nTriage:\n');
    expect(results).not.toMatch(/^output:$/mu);
  });

  it('knows only runs that there are', async () => {
    const failed = await desk.json(['workflow', 'watch', 'run_nothing']);
    expect([failed.code, errorOf(failed).code]).toEqual([2, 'NOT_FOUND']);
  });
});

describe('a detached run', () => {
  it('goes on in the background: the id at once, its end by watch, its progress in the data directory', async () => {
    const { code, stdout, stderr } = await desk.run(['workflow', 'run', FLOW, '--input', LOW, '--detach']);
    expect(code).toBe(0);
    const id = stdout.trim();
    expect(id).toMatch(/^run_[a-z2-7]{26}$/u);
    expect(stderr).toContain(`follow it: writ workflow watch ${id}`);
    expect(await desk.run(['workflow', 'watch', id])).toMatchObject({ code: 0 });
    const log = desk.at('.writ', 'logs', `${id}.log`);
    expect(statSync(log).mode & 0o777).toBe(0o600);
    await vi.waitUntil(() => readFileSync(log, 'utf8').includes('run completed'), { timeout: 20_000 });
    const text = readFileSync(log, 'utf8');
    expect(text).toContain('step Triage: succeeded');
    // What the claim says is data.
    expect(text).not.toContain('CLM-');
    await expectVerified(desk);
  });

  it('stops for a person as any other', async () => {
    const { value } = await desk.json(['workflow', 'run', FLOW, '--input', HIGH, '--detach']);
    const { id, status } = value as { id: string; status: string };
    expect(status).toBe('running');
    await vi.waitUntil(
      async () =>
        ((await desk.json(['workflow', 'status', id])).value as { status: string }).status === 'waiting',
      { timeout: 30_000, interval: 200 },
    );
    expect(existsSync(desk.at('.writ', 'logs', `${id}.log`))).toBe(true);
    expect(await desk.run(['workflow', 'cancel', id])).toMatchObject({ code: 0 });
  });

  it('is not gone on with by the command of the background for somebody else', async () => {
    const waiting = await startWaiting(desk);
    const failed = await desk.json(['workflow', 'go-on', waiting.run], BOB);
    expect([failed.code, errorOf(failed).code]).toEqual([2, 'USAGE']);
    expect((await desk.run(['workflow', '--help'])).stdout).not.toContain('go-on');
  });
});

describe('writ workflow resume --from', () => {
  it('takes the step the run stands at, and names it where another one is asked for', async () => {
    const waiting = await startWaiting(desk, STEPS);
    const { code } = await desk.json(['workflow', 'resume', waiting.run, '--from', 'Human Review']);
    expect(code).toBe(10);
    const back = await desk.json(['workflow', 'resume', waiting.run, '--from', 'Triage']);
    expect([back.code, errorOf(back).code]).toEqual([2, 'USAGE']);
    expect(errorOf(back).message).toContain('stands at "Human Review"');
    const typo = await desk.json(['workflow', 'resume', waiting.run, '--from', 'Human Reviw']);
    expect(errorOf(typo).hint).toBe('did you mean "Human Review"?');
    const all = await desk.json(['workflow', 'resume', '--from', 'Triage']);
    expect([all.code, errorOf(all).code]).toEqual([2, 'USAGE']);
  });
});
