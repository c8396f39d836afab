// Labels and classification of data: who starts a run says what its input carries, the document and functions say more,
// and every step is judged with all of it by then. What nobody has said counts as the worst; a misspelt label is none.
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/json.js';
import type { FunctionProvider } from '../../src/runtime/ports.js';
import type { StartRequest, Writ } from '../../src/runtime/writ.js';
import { fail, refusalOf, states, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const TWO = 'functionId: "tool::test_two"';

/** Policies whose organisation has this `data`, and a rule that phi needs an approval where `asks`. */
function withData(data: Json, asks = false): string {
  return here.team.policiesWith('ceilings/org.yaml', (document) => {
    if (data !== null) document.setIn(['spec', 'data'], data);
    if (!asks) return;
    const rule = { match: { labels: ['phi'] }, minimum: 'sync', approverRoles: ['role:reviewer'] };
    document.addIn(['spec', 'approval', 'rules'], rule);
  });
}

const LABELS = { labelsAllowed: ['public', 'pii'] };
const UP_TO = { maxClassification: 'confidential' };

async function run(writ: Writ, text: string, data?: NonNullable<StartRequest['data']>) {
  const { team } = here;
  const said = data === undefined ? {} : { data };
  const request = { workflow: { text, file: null }, input: {}, ...said };
  return team.drive(writ, await writ.start(request, await team.as(writ, 'alice')));
}
const called = (): readonly string[] => here.team.functions.calls.map(({ functionId }) => functionId);

describe('data that nobody has said anything of', () => {
  it.each([
    ['labels', LABELS, { classification: 'public' }, 'data.labelsAllowed'],
    ['a classification', UP_TO, { labels: [] }, 'data.maxClassification'],
  ])('fits under no ceiling of %s: the step is refused and nothing ran', async (_, data, said, field) => {
    const { team } = here;
    const writ = await team.open({ policies: withData(data) });
    for (const start of [undefined, said]) {
      const view = await run(writ, steps([ONE]), start);
      expect(view).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'CEILING_DATA' } });
      const [composed] = await team.facts(view.id, 'ceiling.composed');
      expect(JSON.stringify(composed?.['layers'])).toContain(field);
    }
    expect(called()).toEqual([]);
  });

  it('meets every approval rule about labels', async () => {
    const writ = await here.team.open({ policies: withData(null, true) });
    expect((await run(writ, steps([ONE]))).status).toBe('waiting');
    expect((await run(writ, steps([ONE]), { labels: [] })).status).toBe('completed');
    expect((await run(writ, steps([ONE]), { labels: ['phi'] })).status).toBe('waiting');
  });
});

describe('a start that says what its input carries', () => {
  it('is judged by it in every layer, and the log tells it at the start and at each decision', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withData({ ...LABELS, ...UP_TO }) });
    const data = { labels: ['pii', 'pii'], classification: 'internal' };
    const view = await run(writ, steps([ONE, TWO]), data);
    expect(view.status).toBe('completed');
    const told = { labels: ['pii'], classification: 'internal' };
    expect((await team.facts(view.id, 'run.started'))[0]).toMatchObject({ data: told });
    expect(await team.facts(view.id, 'ceiling.composed')).toMatchObject([{ data: told }, { data: told }]);
  });

  it.each([
    ['a label that is not allowed', { labels: ['pii', 'phi'], classification: 'public' }],
    ['a classification above the ceiling', { labels: [], classification: 'restricted' }],
  ])('is refused with %s', async (_, data) => {
    const policies = withData({ ...LABELS, ...UP_TO }, true);
    const view = await run(await here.team.open({ policies }), steps([ONE]), data);
    expect(view).toMatchObject({ exitCode: 3, error: { code: 'CEILING_DATA' } });
    expect(called()).toEqual([]);
  });

  it('is held by the ceilings of the workflow, too', async () => {
    const own = 'ceilings: { data: { maxClassification: public } }\n';
    const writ = await here.team.open();
    expect((await run(writ, steps([ONE], own), { classification: 'public' })).status).toBe('completed');
    expect((await run(writ, steps([ONE], own), { classification: 'internal' })).exitCode).toBe(3);
  });

  it('with a label that no ceiling names, a misspelling, starts nothing', async () => {
    const writ = await here.team.open({ policies: withData(null, true) });
    for (const label of ['PHI', 'ph1']) {
      const refusal = await refusalOf(run(writ, steps([ONE]), { labels: [label] }));
      expect([refusal.code, refusal.hint]).toEqual(['INPUT_INVALID', expect.stringContaining('labels: phi')]);
    }
    for (const labels of [[''], ['a b'], ['-x'], ['x'.repeat(65)], [1 as never]]) {
      expect((await refusalOf(run(writ, steps([ONE]), { labels }))).code).toBe('USAGE');
    }
    expect((await refusalOf(run(writ, steps([ONE]), { classification: 'secret' }))).code).toBe('USAGE');
    expect(await writ.runs()).toEqual([]);
  });

  it('is another one than a start that says something else: neither goes on with the run of the other', async () => {
    const { team } = here;
    const writ = await team.open();
    const text = steps([ONE]);
    const alice = await team.as(writ, 'alice');
    const request = { workflow: { text, file: null }, input: {} };
    const id = await writ.start({ ...request, data: { labels: ['pii'] } }, alice);
    const other = await team.open();
    await writ.close();
    expect(await other.interrupted(request, alice)).toBeNull();
    expect(await other.interrupted({ ...request, data: { labels: [] } }, alice)).toBeNull();
    expect(await other.interrupted({ ...request, data: { labels: ['pii'] } }, alice)).toBe(id);
  });
});

