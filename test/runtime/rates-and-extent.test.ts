// How often and how far: rates of calls, and limits on how wide, deep and often repeated a workflow makes its steps. Both
// are judged before anything runs, and the refusal names the layer and the field.
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/json.js';
import { fail, states, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const TWO = 'functionId: "tool::test_two"';

function withCeiling(field: string, value: Json): string {
  return here.team.policiesWith('ceilings/org.yaml', (document) => {
    document.setIn(['spec', ...field.split('.')], value);
  });
}

/** The refused rows of the last decision. */
async function refused(run: string): Promise<unknown> {
  const layers = (await here.team.facts(run, 'ceiling.composed')).at(-1)?.['layers'] as { ok: boolean }[];
  return layers.filter(({ ok }) => !ok);
}

describe('a rate of a ceiling', () => {
  const rate = (count: number, match = 'tool::test_*') => [{ match, count, perSeconds: 60 }];

  it('lets so many calls run, in whatever runs they are, and refuses the next before its intent', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withCeiling('rates', rate(2)) });
    expect((await team.run(writ, steps([ONE]))).status).toBe('completed');
    const run = await team.run(writ, steps([ONE, `${TWO}, errorMode: skip`]));
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'CEILING_RATES' } });
    expect(team.functions.calls).toHaveLength(2);
    expect(await team.facts(run.id, 'step.intended')).toHaveLength(1);
    expect(await refused(run.id)).toMatchObject([
      {
        ...{ layer: 'org', name: 'org-default', field: 'rates' },
        ...{ limit: '2 in 60 s of tool::test_*', requested: 'one more, 30.000 s too early' },
      },
    ]);
  });

  it('has room again when the time has gone, also for a process that starts later', async () => {
    const { team } = here;
    const policies = withCeiling('rates', rate(1));
    const writ = await team.open({ policies });
    expect((await team.run(writ, steps([ONE]))).status).toBe('completed');
    await writ.close();
    const again = await team.open({ policies });
    expect((await team.run(again, steps([ONE]))).error?.code).toBe('CEILING_RATES');
    team.clock.advance(59_999);
    expect((await team.run(again, steps([ONE]))).error?.code).toBe('CEILING_RATES');
    team.clock.advance(1);
    expect((await team.run(again, steps([ONE]))).status).toBe('completed');
  });

  it('counts what it matches and nothing else, calls that fail too, and each layer has a bucket of its own', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withCeiling('rates', rate(3, 'tool::test_one')) });
    team.functions.answer('tool::test_one', fail('STEP_FAILED'));
    const skipped = `${ONE}, errorMode: skip`;
    expect((await team.run(writ, steps([skipped, skipped, skipped]))).status).toBe('completed');
    expect((await team.run(writ, steps([TWO, TWO, TWO, TWO]))).status).toBe('completed');
    expect((await team.run(writ, steps([ONE]))).error?.code).toBe('CEILING_RATES');
    const own = `ceilings: ${JSON.stringify({ rates: rate(1, 'tool::test_two') })}\n`;
    const run = await team.run(writ, steps([TWO, TWO], own));
    expect(run.error?.code).toBe('CEILING_RATES');
    expect(await refused(run.id)).toMatchObject([
      { layer: 'workflow', limit: '1 in 60 s of tool::test_two' },
    ]);
  });

  it('of zero refuses at once and says so beforehand', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withCeiling('rates', rate(0)) });
    await expect(team.run(writ, steps([ONE]))).rejects.toMatchObject({ code: 'DOC_INVALID' });
    expect(team.functions.calls).toHaveLength(0);
  });
});

