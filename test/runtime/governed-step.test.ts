// One step on the one road: what the log says, in which order, and what is durable when the function is called.
import { describe, expect, it } from 'vitest';
import { fail, field, states, steps, T0, useTeam } from './fixture.js';

const here = useTeam();

describe('a governed step', () => {
  it('leaves exactly these entries in this order', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps(['functionId: "tool::test_one"']));
    expect(run).toMatchObject({ status: 'completed', exitCode: 0, output: { ok: true } });
    expect(await team.types(run.id)).toEqual([
      'run.started',
      'authz.decided',
      'ceiling.composed',
      'step.intended',
      'step.finished',
      'run.finished',
    ]);
    const entries = await team.entries(run.id);
    expect(entries.map((entry) => entry.seq)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(entries.every((entry) => entry.workflow?.id === 'test-steps')).toBe(true);
    expect(entries.every((entry) => entry.policy === writ.policyHash)).toBe(true);
    const [decided] = await team.facts(run.id, 'authz.decided');
    expect(decided).toMatchObject({
      verdict: 'allow',
      subject: 'user:alice',
      agent: 'agent:claims-triage',
      rules: [
        { subject: 'user:alice', ruleId: 'TEST-1', effect: 'allow' },
        { subject: 'agent:claims-triage', ruleId: 'TEST-2', effect: 'allow' },
      ],
    });
    const [intended] = await team.facts(run.id, 'step.intended');
    expect(intended).toMatchObject({ function: 'tool::test_one', approvalId: null, attempt: 1 });
    const [finished] = await team.facts(run.id, 'step.finished');
    const intentRow = (await team.stored((store) => store.entriesOfRun(run.id)))[3];
    expect(finished).toMatchObject({ status: 'succeeded', code: null });
    expect(finished?.['intent']).toBe(Buffer.from(intentRow?.leafHash ?? []).toString('hex'));
    expect(await team.facts(run.id, 'run.finished')).toEqual([
      { status: 'completed', exitCode: 0, reason: null },
    ]);
  });

  it('is by the same agent, whether its name is written as documents or as policies write it', async () => {
    const { team } = here;
    const writ = await team.open();
    const step = 'functionId: "tool::test_one"';
    const run = await team.run(writ, steps([`${step}, agent: "agent:claims-triage"`, step]));
    expect(run.status).toBe('completed');
    expect(run.steps.map(({ principal }) => principal)).toEqual([
      'agent:claims-triage',
      'agent:claims-triage',
    ]);
    const denied = await team.run(writ, steps([`${step}, agent: "agent:agent:claims-triage"`]));
    expect(denied.error?.code).toBe('POLICY_NO_MATCH');
  });

  it('has its intent in the store when the function is called, and its outcome only afterwards', async () => {
    const { team } = here;
    const writ = await team.open();
    let during: { types: string[]; attempt: unknown; status: string } | null = null;
    const runId = await team.start(writ, steps(['functionId: "tool::test_one"']));
    team.functions.answer('tool::test_one', async () => {
      const [attempt] = await team.stored((store) => store.attempts(runId));
      during = {
        types: await team.types(runId),
        attempt: { status: attempt?.status, intended: attempt?.intentIndex !== null },
        status: (await team.record(runId)).status,
      };
      return { done: 1 };
    });
    await team.drive(writ, runId);
    expect(during).toEqual({
      types: ['run.started', 'authz.decided', 'ceiling.composed', 'step.intended'],
      attempt: { status: 'intended', intended: true },
      status: 'running',
    });
    expect((await team.types(runId)).slice(-2)).toEqual(['step.finished', 'run.finished']);
    expect(team.functions.calls).toHaveLength(1);
  });

  it('gives the function the very value that was committed to', async () => {
    const { team } = here;
    const writ = await team.open();
    const config = 'config: { amount: "{{input.amount}}", note: "for {{input.name}}" }';
    const run = await team.run(writ, steps([`functionId: "tool::test_one", ${config}`]), {
      amount: 12.5,
      name: '{{input.amount}}',
    });
    const [call] = team.functions.calls;
    // Data that looks like a template stays data.
    expect(call?.input).toEqual({ amount: 12.5, note: 'for {{input.amount}}' });
    const intent = (await team.entries(run.id)).find((entry) => entry.type === 'step.intended');
    const commitment = intent?.commit['input'];
    if (commitment === undefined) throw new Error('no commitment');
    const payload = await team.stored((store) => store.payload(commitment));
    expect(JSON.parse(new TextDecoder().decode(payload?.bytes ?? new Uint8Array()))).toEqual(call?.input);
  });

  it('keeps data out of the log: an entry holds commitments only', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail('FUNCTION_FAILED', 'secret-in-error'));
    const run = await team.run(writ, steps(['functionId: "tool::test_one", config: { a: "{{input.a}}" }']), {
      a: 'secret-in-input',
    });
    const rows = await team.stored((store) => store.entriesOfRun(run.id));
    const log = rows.map((row) => new TextDecoder().decode(row.bytes)).join('\n');
    expect(log).not.toContain('secret');
  });

  it('renders once: a function that changes its input in place changes no retry', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer(
      'tool::test_one',
      ({ input }) => {
        (input as { amount: number }).amount = 1_000_000;
        throw new Error('again please');
      },
      () => ({ ok: true }),
    );
    const retry = 'errorMode: retry, maxRetries: 1, retry: { initialMs: 0 }';
    const run = await team.run(
      writ,
      steps([`functionId: "tool::test_one", config: { amount: 5 }, ${retry}`]),
    );
    expect(run.status).toBe('completed');
    expect(team.functions.calls.map((call) => call.input)).toEqual([{ amount: 5 }, { amount: 5 }]);
  });

  it('renders once: a function that changes its input in place changes no later state', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', ({ input }) => {
      (input as { amount: number }).amount = 1_000_000;
      return 'done';
    });
    const run = await team.run(
      writ,
      states('A', {
        A: { type: 'Task', resource: 'tool::test_one', resultPath: '$.a', next: 'B' },
        B: { type: 'Task', resource: 'tool::test_two', resultPath: '$.b', end: true },
      }),
      { amount: 5 },
    );
    expect(team.functions.calls[1]?.input).toEqual({ amount: 5, a: 'done' });
    expect(run.output).toEqual({ amount: 5, a: 'done', b: { ok: true } });
  });

  it('refuses an output that is not JSON, as a failure of the step', async () => {
    const { team } = here;
    const writ = await team.open();
    for (const output of [undefined, Number.NaN, { when: new Date(T0) }, 10n, () => 1]) {
      team.functions.answer('tool::test_one', () => output as never);
      const run = await team.run(writ, steps(['functionId: "tool::test_one"']));
      expect(run).toMatchObject({ status: 'failed', exitCode: 1, error: { code: 'STEP_OUTPUT_INVALID' } });
      expect((await team.types(run.id)).slice(-2)).toEqual(['step.finished', 'run.finished']);
    }
  });

  it('refuses an output larger than its limit, at the border', async () => {
    const { team } = here;
    const policies = team.policiesWith('ceilings/org.yaml', (document) => {
      document.setIn(['spec', 'limits', 'outputBytes'], 1000);
    });
    const writ = await team.open({ policies });
    // Two quotes around it.
    team.functions.answer('tool::test_one', () => 'x'.repeat(998));
    const fits = await team.run(writ, steps(['functionId: "tool::test_one"']));
    expect(fits.status).toBe('completed');
    team.functions.answer('tool::test_one', () => 'x'.repeat(999));
    const tooLarge = await team.run(writ, steps(['functionId: "tool::test_one"']));
    expect(tooLarge).toMatchObject({ status: 'failed', error: { code: 'SANDBOX_OUTPUT_LIMIT' } });
  });

  it('counts a function that throws before it returns a promise as failed', async () => {
    const { team } = here;
    const writ = await team.open({
      functions: [
        {
          functionIds: ['tool::test_one'],
          invoke: () => {
            throw new Error('at once');
          },
        },
      ],
    });
    const run = await team.run(writ, steps(['functionId: "tool::test_one"']));
    expect(run).toMatchObject({ status: 'failed', exitCode: 1, error: { code: 'FUNCTION_FAILED' } });
  });

  it('does not take a function at its word that the run was cancelled', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail('SANDBOX_CANCELLED'));
    const run = await team.run(writ, steps(['functionId: "tool::test_one", idempotent: true']));
    expect(run).toMatchObject({ status: 'failed', exitCode: 1 });
    expect(team.functions.calls).toHaveLength(1);
  });

  it('shows an output under its commitment and nothing of it in status', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps(['functionId: "tool::test_one"']));
    const [step] = run.steps;
    const [entry] = (await team.entries(run.id)).filter(({ type }) => type === 'step.finished');
    expect(step?.outputCommitment).toBe(entry?.commit['output']);
    expect((await writ.status(run.id)).steps[0]?.output).toBe(null);
    expect(field((await writ.status(run.id)).output, 'ok')).toBe(undefined);
  });
});
