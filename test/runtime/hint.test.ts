// What to do about a failed step stays with the run: the hint that its error was thrown with is there for whoever looks,
// days later and from another process. What a function said is data, and so is its hint.
import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { renderRun } from '../../src/cli/render-run.js';
import { WritError } from '../../src/errors.js';
import type { RunView } from '../../src/runtime/writ.js';
import { steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';

function shown(run: RunView): string {
  return renderRun({ data: '.writ', policies: 'policies', env: {} }, run, pc.createColors(false));
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