describe('a document that says what its input carries', () => {
  const MINE = 'data: { labels: [pii], classification: internal }\n';
  const machine = (extra: JsonObject): string =>
    states(
      'A',
      { A: { type: 'Task', resource: 'tool::test_one', end: true, ...extra } },
      {
        data: { labels: ['pii'], classification: 'internal' },
      },
    );

  it('needs nothing more at the start, and a start can only add to it', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withData({ ...LABELS, ...UP_TO }, true) });
    for (const text of [steps([ONE], MINE), machine({})]) {
      expect((await run(writ, text)).status).toBe('completed');
      const both = await run(writ, text, { labels: ['public'], classification: 'public' });
      expect((await team.facts(both.id, 'run.started'))[0]).toMatchObject({
        data: { labels: ['pii', 'public'], classification: 'internal' },
      });
      expect((await run(writ, text, { labels: ['phi'] })).exitCode).toBe(3);
      expect((await run(writ, text, { classification: 'restricted' })).exitCode).toBe(3);
    }
  });

  it('is refused when it is checked, where its own labels do not fit or are none', async () => {
    const writ = await here.team.open({ policies: withData({ ...LABELS, ...UP_TO }, true) });
    const codes = async (text: string) => {
      const { diagnostics } = await writ.validate({ text, file: null });
      return diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code);
    };
    expect(await codes(steps([ONE]))).toEqual([]);
    expect(await codes(steps([ONE], 'data: { labels: [phi] }\n'))).toEqual(['DOC_CEILING_EXCEEDED']);
    expect(await codes(steps([ONE], 'data: { classification: restricted }\n'))).toEqual([
      'DOC_CEILING_EXCEEDED',
    ]);
    expect(await codes(steps([ONE], 'data: { labels: [PII] }\n'))).toContain('DOC_BAD_VALUE');
    expect(await codes(steps([`${ONE}, data: { labels: [PII] }`]))).toContain('DOC_BAD_VALUE');
    expect(await codes(machine({ data: { labels: ['PII'] } }))).toContain('DOC_BAD_VALUE');
    expect(await codes(steps([ONE], 'data: { labels: pii }\n'))).toContain('DOC_WRONG_TYPE');
    expect(await codes(steps([ONE], 'data: { classification: secret }\n'))).not.toEqual([]);
    expect(await codes(steps([ONE], 'data: { label: [pii] }\n'))).toContain('DOC_UNKNOWN_FIELD');
  });
});

