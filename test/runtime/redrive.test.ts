// `redrive`: a run that has failed, was refused or cancelled goes on where it stood. What has succeeded is not done
// again, policy of now decides, approvals are asked for anew, and nothing goes on without what the log names.
import { describe, expect, it } from 'vitest';
import { verifyEvidence } from '../../src/audit/evidence/verify.js';
import type { Writ } from '../../src/runtime/writ.js';
import { replacing } from '../contract/fault-store.js';
import {
  eventually,
  fail,
  faulty,
  hangUntilAbort,
  interfering,
  refusalOf,
  states,
  steps,
  useTeam,
} from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const TWO = 'functionId: "tool::test_two"';

const task = (functionId: string, next?: string) => ({
  type: 'Task',
  resource: functionId,
  ...(next === undefined ? { end: true } : { next }),
});
const called = (): readonly string[] => here.team.functions.calls.map(({ functionId }) => functionId);

async function redrive(writ: Writ, runId: string, options: { readonly lost?: 'rerun' } = {}, by = 'alice') {
  await writ.redrive(runId, await here.team.as(writ, by), options);
  return here.team.drive(writ, runId);
}

/** Cancels from another process while the clock goes on. */
async function stop(writ: Writ, runId: string): Promise<void> {
  const { team } = here;
  let isOver = false;
  const cancelled = writ.cancel(runId, await team.as(writ, 'alice')).finally(() => {
    isOver = true;
  });
  await eventually(() => {
    if (!isOver) team.clock.advance(50);
    return isOver || null;
  });
  await cancelled;
}

