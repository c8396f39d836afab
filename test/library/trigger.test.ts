// The library as an embedding program uses it: the built package by its name, a real data directory, real policies,
// functions of the program's own.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openWrit, WritError, type EmbeddedWrit, type FunctionCall } from 'writ';
import { startModelServer } from '../model-server/server.mjs';
import { newProject, type Project } from './project.js';

const ANY = {};
const OBJECT = { type: 'object' };
const CLAIM = {
  type: 'object',
  properties: { amount: { type: 'number' } },
  required: ['amount'],
  additionalProperties: false,
};

let project: Project;
let open: EmbeddedWrit[];

beforeEach(async () => {
  project = await newProject();
  open = [];
});

afterEach(async () => {
  for (const writ of open) await writ.close({ stopAfterMs: 0 });
  const findings = await project.verify();
  project.remove();
  expect(findings).toEqual([]);
});

async function opened(person: 'alice' | 'bob' | 'eve' = 'alice'): Promise<EmbeddedWrit> {
  const writ = await project.open(person);
  open.push(writ);
  return writ;
}

/** A workflow of one step for each set of fields. */
const flow = (id: string, ...steps: readonly Readonly<Record<string, unknown>>[]) =>
  JSON.parse(
    JSON.stringify({
      id,
      agents: ['coder'],
      steps: steps.map((fields, index) => ({ name: `Step ${index + 1}`, ...fields })),
    }),
  );

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    (value) => `resolved with ${JSON.stringify(value)}`,
    (error: unknown) => {
      if (error instanceof WritError) return error.code;
      throw error;
    },
  );
}

/** A step that goes on when it is told to. */
function gate(): { readonly entered: Promise<FunctionCall>; readonly open: () => void; handler: Handler } {
  let enter: (call: FunctionCall) => void = () => undefined;
  let pass: () => void = () => undefined;
  const entered = new Promise<FunctionCall>((resolve) => {
    enter = resolve;
  });
  const passed = new Promise<void>((resolve) => {
    pass = resolve;
  });
  return {
    entered,
    open: () => pass(),
    async handler(_, call) {
      enter(call);
      const stopped = new Promise<never>((_resolve, reject) => {
        call.signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
      });
      await Promise.race([passed, stopped]);
      return 'passed';
    },
  };
}
type Handler = (input: unknown, call: FunctionCall) => Promise<string>;

async function eventually<Found>(look: () => Promise<Found | null>): Promise<Found> {
  const giveUpAt = Date.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > giveUpAt) throw new Error('what the test waits for did not happen');
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

const ended = (writ: EmbeddedWrit, runId: string) =>
  eventually(async () => {
    const report = await writ.trigger('workflow::status', { runId });
    return ['completed', 'failed', 'cancelled', 'indeterminate'].includes(report.status) ? report : null;
  });

const waiting = (writ: EmbeddedWrit, runId: string) =>
  eventually(async () => (await writ.approvals({ run: runId, states: ['pending'] }))[0] ?? null);

describe('workflow::create', () => {
  it('stores a definition under its id, in a new version when it has changed', async () => {
    const writ = await opened();
    writ.function('team::one', { input: ANY, output: ANY }, () => 1);
    const create = (description: string) =>
      writ.trigger('workflow::create', { ...flow('first', { functionId: 'team::one' }), description });
    expect(await create('a')).toBe('first');
    expect(await create('a')).toBe('first');
    expect((await writ.workflow('first'))?.version).toBe(1);
    expect(await create('b')).toBe('first');
    expect((await writ.workflow('first'))?.version).toBe(2);
  });

  it('gives a definition without an id a random UUID, whatever its name', async () => {
    const writ = await opened();
    writ.function('team::one', { input: ANY, output: ANY }, () => 1);
    const steps = [{ name: 'A', functionId: 'team::one', agent: 'coder' }];
    const make = () => writ.trigger('workflow::create', { name: 'Custom', steps });
    const ids = [await make(), await make()];
    expect(new Set(ids).size).toBe(2);
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u);
  });

  it('gives state machines without a name a random UUID too: none takes the place of another', async () => {
    const writ = await opened();
    const states = (result: string) => ({ A: { Type: 'Pass', Result: result, End: true } });
    const plain = (result: string) => ({ StartAt: 'A', States: states(result) });
    const compact = (result: string) => ({ version: 'agentrc.workflow/v0.1', states: states(result) });
    const ids = [
      await writ.trigger('workflow::create', plain('first')),
      await writ.trigger('workflow::create', plain('second')),
      await writ.trigger('workflow::create', compact('third')),
      await writ.trigger('workflow::create', compact('fourth')),
    ];
    expect(new Set(ids).size).toBe(4);
    const run = await writ.trigger('workflow::run', { workflowId: ids[0] ?? '', wait: true });
    expect(run).toMatchObject({ status: 'completed', output: 'first' });
    expect(await writ.trigger('workflow::create', { id: 'mine', ...plain('fifth') })).toBe('mine');
    expect(await writ.trigger('workflow::create', { name: 'ours', ...compact('sixth') })).toBe('ours');
  });

  it('refuses a definition with every finding, and keeps nothing of it', async () => {
    const writ = await opened();
    const bad = flow('bad', { functionId: 'team::unknown', promptTemplat: 'x' });
    const error = await writ.trigger('workflow::create', bad).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'DOC_INVALID' });
    const diagnostics = (error as WritError).details?.['diagnostics'] as { code: string }[];
    expect(diagnostics.map((one) => one.code).toSorted()).toEqual([
      'DOC_UNKNOWN_FIELD',
      'DOC_UNKNOWN_FUNCTION',
    ]);
    expect(await writ.workflow('bad')).toBeNull();
  });

  it('refuses what is no plain JSON', async () => {
    const writ = await opened();
    const round: Record<string, unknown> = {};
    round['self'] = round;
    for (const odd of [
      { steps: undefined },
      { steps: () => 1 },
      { steps: 1n },
      { steps: new Date(0) },
      round,
    ]) {
      expect(await codeOf(writ.trigger('workflow::create', odd as never))).toBe('DOC_INVALID');
    }
  });
});