describe('what a step gives', () => {
  const KNOWN = { labels: ['pii'], classification: 'internal' } as const;

  it('is carried by everything after it: the next step is judged with more, and the run never forgets', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withData(LABELS, true) });
    const view = await run(writ, steps([`${ONE}, data: { labels: [phi] }`, TWO]), KNOWN);
    expect(view).toMatchObject({ exitCode: 3, error: { code: 'CEILING_DATA' } });
    expect(called()).toEqual(['tool::test_one']);
    expect(await team.facts(view.id, 'ceiling.composed')).toMatchObject([
      { stepPath: 's1', data: { labels: ['pii'] } },
      { stepPath: 's2', data: { labels: ['phi', 'pii'] } },
    ]);
    // Under policies that allow it the run goes on from there with all its labels.
    const wider = await team.open({ policies: withData({ labelsAllowed: ['public', 'pii', 'phi'] }, true) });
    await wider.redrive(view.id, await team.as(wider, 'alice'));
    expect((await team.drive(wider, view.id)).status).toBe('waiting');
    await team.approve(wider, await team.pending(wider, view.id));
    expect((await team.drive(wider, view.id)).status).toBe('completed');
    expect((await team.facts(view.id, 'ceiling.composed')).at(-1)).toMatchObject({
      data: { labels: ['phi', 'pii'], classification: 'internal' },
    });
  });

  it('is carried by what is said of its failure, too', async () => {
    const { team } = here;
    team.functions.answer('tool::test_one', fail());
    const writ = await team.open({ policies: withData(UP_TO) });
    const failing = `${ONE}, errorMode: skip, data: { classification: restricted }`;
    expect(await run(writ, steps([failing, TWO]), KNOWN)).toMatchObject({ exitCode: 3 });
    expect(called()).toEqual(['tool::test_one']);
  });

  it('does not lower anything, and makes nothing known that was not', async () => {
    const writ = await here.team.open({ policies: withData(UP_TO) });
    const low = `${ONE}, data: { labels: [], classification: public }`;
    expect((await run(writ, steps([low, TWO]), { classification: 'restricted' })).exitCode).toBe(3);
    expect((await run(writ, steps([low, TWO]))).exitCode).toBe(3);
    expect(called()).toEqual([]);
  });

  it('holds after a restart of the process', async () => {
    const { team } = here;
    const policies = withData({ labelsAllowed: ['pii', 'phi'] }, true);
    const first = await team.open({ policies });
    const text = steps([`${ONE}, data: { labels: [phi] }`, TWO]);
    const { id, status } = await run(first, text, KNOWN);
    expect(status).toBe('waiting');
    await first.close();
    const second = await team.open({ policies });
    await team.approve(second, await team.pending(second, id));
    expect((await team.drive(second, id)).status).toBe('completed');
  });

  it('is what its function says, without a word in the document', async () => {
    const { team } = here;
    const reading: FunctionProvider = {
      functionIds: ['tool::test_records'],
      reach: async () => ({
        ...{ network: [], credentials: [], tools: [] },
        returns: [
          { labels: ['phi'], classification: null },
          { labels: null, classification: 'restricted' },
        ],
      }),
      invoke: async () => 'a record',
    };
    const policies = withData({ ...UP_TO, labelsAllowed: ['phi', 'pii'] });
    const writ = await team.open({ policies, functions: [team.functions, reading] });
    const text = steps(['functionId: "tool::test_records"', ONE]);
    expect(await run(writ, text, KNOWN)).toMatchObject({ exitCode: 3, error: { code: 'CEILING_DATA' } });
    expect(called()).toEqual([]);
    const alone = steps(['functionId: "tool::test_records"']);
    expect((await run(writ, alone, KNOWN)).status).toBe('completed');
    // A word of the function's that no ceiling knows runs nothing either.
    const narrow = await team.open({ policies: withData(LABELS), functions: [team.functions, reading] });
    expect(await run(narrow, alone, KNOWN)).toMatchObject({ exitCode: 3, error: { code: 'CEILING_DATA' } });
  });

  it('is part of a plan before anything runs', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withData(LABELS, true) });
    const text = steps([`${ONE}, data: { labels: [phi] }`, TWO]);
    const ask = { workflow: { text, file: null }, input: {}, data: KNOWN };
    const { steps: planned, exitCode } = await writ.plan(ask, await team.as(writ, 'alice'));
    expect(planned.map(({ call }) => [call?.verdict, call?.data?.labels])).toEqual([
      ['allow', ['pii']],
      ['deny', ['phi', 'pii']],
    ]);
    expect(exitCode).toBe(3);
  });
});

describe('an approval', () => {
  it('shows what the data carries and is bound to it: more of it, and it has to be asked for again', async () => {
    const { team } = here;
    const writ = await team.open();
    const wait = (step: string) => `${step}, mode: fanout`;
    const text = steps([wait(`${ONE}, approval: async`), wait(`${TWO}, data: { labels: [phi] }`)]);
    const view = await run(writ, text, { labels: ['pii'] });
    expect(view.status).toBe('waiting');
    const first = await team.pending(writ, view.id);
    const { display } = await writ.approval(first.id);
    expect(display.join('\n')).toContain('data:');
    expect(display.join('\n')).toContain('- "pii"');
    await team.approve(writ, first);
    const after = await team.drive(writ, view.id);
    // What was approved was the call with what the run had carried until then.
    const labels = (await team.facts(view.id, 'ceiling.composed')).map(
      ({ data }) => (data as JsonObject)['labels'],
    );
    expect(labels).toContainEqual(['pii']);
    expect(after.status).toBe('waiting');
    const second = await team.pending(writ, view.id);
    expect(second.subjectDigest).not.toBe(first.subjectDigest);
    expect((await writ.approval(second.id)).display.join('\n')).toContain('- "phi"');
    expect(called()).toEqual(['tool::test_two']);
    await team.approve(writ, second);
    expect((await team.drive(writ, view.id)).status).toBe('completed');
  });
});
