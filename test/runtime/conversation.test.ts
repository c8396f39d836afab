// A function that asks for other calls (a model with tools), and what functions say of themselves: each call is an
// attempt of its own under policy, an approval covers the turns it was given for and nothing else.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { WritError } from '../../src/errors.js';
import type { Json } from '../../src/json.js';
import type {
  Conversation,
  FunctionProvider,
  FunctionReach,
  FunctionRequest,
  Turn,
} from '../../src/runtime/ports.js';
import type { RunView, Writ } from '../../src/runtime/writ.js';
import { eventually, faulty, field, hangUntilAbort, refusalOf, steps, useTeam } from './fixture.js';

const here = useTeam();
const NOTHING = { inputTokens: 0, outputTokens: 0, costMicroUsd: 0 };
const MODEL = 'functionId: "tool::test_model", config: { ask: "{{input.ask}}" }';

/** Turns of a script, one after the other; what it was asked is kept. */
class Model implements FunctionProvider {
  readonly functionIds = ['tool::test_model'];
  readonly converses = ['tool::test_model'];
  readonly asked: { request: FunctionRequest; so: Conversation }[] = [];
  reached: FunctionReach = { network: [], credentials: [], tools: [] };
  readonly #turns: ((request: FunctionRequest, so: Conversation) => Turn)[];

  constructor(...turns: ((request: FunctionRequest, so: Conversation) => Turn)[]) {
    this.#turns = turns;
  }

  reach(): Promise<FunctionReach> {
    return Promise.resolve(this.reached);
  }

  invoke(): Promise<Json> {
    return Promise.reject(new Error('it converses'));
  }

  converse(request: FunctionRequest, so: Conversation): Promise<Turn> {
    this.asked.push({ request, so });
    const turn = this.#turns[Math.min(this.asked.length, this.#turns.length) - 1];
    if (turn === undefined) throw new Error('no turn');
    return Promise.resolve(turn(request, so));
  }
}

const done =
  (output: Json, usage = NOTHING) =>
  (): Turn => ({ kind: 'done', output, usage });
const calls =
  (...wanted: { id: string; functionId: string; input: Json }[]) =>
  (_: FunctionRequest, so: Conversation): Turn => ({
    kind: 'calls',
    calls: wanted,
    transcript: { turns: Number(field(so.transcript, 'turns') ?? 0) + 1 },
    usage: { inputTokens: 10, outputTokens: 2, costMicroUsd: 7 },
  });
const one = (id = 'c1', functionId = 'tool::test_one', input: Json = { a: 1 }) => ({ id, functionId, input });

function open(model: FunctionProvider): Promise<Writ> {
  return here.team.open({ functions: [here.team.functions, model] });
}

/** The verifier that shares no code with ours agrees. */
async function secondVerdict(writ: Writ): Promise<unknown> {
  await writ.publish();
  const audit = path.join(here.team.data, 'audit');
  const verifier = path.resolve(import.meta.dirname, '..', '..', 'audit', 'verify.mjs');
  const vkey = readFileSync(path.join(audit, 'vkey'), 'utf8').trim();
  const { stdout } = spawnSync(process.execPath, [verifier, audit, '--vkey', vkey, '--json'], {
    encoding: 'utf8',
  });
  return (JSON.parse(stdout) as { verdict: unknown }).verdict;
}