describe('a redrive', () => {
  it('goes on from the failed step under the same id and document, and is told in the log', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_two', fail(), () => ({ second: true }));
    const failed = await team.run(writ, steps([ONE, TWO]));
    expect(failed).toMatchObject({ status: 'failed', exitCode: 1 });
    const done = await redrive(writ, failed.id);
    expect(done).toMatchObject({
      id: failed.id,
      status: 'completed',
      exitCode: 0,
      workflow: failed.workflow,
    });
    expect(done.output).toEqual({ second: true });
    expect(called()).toEqual(['tool::test_one', 'tool::test_two', 'tool::test_two']);
    const types = await team.types(failed.id);
    const from = types.indexOf('run.finished');
    expect(types.slice(from)).toEqual([
      'run.finished',
      'authz.decided', // run.resume of who asks
      'authz.decided', // workflow.run of who started it
      'run.redriven',
      ...['authz.decided', 'ceiling.composed', 'step.intended', 'step.finished'],
      'run.finished',
    ]);
    expect(await team.facts(failed.id, 'run.redriven')).toMatchObject([
      { redrive: 1, previous: 'failed', initiator: 'user:alice', lost: null },
    ]);
    expect(await team.facts(failed.id, 'step.finished')).toMatchObject([
      { stepPath: 's1', attempt: 1, status: 'succeeded' },
      { stepPath: 's2', attempt: 1, status: 'failed' },
      { stepPath: 's2', attempt: 2, status: 'succeeded' },
    ]);
  });

  it('is durable when it resolves: another process goes on, and a second redrive counts on', async () => {
    const { team } = here;
    team.functions.answer('tool::test_one', fail(), fail(), () => 3);
    const first = await team.open();
    const { id } = await team.run(first, states('A', { A: task('tool::test_one') }));
    await first.redrive(id, await team.as(first, 'alice'));
    await first.close();
    const second = await team.open();
    expect(await second.status(id)).toMatchObject({ status: 'running', exitCode: 0 });
    expect(await team.drive(second, id)).toMatchObject({ status: 'failed' });
    expect(await redrive(second, id)).toMatchObject({ status: 'completed', output: 3 });
    const told = await team.facts(id, 'run.redriven');
    expect(told.map((one) => one['redrive'])).toEqual([1, 2]);
  });

  it('of a run that has completed, or has not ended, is refused, and changes nothing', async () => {
    const { team } = here;
    const writ = await team.open();
    const completed = await team.run(writ, steps([ONE]));
    const alice = await team.as(writ, 'alice');
    expect(await refusalOf(writ.redrive(completed.id, alice))).toMatchObject({
      ...{ code: 'RUN_NOT_REDRIVABLE', exitCode: 2 },
    });
    const waiting = await team.run(writ, steps([`${ONE}, approval: sync`]));
    const early = await refusalOf(writ.redrive(waiting.id, alice));
    expect(early).toMatchObject({ code: 'RUN_UNFINISHED' });
    expect((await team.drive(writ, waiting.id)).status).toBe('waiting');
    expect((await refusalOf(writ.redrive('run_none', alice))).code).toBe('NOT_FOUND');
    expect(await team.facts(completed.id, 'run.redriven')).toEqual([]);
  });

  it('asks for the right to it of who asks, and of who started the run, under the policies of now', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail());
    const { id } = await team.run(writ, steps([ONE]));
    expect(await refusalOf(redrive(writ, id, {}, 'audrey'))).toMatchObject({ code: 'POLICY_NO_MATCH' });
    const policies = team.policiesWith('rbac/test.yaml', (document) => {
      const { rules } = document.toJS() as { rules: { action: string }[] };
      document.deleteIn(['rules', rules.findIndex(({ action }) => action === 'workflow.run')]);
    });
    const narrowed = await team.open({ policies });
    const error = await refusalOf(narrowed.redrive(id, await team.as(narrowed, 'alice')));
    expect(error).toMatchObject({ code: 'POLICY_NO_MATCH', exitCode: 3 });
    expect(await narrowed.status(id)).toMatchObject({ status: 'failed' });
    expect(called()).toHaveLength(1);
  });

  it('of a denied step runs it only once policy allows it', async () => {
    const { team } = here;
    const policies = team.policiesWith('rbac/test.yaml', (document) => {
      const { rules } = document.toJS() as { rules: { resource: string }[] };
      rules.forEach(({ resource }, at) => {
        if (resource === 'tool::test_*') document.setIn(['rules', at, 'resource'], 'tool::test_one');
      });
    });
    const strict = await team.open({ policies });
    const { id, status, exitCode } = await team.run(strict, states('A', { A: task('tool::test_two') }));
    expect([status, exitCode]).toEqual(['failed', 3]);
    expect(await redrive(strict, id)).toMatchObject({ status: 'failed', exitCode: 3 });
    expect(called()).toEqual([]);
    const open = await team.open();
    expect(await redrive(open, id)).toMatchObject({ status: 'completed' });
    expect(called()).toEqual(['tool::test_two']);
  });

  it('asks for approval anew: what was denied, and what was approved and used before', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail(), () => 'done');
    const { id } = await team.run(writ, steps([`${ONE}, approval: sync`]));
    await team.deny(writ, await team.pending(writ, id));
    expect(await team.drive(writ, id)).toMatchObject({ status: 'failed', exitCode: 4 });
    expect((await redrive(writ, id)).status).toBe('waiting');
    const second = await team.pending(writ, id);
    expect(second).toMatchObject({ stepPath: 's1', attempt: 2 });
    await team.approve(writ, second);
    expect((await team.drive(writ, id)).status).toBe('failed');
    expect((await redrive(writ, id)).status).toBe('waiting');
    expect((await team.pending(writ, id)).attempt).toBe(3);
    expect(called()).toHaveLength(1);
    await team.approve(writ, await team.pending(writ, id));
    expect(await team.drive(writ, id)).toMatchObject({ status: 'completed', output: 'done' });
  });

  it('of a cancelled run asks again for what was open, and does not use the withdrawn request', async () => {
    const { team } = here;
    const writ = await team.open();
    const { id } = await team.run(writ, steps([ONE, `${TWO}, approval: sync`]));
    const withdrawn = await team.pending(writ, id);
    await writ.cancel(id, await team.as(writ, 'alice'));
    expect((await redrive(writ, id)).status).toBe('waiting');
    const asked = await team.pending(writ, id);
    expect(asked.id).not.toBe(withdrawn.id);
    expect((await refusalOf(team.approve(writ, withdrawn))).code).toBe('APPROVAL_ALREADY_DECIDED');
    await team.approve(writ, asked);
    expect((await team.drive(writ, id)).status).toBe('completed');
    expect(called()).toEqual(['tool::test_one', 'tool::test_two']);
  });

  it('keeps the results of items that succeeded', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', ({ input }) =>
      input === 2 && called().filter((one) => one === 'tool::test_one').length < 4
        ? fail()({} as never)
        : `item ${JSON.stringify(input)}`,
    );
    const text = states('M', {
      M: {
        type: 'Map',
        itemProcessor: { startAt: 'A', states: { A: task('tool::test_one') } },
        maxConcurrency: 1,
        end: true,
      },
    });
    const { id, status } = await team.run(writ, text, [1, 2, 3]);
    expect(status).toBe('failed');
    await redrive(writ, id);
    if ((await writ.status(id)).status === 'failed') await redrive(writ, id);
    expect(await writ.results(id)).toMatchObject({
      status: 'completed',
      output: ['item 1', 'item 2', 'item 3'],
    });
    expect(team.functions.calls.map(({ input }) => input).filter((input) => input === 1)).toHaveLength(1);
  });
});

