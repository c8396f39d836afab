// What has a time of its own goes on beside a server, by what the store says: whoever put it there, and driven by one.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Json } from '../../src/json.js';
import type { Writ } from '../../src/runtime/writ.js';
import { replacing } from '../contract/fault-store.js';
import { openRunDriver, type RunDriver } from '../../src/server/run-driver.js';
import {
  eventually,
  fail,
  faulty,
  field,
  refusalOf,
  states,
  steps,
  T0,
  useTeam,
} from '../runtime/fixture.js';

const here = useTeam();
const drivers: RunDriver[] = [];
const faults: unknown[] = [];

afterEach(async () => {
  await Promise.all(drivers.splice(0).map((driver) => driver.stop()));
  expect(faults.splice(0)).toEqual([]);
});

function serve(writ: Writ): void {
  const driver = openRunDriver(writ, { failed: (error) => faults.push(error), clock: here.team.clock });
  driver.start();
  drivers.push(driver);
}

const resting = (writ: Writ, runId: string) =>
  writ.drive(runId, { stopAt: 'resting', signal: here.team.stop.signal });
const ended = (writ: Writ, runId: string) =>
  eventually(async () => {
    const view = await writ.results(runId);
    return ['completed', 'failed'].includes(view.status) ? view : null;
  });
function tokenOfLastCall(): string {
  const token = field(here.team.functions.calls.at(-1)?.input, 'token');
  if (typeof token !== 'string') throw new Error('the call was given no token');
  return token;
}
/** Turns of this process in which a driver could look, were it told to. */
async function idle(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await nextTurn();
}

const NEVER = (): void => undefined;
const RETRY =
  'functionId: "tool::test_one", errorMode: retry, retry: { initialMs: 60000, maxMs: 60000, jitter: none }';
const call = (fields: object = {}) => ({
  type: 'Task',
  resource: 'tool::test_one.waitForTaskToken',
  parameters: { 'token.$': '$$.Task.Token' },
  end: true,
  ...fields,
});
const order = (fields: object, spec: object = {}): string =>
  states('Order', { Order: call(fields) }, { ...spec });