describe('workflow::run', () => {
  it('resolves with the id once the start is durable, and the run goes on in the background', async () => {
    const writ = await opened();
    const { entered, open: pass, handler } = gate();
    writ.function('team::gate', { input: ANY, output: ANY }, handler);
    const workflowId = await writ.trigger('workflow::create', flow('w', { functionId: 'team::gate' }));
    const runId = await writ.trigger('workflow::run', { workflowId });
    expect(runId).toMatch(/^run_/u);
    expect(await (await opened('bob')).trigger('workflow::status', { runId })).toMatchObject({ runId });
    expect((await entered).run).toBe(runId);
    pass();
    const report = await ended(writ, runId);
    expect(report).toMatchObject({
      status: 'completed',
      workflowId: 'w',
      initiator: 'user:alice',
      output: 'passed',
      error: null,
      results: [{ stepName: 'Step 1', status: 'completed', output: 'passed', principal: 'agent:coder' }],
    });
  });

  it('gives the run as it ended with wait: true, in both forms of the call', async () => {
    const writ = await opened();
    const seen: unknown[] = [];
    writ.function<{ amount: number }, { risk: string }>(
      'team::score',
      { input: CLAIM, output: OBJECT },
      (claim, { agent, stepPath }) => {
        seen.push([claim, agent, stepPath]);
        return { risk: claim.amount > 100 ? 'high' : 'low' };
      },
    );
    const step = { functionId: 'team::score', config: { amount: '{{input.amount}}' }, outputVar: 'risk' };
    const workflowId = await writ.trigger({ function_id: 'workflow::create', payload: flow('score', step) });
    const low = await writ.trigger('workflow::run', { workflowId, input: { amount: 7 }, wait: true });
    const high = await writ.trigger({
      function_id: 'workflow::run',
      payload: { workflowId, input: { amount: 700 }, wait: true },
      timeoutMs: 20_000,
    });
    expect([low.output, high.output]).toEqual([{ risk: 'low' }, { risk: 'high' }]);
    expect(seen).toEqual([
      [{ amount: 7 }, 'agent:coder', 'step_1'],
      [{ amount: 700 }, 'agent:coder', 'step_1'],
    ]);
    expect(await writ.trigger('workflow::results', { runId: high.runId })).toEqual(high.results);
  });

  it('is refused when policy knows the person but not the right, and nothing runs', async () => {
    const writ = await opened();
    let calls = 0;
    writ.function('team::one', { input: ANY, output: ANY }, () => ++calls);
    const workflowId = await writ.trigger('workflow::create', flow('w', { functionId: 'team::one' }));
    const bob = await opened('bob');
    bob.function('team::one', { input: ANY, output: ANY }, () => ++calls);
    expect(await codeOf(bob.trigger('workflow::run', { workflowId, wait: true }))).toBe('POLICY_NO_MATCH');
    expect(calls).toBe(0);
    expect((await writ.trigger('workflow::runs', {})).total).toBe(0);
  });

  it('acts as agentId in steps that name no agent, and policy is asked about that agent', async () => {
    const writ = await opened();
    const acted: (string | null)[] = [];
    writ.function('team::one', { input: ANY, output: ANY }, (_, { agent }) => acted.push(agent));
    const definition = flow('w', { functionId: 'team::one' }, { functionId: 'team::one', agent: 'reviewer' });
    const workflowId = await writ.trigger('workflow::create', definition);
    const run = (agentId: string) => writ.trigger('workflow::run', { workflowId, agentId, wait: true });
    expect(await run('coder-001')).toMatchObject({
      status: 'completed',
      results: [{ principal: 'agent:coder-001' }, { principal: 'agent:reviewer' }],
    });
    expect(acted).toEqual(['agent:coder-001', 'agent:reviewer']);
    expect(await run('stranger')).toMatchObject({ status: 'failed', error: { code: 'POLICY_NO_MATCH' } });
    expect(acted).toHaveLength(2);
    expect(await codeOf(writ.trigger('workflow::run', { workflowId, agentId: 'no name' }))).toBe('USAGE');
  });

  it('maps roles to instances, and refuses a role that nobody has', async () => {
    const writ = await opened();
    writ.function('team::one', { input: ANY, output: ANY }, (_, { agent }) => agent);
    const workflowId = await writ.trigger('workflow::create', flow('w', { functionId: 'team::one' }));
    const agents = { coder: 'coder-001' };
    expect(await writ.trigger('workflow::run', { workflowId, agents, wait: true })).toMatchObject({
      output: 'agent:coder-001',
    });
    expect(await codeOf(writ.trigger('workflow::run', { workflowId, agents: { codr: 'x' } }))).toBe('USAGE');
  });

  it('stops waiting after timeoutMs with a clear error, and the run goes on', async () => {
    const writ = await opened();
    const { entered, open: pass, handler } = gate();
    writ.function('team::gate', { input: ANY, output: ANY }, handler);
    const workflowId = await writ.trigger('workflow::create', flow('w', { functionId: 'team::gate' }));
    const waited = writ.trigger('workflow::run', { workflowId, wait: true }, { timeoutMs: 1_500 });
    const { run: runId } = await entered;
    expect(await codeOf(waited)).toBe('FUNCTION_TIMEOUT');
    pass();
    expect((await ended(writ, runId)).status).toBe('completed');
  });

  it('refuses an input that can not be recorded, an unknown workflow, and payloads that do not fit', async () => {
    const writ = await opened();
    writ.function('team::one', { input: ANY, output: ANY }, () => 1);
    const workflowId = await writ.trigger('workflow::create', flow('w', { functionId: 'team::one' }));
    const round: Record<string, unknown> = {};
    round['self'] = round;
    for (const input of [round, 1n, Number.NaN, new Date(0), '\uD800', { x: undefined }]) {
      expect(await codeOf(writ.trigger('workflow::run', { workflowId, input: input as never }))).toBe(
        'INPUT_INVALID',
      );
    }
    expect(await codeOf(writ.trigger('workflow::run', { workflowId: 'nowhere' }))).toBe('NOT_FOUND');
    expect(await codeOf(writ.trigger('workflow::run', { workflowId, inputs: 1 } as never))).toBe(
      'FUNCTION_REQUEST_INVALID',
    );
    const options = { timeout: 1 } as never;
    expect(await codeOf(writ.trigger('workflow::run', { workflowId }, options))).toBe(
      'FUNCTION_REQUEST_INVALID',
    );
    for (const timeoutMs of [0, -1, 1.5, 2 ** 31, Number.NaN, '5' as never]) {
      const call = writ.trigger('workflow::list', {}, { timeoutMs });
      expect(await codeOf(call)).toBe('FUNCTION_REQUEST_INVALID');
    }
    expect((await writ.trigger('workflow::runs', {})).total).toBe(0);
  });

  it('waits for an approval without holding anything up, and goes on when somebody else has decided', async () => {
    const writ = await opened();
    let calls = 0;
    writ.function('team::pay', { input: ANY, output: ANY }, () => ++calls);
    const step = { functionId: 'team::pay', config: { to: 'x' }, approval: 'sync' };
    const workflowId = await writ.trigger('workflow::create', flow('pay', step));
    const runId = await writ.trigger('workflow::run', { workflowId });
    const request = await waiting(writ, runId);
    expect(await writ.trigger('workflow::status', { runId })).toMatchObject({
      status: 'waiting',
      waitingFor: { kind: 'approval' },
    });
    expect(calls).toBe(0);
    const bob = await opened('bob');
    const vote = { decision: 'approve', digest: request.subjectDigest, reason: null } as const;
    await bob.decide(request.id, vote, await bob.whoActs());
    expect(await ended(writ, runId)).toMatchObject({ status: 'completed', output: 1 });
    expect(calls).toBe(1);
  });

  it('goes on however fast it is approved: decided in the moment it is asked for, again and again', async () => {
    const [writ, bob] = [await opened(), await opened('bob')];
    writ.function('team::pay', { input: ANY, output: ANY }, () => 'paid');
    const step = { functionId: 'team::pay', approval: 'sync', mode: 'loop', maxIterations: 6 };
    const workflowId = await writ.trigger('workflow::create', flow('quick', step));
    let isOver = false;
    const ending = writ.trigger('workflow::run', { workflowId, wait: true }).finally(() => (isOver = true));
    while (!isOver) {
      for (const { id, subjectDigest } of await bob.approvals({ states: ['pending'] })) {
        const vote = { decision: 'approve', digest: subjectDigest, reason: null } as const;
        await bob.decide(id, vote, await bob.whoActs());
      }
      await nextTurn();
    }
    expect(await ending).toMatchObject({ status: 'completed', results: [{ attempts: 6, iterations: 6 }] });
  });

  it('with wait: true waits for the decision too; a denial ends the run', async () => {
    const writ = await opened();
    let calls = 0;
    writ.function('team::pay', { input: ANY, output: ANY }, () => ++calls);
    const step = { functionId: 'team::pay', config: { to: 'x' }, approval: 'sync' };
    const workflowId = await writ.trigger('workflow::create', flow('pay', step));
    const waited = writ.trigger('workflow::run', { workflowId, wait: true });
    const [run] = await eventually(async () => {
      const { runs } = await writ.trigger('workflow::runs', { workflowId });
      return runs.length > 0 ? runs : null;
    });
    const request = await waiting(writ, run?.runId ?? '');
    const bob = await opened('bob');
    await bob.decide(request.id, { decision: 'deny', digest: null, reason: null }, await bob.whoActs());
    expect(await waited).toMatchObject({ status: 'failed', error: { code: 'APPROVAL_DENIED' } });
    expect(calls).toBe(0);
  });
});