describe('an attempt whose outcome is not known', () => {
  it('is made again by a redrive only when somebody says so', async () => {
    const { team } = here;
    const dying = await team.open({
      store: (inner) => faulty(inner, 'failAppendAndNotPersist', 'step.finished'),
    });
    const id = await team.start(dying, steps([ONE]));
    await refusalOf(team.drive(dying, id));
    const writ = await team.open();
    await writ.cancel(id, await team.as(writ, 'alice'));
    const error = await refusalOf(redrive(writ, id));
    expect(error).toMatchObject({ code: 'RUN_INDETERMINATE', hint: expect.stringContaining('--rerun-lost') });
    expect(called()).toHaveLength(1);
    expect(await redrive(writ, id, { lost: 'rerun' })).toMatchObject({ status: 'completed' });
    expect((await team.facts(id, 'run.redriven'))[0]).toMatchObject({ previous: 'cancelled', lost: 'rerun' });
    expect(called()).toHaveLength(2);
  });
});

describe('HOLE: an attempt that was stopped after its intent', () => {
  const parallel = (idempotent: boolean): string =>
    states('P', {
      P: {
        type: 'Parallel',
        branches: [
          { startAt: 'A', states: { A: task('tool::test_one') } },
          { startAt: 'B', states: { B: { ...task('tool::test_two'), idempotent } } },
        ],
        end: true,
      },
    });

  it('with its cancelled run is not made again, unless somebody says so', async () => {
    const { team } = here;
    const writ = await team.open();
    const other = await team.open();
    team.functions.answer('tool::test_one', hangUntilAbort, () => 'again');
    const id = await team.start(writ, steps([ONE]));
    const driven = writ.drive(id, { stopAt: 'finished', signal: team.stop.signal });
    await eventually(() => called().length === 1 || null);
    await stop(other, id);
    await driven;
    expect(await team.facts(id, 'step.finished')).toMatchObject([{ status: 'cancelled' }]);
    const error = await refusalOf(redrive(writ, id));
    expect(error).toMatchObject({ code: 'RUN_INDETERMINATE', hint: expect.stringContaining('--rerun-lost') });
    expect(await writ.status(id)).toMatchObject({ status: 'cancelled' });
    expect(called()).toHaveLength(1);
    const again = await redrive(writ, id, { lost: 'rerun' });
    expect(again).toMatchObject({ status: 'completed', output: 'again' });
    expect(called()).toHaveLength(2);
  });

  /** Branch A fails once branch B has begun; B hears that it is stopped. */
  async function failing(idempotent: boolean): Promise<{ readonly writ: Writ; readonly id: string }> {
    const { team } = here;
    const writ = await team.open();
    let begun: () => void = () => undefined;
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    team.functions.answer(
      'tool::test_two',
      (call) => {
        begun();
        return hangUntilAbort(call);
      },
      () => 'two',
    );
    team.functions.answer(
      'tool::test_one',
      async (call) => {
        await hasBegun;
        return fail()(call);
      },
      () => 'one',
    );
    const { id, status } = await team.run(writ, parallel(idempotent));
    expect(status).toBe('failed');
    return { writ, id };
  }

  it('with its fork is not made again, unless somebody says so', async () => {
    const { writ, id } = await failing(false);
    expect(await refusalOf(redrive(writ, id))).toMatchObject({
      code: 'RUN_INDETERMINATE',
      message: expect.stringContaining('P[1]/B'),
    });
    expect(called()).toHaveLength(2);
    const done = await redrive(writ, id, { lost: 'rerun' });
    expect(done).toMatchObject({ status: 'completed', output: ['one', 'two'] });
    expect(called()).toHaveLength(4);
  });

  it('and is declared idempotent is made again under the same key', async () => {
    const { writ, id } = await failing(true);
    expect(await redrive(writ, id)).toMatchObject({ status: 'completed', output: ['one', 'two'] });
    const keys = here.team.functions.calls.filter(({ functionId }) => functionId === 'tool::test_two');
    expect(keys).toHaveLength(2);
    expect(new Set(keys.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
  });

  it('and succeeded all the same is not made again', async () => {
    const { team } = here;
    const writ = await team.open();
    let finish: () => void = () => undefined;
    const held = new Promise<string>((resolve) => {
      finish = () => resolve('late');
    });
    // It takes no notice of being stopped, and is through with its act at about the moment when A fails.
    team.functions.answer('tool::test_two', () => held);
    team.functions.answer('tool::test_one', fail(), () => 'one');
    const driven = team.run(writ, parallel(false));
    finish();
    const { id } = await driven;
    const [before] = (await team.facts(id, 'step.finished')).filter(({ stepPath }) => stepPath === 'P[1]/B');
    const isKnown = before?.['status'] === 'succeeded';
    const asked = redrive(writ, id);
    if (isKnown) expect(await asked).toMatchObject({ status: 'completed', output: ['one', 'late'] });
    else expect(await refusalOf(asked)).toMatchObject({ code: 'RUN_INDETERMINATE' });
    expect(called().filter((one) => one === 'tool::test_two')).toHaveLength(1);
  });
});

describe('what a redrive goes on with', () => {
  it('lies in a payload of the run, and is gone with it: no byte of it stays outside', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_two', fail());
    const { id } = await team.run(writ, steps([ONE, TWO]), { note: 'the-marker-of-this-input' });
    const [end] = (await team.entries(id)).filter(({ type }) => type === 'run.finished');
    expect(Object.keys(end?.commit ?? {}).sort()).toEqual(['error', 'state']);
    expect(await team.stored((store) => store.parts(id))).toEqual(new Map());
    const commitment = end?.commit['state'];
    const payload = await team.stored((store) => store.payload(commitment ?? ('' as never)));
    expect(new TextDecoder().decode(payload?.bytes ?? new Uint8Array())).toContain(
      'the-marker-of-this-input',
    );
  });

  it('is in a bundle of evidence only where it is asked for; the bundle of a redriven run is whole', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail(), () => 'done');
    const { id } = await team.run(writ, states('A', { A: task('tool::test_one') }), { amount: 10 });
    const audrey = await team.as(writ, 'audrey');
    const request = { run: id, first: null, custodian: null, files: [] };
    const shown = async (payloads: 'all' | readonly string[]) => {
      const bundle = await writ.evidence({ ...request, payloads }, audrey);
      return verifyEvidence(bundle);
    };
    const labels = async (payloads: 'all' | readonly string[]): Promise<readonly string[]> =>
      ((await shown(payloads)).evidence?.disclosed ?? []).map(({ label }) => label).sort();
    expect(await labels('all')).not.toContain('state');
    expect(await labels(['state'])).toEqual(['state']);
    expect((await shown('all')).report.completeness?.state).toBe('closed');
    await writ.redrive(id, await team.as(writ, 'alice'));
    expect((await shown('all')).report.completeness?.state).toBe('open');
    await team.drive(writ, id);
    const { report } = await shown('all');
    expect([report.verdict, report.completeness?.state]).toEqual(['unpinned', 'closed']);
  });

  it('is refused when the store was changed under the log', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail());
    const { id } = await team.run(writ, states('A', { A: task('tool::test_one') }), { amount: 10 });
    const changing = await team.open({
      store: (inner) =>
        replacing(inner, {
          payload: async (commitment) => {
            const payload = await inner.payload(commitment);
            if (payload?.label !== 'state' || payload.bytes === null) return payload;
            const text = new TextDecoder().decode(payload.bytes).replace('"amount":10', '"amount":99');
            return { ...payload, bytes: new TextEncoder().encode(text) };
          },
        }),
    });
    const error = await refusalOf(changing.redrive(id, await team.as(changing, 'alice')));
    expect(error).toMatchObject({ code: 'INTEGRITY_DIGEST' });
    expect(called()).toHaveLength(1);
    expect(await redrive(writ, id)).toMatchObject({ status: 'failed' });
  });
});

