// Retries by a clock that only the test moves, deadlines that a hanging function meets, and the exit codes of programs.
import { describe, expect, it } from 'vitest';
import { WritError } from '../../src/errors.js';
import type { Json } from '../../src/json.js';
import type { Writ } from '../../src/runtime/writ.js';
import {
  AGENT_REFERENCE,
  eventually,
  fail,
  FakeSandbox,
  hangForEver,
  hangUntilAbort,
  states,
  steps,
  T0,
  useTeam,
} from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const RETRY = 'errorMode: retry, maxRetries: 3';

/** Drives in the background and moves the clock to each timer exactly. */
async function driveByTimers(writ: Writ, runId: string): Promise<number[]> {
  const { team } = here;
  const woken: number[] = [];
  let over = false;
  const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal }).finally(() => {
    over = true;
  });
  for (;;) {
    const untilMs = await eventually(async () => {
      if (over) return -1;
      const { waitingFor } = await writ.status(runId);
      return waitingFor?.kind === 'timer' && waitingFor.untilMs > team.clock.nowMs()
        ? waitingFor.untilMs
        : null;
    });
    if (untilMs === -1) break;
    woken.push(untilMs - T0);
    team.clock.set(untilMs - 1);
    team.clock.set(untilMs);
  }
  await driven;
  return woken;
}

describe('a retry', () => {
  it('comes after the delays of its step, with the same idempotency key', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail());
    const delays = 'retry: { initialMs: 1000, factor: 2, maxMs: 3000, jitter: none }';
    const runId = await team.start(writ, steps([`${ONE}, ${RETRY}, ${delays}`]));
    expect(await driveByTimers(writ, runId)).toEqual([1000, 3000, 6000]);
    expect(team.functions.calls.map((call) => call.atMs - T0)).toEqual([0, 1000, 3000, 6000]);
    expect(new Set(team.functions.calls.map((call) => call.idempotencyKey))).toEqual(
      new Set([`${runId}/s1/1`]),
    );
    expect((await team.facts(runId, 'step.intended')).map((data) => data['attempt'])).toEqual([1, 2, 3, 4]);
    expect(await writ.status(runId)).toMatchObject({ status: 'failed', exitCode: 1 });
  });

  it('full jitter stays within its delay', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail());
    const delays = 'retry: { initialMs: 1000, factor: 1, maxMs: 1000 }';
    const runId = await team.start(writ, steps([`${ONE}, ${RETRY}, ${delays}`]));
    await driveByTimers(writ, runId);
    const at = team.functions.calls.map((call) => call.atMs);
    const gaps = at.slice(1).map((one, i) => one - (at[i] ?? 0));
    expect(gaps.every((gap) => gap >= 0 && gap < 1000)).toBe(true);
  });

  it('goes on in another handle after the wait, where the first one stopped', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail(), () => 'better');
    const text = steps([`${ONE}, ${RETRY}, retry: { initialMs: 5000, jitter: none }`]);
    const runId = await team.start(writ, text);
    const stop = new AbortController();
    const first = writ.drive(runId, { stopAt: 'finished', signal: stop.signal });
    await eventually(async () => (await writ.status(runId)).waitingFor?.kind === 'timer' || null);
    stop.abort();
    expect(await first).toMatchObject({ status: 'waiting', wakeAtMs: T0 + 5000 });
    team.clock.set(T0 + 5000);
    expect(await team.drive(await team.open(), runId)).toMatchObject({
      status: 'completed',
      output: 'better',
    });
    expect(team.functions.calls).toHaveLength(2);
  });

  it('comes no sooner than what was too busy has asked for, and the log says when', async () => {
    const { team } = here;
    const writ = await team.open();
    const busy = (): never => {
      throw new WritError('FUNCTION_TEMPORARY', 'too busy', { details: { retryAfterMs: 60_000 } });
    };
    team.functions.answer('tool::test_one', busy, fail(), () => 'better');
    const text = steps([`${ONE}, ${RETRY}, retry: { initialMs: 1000, factor: 1, jitter: none }`]);
    const runId = await team.start(writ, text);
    expect(await driveByTimers(writ, runId)).toEqual([61_000, 62_000]);
    expect(await team.facts(runId, 'step.retried')).toMatchObject([
      { attempt: 2, delayMs: 61_000 },
      { attempt: 3, delayMs: 1_000 },
    ]);
    expect(await writ.results(runId)).toMatchObject({ status: 'completed', output: 'better' });
  });

  it('of one retrier does not use up another', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail('SANDBOX_TEMPORARY'), fail('STEP_TIMEOUT'), () => 1);
    const retry = [
      { errorEquals: ['Tool.TemporaryFailure'], intervalSeconds: 2, maxAttempts: 1 },
      { errorEquals: ['Runner.Timeout'], intervalSeconds: 7, maxAttempts: 1 },
    ];
    const text = states('A', { A: { type: 'Task', resource: 'tool::test_one', retry, end: true } });
    const runId = await team.start(writ, text);
    expect(await driveByTimers(writ, runId)).toEqual([2000, 9000]);
    expect(await writ.status(runId)).toMatchObject({ status: 'completed' });
  });
});