describe('a token that nobody here brings back', () => {
  const ask = {
    id: 'ask',
    StartAt: 'Ask',
    States: {
      Ask: {
        Type: 'Task',
        Resource: 'team::ask.waitForTaskToken',
        Parameters: { 'token.$': '$$.Task.Token' },
        TimeoutSeconds: 120,
        Catch: [{ ErrorEquals: ['States.Timeout'], Next: 'Late' }],
        End: true,
      },
      Late: { Type: 'Pass', Result: 'late', End: true },
    },
  };
  const askedOf = (writ: EmbeddedWrit): Promise<string> =>
    new Promise((resolve) => {
      writ.function('team::ask', { input: OBJECT, output: OBJECT }, (input) => {
        resolve((input as { token: string }).token);
        return {};
      });
    });

  it('ends the wait of wait: true when another process brings it back', async () => {
    const writ = await opened();
    const asked = askedOf(writ);
    const workflowId = await writ.trigger('workflow::create', ask);
    const waited = writ.trigger('workflow::run', { workflowId, wait: true });
    const token = await asked;
    const bob = await opened('bob');
    const open = await eventually(async () => (await bob.tasks({ states: ['open'] }))[0] ?? null);
    await bob.answerTask({ token }, { kind: 'success', output: { paid: true } }, await bob.whoActs());
    expect(await waited).toMatchObject({ runId: open.run, status: 'completed', output: { paid: true } });
  });

  it('ends the wait of wait: true when its heartbeat stays away', async () => {
    const writ = await opened();
    void askedOf(writ);
    const { Ask, Late } = ask.States;
    const States = { Ask: { ...Ask, HeartbeatSeconds: 1 }, Late };
    const workflowId = await writ.trigger('workflow::create', { ...ask, States });
    const run = await writ.trigger('workflow::run', { workflowId, wait: true });
    expect(run).toMatchObject({ status: 'completed', output: 'late' });
  });

  it('ends the wait of wait: true when the run has no time left, though the step has', async () => {
    const writ = await opened();
    void askedOf(writ);
    const workflowId = await writ.trigger('workflow::create', { ...ask, TimeoutSeconds: 1 });
    const run = await writ.trigger('workflow::run', { workflowId, wait: true });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'RUN_TIMEOUT' } });
  });
});