describe('a conversation', () => {
  it('in a loop begins anew in each iteration, and no call is named or keyed as one before', async () => {
    const { team } = here;
    const model = new Model(calls(one('x')), done({ n: 1 }), calls(one('x')), done({ n: 2 }));
    const writ = await open(model);
    const step = 'functionId: "tool::test_model", mode: loop, maxIterations: 2';
    const run = await team.run(writ, steps([step]));
    expect(run.status).toBe('completed');
    expect(model.asked.map(({ so }) => so.answers.length)).toEqual([0, 1, 0, 1]);
    expect(team.functions.calls.map(({ idempotencyKey }) => idempotencyKey)).toEqual([
      `${run.id}/s1/call[0]/1`,
      `${run.id}/s1/call[1]/1`,
    ]);
    expect((await team.verify()).verdict).toBe('verified');
    expect(await secondVerdict(writ)).toBe('verified');
  });

  it('gets the answers of its calls, each an attempt of its own, and ends with its output', async () => {
    const { team } = here;
    const model = new Model(
      calls(one('x', 'tool::test_one', { a: 1 }), one('y', 'tool::test_two', { b: 2 })),
      calls(one('x', 'tool::test_one', { a: 3 })),
      done({ content: 'well' }, { inputTokens: 5, outputTokens: 1, costMicroUsd: 0 }),
    );
    const writ = await open(model);
    team.functions.answer('tool::test_one', ({ input }) => ({ got: input }));
    team.functions.answer('tool::test_two', () => {
      throw new Error('it is broken');
    });
    const run = await team.run(writ, steps([MODEL]), { ask: 'please' });
    expect(run).toMatchObject({ status: 'completed', output: { content: 'well' } });
    expect(model.asked.map(({ so }) => so)).toEqual([
      { transcript: null, answers: [] },
      {
        transcript: { turns: 1 },
        answers: [
          { id: 'x', functionId: 'tool::test_one', status: 'succeeded', output: { got: { a: 1 } } },
          {
            id: 'y',
            functionId: 'tool::test_two',
            status: 'failed',
            output: { error: 'FUNCTION_FAILED', message: 'it is broken' },
          },
        ],
      },
      {
        transcript: { turns: 2 },
        answers: [{ id: 'x', functionId: 'tool::test_one', status: 'succeeded', output: { got: { a: 3 } } }],
      },
    ]);
    // All turns are one request, under one key; a call has its own.
    expect(new Set(model.asked.map(({ request }) => request.idempotencyKey)).size).toBe(1);
    expect(model.asked.map(({ request }) => [request.stepPath, request.agent, request.input])).toEqual(
      Array(3).fill(['s1', 'agent:claims-triage', { ask: 'please' }]),
    );
    expect(team.functions.calls.map((call) => [call.stepPath, call.agent])).toEqual([
      ['s1/call[0]', 'agent:claims-triage'],
      ['s1/call[1]', 'agent:claims-triage'],
      ['s1/call[2]', 'agent:claims-triage'],
    ]);
    expect(run.steps).toMatchObject([
      {
        stepPath: 's1',
        status: 'succeeded',
        // Three turns, one attempt.
        attempts: 1,
        output: { content: 'well' },
        nested: [
          { stepPath: 's1/call[0]', status: 'succeeded' },
          { stepPath: 's1/call[1]', status: 'failed', error: { message: 'it is broken' } },
          { stepPath: 's1/call[2]', status: 'succeeded' },
        ],
      },
    ]);
    const ends = (await team.facts(run.id, 'step.finished')).filter((data) => data['stepPath'] === 's1');
    expect(ends.map(({ calls, usage }) => ({ calls, usage }))).toEqual([
      { calls: 2, usage: { inputTokens: 10, outputTokens: 2, costMicroUsd: 7 } },
      { calls: 1, usage: { inputTokens: 10, outputTokens: 2, costMicroUsd: 7 } },
      { calls: undefined, usage: { inputTokens: 5, outputTokens: 1, costMicroUsd: 0 } },
    ]);
    expect(await secondVerdict(writ)).toBe('verified');
  });

  it('is told that a call was refused, and nothing of it ran', async () => {
    const { team } = here;
    const model = new Model(calls(one('x', 'tool::raw_disk'), one('y', 'tool::nowhere')), done('over'));
    const writ = await open(model);
    const run = await team.run(writ, steps([MODEL]), { ask: 1 });
    expect(run).toMatchObject({ status: 'completed', output: 'over' });
    expect(model.asked[1]?.so.answers).toMatchObject([
      { id: 'x', status: 'refused', output: { error: 'POLICY_DENY_RULE' } },
      { id: 'y', status: 'failed', output: { error: 'FUNCTION_NOT_FOUND' } },
    ]);
    expect(team.functions.calls).toEqual([]);
    expect(await team.facts(run.id, 'step.intended')).toHaveLength(2);
  });

  it('is covered as a whole by one approval; what it calls is not', async () => {
    const { team } = here;
    const model = new Model(calls(one()), calls(one()), done('over'));
    const writ = await open(model);
    const waiting = await team.run(writ, steps([`${MODEL}, approval: sync`]), { ask: 1 });
    expect(model.asked).toEqual([]);
    await team.approve(writ, await team.pending(writ, waiting.id));
    expect(await team.drive(writ, waiting.id)).toMatchObject({ status: 'completed', output: 'over' });
    expect(await team.facts(waiting.id, 'approval.consumed')).toHaveLength(1);
    const intents = await team.facts(waiting.id, 'step.intended');
    expect(intents.map((data) => [data['stepPath'], data['attempt'], data['approvalId'] !== null])).toEqual([
      ['s1', 1, true],
      ['s1/call[0]', 1, false],
      ['s1', 2, true],
      ['s1/call[1]', 1, false],
      ['s1', 3, true],
    ]);
    expect(await secondVerdict(writ)).toBe('verified');
  });

  it('asks again when what would run has changed between two turns', async () => {
    const { team } = here;
    const model: Model = new Model((request, so) => {
      model.reached = { ...model.reached, credentials: ['bank'] };
      return calls(one())(request, so);
    }, done('over'));
    const writ = await open(model);
    const waiting = await team.run(writ, steps([`${MODEL}, approval: sync`]), { ask: 1 });
    await team.approve(writ, await team.pending(writ, waiting.id));
    expect((await team.drive(writ, waiting.id)).status).toBe('waiting');
    const again = await team.pending(writ, waiting.id);
    expect(again).toMatchObject({ stepPath: 's1', attempt: 2, votes: [] });
    expect((await writ.approval(again.id)).subject).toMatchObject({ credentials: ['bank'] });
    await team.approve(writ, again);
    expect((await team.drive(writ, waiting.id)).status).toBe('completed');
    expect(await secondVerdict(writ)).toBe('verified');
  });

  it('asks again for a retry of a turn: an approval covers no failure', async () => {
    const { team } = here;
    const model = new Model(calls(one()), () => {
      throw new Error('overloaded');
    });
    const writ = await open(model);
    const retry = 'errorMode: retry, maxRetries: 1, retry: { initialMs: 0 }';
    const waiting = await team.run(writ, steps([`${MODEL}, approval: sync, ${retry}`]), { ask: 1 });
    await team.approve(writ, await team.pending(writ, waiting.id));
    expect((await team.drive(writ, waiting.id)).status).toBe('waiting');
    expect(await team.pending(writ, waiting.id)).toMatchObject({ stepPath: 's1', attempt: 3 });
    expect(await secondVerdict(writ)).toBe('verified');
  });

  it('goes on in another process after a crash between two turns, with what it had', async () => {
    const { team } = here;
    const model = new Model(calls(one()), done('over'));
    const functions = [team.functions, model];
    const broken = await team.open({
      functions,
      // The intent of the call is the second one.
      store: (inner) => {
        let intents = 0;
        const failing = faulty(inner, 'failAppendAndNotPersist', 'step.intended');
        return new Proxy(inner, {
          get: (target, name) => {
            const value: unknown = Reflect.get(target, name);
            if (name !== 'commit')
              return typeof value === 'function' ? (value.bind(target) as unknown) : value;
            return (change: Parameters<typeof inner.commit>[0]) => {
              if (change.entries.some((entry) => entry.type === 'step.intended')) intents += 1;
              return intents > 1 ? failing.commit(change) : inner.commit(change);
            };
          },
        });
      },
    });
    const runId = await team.start(broken, steps([MODEL]), { ask: 1 });
    expect((await refusalOf(team.drive(broken, runId))).code).toBe('STORE_IO');
    expect([model.asked.length, team.functions.calls.length]).toEqual([1, 0]);
    const writ = await open(model);
    expect(await team.drive(writ, runId)).toMatchObject({ status: 'completed', output: 'over' });
    expect([model.asked.length, team.functions.calls.length]).toEqual([2, 1]);
    expect(model.asked[1]?.so).toMatchObject({ transcript: { turns: 1 }, answers: [{ id: 'c1' }] });
  });

  it.each([
    ['no calls', []],
    ['33 calls', Array.from({ length: 33 }, (_, i) => one(`c${i}`))],
    ['two calls of one id', [one('a'), one('a')]],
    ['a call without a name', [{ ...one(), functionId: '' }]],
    ['a call whose id is no text', [{ ...one(), id: 7 as never }]],
  ])('that asks for %s fails', async (_, wanted) => {
    const { team } = here;
    const writ = await open(new Model(calls(...wanted), done('over')));
    const run = await team.run(writ, steps([MODEL]), { ask: 1 });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'FUNCTION_FAILED' } });
    expect(team.functions.calls).toEqual([]);
  });

  it('that is cancelled stops its calls', async () => {
    const { team } = here;
    const writ = await open(new Model(calls(one(), one('c2')), done('over')));
    team.functions.answer('tool::test_one', hangUntilAbort);
    const runId = await team.start(writ, steps([MODEL]), { ask: 1 });
    const stop = new AbortController();
    const driven = writ.drive(runId, { stopAt: 'finished', signal: stop.signal });
    await eventually(() => team.functions.calls.length === 2 || null);
    stop.abort();
    expect((await driven).status).toBe('indeterminate');
    expect(await writ.cancel(runId, await team.as(writ, 'alice'))).toMatchObject({ status: 'cancelled' });
  });
});

