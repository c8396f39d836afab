// What a runner says of a document: everything in one pass, also where one step can't be read, and who acts in it.
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/json.js';
import { refusalOf, states, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';

async function told(text: string) {
  const writ = await here.team.open();
  const { diagnostics } = await writ.validate({ text, file: null });
  return diagnostics;
}

async function findings(text: string): Promise<readonly string[]> {
  return (await told(text)).map(({ code, path }) => `${code} ${path}`);
}

describe('a document with a step that can not be read', () => {
  it.each([
    ['config: {x: "{{#if a}} {{b"}', 'DOC_TEMPLATE steps[0].config.x'],
    ['condition: "a = 1"', 'DOC_EXPRESSION steps[0].condition'],
    ['conditon: "a == 1"', 'DOC_UNKNOWN_FIELD steps[0].conditon'],
    ['mode: conditional', 'DOC_MISSING_FIELD steps[0]'],
    ['timeoutMs: never', 'DOC_WRONG_TYPE steps[0].timeoutMs'],
    ['timeoutMs: 99999999', 'DOC_BAD_VALUE steps[0].timeoutMs'],
    ['sandbox: {driver: chroot}', 'DOC_BAD_VALUE steps[0].sandbox.driver'],
  ])('by %s is told what the ceilings say of the other steps', async (line, finding) => {
    const over = `${ONE}, timeoutMs: 80000000`;
    expect(await findings(steps([`${ONE}, ${line}`, over]))).toEqual([
      finding,
      'DOC_CEILING_EXCEEDED steps[1].timeoutMs',
    ]);
  });

  it('by its template is told what the ceilings say of it, too', async () => {
    expect(await findings(steps([`${ONE}, config: {x: "{{a"}, timeoutMs: 80000000`]))).toEqual([
      'DOC_TEMPLATE steps[0].config.x',
      'DOC_CEILING_EXCEEDED steps[0].timeoutMs',
    ]);
  });

  it('is told what its own ceilings say, once, and all of it without a name', async () => {
    const wide = 'ceilings: {limits: {timeoutMs: 80000000}}\n';
    const broken = [`${ONE}, config: {x: "{{a"}`];
    const expected = ['DOC_CEILING_EXCEEDED ceilings.limits.timeoutMs', 'DOC_TEMPLATE steps[0].config.x'];
    expect(await findings(steps(broken, wide))).toEqual(expected);
    const nameless = steps(broken, wide).replace('id: test-steps\n', '');
    expect(await findings(nameless)).toEqual(['DOC_MISSING_FIELD ', ...expected]);
    expect(await findings(steps(broken, 'ceilings: [7]\n'))).toEqual([
      'DOC_WRONG_TYPE ceilings',
      'DOC_TEMPLATE steps[0].config.x',
    ]);
  });

  it('is told its findings whatever its fields hold: no check trips over a value that the schema refuses', async () => {
    const fields =
      'name functionId mode errorMode promptTemplate config timeoutMs maxRetries retry outputVar condition maxIterations until onExhausted items concurrency agent approval sandbox data idempotent';
    const values = [
      'null',
      '-1',
      '1e300',
      'true',
      '""',
      '"{{"',
      '[[]]',
      '{}',
      '{mode: [], driver: 7, limits: {cpus: x}}',
    ];
    const heads = [
      '',
      'data: 7\n',
      'ceilings: {limits: 7}\n',
      'timeoutMs: -1\n',
      'onMissing: 7\n',
      'inputs: 7\n',
    ];
    const writ = await here.team.open();
    for (const [index, field] of fields.split(' ').entries()) {
      for (const mode of ['sequential', 'fanout', 'loop'])
        for (const value of values) {
          const rest = ['name: B', ONE, `mode: ${mode}`].filter((line) => !line.startsWith(`${field}:`));
          const step = [...rest, `${field}: ${value}`].join(', ');
          const head = heads[index % heads.length] ?? '';
          const text = `id: w\n${head}steps: [{name: A, ${ONE}}, {${step}}, {name: A, ${ONE}, timeoutMs: 80000000}]`;
          const { ok } = await writ.validate({ text, file: null });
          expect(ok, text).toBe(false);
        }
    }
  });

  it('with more errors than are shown is told so behind them, not before', async () => {
    const many = Array.from({ length: 201 }, () => `${ONE}, config: {x: "{{a"}`);
    const all = await findings(steps([...many, `${ONE}, timeoutMs: 80000000`]));
    expect(all).toHaveLength(201);
    expect(all.slice(-2)).toEqual(['DOC_TEMPLATE steps[199].config.x', 'DOC_INVALID ']);
  });

  it.each(['timeoutMs: -1', 'timeoutMs: 1e300', 'sandbox: {limits: {timeoutMs: -5}}'])(
    'HOLE: nothing was told, but a ceiling that could not be read, with 201 errors before %s',
    async (line) => {
      const many = Array.from({ length: 201 }, () => `${ONE}, errorMode: x`);
      const all = await findings(steps([...many, `${ONE}, ${line}`]));
      expect(all).toHaveLength(201);
      expect(all.slice(-2)).toEqual(['DOC_BAD_VALUE steps[199].errorMode', 'DOC_INVALID ']);
    },
  );

  it('is not told of agents that nobody named where the list of them is the fault', async () => {
    for (const agents of ['claims-triage', '[7]']) {
      const found = await findings(`id: w\nagents: ${agents}\nsteps: [{name: A, ${ONE}}]`);
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(/^DOC_WRONG_TYPE agents/);
    }
  });

  it('HOLE: a thousand names of agents, each like a thousand others, held the process for ten seconds', async () => {
    const names = Array.from({ length: 1_000 }, (_, n) => `"agent-${n}-of-the-claims-department"`);
    const text = `id: w\nagents: [${names.join(', ')}]\nsteps: [${names
      .map((name, n) => `{name: S${n}, ${ONE}, agent: ${name.replace('department', 'depratment')}}`)
      .join(', ')}]`;
    const strange = (await told(text)).filter(({ code }) => code === 'DOC_UNKNOWN_NAME');
    expect(strange).toHaveLength(20);
    expect(strange[0]?.hint).toBe('did you mean "agent-0-of-the-claims-department"?');
  });

  it('is refused with the first hint and where the others are', async () => {
    const writ = await here.team.open();
    const hintFor = async (...lines: string[]) => (await refusalOf(here.team.start(writ, steps(lines)))).hint;
    const typo = `${ONE}, errorMode: fial`;
    expect(await hintFor(typo)).toBe('did you mean "fail"?');
    expect(await hintFor(typo, typo)).toBe(
      'did you mean "fail"?; see every finding: they are in details.diagnostics',
    );
  });
});

describe('a state machine with a state that can not be read', () => {
  const task = { type: 'Task', resource: 'tool::test_one', end: true };

  it.each([
    ['next', { type: 'Pass', next: 'Nowhere' }, 'DOC_UNKNOWN_STATE spec.states.A.next'],
    ['a path', { ...task, inputPath: 'a b' }, 'DOC_EXPRESSION spec.states.A.inputPath'],
    ['a field', { ...task, resorce: 'x' }, 'DOC_UNKNOWN_FIELD spec.states.A.resorce'],
    ['a wrong type', { ...task, timeoutSeconds: [] }, 'DOC_WRONG_TYPE spec.states.A.timeoutSeconds'],
    ['no type', { end: true }, 'DOC_MISSING_FIELD spec.states.A'],
    ['a wait for nothing', { type: 'Wait', end: true }, 'DOC_BAD_VALUE spec.states.A'],
  ])('by %s is told what the ceilings and packages say of the other states', async (_, state, finding) => {
    const over = { ...task, timeoutSeconds: 80_000 };
    const unknown = {
      type: 'Task',
      agent: `ghcr.io/bank/no-such@sha256:${'b1'.repeat(32)}`,
      end: true,
    };
    const inner = { startAt: 'C', states: { C: over } };
    const branch = (next: string) => ({ condition: '{% true %}', next });
    const all = {
      S: { type: 'Choice', queryLanguage: 'JSONata', choices: [branch('A'), branch('D')], default: 'E' },
      A: state,
      D: { type: 'Parallel', branches: [inner], end: true },
      E: unknown,
    };
    const errors = (await told(states('S', all))).filter(({ severity }) => severity === 'error');
    const found = errors.map(({ code, path }) => `${code} ${path}`);
    expect(found).toContain(finding);
    expect(found).toContain('DOC_CEILING_EXCEEDED spec.states.D.branches[0].states.C.timeoutSeconds');
    expect(found).toContain('DOC_AGENT_UNRESOLVED spec.states.E.agent');
  });

  it('has no plan, is not registered, and nothing of it runs', async () => {
    const writ = await here.team.open();
    const text = states('A', { A: { ...task, next: 'Nowhere', end: false } });
    const by = await here.team.as(writ, 'alice');
    const refused = await refusalOf(
      writ.start({ workflow: { text, file: null }, input: {}, agents: {} }, by),
    );
    expect(refused.code).toBe('DOC_INVALID');
    expect(await writ.workflows()).toEqual([]);
    expect(here.team.functions.calls).toEqual([]);
  });

  it('is told its findings whatever its fields hold: no check trips over a value that the schema refuses', async () => {
    const fields =
      'type resource agent human parameters arguments inputPath resultPath resultSelector outputPath output assign retry catch timeoutSeconds heartbeatSeconds credentials approval sandbox data idempotent next end choices branches itemProcessor seconds queryLanguage';
    const values = [
      null,
      -1,
      1e300,
      true,
      '',
      '{% x',
      [[]],
      {},
      { mode: [], driver: 7, limits: { cpus: 'x' } },
    ];
    const writ = await here.team.open();
    for (const field of fields.split(' '))
      for (const type of ['Task', 'Map', 'Parallel', 'Choice', 'Wait'])
        for (const value of values) {
          const state = { type, resource: 'tool::test_one', end: true, [field]: value };
          const text = states(
            'A',
            { A: state, B: { ...task, timeoutSeconds: 80_000 } },
            { timeoutSeconds: -1 },
          );
          const { ok } = await writ.validate({ text, file: null });
          expect(ok, text).toBe(false);
        }
  });
});

describe('an input', () => {
  const nested = (levels: number): Json => JSON.parse(`${'['.repeat(levels)}1${']'.repeat(levels)}`) as Json;

  it.each([
    ['steps', steps([ONE, ONE])],
    ['states', states('A', { A: { type: 'Task', resource: 'tool::test_one', end: true } })],
  ])('nested deeper than a run holds is refused at the start of %s, not in the middle', async (_, text) => {
    const writ = await here.team.open();
    const by = await here.team.as(writ, 'alice');
    const start = (levels: number) =>
      writ.start({ workflow: { text, file: null }, input: nested(levels), agents: {} }, by);
    for (const levels of [61, 62, 63, 64, 65])
      expect((await refusalOf(start(levels))).code).toBe('INPUT_INVALID');
    expect(await writ.runs()).toEqual([]);
    const run = await start(60);
    expect(await here.team.drive(writ, run)).toMatchObject({ status: 'completed' });
  });
});

describe('who acts in a step', () => {
  const nobody = (lines: readonly string[]) => steps(lines).replace('agents: [claims-triage]\n', '');

  it('is told where it is nobody, once, with what to write', async () => {
    const own = `${ONE}, agent: claims-triage`;
    expect(await told(nobody([own, ONE, ONE, ONE]))).toMatchObject([
      {
        code: 'DOC_MISSING_FIELD',
        severity: 'warning',
        path: 'steps[1]',
        message: 'no agent acts in "s2" (nor in 2 more): it is denied, unless the start of a run names one',
        hint: "write agents: [NAME] beside steps, or agent: NAME in the step; for one run: --agent '*=NAME' (agentId of trigger)",
      },
    ]);
    expect(await told(nobody([own]))).toEqual([]);
    expect(await told(steps([ONE]))).toEqual([]);
  });

  it('is told where it is all but spelled like an agent that is known', async () => {
    const hints = async (text: string) => (await told(text)).map(({ hint, path }) => `${path} ${hint ?? ''}`);
    const step = (agent: string) => `${ONE}, agent: ${agent}`;
    const near = 'did you mean "claims-triage"?';
    expect(await hints(nobody([step('claim-triage')]))).toEqual([`steps[0].agent ${near}`]);
    expect(await hints(nobody([step('"agent:claims-triag"')]))).toEqual([`steps[0].agent ${near}`]);
    const roles = steps([step('codr'), step('coder'), step('archivist')]);
    expect(await hints(roles.replace('[claims-triage]', '[coder]'))).toEqual([
      'steps[0].agent did you mean "coder"?',
    ]);
    expect(await hints(nobody([step('claims-triage'), step('somebody-else')]))).toEqual([]);
    const again = await told(
      nobody([step('claim-triage'), ONE, step('"agent:claim-triage"'), step('claim-triage')]),
    );
    expect(again.map(({ path, message }) => `${path} ${message}`)).toEqual([
      'steps[0].agent "s1" (and in 2 more): neither the workflow nor a policy file knows the agent "claim-triage"',
      expect.stringMatching(/^steps\[1\] no agent acts/),
    ]);
  });

  it('is what a plan says first of a step in which nobody does, whatever policy says of it', async () => {
    const writ = await here.team.open();
    const text = nobody([`${ONE}, approval: {mode: sync, approverRoles: [role:admin]}`]);
    const by = await here.team.as(writ, 'alice');
    const plan = await writ.plan({ workflow: { text, file: null }, input: undefined }, by);
    expect(plan).toMatchObject({ verdict: 'deny', exitCode: 3 });
    expect(plan.steps[0]?.call?.problem).toMatchObject({
      code: 'POLICY_REQUEST_INVALID',
      message: '"s1" has no acting agent',
      hint: expect.stringContaining('agents: [NAME]'),
    });
  });
});