describe('the extent of a workflow under a ceiling', () => {
  it.each([
    ['fanoutWidth', 2, 1, [`${ONE}, mode: fanout`, `${TWO}, mode: fanout`]],
    ['loopIterations', 3, 2, [`${ONE}, mode: loop, maxIterations: 3`]],
    ['retries', 2, 1, [`${ONE}, errorMode: retry, maxRetries: 2`]],
    ['depth', 2, 1, [`${ONE}, mode: fanout`, `${TWO}, mode: fanout`]],
  ])(
    'refuses %s %i above %i before anything runs, and takes what is at the limit',
    async (name, asked, limit, lines) => {
      const { team } = here;
      const tight = await team.open({ policies: withCeiling(`limits.${name}`, limit) });
      const { diagnostics } = await tight.validate({ text: steps(lines), file: null });
      expect(diagnostics.map(({ message }) => message).join()).toContain(
        `limits.${name} is ${limit} in ceiling org-default (org), the step asks for ${asked}`,
      );
      await expect(team.run(tight, steps(lines))).rejects.toMatchObject({ code: 'DOC_INVALID' });
      expect(team.functions.calls).toHaveLength(0);
      await tight.close();
      const enough = await team.open({ policies: withCeiling(`limits.${name}`, asked) });
      expect((await team.run(enough, steps(lines))).status).toBe('completed');
    },
  );

  it.each([
    ['timeoutMs', 'timeoutMs', 120_000, 60_000, ONE],
    ['retries', 'maxRetries', 3, 1, `${ONE}, errorMode: retry`],
    ['loopIterations', 'maxIterations', 10, 2, `${ONE}, mode: loop, until: all done`],
  ])(
    'says of %s that a step takes by default, and did not ask for, what to write (default-told-as-asked)',
    async (name, field, taken, limit, line) => {
      const { team } = here;
      const tight = await team.open({ policies: withCeiling(`limits.${name}`, limit) });
      const { diagnostics } = await tight.validate({ text: steps([line]), file: null });
      expect(diagnostics).toMatchObject([
        {
          code: 'DOC_CEILING_EXCEEDED',
          message: `"s1": limits.${name} is ${limit} in ceiling org-default (org), and a step that names no ${field} takes ${taken}`,
          hint: `write ${field}: ${limit}, or less, in the step`,
        },
      ]);
      const written = await tight.validate({ text: steps([`${line}, ${field}: ${limit}`]), file: null });
      expect(written.diagnostics).toEqual([]);
      const asked = await tight.validate({ text: steps([`${line}, ${field}: ${taken}`]), file: null });
      expect(asked.diagnostics[0]?.message).toContain(`the step asks for ${taken}`);
    },
  );

  it('refuses a map whose items are more than its width before any of them is run', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withCeiling('limits.fanoutWidth', 3) });
    const each = `${ONE}, mode: fanout, items: "{{input.list}}"`;
    expect((await team.run(writ, steps([each]), { list: [1, 2, 3] })).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(3);
    const run = await team.run(writ, steps([each]), { list: [1, 2, 3, 4] });
    expect(run).toMatchObject({ exitCode: 3, error: { code: 'CEILING_LIMITS' } });
    expect(team.functions.calls).toHaveLength(3);
    expect(await refused(run.id)).toMatchObject([
      { field: 'limits.fanoutWidth', limit: '3', requested: '4' },
    ]);
  });

  it('counts how often a state is entered again, so that no circle of states goes round for ever', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withCeiling('limits.loopIterations', 3) });
    const circle = states('Again', {
      Again: { type: 'Task', resource: 'tool::test_one', next: 'Round' },
      Round: {
        type: 'Choice',
        choices: [{ variable: '$.over', isPresent: true, next: 'Over' }],
        default: 'Again',
      },
      Over: { type: 'Succeed' },
    });
    const run = await team.run(writ, circle);
    expect(run).toMatchObject({ exitCode: 3, error: { code: 'CEILING_LIMITS' } });
    expect(team.functions.calls).toHaveLength(3);
  });

  it('counts no redrive: only what the document goes round', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withCeiling('limits.loopIterations', 1) });
    team.functions.answer('tool::test_one', fail(), fail(), () => ({ done: true }));
    const once = states('Once', {
      Once: {
        type: 'Task',
        resource: 'tool::test_one',
        end: true,
      },
    });
    const { id } = await team.run(writ, once);
    for (const status of ['failed', 'completed']) {
      await writ.redrive(id, await team.as(writ, 'alice'));
      expect((await team.drive(writ, id)).status).toBe(status);
    }
    expect(team.functions.calls).toHaveLength(3);
  });

  it('counts a circle of states that goes through a Map or Parallel, where every entry begins anew', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withCeiling('limits.loopIterations', 2) });
    const circle = states('Again', {
      Again: {
        type: 'Parallel',
        branches: [
          { startAt: 'In', states: { In: { type: 'Task', resource: 'tool::test_one', end: true } } },
        ],
        resultPath: null,
        next: 'Round',
      },
      Round: {
        type: 'Choice',
        choices: [{ variable: '$.over', isPresent: true, next: 'Over' }],
        default: 'Again',
      },
      Over: { type: 'Succeed' },
    });
    const run = await team.run(writ, circle);
    expect(run).toMatchObject({ exitCode: 3, error: { code: 'CEILING_LIMITS' } });
    expect(team.functions.calls).toHaveLength(2);
  });
});

describe("a workflow's own ceiling", () => {
  it('that says more than those above it is refused with layer and field, though at run time it would change nothing', async () => {
    const { team } = here;
    const writ = await team.open();
    const own = (value: Json): string => steps([ONE], `ceilings: ${JSON.stringify(value)}\n`);
    const wide = own({ limits: { timeoutMs: 86_400_000 }, functions: { allow: ['*'] } });
    const { ok, diagnostics } = await writ.validate({ text: wide, file: null });
    expect(ok).toBe(false);
    const lines = wide.split('\n');
    const placeOf = (part: string) => {
      const line = lines.findIndex((one) => one.includes(part));
      return `${line + 1}:${(lines[line]?.indexOf(part) ?? -1) + 1}`;
    };
    const told = diagnostics.map(({ path, code, line, column }) => [path, code, `${line}:${column}`]);
    expect(told).toEqual([
      ['ceilings.limits.timeoutMs', 'DOC_CEILING_EXCEEDED', placeOf('86400000')],
      ['ceilings.functions.allow', 'DOC_CEILING_EXCEEDED', placeOf('["*"]')],
    ]);
    await expect(team.run(writ, wide)).rejects.toMatchObject({ code: 'DOC_INVALID' });
    expect((await team.run(writ, own({ functions: { allow: ['tool::test_one'] } }))).status).toBe(
      'completed',
    );
  });
});