describe('a function that hangs', () => {
  const late: ((value: Json) => void)[] = [];
  it.each([
    ['for ever', hangForEver],
    ['until it is told to stop', hangUntilAbort],
    [
      'and answers too late',
      () =>
        new Promise<Json>((resolve) => {
          late.push(resolve);
        }),
    ],
  ])('%s ends at its time limit, not before', async (_, hang) => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', hang);
    const runId = await team.start(writ, steps([`${ONE}, timeoutMs: 1500`, 'functionId: "tool::test_two"']));
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await eventually(() => (team.functions.calls.length === 1 ? true : null));
    team.clock.set(T0 + 1499);
    expect(team.functions.calls[0]?.signal.aborted).toBe(false);
    expect((await writ.status(runId)).steps[0]?.status).toBe('intended');
    team.clock.set(T0 + 1500);
    await driven;
    expect(team.functions.calls[0]).toMatchObject({ timeoutMs: 1500 });
    expect(team.functions.calls[0]?.signal.aborted).toBe(true);
    for (const resolve of late) resolve('too late');
    const run = await writ.results(runId);
    expect(run).toMatchObject({
      status: 'failed',
      exitCode: 1,
      error: { code: 'STEP_TIMEOUT', name: 'Runner.Timeout' },
      steps: [
        { status: 'timed-out', output: null },
        { status: 'pending', attempts: 0 },
      ],
    });
    expect(await team.facts(runId, 'step.finished')).toMatchObject([
      { status: 'timed-out', code: 'STEP_TIMEOUT', durationMs: 1500 },
    ]);
    expect(team.functions.calls).toHaveLength(1);
  });

  it('is retried where the document says so', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', hangForEver, () => 'second');
    const text = steps([`${ONE}, timeoutMs: 100, errorMode: retry, maxRetries: 1, retry: { initialMs: 0 }`]);
    const runId = await team.start(writ, text);
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await eventually(() => (team.functions.calls.length === 1 ? true : null));
    team.clock.advance(100);
    await driven;
    expect(await writ.results(runId)).toMatchObject({ status: 'completed', output: 'second' });
  });
});

describe('a run with a time limit', () => {
  it('gives a step no more than what is left', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', () => {
      team.clock.advance(4000);
      return 1;
    });
    const text = steps([ONE, 'functionId: "tool::test_two"'], 'timeoutMs: 10000\n');
    const run = await team.run(writ, text);
    expect(run.status).toBe('completed');
    expect(team.functions.calls.map((call) => call.timeoutMs)).toEqual([10_000, 6000]);
  });

  it.each([
    ['its own time is over first', 0, 'no answer within 10000 ms, all the time that its run had left'],
    ['the run is stopped first', 5, 'it was stopped: the time limit of its run was over'],
  ])(
    'says of a step that this limit has ended it, where %s (stopped-by-its-run)',
    async (_, lateMs, message) => {
      const { team } = here;
      const writ = await team.open();
      team.functions.answer('tool::test_one', (call) => {
        team.clock.advance(lateMs);
        return hangUntilAbort(call);
      });
      const runId = await team.start(writ, steps([`${ONE}, timeoutMs: 60000`], 'timeoutMs: 10000\n'));
      const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
      await eventually(() => (team.functions.calls.length === 1 ? true : null));
      team.clock.set(T0 + 10_000);
      await driven;
      const run = await writ.results(runId);
      expect(run).toMatchObject({
        status: 'failed',
        error: { code: 'RUN_TIMEOUT' },
        steps: [{ error: { message } }],
      });
    },
  );

  it('starts nothing once it is over', async () => {
    const { team } = here;
    const writ = await team.open();
    const runId = await team.start(writ, steps([ONE], 'timeoutMs: 10000\n'));
    team.clock.advance(10_000);
    expect(await team.drive(writ, runId)).toMatchObject({ status: 'failed', error: { code: 'RUN_TIMEOUT' } });
    expect(team.functions.calls).toEqual([]);
  });
});