describe('beside a server', () => {
  it('a run that another process put to rest goes on when its timer is due, and not before', async () => {
    const { team } = here;
    const other = await team.open();
    team.functions.answer('tool::test_one', fail('FUNCTION_TEMPORARY'), () => 'done');
    const runId = await team.start(other, steps([RETRY]));
    await resting(other, runId);
    const writ = await team.open();
    serve(writ);
    await idle();
    team.clock.advance(59_000);
    await idle();
    expect(team.functions.calls).toHaveLength(1);
    team.clock.advance(1_000);
    expect(await ended(writ, runId)).toMatchObject({ status: 'completed', output: 'done' });
  });

  it('one put to rest while it serves is found as well', async () => {
    const { team } = here;
    const writ = await team.open();
    serve(writ);
    const other = await team.open();
    team.functions.answer('tool::test_one', fail('FUNCTION_TEMPORARY'), () => 'done');
    const runId = await team.start(other, steps([RETRY]));
    await resting(other, runId);
    await idle();
    // The look after the commit, at which it learns of the time, and the time.
    team.clock.advance(1_000);
    await idle();
    team.clock.set(T0 + 60_000);
    expect(await ended(writ, runId)).toMatchObject({ status: 'completed' });
  });

  it('a run is driven by one of two servers: its step runs once', async () => {
    const { team } = here;
    const other = await team.open();
    team.functions.answer('tool::test_one', fail('FUNCTION_TEMPORARY'), () => 'done');
    const runId = await team.start(other, steps([RETRY]));
    await resting(other, runId);
    const servers = [await team.open(), await team.open()];
    for (const writ of servers) serve(writ);
    await idle();
    team.clock.advance(60_000);
    for (const writ of servers) expect((await ended(writ, runId)).status).toBe('completed');
    await idle();
    expect(team.functions.calls).toHaveLength(2);
    expect(await team.facts(runId, 'step.intended')).toHaveLength(2);
  });

  it('a run that waits for a callback alone ends with its own time, however long its step may wait', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, order({ timeoutSeconds: 300 }, { timeoutSeconds: 10 }));
    expect(await writ.wakeUps(9)).toEqual([{ run: waiting.id, atMs: T0 + 10_000 }]);
    serve(writ);
    await idle();
    team.clock.advance(9_000);
    await idle();
    expect((await writ.status(waiting.id)).status).toBe('waiting');
    team.clock.advance(1_000);
    expect(await ended(writ, waiting.id)).toMatchObject({ error: { code: 'RUN_TIMEOUT' } });
  });

  it('a callback ends with the time of its step', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, order({ timeoutSeconds: 60 }));
    serve(writ);
    await idle();
    team.clock.advance(60_000);
    expect(await ended(writ, waiting.id)).toMatchObject({ error: { name: 'States.Timeout' } });
  });

  it('a callback that gives signs of life costs nothing, and ends with the first that is missing', async () => {
    const { team } = here;
    const writ = await team.open();
    const text = order({ timeoutSeconds: 300, heartbeatSeconds: 60 });
    const waiting = await team.run(writ, text);
    serve(writ);
    const versions = new Set<number | undefined>();
    for (let beat = 0; beat < 3; beat += 1) {
      team.clock.advance(59_000);
      await writ.answerTask({ token: tokenOfLastCall() }, { kind: 'heartbeat' }, await team.as(writ, 'bob'));
      await idle();
      versions.add((await writ.runs()).find(({ id }) => id === waiting.id)?.version);
    }
    expect(versions.size).toBe(1);
    expect(await writ.wakeUps(9)).toEqual([
      { run: waiting.id, atMs: T0 + 3 * 59_000 + 60_000 },
      { run: waiting.id, atMs: T0 + 300_000 },
    ]);
    team.clock.advance(60_000);
    expect(await ended(writ, waiting.id)).toMatchObject({ error: { name: 'States.Timeout' } });
  });

  it('an answer that another process took, and did not go on with, is gone on with', async () => {
    const { team } = here;
    const other = await team.open();
    const waiting = await team.run(other, order({ timeoutSeconds: 300 }));
    await other.answerTask(
      { token: tokenOfLastCall() },
      { kind: 'success', output: 7 },
      await team.as(other, 'bob'),
    );
    const writ = await team.open();
    serve(writ);
    expect(await ended(writ, waiting.id)).toMatchObject({ status: 'completed', output: 7 });
  });

  it('a request ends in time although whoever drove its run died while another step of it ran', async () => {
    const { team } = here;
    const other = await team.open();
    const text = steps([
      'functionId: "tool::test_one", approval: async, mode: fanout',
      'functionId: "tool::test_two", idempotent: true, mode: fanout',
    ]);
    // As after a kill: the step's outcome never comes.
    team.functions.answer('tool::test_two', () => new Promise<never>(NEVER));
    const runId = await team.start(other, text);
    const stop = new AbortController();
    const driven = other.drive(runId, { stopAt: 'waiting', signal: stop.signal });
    await eventually(async () => (await other.approvals({ states: ['pending'] })).length === 1 || null);
    await eventually(() => team.functions.calls.length === 1 || null);
    const [{ expiresAtMs } = { expiresAtMs: 0 }] = await other.approvals({ states: ['pending'] });
    expect((await other.status(runId)).status).toBe('running');
    expect(await other.wakeUps(9)).toEqual([{ run: runId, atMs: expiresAtMs }]);
    stop.abort();
    await driven.catch(() => undefined);
    const writ = await team.open();
    serve(writ);
    await idle();
    expect(team.functions.calls).toHaveLength(1);
    team.clock.set(expiresAtMs);
    expect(await ended(writ, runId)).toMatchObject({ status: 'failed', error: { code: 'APPROVAL_EXPIRED' } });
  });
});