describe('HOLE: what was erased of a run', () => {
  /** A failed run, and an erasure of its input that two people have approved and nobody has driven since. */
  async function erasing(): Promise<{ readonly writ: Writ; readonly id: string; readonly erasure: string }> {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_two', fail());
    const { id } = await team.run(writ, steps([ONE, TWO]), { note: 'the-marker-of-this-input' });
    const what = { kind: 'run', run: id, label: 'input' } as const;
    const { run } = await writ.erase({ what, basis: 'case 2026-31' }, await team.as(writ, 'ada'));
    const erasure = run ?? '';
    await team.drive(writ, erasure);
    await team.approve(writ, await team.pending(writ, erasure), 'bob');
    await team.approve(writ, await team.pending(writ, erasure), 'carol');
    return { writ, id, erasure };
  }
  const inputs = async (id: string): Promise<readonly (Uint8Array | null)[]> => {
    const all = (await here.team.entries(id)).map(({ commit }) => commit['input']);
    return here.team.stored((store) =>
      Promise.all(
        all
          .filter((one) => one !== undefined)
          .map(async (hex) => (await store.payload(hex as never))?.bytes ?? null),
      ),
    );
  };

  it('does not come back by a redrive, which is refused', async () => {
    const { team } = here;
    const { writ, id, erasure } = await erasing();
    expect(await team.drive(writ, erasure)).toMatchObject({ status: 'completed' });
    const error = await refusalOf(writ.redrive(id, await team.as(writ, 'alice')));
    expect(error).toMatchObject({ code: 'RUN_NOT_REDRIVABLE', exitCode: 2 });
    expect(error.message).toMatch(/erased \(entry \d+\)/u);
    expect(await writ.status(id)).toMatchObject({ status: 'failed' });
    expect(await team.stored((store) => store.parts(id))).toEqual(new Map());
    expect(new Set(await inputs(id))).toEqual(new Set([null]));
    expect(await team.facts(id, 'run.redriven')).toEqual([]);
    expect(called()).toEqual(['tool::test_one', 'tool::test_two']);
  });

  it('does not come back by a redrive that has looked right before the erasure', async () => {
    const { team } = here;
    const { writ, id, erasure } = await erasing();
    const late = await team.open({
      store: (inner) =>
        interfering(inner, 'run.redriven', async () => {
          await team.drive(writ, erasure);
        }),
    });
    expect((await refusalOf(late.redrive(id, await team.as(late, 'alice')))).code).toBe('STORE_CONFLICT');
    expect(await writ.status(id)).toMatchObject({ status: 'failed' });
    expect(await team.stored((store) => store.parts(id))).toEqual(new Map());
    expect(await team.facts(id, 'payload.erased')).not.toEqual([]);
    expect(await team.facts(id, 'run.redriven')).toEqual([]);
  });

  it('is nothing of a run that was redriven right before: the erasure fails, and can be asked for again', async () => {
    const { team } = here;
    const { writ, id, erasure } = await erasing();
    const late = await team.open({
      store: (inner) =>
        interfering(inner, 'payload.erased', async () => {
          await writ.redrive(id, await team.as(writ, 'alice'));
        }),
    });
    expect(await team.drive(late, erasure)).toMatchObject({
      status: 'failed',
      error: { code: 'RUN_UNFINISHED' },
    });
    expect(await team.facts(id, 'payload.erased')).toEqual([]);
    expect(await inputs(id)).not.toContain(null);
  });
});
