// What to do about a failed step stays with the run: the hint that its error was thrown with is there for whoever looks,
// days later and from another process. What a function said is data, and so is its hint.
import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { renderResults, renderRun } from '../../src/cli/run/render.js';
import { WritError } from '../../src/errors.js';
import type { RunView } from '../../src/runtime/writ.js';
import { steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';

const PLACE = { data: '.writ', policies: 'policies', env: {} };

function shown(run: RunView): string {
  return renderRun(PLACE, run, pc.createColors(false));
}

describe('the hint of a failed step', () => {
  it('is told with a refusal by policy, by the step and by the run', async () => {
    const { team } = here;
    const { id } = await team.run(await team.open(), steps([`${ONE}, agent: stranger`]));
    const run = await (await team.open()).status(id);
    const hint = run.error?.hint ?? '';
    expect(hint).not.toBe('');
    expect(run.steps[0]?.error).toMatchObject({ code: 'POLICY_NO_MATCH', hint });
    expect(shown(run)).toContain(`\n  hint: ${hint}`);
  });

  it('is told with what a function threw', async () => {
    const { team } = here;
    team.functions.answer('tool::test_one', () => {
      throw new WritError('FUNCTION_FAILED', 'the desk is closed', { hint: 'come back at nine' });
    });
    const { id } = await team.run(await team.open(), steps([ONE]));
    const run = await (await team.open()).status(id);
    const told = { code: 'FUNCTION_FAILED', message: 'the desk is closed', hint: 'come back at nine' };
    expect(run).toMatchObject({ error: told, steps: [{ error: told }] });
  });

  it('is told of a step that was skipped before its first attempt, too', async () => {
    const { team } = here;
    const skipped = `${ONE}, errorMode: skip, config: { text: "{{goal}}" }`;
    const { id } = await team.run(await team.open(), steps([skipped]), {});
    const run = await (await team.open()).status(id);
    expect(run.steps[0]).toMatchObject({ status: 'skipped', reason: 'error', attempts: 0 });
    expect(shown(run)).toContain('template names goal, which has no value');
    expect(shown(run)).toContain('\n  hint: give it in the input, check the name');
  });

  it('is not there where nobody said one', async () => {
    const { team } = here;
    team.functions.answer('tool::test_one', () => {
      throw new Error('the desk is closed');
    });
    const writ = await team.open();
    const { id } = await team.run(writ, steps([ONE]));
    const run = await writ.status(id);
    expect(run.error).toMatchObject({ message: 'the desk is closed' });
    expect(run.error).not.toHaveProperty('hint');
    expect(shown(run)).not.toContain('hint:');
  });
});

describe('what to do next', () => {
  it('is to look at the outputs, but not where they are shown already', async () => {
    const { team } = here;
    const writ = await team.open();
    const { id } = await team.run(writ, steps([ONE]));
    const run = await writ.results(id);
    const results = renderResults(PLACE, run, pc.createColors(false));
    expect(shown(run)).toContain(`output: writ workflow results ${id}`);
    expect(results).not.toContain('workflow results');
    expect(shown(run).startsWith(results)).toBe(true);
    team.functions.answer('tool::test_one', () => {
      throw new Error('no');
    });
    const failed = await writ.results((await team.run(writ, steps([ONE]))).id);
    expect(renderResults(PLACE, failed, pc.createColors(false))).toBe(shown(failed));
  });
});
