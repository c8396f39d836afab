// A plan says what the guard then does, step by step, and leaves nothing behind: no run, no entry, no call.
import { describe, expect, it } from 'vitest';
import { WritError } from '../../src/errors.js';
import type { Json } from '../../src/json.js';
import type { PlannedCall, RunPlan } from '../../src/runtime/plan/run-plan.js';
import type { FunctionProvider } from '../../src/runtime/ports.js';
import type { Writ } from '../../src/runtime/writ.js';
import { AGENT_REFERENCE, FakeSandbox, refusalOf, states, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const TWO = 'functionId: "tool::test_two"';

const planOf = async (
  writ: Writ,
  text: string,
  {
    input = {},
    by = 'alice',
    agents = {},
  }: { input?: Json | null; by?: string; agents?: Record<string, string> } = {},
): Promise<RunPlan> =>
  writ.plan(
    { workflow: { text, file: null }, input: input === null ? undefined : input, agents },
    await here.team.as(writ, by),
  );

function callOf(plan: RunPlan, key: string): PlannedCall {
  const call = plan.steps.find((step) => step.key === key)?.call;
  if (call == null) throw new Error(`no call of ${key} in the plan`);
  return call;
}

describe('a plan', () => {
  it('leaves nothing: no call, no run, no workflow, no entry', async () => {
    const { team } = here;
    const writ = await team.open();
    const before = await team.entries(null);
    await planOf(writ, steps([ONE, TWO]));
    await planOf(writ, steps([`${ONE}, agent: stranger`]), { by: 'audrey' });
    expect(team.functions.calls).toEqual([]);
    expect(await writ.runs()).toEqual([]);
    expect(await writ.workflows()).toEqual([]);
    expect(await team.entries(null)).toEqual(before);
  });

  it.each([
    ['a step that may run', steps([ONE]), 'allow', 0, 'completed'],
    ['an agent without the right', steps([ONE, `${TWO}, agent: stranger`]), 'deny', 3, 'failed'],
    ['a function nobody may call', steps(['functionId: "tool::raw_disk"']), 'deny', 3, 'failed'],
    ['a step that asks for approval', steps([`${ONE}, approval: sync`]), 'needs_approval', 0, 'waiting'],
    [
      'an approval that nobody can give',
      steps([`${ONE}, approval: { mode: sync, approverRoles: ["role:nobody"] }`]),
      'deny',
      3,
      'failed',
    ],
    [
      'a request that is no module',
      steps(['functionId: "tool::wasm", config: { module: 7 }']),
      'error',
      1,
      'failed',
    ],
    [
      'a name that the input does not have',
      steps([`${ONE}, config: { x: "{{input.claim.id}}" }`]),
      'error',
      1,
      'failed',
    ],
  ] as const)('says of %s what then becomes of the run', async (_, text, verdict, exitCode, status) => {
    const { team } = here;
    const writ = await team.open({ sandbox: new FakeSandbox() });
    const plan = await planOf(writ, text);
    expect(plan).toMatchObject({ verdict, exitCode });
    const run = await team.run(writ, text);
    expect(run.status).toBe(status);
    if (status === 'failed') {
      const problem = plan.steps.find((step) => step.call?.problem != null)?.call?.problem;
      expect(run.error?.code).toBe(problem?.code);
      expect(run.exitCode).toBe(exitCode);
    }
  });

  it('names rule and role path for initiator and agent, every layer, and who acts', async () => {
    const { team } = here;
    const writ = await team.open();
    const plan = await planOf(
      writ,
      steps([ONE], 'ceilings: { limits: { timeoutMs: 5000 }, clamp: [timeoutMs] }\n'),
    );
    expect(plan.start).toMatchObject({ subject: 'user:alice', problem: null, ruleId: 'TEST-3' });
    const call = callOf(plan, 's1');
    expect(call.principal).toBe('agent:claims-triage');
    expect(call.rules).toMatchObject([
      { subject: 'user:alice', ruleId: 'TEST-1', effect: 'allow', rolePath: ['user:alice', 'role:adjuster'] },
      { subject: 'agent:claims-triage', ruleId: 'TEST-2', effect: 'allow' },
    ]);
    expect(call.ceilings.map(({ layer, ok }) => [layer, ok])).toEqual([
      ['org', true],
      ['environment', true],
      ['tenant', true],
      ['workflow', true],
      ['agent', true],
      ['step', true],
    ]);
    expect(call.limits).toContainEqual({
      name: 'timeoutMs',
      value: 5000,
      from: 'ceiling test-steps (workflow)',
    });
  });

  it('tells a ceiling that refuses as a denial, with layer and field, and not as a faulty document', async () => {
    const { team } = here;
    const writ = await team.open();
    const text = steps([`${ONE}, timeoutMs: 9000`], 'ceilings: { limits: { timeoutMs: 5000 } }\n');
    await expect(team.start(writ, text)).rejects.toMatchObject({ code: 'DOC_INVALID', exitCode: 2 });
    const plan = await planOf(writ, text);
    expect(plan).toMatchObject({ verdict: 'deny', exitCode: 3 });
    const call = callOf(plan, 's1');
    expect(call.problem?.code).toBe('CEILING_LIMITS');
    expect(call.ceilings).toContainEqual(
      expect.objectContaining({ layer: 'workflow', ok: false, field: 'limits.timeoutMs', requested: '9000' }),
    );
  });

  it('tells whoever may not start the run so, and what each step would be nevertheless', async () => {
    const { team } = here;
    const writ = await team.open();
    const plan = await planOf(writ, steps([ONE]), { by: 'audrey' });
    expect(plan).toMatchObject({
      verdict: 'deny',
      exitCode: 3,
      start: { subject: 'user:audrey', effect: 'none', problem: { code: 'POLICY_NO_MATCH' } },
    });
    expect(plan.steps).toHaveLength(1);
  });

  it('maps roles to instances as the run will', async () => {
    const { team } = here;
    const writ = await team.open();
    const plan = await planOf(writ, steps([ONE]), { agents: { 'claims-triage': 'stranger' } });
    expect(callOf(plan, 's1')).toMatchObject({ principal: 'agent:stranger', verdict: 'deny' });
    const error = await refusalOf(planOf(writ, steps([ONE]), { agents: { reviewer: 'x' } }));
    expect(error).toMatchObject({ code: 'USAGE', exitCode: 2 });
  });

  it('knows what the input says, and names what only the run can say', async () => {
    const { team } = here;
    const writ = await team.open();
    const text = steps([
      `${ONE}, config: { claim: "{{input.claim}}" }, outputVar: score`,
      `${TWO}, config: { score: "{{score.value}}", of: "{{claim.id}}" }`,
      `${ONE}, mode: fanout, items: "{{input.list}}", concurrency: 2, config: { one: "{{item}}" }`,
      `${TWO}, mode: conditional, condition: "{{input.claim.id}} == 'C-1'"`,
      `${TWO}, mode: conditional, condition: "{{score.value}} > 3"`,
      `${ONE}, mode: loop, maxIterations: 4, until: done, config: { round: "{{maxIterations}}" }`,
    ]);
    const input = { claim: { id: 'C-1' }, list: [1, 2, 3] };
    const { steps: planned } = await planOf(writ, text, { input });
    expect(planned.map(({ order, mode }) => [order, mode])).toEqual([
      [1, 'sequential'],
      [2, 'sequential'],
      [3, 'fanout'],
      [4, 'conditional'],
      [5, 'conditional'],
      [6, 'loop'],
    ]);
    expect(planned.map(({ call }) => call?.needs)).toEqual([[], ['score'], ['item'], [], [], []]);
    expect(planned.map(({ conditionHolds }) => conditionHolds)).toEqual([true, true, true, true, null, true]);
    expect(planned[2]).toMatchObject({ itemCount: 3, map: { concurrency: 2 } });
    expect(planned[5]).toMatchObject({ loop: { maxIterations: 4 } });

    const blind = await planOf(writ, text, { input: null });
    expect(blind.inputIsKnown).toBe(false);
    expect(blind.steps.map(({ call }) => call?.needs)).toEqual([
      ['input'],
      ['claim', 'score'],
      ['item'],
      [],
      [],
      [],
    ]);
    expect(blind.steps[2]?.itemCount).toBeNull();
    expect(blind.steps[3]?.conditionHolds).toBeNull();
  });

  it('lists the members of a fanout group under one key', async () => {
    const { team } = here;
    const writ = await team.open();
    const plan = await planOf(
      writ,
      steps([`${ONE}, mode: fanout, items: [1, 2]`, `${TWO}, mode: fanout`, `${TWO}, mode: collect`]),
    );
    expect(plan.steps.map(({ key, mode, group, itemCount }) => [key, mode, group, itemCount])).toEqual([
      ['s1', 'fanout', 'group:s1', 2],
      ['s2', 'fanout', 'group:s1', null],
      ['s3', 'collect', null, null],
    ]);
    expect(callOf(plan, 's3').needs).toEqual(['fanout']);
  });

  it('goes through the states of dialect 2, choices and all, each once', async () => {
    const { team } = here;
    const writ = await team.open({ sandbox: new FakeSandbox() });
    const plan = await planOf(
      writ,
      states('Score', {
        Score: { type: 'Task', agent: AGENT_REFERENCE, next: 'Ways' },
        Ways: {
          type: 'Choice',
          choices: [{ variable: '$.risk', stringEquals: 'low', next: 'Done' }],
          default: 'Again',
        },
        Again: { type: 'Task', agent: AGENT_REFERENCE, inputPath: '$.claim', next: 'Ways' },
        Done: { type: 'Succeed' },
      }),
      { input: { claim: 1 } },
    );
    expect(plan.steps.map(({ key, kind }) => [key, kind])).toEqual([
      ['Score', 'task'],
      ['Ways', 'choice'],
      ['Done', 'succeed'],
      ['Again', 'task'],
    ]);
    expect(plan.steps.map(({ call }) => call?.needs)).toEqual([[], undefined, undefined, ['state input']]);
    expect(callOf(plan, 'Score')).toMatchObject({
      principal: 'agent:claims-triage',
      action: 'agent.invoke',
      sandbox: { driver: 'wasm' },
    });
  });

  it('asks a function what the call would reach, as far as its request is known', async () => {
    const { team } = here;
    const reached: Json[] = [];
    const provider: FunctionProvider = {
      functionIds: ['tool::test_one', 'tool::test_two'],
      async reach(functionId, input) {
        reached.push(input);
        if (functionId === 'tool::test_two') {
          throw new WritError('FUNCTION_UNAVAILABLE', 'no key is configured for it', {
            hint: 'writ secrets set',
          });
        }
        return { network: ['api.example:443'], credentials: ['api-key'], tools: [] };
      },
      invoke: () => Promise.reject(new Error('a plan runs nothing')),
    };
    const writ = await team.open({ functions: [provider] });
    const text = steps([
      `${ONE}, config: { at: "{{input.at}}" }`,
      `${ONE}, config: { at: "{{s1.at}}" }`,
      TWO,
    ]);
    const plan = await planOf(writ, text, { input: { at: 'here' } });
    expect(reached).toEqual([{ at: 'here' }, { at: '{{s1.at}}' }, {}]);
    expect(callOf(plan, 's1').reach).toMatchObject({
      network: ['api.example:443'],
      credentials: ['api-key'],
    });
    // The shipped ceiling allows no network: the plan says so before anything runs.
    expect(callOf(plan, 's1')).toMatchObject({ verdict: 'deny', problem: { code: 'CEILING_NETWORK' } });
    expect(callOf(plan, 's3')).toMatchObject({
      verdict: 'error',
      reach: null,
      problem: { code: 'FUNCTION_UNAVAILABLE' },
    });
  });

  it('says that a form or a task token is waited for, for how long and of whom, as the task then has it', async () => {
    const { team } = here;
    const writ = await team.open();
    const human = { form: { type: 'object' }, approverRoles: ['role:reviewer'] };
    const call = { resource: 'tool::test_one.waitForTaskToken', parameters: { 'token.$': '$$.Task.Token' } };
    const cases: readonly (readonly [Record<string, Json>, PlannedCall['waits']])[] = [
      [{ human }, { for: 'form', withinMs: 3_600_000, roles: ['role:reviewer'] }],
      [
        { human: { ...human, expiresSeconds: 7_200 } },
        { for: 'form', withinMs: 7_200_000, roles: ['role:reviewer'] },
      ],
      [
        { human, timeoutSeconds: 60 },
        { for: 'form', withinMs: 60_000, roles: ['role:reviewer'] },
      ],
      [
        { ...call, timeoutSeconds: 300 },
        { for: 'token', withinMs: 300_000, roles: [] },
      ],
    ];
    for (const [fields, waits] of cases) {
      const text = states('Ask', { Ask: { type: 'Task', end: true, ...fields } });
      const planned = callOf(await planOf(writ, text), 'Ask');
      expect(planned.waits).toEqual(waits);
      expect(planned.limits.some(({ name }) => name === 'timeoutMs')).toBe(waits?.for === 'token');
      const waiting = await team.run(writ, text);
      const [task] = await team.stored((store) => store.tasks({ run: waiting.id }));
      expect((task?.expiresAtMs ?? 0) - (task?.createdAtMs ?? 0)).toBe(waits?.withinMs);
    }
    const plain = await planOf(writ, steps([ONE]));
    expect(callOf(plain, 's1').waits).toBeNull();
  });

  it('refuses a faulty document and an input that does not fit', async () => {
    const { team } = here;
    const writ = await team.open();
    await expect(planOf(writ, 'id: x\nstpes: []\n')).rejects.toMatchObject({ code: 'DOC_INVALID' });
    const inputs = 'inputs: { type: object, required: [claim] }\n';
    const error = await refusalOf(planOf(writ, steps([ONE], inputs), { input: {} }));
    expect(error).toMatchObject({ code: 'INPUT_INVALID', exitCode: 2 });
    expect((await planOf(writ, steps([ONE], inputs), { input: null })).verdict).toBe('allow');
  });
});