describe('what a function says of itself', () => {
  const provider = (over: Partial<FunctionProvider>): FunctionProvider => ({
    functionIds: ['tool::test_own'],
    invoke: (request) => Promise.resolve(request.input),
    ...over,
  });
  const OWN = 'functionId: "tool::test_own", config: { amount: "{{input.amount}}" }';
  const schema: Json = { type: 'object', properties: { amount: { type: 'number', maximum: 9 } } };

  it('its request schema is held before anybody is asked, and names the path, not the value', async () => {
    const { team } = here;
    const schemas = () => ({ input: schema, output: null });
    const writ = await team.open({ functions: [provider({ schemas })] });
    const text = steps([`${OWN}, approval: sync`]);
    expect((await team.run(writ, text, { amount: 9 })).status).toBe('waiting');
    const refused = await team.run(writ, text, { amount: 4711 });
    expect(refused).toMatchObject({ status: 'failed', error: { code: 'FUNCTION_REQUEST_INVALID' } });
    expect(refused.error?.message).toContain('/amount');
    expect(refused.error?.message).not.toContain('4711');
    expect(await team.types(refused.id)).not.toContain('approval.requested');
  });

  it('its response schema is held after the act', async () => {
    const { team } = here;
    const schemas = () => ({ input: null, output: schema });
    const writ = await team.open({ functions: [provider({ schemas })] });
    expect((await team.run(writ, steps([OWN]), { amount: 9 })).status).toBe('completed');
    const failed = await team.run(writ, steps([OWN]), { amount: 10 });
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'STEP_OUTPUT_INVALID' } });
  });

  it('a schema that is none, and one that answers later, let nothing through', async () => {
    const { team } = here;
    for (const broken of [
      { type: 'nothing' },
      { $async: true },
      7,
      { $ref: 'http://x.example/s' },
    ] as Json[]) {
      const writ = await team.open({
        functions: [provider({ schemas: () => ({ input: broken, output: null }) })],
      });
      expect((await team.run(writ, steps([OWN]), { amount: 1 })).status).toBe('failed');
    }
  });

  it('the hosts, secrets and functions that it would use are held under every ceiling', async () => {
    const { team } = here;
    const ceilings = (spec: string): string => `ceilings: ${spec}\n`;
    const reach = (): Promise<FunctionReach> =>
      Promise.resolve({
        network: ['api.bank.example:443'],
        credentials: ['bank'],
        tools: ['tool::test_one'],
      });
    // The shipped ceiling has no network at all.
    const policies = team.policiesWith('ceilings/org.yaml', (document) => {
      document.deleteIn(['spec', 'network']);
    });
    const writ = await team.open({ functions: [provider({ reach })], policies });
    for (const [spec, code] of [
      ['{ network: { mode: none } }', 'CEILING_NETWORK'],
      ['{ credentials: { allow: [other] } }', 'CEILING_CREDENTIALS'],
      ['{ tools: { allow: ["tool::other"] } }', 'CEILING_TOOLS'],
    ] as const) {
      const run = await team.run(writ, steps([OWN], ceilings(spec)), { amount: 1 });
      expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code } });
    }
    const waiting = await team.run(writ, steps([`${OWN}, approval: sync`]), { amount: 1 });
    const approval = await team.pending(writ, waiting.id);
    expect((await writ.approval(approval.id)).subject).toMatchObject({
      credentials: ['bank'],
      sandbox: { driver: 'none', network: ['api.bank.example:443'] },
    });
  });

  it('what it lacks is said before anything is asked or run', async () => {
    const { team } = here;
    const reach = (): Promise<FunctionReach> =>
      Promise.reject(new WritError('FUNCTION_UNAVAILABLE', 'no key', { hint: 'set BANK_KEY' }));
    const writ = await team.open({ functions: [provider({ reach })] });
    const run = await team.run(writ, steps([`${OWN}, approval: sync`]), { amount: 1 });
    expect(run).toMatchObject({ status: 'failed', exitCode: 6, error: { code: 'FUNCTION_UNAVAILABLE' } });
    expect(await team.types(run.id)).not.toContain('approval.requested');
  });

  it('a file of the operator that a later step needs and nobody can use is said before the first one runs', async () => {
    const { team } = here;
    const reach = (): Promise<FunctionReach> =>
      Promise.reject(new WritError('CONFIG_INVALID', 'models.yaml:1:1: broken'));
    const writ = await team.open({ functions: [team.functions, provider({ reach })] });
    const both = steps(['functionId: "tool::test_one"', OWN]);
    await expect(team.run(writ, both, { amount: 1 })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'step "s2" could not run: models.yaml:1:1: broken',
    });
    expect([team.functions.calls, await writ.runs(), await writ.workflows()]).toEqual([[], [], []]);
  });

  it('what a later step lacks is said before the first one runs, unless that step may be left out', async () => {
    const { team } = here;
    const reach = (): Promise<FunctionReach> =>
      Promise.reject(new WritError('FUNCTION_UNAVAILABLE', 'no key', { hint: 'set BANK_KEY' }));
    const writ = await team.open({ functions: [team.functions, provider({ reach })] });
    const first = 'functionId: "tool::test_one"';
    const start = (later: string): Promise<RunView> => team.run(writ, steps([first, later]), { amount: 1 });
    await expect(start(OWN)).rejects.toMatchObject({
      code: 'FUNCTION_UNAVAILABLE',
      message: 'step "s2" could not run: no key',
      hint: 'set BANK_KEY',
    });
    await expect(start(`${OWN}, mode: loop, maxIterations: 2`)).rejects.toMatchObject({ exitCode: 6 });
    // Both lack it: the first of them is named.
    await expect(team.run(writ, steps([OWN, OWN]), { amount: 1 })).rejects.toMatchObject({
      message: 'step "s1" could not run: no key',
    });
    expect(team.functions.calls).toEqual([]);
    expect([await writ.runs(), await writ.workflows()]).toEqual([[], []]);

    expect(await start(`${OWN}, errorMode: skip`)).toMatchObject({ status: 'completed' });
    expect(await start(`${OWN}, condition: "input.amount > 1"`)).toMatchObject({ status: 'completed' });
    const failed = await start(`${OWN}, condition: "input.amount == 1"`);
    expect(failed).toMatchObject({ status: 'failed', exitCode: 6 });
    // Also where nothing could be asked of policy, it is told who would have acted.
    expect(failed.steps.map(({ principal }) => principal)).toEqual([
      'agent:claims-triage',
      'agent:claims-triage',
    ]);
    expect(team.functions.calls).toHaveLength(3);
  });

  it('what it says while it runs reaches who listens, and is stored nowhere', async () => {
    const { team } = here;
    const invoke: FunctionProvider['invoke'] = ({ progress }) => {
      progress?.('half-done-marker');
      return Promise.resolve(progress === undefined ? 'nobody' : 'somebody');
    };
    const writ = await team.open({ functions: [provider({ invoke })] });
    // Somebody may watch from another process at any moment.
    expect(await team.run(writ, steps([OWN]), { amount: 1 })).toMatchObject({ output: 'somebody' });
    const heard: unknown[] = [];
    const stop = writ.onProgress((notice) => heard.push(notice));
    writ.onProgress(() => {
      throw new Error('a listener of somebody else');
    });
    const run = await team.run(writ, steps([OWN]), { amount: 1 });
    expect(run.output).toBe('somebody');
    expect(heard).toEqual([{ run: run.id, stepPath: 's1', text: 'half-done-marker' }]);
    stop();
    const rows = await team.stored((store) => store.entriesOfRun(run.id));
    expect(rows.map((row) => new TextDecoder().decode(row.bytes)).join('')).not.toContain('half-done-marker');
  });
});