describe('a packaged agent', () => {
  const text = (more: { readonly [key: string]: Json } = {}) =>
    states('A', { A: { type: 'Task', agent: AGENT_REFERENCE, end: true, ...more } });
  const retryAll = { retry: [{ errorEquals: ['States.ALL'], intervalSeconds: 1, maxAttempts: 2 }] };

  it('that ends with 75 failed for the moment and is retried', async () => {
    const { team } = here;
    const sandbox = new FakeSandbox();
    sandbox.results = [{ exitCode: 75 }, { exitCode: 75 }, {}];
    const writ = await team.open({ sandbox });
    const retry = [{ errorEquals: ['Tool.TemporaryFailure'], intervalSeconds: 1, maxAttempts: 2 }];
    const runId = await team.start(writ, text({ retry }));
    expect(await driveByTimers(writ, runId)).toEqual([1000, 3000]);
    expect(await writ.results(runId)).toMatchObject({ status: 'completed', output: { ok: true } });
    expect(sandbox.runs).toHaveLength(3);
    expect((await team.types(runId)).slice(1, 8)).toEqual([
      'authz.decided',
      'ceiling.composed',
      'step.intended',
      'sandbox.started',
      'sandbox.exited',
      'step.finished',
      'step.retried',
    ]);
  });

  it('that ends with 77 refuses: not retried, not caught by States.ALL, exit code 3', async () => {
    const { team } = here;
    const sandbox = new FakeSandbox();
    sandbox.results = [{ exitCode: 77, stderr: { bytes: new TextEncoder().encode('no'), truncated: false } }];
    const writ = await team.open({ sandbox });
    const caught = { ...retryAll, catch: [{ errorEquals: ['States.ALL'], next: 'B' }] };
    const all = {
      A: { type: 'Task', agent: AGENT_REFERENCE, end: true, ...caught },
      B: { type: 'Pass', end: true },
    };
    const run = await team.run(writ, states('A', all));
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'POLICY_TOOL_DENIED' } });
    expect(run.steps[0]?.status).toBe('refused');
    expect(sandbox.runs).toHaveLength(1);
  });

  it.each([
    [{ exitCode: 1 }, 'SANDBOX_EXIT'],
    [{ status: 'timeout', exitCode: null }, 'SANDBOX_TIMEOUT'],
    [{ status: 'oom', exitCode: null }, 'SANDBOX_OOM'],
    [{ status: 'output-limit', exitCode: null }, 'SANDBOX_OUTPUT_LIMIT'],
    [{ status: 'crashed', exitCode: null }, 'SANDBOX_CRASHED'],
    [{ status: 'unavailable', exitCode: null }, 'SANDBOX_UNAVAILABLE'],
    // Nobody asked for it: not a stop, and not run again for ever.
    [{ status: 'cancelled', exitCode: null }, 'SANDBOX_CRASHED'],
    [{ stdout: { bytes: new TextEncoder().encode('{"a":'), truncated: false } }, 'STEP_OUTPUT_INVALID'],
    [{ stdout: { bytes: new Uint8Array([0xff]), truncated: false } }, 'STEP_OUTPUT_INVALID'],
    [{ stdout: { bytes: new TextEncoder().encode('"\\ud800"'), truncated: false } }, 'STEP_OUTPUT_INVALID'],
    [{ stdout: { bytes: new TextEncoder().encode('{}'), truncated: true } }, 'SANDBOX_OUTPUT_LIMIT'],
  ] as const)('that ends with %j is %s', async (result, code) => {
    const { team } = here;
    const sandbox = new FakeSandbox();
    sandbox.results = [result];
    const writ = await team.open({ sandbox });
    const run = await team.run(writ, text({ idempotent: true }));
    expect(run).toMatchObject({ status: 'failed', error: { code } });
    expect(sandbox.runs).toHaveLength(1);
  });

  it('is given exactly its program, its input and no environment', async () => {
    const { team } = here;
    const sandbox = new FakeSandbox();
    const writ = await team.open({ sandbox });
    await team.run(writ, text({ inputPath: '$.claim', timeoutSeconds: 9 }), { claim: { id: 1 }, other: 2 });
    expect(sandbox.runs).toMatchObject([{ env: {}, argv: ['claims-triage'], limits: { timeoutMs: 9000 } }]);
    expect(new TextDecoder().decode(sandbox.runs[0]?.stdin)).toBe('{"id":1}');
  });
});