// As after a kill: the outcome of the first step never becomes durable, and nobody holds the run.
describe('beside a server, a run whose process was killed in the middle of a step', () => {
  const killed = async (more: string): Promise<string> => {
    const { team } = here;
    const dying = await team.open({
      store: (inner) => faulty(inner, 'failAppendAndNotPersist', 'step.finished'),
    });
    const runId = await team.start(dying, steps([`functionId: "tool::test_one"${more}`]));
    expect((await refusalOf(team.drive(dying, runId))).code).toBe('STORE_IO');
    expect(team.functions.calls).toHaveLength(1);
    return runId;
  };
  /** Two looks of the server, ten seconds apart, and a few more. */
  async function looks(): Promise<void> {
    await idle();
    for (let second = 0; second < 25; second += 1) {
      here.team.clock.advance(1_000);
      await idle();
    }
  }

  it('goes on by itself where the step is idempotent, after the second look', async () => {
    const { team } = here;
    const runId = await killed(', idempotent: true');
    const writ = await team.open();
    serve(writ);
    await idle();
    expect(team.functions.calls).toHaveLength(1);
    await looks();
    expect(await ended(writ, runId)).toMatchObject({ status: 'completed' });
    const [first, again] = team.functions.calls.map(({ idempotencyKey }) => idempotencyKey);
    expect(again).toBe(first);
    expect(team.functions.calls).toHaveLength(2);
  });

  it('waits for a person where it is not: nothing runs twice, and it is seen that somebody has to look', async () => {
    const { team } = here;
    const runId = await killed('');
    const writ = await team.open();
    serve(writ);
    await looks();
    const view = await eventually(async () => {
      const now = await writ.status(runId);
      return now.status === 'indeterminate' ? now : null;
    });
    expect(view.waitingFor).toMatchObject({ kind: 'person', stepPath: 's1' });
    await looks();
    expect(team.functions.calls).toHaveLength(1);
    expect((await team.types(runId)).filter((type) => type === 'step.finished')).toHaveLength(1);
  });

  it('is left alone while a living process has it', async () => {
    const { team } = here;
    const other = await team.open();
    let finish = (): void => undefined;
    const finished = new Promise<Json>((resolve) => {
      finish = () => resolve(1);
    });
    team.functions.answer('tool::test_one', () => finished);
    const runId = await team.start(other, steps(['functionId: "tool::test_one", idempotent: true']));
    const driven = team.drive(other, runId);
    await eventually(() => team.functions.calls.length === 1 || null);
    const writ = await team.open();
    serve(writ);
    await looks();
    expect(await writ.abandoned()).toEqual([]);
    finish();
    expect((await driven).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('is looked for among all runs only where something has changed since they all waited', async () => {
    const { team } = here;
    let reads = 0;
    const writ = await team.open({
      store: (inner) =>
        replacing(inner, {
          unfinishedRuns: () => {
            reads += 1;
            return inner.unfinishedRuns();
          },
        }),
    });
    await team.run(writ, steps(['functionId: "tool::test_one", approval: async']));
    for (let look = 0; look < 3; look += 1) expect(await writ.abandoned()).toEqual([]);
    expect(reads).toBe(1);
    const runId = await killed(', idempotent: true');
    for (let look = 0; look < 3; look += 1) expect(await writ.abandoned()).toEqual([runId]);
    expect(reads).toBe(4);
  });

  it('is left to the program whose functions it calls: a server without them would only fail its steps', async () => {
    const { team } = here;
    const runId = await killed(', idempotent: true');
    const without = await team.open({ functions: [] });
    serve(without);
    await looks();
    expect(await without.abandoned()).toEqual([]);
    expect((await without.status(runId)).status).toBe('running');
    const program = await team.open();
    expect(await program.abandoned()).toEqual([runId]);
    expect((await team.drive(program, runId)).status).toBe('completed');
  });
});
