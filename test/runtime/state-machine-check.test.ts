// What is checked of a state machine where the runner's functions and modules are known, before anything can run.
import { describe, expect, it } from 'vitest';
import { AGENT_REFERENCE, refusalOf, states, useTeam } from './fixture.js';

const here = useTeam();

describe('a state machine', () => {
  it.each([
    ['JSONPath', { parameters: { module: 'no-such' } }, ['DOC_UNKNOWN_FUNCTION']],
    ['JSONata', { queryLanguage: 'JSONata', arguments: { module: 'no-such' } }, ['DOC_UNKNOWN_FUNCTION']],
    ['a path', { parameters: { 'module.$': '$.module' } }, []],
    ['an expression', { queryLanguage: 'JSONata', arguments: { module: '{% $states.input.m %}' } }, []],
  ])('that names a module by %s is held to the modules there are', async (_, fields, expected) => {
    const writ = await here.team.open();
    const text = states('A', { A: { type: 'Task', resource: 'tool::wasm', end: true, ...fields } });
    const { diagnostics } = await writ.validate({ text, file: null });
    expect(diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toEqual(
      expected,
    );
  });

  it.each([
    ['nothing', {}, 1],
    ['what restricts nothing', { approval: { minimum: 'none' }, functions: { deny: [] } }, 1],
    ['a limit', { limits: { timeoutMs: 60_000 } }, 0],
    ['a list of nothing', { network: { mode: 'none' } }, 0],
  ])('is told of a package whose ceiling says %s', async (_, packageCeiling, warnings) => {
    const writ = await here.team.open({ packageCeiling });
    const text = states('A', { A: { type: 'Task', agent: AGENT_REFERENCE, end: true } });
    const { ok, diagnostics } = await writ.validate({ text, file: null });
    expect(ok).toBe(true);
    const told = diagnostics.filter(({ message }) => message.includes('restricts itself in nothing'));
    expect(told).toHaveLength(warnings);
    for (const one of told) expect(one).toMatchObject({ severity: 'warning', path: 'spec.states.A.agent' });
  });

  it('in plain States Language that calls AWS is not registered, and not started', async () => {
    const { team } = here;
    const writ = await team.open();
    const machine = {
      StartAt: 'A',
      States: { A: { Type: 'Task', Resource: 'arn:aws:states:::lambda:invoke', End: true } },
    };
    const workflow = { text: JSON.stringify(machine), file: 'aws.asl.json' };
    const alice = await team.as(writ, 'alice');
    const refused = await refusalOf(writ.start({ workflow, input: {}, agents: {} }, alice));
    expect(refused.kind).toBe('document');
    expect(JSON.stringify(refused)).toContain('DOC_UNKNOWN_FUNCTION');
    expect(await writ.workflows()).toEqual([]);
    expect(await writ.runs()).toEqual([]);
    expect(team.functions.calls).toEqual([]);
  });
});