describe('own functions', () => {
  it('are no functions of trigger: the only road to one is a step', async () => {
    const writ = await opened();
    let calls = 0;
    writ.function('team::one', { input: ANY, output: ANY }, () => ++calls);
    expect(await codeOf(writ.trigger('team::one' as never, {} as never))).toBe('FUNCTION_NOT_FOUND');
    expect(await codeOf(writ.trigger({ function_id: 'agent::chat', payload: {} } as never))).toBe(
      'FUNCTION_NOT_FOUND',
    );
    expect(await codeOf(writ.trigger(undefined as never))).toBe('FUNCTION_REQUEST_INVALID');
    expect(await codeOf(writ.trigger({ payload: {} } as never))).toBe('FUNCTION_REQUEST_INVALID');
    expect(calls).toBe(0);
    expect('guard' in writ).toBe(false);
  });

  it('are never called with a request that does not fit, nor believed with such a response', async () => {
    const writ = await opened();
    let calls = 0;
    writ.function('team::in', { input: CLAIM, output: ANY }, () => ++calls);
    writ.function('team::out', { input: ANY, output: CLAIM }, () => ({ amount: 'much' }));
    const run = async (id: string, step: Readonly<Record<string, unknown>>) => {
      const workflowId = await writ.trigger('workflow::create', flow(id, step));
      return writ.trigger('workflow::run', { workflowId, input: { amount: 'much' }, wait: true });
    };
    const config = { amount: '{{input.amount}}' };
    expect(await run('in', { functionId: 'team::in', config, approval: 'sync' })).toMatchObject({
      status: 'failed',
      error: { code: 'FUNCTION_REQUEST_INVALID' },
    });
    // Nobody was asked about a request that could not run.
    expect(await writ.approvals()).toEqual([]);
    expect(calls).toBe(0);
    expect(await run('out', { functionId: 'team::out' })).toMatchObject({
      status: 'failed',
      error: { code: 'STEP_OUTPUT_INVALID' },
    });
  });

  it('can be registered while a run goes on, once', async () => {
    const writ = await opened();
    const { entered, open: pass, handler } = gate();
    writ.function('team::gate', { input: ANY, output: ANY }, handler);
    const first = await writ.trigger('workflow::create', flow('first', { functionId: 'team::gate' }));
    const second = flow('second', { functionId: 'team::later' });
    expect(await codeOf(writ.trigger('workflow::create', second))).toBe('DOC_INVALID');
    const runId = await writ.trigger('workflow::run', { workflowId: first });
    await entered;
    writ.function('team::later', { input: ANY, output: ANY }, () => 'later');
    const workflowId = await writ.trigger('workflow::create', second);
    expect(await writ.trigger('workflow::run', { workflowId, wait: true })).toMatchObject({
      output: 'later',
    });
    pass();
    expect((await ended(writ, runId)).status).toBe('completed');
    for (const id of ['team::later', 'tool::wasm', 'workflow::run', 'audit::erase', 'team later']) {
      expect(() => writ.function(id, { input: ANY, output: ANY }, () => 'other')).toThrow(WritError);
    }
    const provider = { functionIds: ['agent::chat'], invoke: () => Promise.resolve(null) };
    expect(() => writ.register(provider)).toThrow(/writ's own/u);
    expect(() => writ.function('team::bad', { input: { type: 'objekt' }, output: ANY }, () => 1)).toThrow(
      /input schema of team::bad/u,
    );
    expect(await writ.trigger('workflow::run', { workflowId, wait: true })).toMatchObject({
      output: 'later',
    });
  });

  it('see the end of their time, and what they answer after it is discarded', async () => {
    const writ = await opened();
    const { entered, handler } = gate();
    writ.function('team::gate', { input: ANY, output: ANY }, handler);
    const step = { functionId: 'team::gate', timeoutMs: 50 };
    const workflowId = await writ.trigger('workflow::create', flow('slow', step));
    const report = await writ.trigger('workflow::run', { workflowId, wait: true });
    expect((await entered).signal.aborted).toBe(true);
    expect(report).toMatchObject({ status: 'failed', error: { code: 'STEP_TIMEOUT' } });
  });

  it('fail their step with what they throw, and errorMode decides what follows', async () => {
    const writ = await opened();
    const keys: string[] = [];
    writ.function('team::flaky', { input: ANY, output: ANY }, (_, { idempotencyKey }) => {
      keys.push(idempotencyKey);
      if (keys.length < 3) throw new Error('not yet');
      return keys.length;
    });
    const retry = { initialMs: 1, factor: 1, maxMs: 1, jitter: 'none' };
    const step = { functionId: 'team::flaky', errorMode: 'retry', maxRetries: 2, retry };
    const workflowId = await writ.trigger('workflow::create', flow('flaky', step));
    const report = await writ.trigger('workflow::run', { workflowId, wait: true });
    expect(report).toMatchObject({ status: 'completed', output: 3, results: [{ attempts: 3 }] });
    expect(keys).toHaveLength(3);
  });

  it('get a copy of their input, and what they keep of their answer changes nothing', async () => {
    const writ = await opened();
    const kept: { list: number[] }[] = [];
    writ.function<{ list: number[] }, { list: number[] }>(
      'team::push',
      { input: OBJECT, output: OBJECT },
      (input) => {
        input.list.push(99);
        const answer = { list: [1] };
        kept.push(answer);
        return answer;
      },
    );
    const step = { functionId: 'team::push', config: { list: '{{input.list}}' } };
    const workflowId = await writ.trigger('workflow::create', flow('push', step, step));
    const input = { list: [0] };
    const { runId } = await writ.trigger('workflow::run', { workflowId, input, wait: true });
    for (const answer of kept) answer.list.push(7);
    expect(input).toEqual({ list: [0] });
    const results = await writ.trigger('workflow::results', { runId });
    expect(results.map((one) => one.output)).toEqual([{ list: [1] }, { list: [1] }]);
  });
});

describe('a fanout of an own function', () => {
  it('is one result with its items, as many as are asked for', async () => {
    const writ = await opened();
    writ.function<{ n: number }, number>(
      'team::square',
      { input: OBJECT, output: { type: 'number' } },
      ({ n }) => {
        if (n === 3) throw new Error('three');
        return n * n;
      },
    );
    const step = { functionId: 'team::square', mode: 'fanout', errorMode: 'skip', config: { n: '{{item}}' } };
    const workflowId = await writ.trigger(
      'workflow::create',
      flow('map', { ...step, items: '{{input.list}}' }),
    );
    const input = { list: Array.from({ length: 25 }, (_, index) => index) };
    const report = await writ.trigger('workflow::run', { workflowId, input, wait: true });
    expect(report).toMatchObject({ status: 'completed' });
    expect(report.output).toEqual(input.list.map((n) => (n === 3 ? null : n * n)));
    const [shown] = report.results;
    expect(shown).toMatchObject({ stepName: 'Step 1', items: { total: 25 }, more: 5 });
    expect(shown?.nested).toHaveLength(20);
    const { runId } = report;
    const [all] = await writ.trigger('workflow::results', { runId, nested: 25 });
    expect(all?.nested).toHaveLength(25);
    expect(all?.nested?.map((one) => one.status)).toEqual(
      input.list.map((n) => (n === 3 ? expect.stringMatching(/skipped|failed/u) : 'completed')),
    );
    expect(all).not.toHaveProperty('more');
  });
});

describe('a model that may call an own function', () => {
  it('is told what the function does, and its calls go through the guard', async () => {
    const model = await startModelServer();
    // Taken back with the project.
    vi.stubEnv('WRIT_MODEL_BASE_URL', model.url);
    vi.stubEnv('WRIT_MODEL', 'stand-in');
    vi.stubEnv('WRIT_MODEL_API_KEY', 'key-for-tests');
    try {
      mkdirSync(join(project.folder, 'agents'));
      writeFileSync(
        join(project.folder, 'agents', 'coder.yaml'),
        'name: coder\nsystemPrompt: You score claims.\ntools: [team::score]\n',
      );
      const writ = await opened();
      const seen: unknown[] = [];
      const definition = { input: CLAIM, output: OBJECT, description: 'Scores a claim.' };
      writ.function<{ amount: number }, { risk: string }>(
        'team::score',
        definition,
        (input, { agent, stepPath }) => {
          seen.push([input, agent, stepPath]);
          return { risk: 'high' };
        },
      );
      const promptTemplate = [
        'Score it.',
        'model> call team__score {"amount": "much"} ;; team__score {"amount": 700}',
        'model> say The risk is high.',
      ].join('\n');
      const step = { functionId: 'agent::chat', promptTemplate };
      const workflowId = await writ.trigger('workflow::create', flow('model', step));
      const report = await writ.trigger('workflow::run', { workflowId, wait: true });
      expect(report).toMatchObject({ status: 'completed', error: null });
      expect(JSON.stringify(report.output)).toContain('The risk is high.');
      // The call that does not fit the schema never reached the handler.
      expect(seen).toEqual([[{ amount: 700 }, 'agent:coder', expect.stringContaining('step_1')]]);
      const offered = model.requests[0]?.body.tools as { function: { name: string; description: string } }[];
      expect(offered.map((one) => one.function)).toMatchObject([
        { name: 'team__score', description: 'Scores a claim.', parameters: CLAIM },
      ]);
    } finally {
      await model.close();
    }
  });
});

describe('lists', () => {
  it('give workflows and runs by the page, with limits clamped to 1 and 500', async () => {
    const writ = await opened();
    writ.function('team::one', { input: ANY, output: ANY }, () => 1);
    for (const id of ['c', 'a', 'b'])
      await writ.trigger('workflow::create', flow(id, { functionId: 'team::one' }));
    const all = await writ.trigger('workflow::list', {});
    expect(all).toMatchObject({ total: 3, limit: 50, offset: 0 });
    expect(all.workflows.map((one) => one.id)).toEqual(['a', 'b', 'c']);
    expect(all.workflows[0]).not.toHaveProperty('source');
    expect(await writ.trigger('workflow::list', { limit: 0 })).toMatchObject({
      limit: 1,
      workflows: [{ id: 'a' }],
    });
    expect(await writ.trigger('workflow::list', { limit: -5, offset: -5 })).toMatchObject({
      limit: 1,
      offset: 0,
    });
    expect(await writ.trigger('workflow::list', { limit: 501, offset: 2 })).toMatchObject({
      limit: 500,
      offset: 2,
      total: 3,
      workflows: [{ id: 'c' }],
    });
    const ids: string[] = [];
    for (const workflowId of ['a', 'b', 'b']) {
      ids.push((await writ.trigger('workflow::run', { workflowId, wait: true })).runId);
    }
    const runs = await writ.trigger('workflow::runs', { limit: 2 });
    expect(runs).toMatchObject({ total: 3, limit: 2, offset: 0 });
    expect(runs.runs.map((one) => one.runId)).toEqual([ids[2], ids[1]]);
    expect(runs.runs[0]).toMatchObject({ workflowId: 'b', status: 'completed', initiator: 'user:alice' });
    expect(runs.runs[0]).not.toHaveProperty('plan');
    expect(await writ.trigger('workflow::runs', { workflowId: 'a' })).toMatchObject({
      total: 1,
      runs: [{ runId: ids[0] }],
    });
  });
});

describe('cancel and resume', () => {
  it('cancel stops the step that runs, and gives the run as it is then', async () => {
    const writ = await opened();
    const { entered, handler } = gate();
    writ.function('team::gate', { input: ANY, output: ANY }, handler);
    const definition = flow('w', { functionId: 'team::gate' }, { functionId: 'team::gate' });
    const workflowId = await writ.trigger('workflow::create', definition);
    const runId = await writ.trigger('workflow::run', { workflowId });
    const { signal } = await entered;
    expect(await writ.trigger('workflow::cancel', { runId })).toMatchObject({ runId, status: 'cancelled' });
    expect(signal.aborted).toBe(true);
    expect(await codeOf(writ.trigger('workflow::cancel', { runId }))).toBe('RUN_ALREADY_FINISHED');
    expect(await codeOf(writ.trigger('workflow::resume', { runId }))).toBe('RUN_ALREADY_FINISHED');
    expect(await codeOf(writ.trigger('workflow::status', { runId: 'run_nowhere' }))).toBe('NOT_FOUND');
  });

  it('redrive lets a failed run go on where it stood', async () => {
    const writ = await opened();
    const calls: string[] = [];
    writ.function('team::first', { input: ANY, output: ANY }, () => calls.push('first'));
    writ.function('team::second', { input: ANY, output: ANY }, () => {
      if (calls.push('second') === 2) throw new Error('not yet');
      return 'at last';
    });
    const definition = flow('w', { functionId: 'team::first' }, { functionId: 'team::second' });
    const workflowId = await writ.trigger('workflow::create', definition);
    const failed = await writ.trigger('workflow::run', { workflowId, wait: true });
    expect(failed).toMatchObject({ status: 'failed' });
    const { runId } = failed;
    await writ.trigger('workflow::redrive', { runId });
    expect(await ended(writ, runId)).toMatchObject({ runId, status: 'completed', output: 'at last' });
    expect(calls).toEqual(['first', 'second', 'second']);
    expect(await codeOf(writ.trigger('workflow::redrive', { runId }))).toBe('RUN_NOT_REDRIVABLE');
  });

  it('resume goes on with a run whose step was stopped with its process, as the person says', async () => {
    const first = await opened();
    const { entered, handler } = gate();
    first.function('team::gate', { input: ANY, output: ANY }, handler);
    const workflowId = await first.trigger('workflow::create', flow('w', { functionId: 'team::gate' }));
    const runId = await first.trigger('workflow::run', { workflowId });
    await entered;
    await first.close({ stopAfterMs: 0 });
    const second = await opened();
    second.function('team::gate', { input: ANY, output: ANY }, () => 'again');
    expect(await codeOf(second.trigger('workflow::resume', { runId, lost: 'forget' } as never))).toBe(
      'FUNCTION_REQUEST_INVALID',
    );
    // Only a person knows what became of it.
    expect(await codeOf(second.trigger('workflow::resume', { runId }))).toBe('RUN_INDETERMINATE');
    await second.trigger('workflow::resume', { runId, lost: 'rerun' });
    expect(await ended(second, runId)).toMatchObject({ status: 'completed', output: 'again' });
  });

  it('a function that says it is idempotent is called again by itself, with the same key', async () => {
    const first = await opened();
    const { entered, handler } = gate();
    first.function('team::gate', { input: ANY, output: ANY, idempotent: true }, handler);
    const workflowId = await first.trigger('workflow::create', flow('w', { functionId: 'team::gate' }));
    const runId = await first.trigger('workflow::run', { workflowId });
    const { idempotencyKey } = await entered;
    await first.close({ stopAfterMs: 0 });
    const second = await opened();
    const definition = { input: ANY, output: ANY, idempotent: true };
    second.function('team::gate', definition, (_, call) => call.idempotencyKey);
    await second.trigger('workflow::resume', { runId });
    expect(await ended(second, runId)).toMatchObject({ status: 'completed', output: idempotencyKey });
  });
});

describe('a run that can not be driven on', () => {
  it('is told to onError when nobody waits for it, and to whoever waits', async () => {
    const file = join(project.policies, 'ceilings', 'org.yaml');
    // Witnesses are required and there are none: no step may begin.
    const text = readFileSync(file, 'utf8').replace('spec:\n', 'spec:\n  audit: { required: anchored }\n');
    writeFileSync(file, text);
    const told: [unknown, string][] = [];
    let tell: () => void = () => undefined;
    const isTold = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const { data, policies } = project;
    const writ = await openWrit({
      data,
      policies,
      key: project.keyOf('alice'),
      onError(error, runId) {
        told.push([error, runId]);
        tell();
      },
    });
    open.push(writ);
    let calls = 0;
    writ.function('team::one', { input: ANY, output: ANY }, () => ++calls);
    const workflowId = await writ.trigger('workflow::create', flow('w', { functionId: 'team::one' }));
    const runId = await writ.trigger('workflow::run', { workflowId });
    await isTold;
    expect(told).toMatchObject([[{ code: 'AUDIT_WITNESS_UNAVAILABLE' }, runId]]);
    expect(await codeOf(writ.trigger('workflow::run', { workflowId, wait: true }))).toBe(
      'AUDIT_WITNESS_UNAVAILABLE',
    );
    expect(told).toHaveLength(1);
    expect(calls).toBe(0);
  });
});

describe('open and close', () => {
  it('close waits for the steps that run here, and nothing can be triggered after it', async () => {
    const writ = await opened();
    const { entered, open: pass, handler } = gate();
    writ.function('team::gate', { input: ANY, output: ANY }, handler);
    const workflowId = await writ.trigger('workflow::create', flow('w', { functionId: 'team::gate' }));
    const runId = await writ.trigger('workflow::run', { workflowId });
    await entered;
    const closing = writ.close();
    pass();
    await closing;
    expect(await codeOf(writ.trigger('workflow::list', {}))).toBe('STORE_UNAVAILABLE');
    const other = await opened();
    expect(await other.trigger('workflow::status', { runId })).toMatchObject({
      status: 'completed',
      output: 'passed',
    });
  });

  it('close lets a run go that waits for a person; another process goes on with it', async () => {
    const writ = await opened();
    writ.function('team::pay', { input: ANY, output: ANY }, () => 'paid');
    const step = { functionId: 'team::pay', approval: 'sync' };
    const workflowId = await writ.trigger('workflow::create', flow('pay', step));
    const waited = writ.trigger('workflow::run', { workflowId, wait: true });
    waited.catch(() => undefined);
    const { runId } = await eventually(
      async () => (await writ.trigger('workflow::runs', { workflowId })).runs[0] ?? null,
    );
    const request = await waiting(writ, runId);
    await writ.close();
    expect(await codeOf(waited)).toBe('RUN_UNFINISHED');
    const bob = await opened('bob');
    const vote = { decision: 'approve', digest: request.subjectDigest, reason: null } as const;
    await bob.decide(request.id, vote, await bob.whoActs());
    const other = await opened();
    other.function('team::pay', { input: ANY, output: ANY }, () => 'paid');
    await other.trigger('workflow::resume', { runId });
    expect(await ended(other, runId)).toMatchObject({ status: 'completed', output: 'paid' });
  });

  it('closes at the end of an await using block', async () => {
    let kept: EmbeddedWrit;
    {
      await using writ = await project.open();
      kept = writ;
      expect(await writ.trigger('workflow::list', {})).toMatchObject({ total: 0 });
    }
    expect(await codeOf(kept.trigger('workflow::list', {}))).toBe('STORE_UNAVAILABLE');
  });

  it('knows its person by key, and refuses a key that nobody is enrolled with', async () => {
    const writ = await opened();
    expect((await writ.whoActs()).id).toBe('user:alice');
    expect(await codeOf(project.open('eve'))).toBe('POLICY_IDENTITY_UNKNOWN');
  });
});
