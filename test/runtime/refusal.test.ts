// What policy refuses never runs: proven by the function having no calls and the log having no intent.
import { describe, expect, it } from 'vitest';
import { AGENT_REFERENCE, FakeSandbox, refusalOf, states, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';

async function nothingRan(runId: string): Promise<void> {
  const { team } = here;
  expect(team.functions.calls).toEqual([]);
  const types = await team.types(runId);
  expect(types).not.toContain('step.intended');
  expect(types).not.toContain('step.finished');
}

describe('a run that its initiator may not start', () => {
  it('does not exist, and the refusal is in the log', async () => {
    const { team } = here;
    const writ = await team.open();
    const error = await refusalOf(team.run(writ, steps([ONE]), {}, 'audrey'));
    expect(error).toMatchObject({ code: 'POLICY_NO_MATCH', exitCode: 3 });
    expect(await writ.runs()).toEqual([]);
    expect(team.functions.calls).toEqual([]);
    const last = (await team.entries(null)).at(-1);
    expect(last).toMatchObject({
      type: 'authz.decided',
      run: null,
      data: { verdict: 'deny', subject: 'user:audrey', action: 'workflow.run', resource: 'test-steps' },
    });
  });

  it('is refused to a principal that no file names', async () => {
    const { team } = here;
    const writ = await team.open();
    for (const id of ['user:mallory', 'agent:claims-triage', 'role:adjuster', 'alice']) {
      const principal = { id, assurance: 'os', publicKey: null, sign: null } as const;
      const error = await refusalOf(
        writ.start({ workflow: { text: steps([ONE]), file: null }, input: {} }, principal),
      );
      expect(error.exitCode).toBe(3);
    }
    expect(await writ.runs()).toEqual([]);
  });
});

describe('a step', () => {
  it('is refused when the agent that acts has no right, whoever started it', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps([`${ONE}, agent: stranger`]));
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'POLICY_NO_MATCH' } });
    await nothingRan(run.id);
    expect(await team.types(run.id)).toEqual([
      'run.started',
      'authz.decided',
      'ceiling.composed',
      'run.finished',
    ]);
    expect(await team.facts(run.id, 'authz.decided')).toMatchObject([
      { verdict: 'deny', agent: 'agent:stranger', code: 'POLICY_NO_MATCH' },
    ]);
  });

  it('is refused when --agent makes another agent act', async () => {
    const { team } = here;
    const writ = await team.open();
    const alice = await team.as(writ, 'alice');
    const request = { workflow: { text: steps([ONE]), file: null }, input: {} };
    const asked = (instance: string) =>
      writ.start({ ...request, agents: { 'claims-triage': instance } }, alice);
    await expect(asked('')).rejects.toMatchObject({ code: 'USAGE' });
    for (const instance of ['stranger', '../claims-triage', 'user:alice']) {
      const runId = await asked(instance);
      expect(await team.drive(writ, runId)).toMatchObject({ status: 'failed', exitCode: 3 });
      await nothingRan(runId);
    }
  });

  it('is refused when the initiator has no right, whatever the agent may do', async () => {
    const { team } = here;
    const policies = team.policiesWith('rbac/test.yaml', (document) => document.deleteIn(['rules', 0]));
    const writ = await team.open({ policies });
    const run = await team.run(writ, steps([ONE]));
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'POLICY_NO_MATCH' } });
    await nothingRan(run.id);
  });

  it('is refused when a rule denies the function to everybody', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps(['functionId: "tool::raw_disk"']));
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'POLICY_DENY_RULE' } });
    await nothingRan(run.id);
    expect(await team.facts(run.id, 'authz.decided')).toMatchObject([
      { verdict: 'deny', ruleId: 'CL-900', resource: 'tool::raw_disk' },
    ]);
  });

  it('is refused when nobody could reach the quorum that it asks for', async () => {
    const { team } = here;
    const writ = await team.open();
    const gate = 'approval: { mode: sync, approverRoles: ["role:reviewer"], quorum: 3 }';
    const run = await team.run(writ, steps([`${ONE}, ${gate}`]));
    expect(run).toMatchObject({
      status: 'failed',
      exitCode: 3,
      error: { code: 'APPROVAL_QUORUM_UNREACHABLE' },
    });
    await nothingRan(run.id);
  });
});

describe('a ceiling', () => {
  it('refuses a document that asks for more before anything starts', async () => {
    const { team } = here;
    const writ = await team.open();
    const own = 'ceilings: { functions: { allow: ["tool::test_two"] } }\n';
    const asking = [
      [steps([ONE], own), 'steps[0].functionId'],
      [steps([`${ONE}, timeoutMs: 300001`]), 'steps[0].timeoutMs'],
    ] as const;
    for (const [text, path] of asking) {
      const error = await refusalOf(team.run(writ, text));
      expect(error).toMatchObject({ code: 'DOC_INVALID', exitCode: 2 });
      expect(error.details).toMatchObject({
        diagnostics: [{ code: 'DOC_CEILING_EXCEEDED', path }],
      });
    }
    expect(await writ.runs()).toEqual([]);
    // The limit itself fits.
    const run = await team.run(writ, steps([`${ONE}, timeoutMs: 300000`]));
    expect(run.status).toBe('completed');
  });

  it('is told of the time of a sandbox, also where the step has less', async () => {
    const { team } = here;
    const writ = await team.open();
    const found = async (ms: number) => {
      const sandbox = `sandbox: { driver: wasm, limits: { timeoutMs: ${ms} } }`;
      const text = steps([`functionId: "tool::wasm", timeoutMs: 1000, ${sandbox}`]);
      const { diagnostics } = await writ.validate({ text, file: null });
      return diagnostics.filter(({ code }) => code === 'DOC_CEILING_EXCEEDED').map(({ path }) => path);
    };
    expect(await found(300_001)).toEqual(['steps[0].sandbox.limits.timeoutMs']);
    expect(await found(300_000)).toEqual([]);
  });

  it('is told where the field stands that asks too much, else where the step does', async () => {
    const { team } = here;
    const writ = await team.open();
    const own = 'ceilings: { limits: { retries: 1, loopIterations: 2, fanoutWidth: 1, memoryMiB: 64 } }\n';
    const found = async (text: string) => {
      const { diagnostics } = await writ.validate({ text, file: null });
      return diagnostics
        .filter(({ code }) => code === 'DOC_CEILING_EXCEEDED')
        .map(({ line, column, path }) => [
          path,
          text
            .split('\n')
            [line - 1]?.slice(column - 1, column + 4)
            .replace(/[,} ].*/su, ''),
        ]);
    };
    expect(await found(steps([`${ONE}, timeoutMs: 300001`]))).toEqual([['steps[0].timeoutMs', '30000']]);
    expect(await found(steps([`${ONE}, errorMode: retry, maxRetries: 4`], own))).toEqual([
      ['steps[0].maxRetries', '4'],
    ]);
    // What nobody wrote is the step's own: three retries, ten rounds.
    expect(await found(steps([`${ONE}, errorMode: retry`], own))).toEqual([['steps[0]', 's1']]);
    expect(await found(steps([`${ONE}, mode: loop, maxIterations: 7`], own))).toEqual([
      ['steps[0].maxIterations', '7'],
    ]);
    const wide = `${ONE}, mode: fanout, items: [1, 2]`;
    expect(await found(steps([wide], own))).toEqual([['steps[0].items', '[1']]);
    const large = 'functionId: "tool::wasm", sandbox: { driver: wasm, limits: { memoryMiB: 65 } }';
    expect(await found(steps([`${large}, config: { module: claims-triage }`], own))).toEqual([
      ['steps[0].sandbox.limits.memoryMiB', '65'],
    ]);
    const state = { type: 'Task', resource: 'tool::test_one', timeoutSeconds: 301, end: true };
    const document = { version: 'agentrc.workflow/v0.1', name: 'm', startAt: 'A', states: { A: state } };
    expect(await found(JSON.stringify(document))).toEqual([['states.A.timeoutSeconds', '301']]);
    const spelled = {
      id: 'm',
      StartAt: 'A',
      States: { A: { Type: 'Task', Resource: 'tool::test_one', TimeoutSeconds: 301, End: true } },
    };
    expect(await found(JSON.stringify(spelled))).toEqual([['states.A.timeoutSeconds', '301']]);
  });

  it('that demands a sandbox says of a function that has none what would let it run', async () => {
    const { team } = here;
    const inSandboxes = team.policiesWith('ceilings/org.yaml', (document) => {
      document.setIn(['spec', 'sandbox'], { allowed: ['wasm'] });
    });
    const writ = await team.open({ policies: inSandboxes });
    const { ok, diagnostics } = await writ.validate({ text: steps([ONE]), file: null });
    expect(ok).toBe(false);
    expect(diagnostics).toMatchObject([
      {
        code: 'DOC_CEILING_EXCEEDED',
        hint: expect.stringContaining('tool::test_one runs outside every sandbox'),
      },
    ]);
  });

  it('of a step itself, a sandbox for a function that has none, is told in the words of the step', async () => {
    const { team } = here;
    const writ = await team.open();
    const { diagnostics } = await writ.validate({ text: steps([`${ONE}, sandbox: docker`]), file: null });
    expect(diagnostics).toMatchObject([
      {
        code: 'DOC_CEILING_EXCEEDED',
        message: '"s1" asks for the sandbox docker, and tool::test_one runs outside every sandbox',
        hint: 'take sandbox out of the step',
      },
    ]);
  });

  it('lowered after the start refuses the next step', async () => {
    const { team } = here;
    const writ = await team.open();
    const runId = await team.start(writ, steps([ONE, 'functionId: "tool::test_two", timeoutMs: 5000']));
    await writ.close();
    const limits = team.policiesWith('ceilings/org.yaml', (document) => {
      document.setIn(['spec', 'limits', 'timeoutMs'], 119_999);
    });
    const strict = await team.open({ policies: limits });
    // Steps without a limit of their own have the default of 120,000 ms.
    const run = await team.drive(strict, runId);
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'CEILING_LIMITS' } });
    await nothingRan(runId);
    const [composed] = await team.facts(runId, 'ceiling.composed');
    expect(composed?.['layers']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          layer: 'org',
          ok: false,
          field: 'limits.timeoutMs',
          limit: '119999',
          requested: '120000',
        }),
      ]),
    );
  });

  it('lowered after the start refuses a function that is no longer allowed', async () => {
    const { team } = here;
    const writ = await team.open();
    const runId = await team.start(writ, steps([ONE]));
    await writ.close();
    const policies = team.policiesWith('ceilings/org.yaml', (document) => {
      document.setIn(['spec', 'functions', 'allow'], ['tool::wasm']);
    });
    const run = await team.drive(await team.open({ policies }), runId);
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'CEILING_FUNCTIONS' } });
    await nothingRan(runId);
  });

  it('of the package itself refuses too', async () => {
    const { team } = here;
    const sandbox = new FakeSandbox();
    const writ = await team.open({ sandbox });
    const policies = team.policiesWith('ceilings/org.yaml', (document) => {
      document.setIn(['spec', 'agents', 'allow'], ['ghcr.io/other/*']);
    });
    const text = states('A', { A: { type: 'Task', agent: AGENT_REFERENCE, end: true } });
    const runId = await team.start(writ, text);
    await writ.close();
    const run = await team.drive(await team.open({ policies, sandbox }), runId);
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'CEILING_AGENTS' } });
    expect(sandbox.runs).toEqual([]);
  });
});

describe('no error handling reaches past a refusal', () => {
  const refused = 'functionId: "tool::raw_disk"';

  it.each(['errorMode: skip', 'errorMode: retry, maxRetries: 5, retry: { initialMs: 0 }', 'errorMode: fail'])(
    'dialect 1, %s',
    async (mode) => {
      const { team } = here;
      const writ = await team.open();
      const run = await team.run(writ, steps([`${refused}, ${mode}`, ONE]));
      expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'POLICY_DENY_RULE' } });
      await nothingRan(run.id);
      expect(run.steps).toMatchObject([{ status: 'refused', attempts: 1 }, { status: 'pending' }]);
    },
  );

  it('dialect 2, retry and catch on States.ALL and States.TaskFailed', async () => {
    const { team } = here;
    const writ = await team.open();
    for (const name of ['States.ALL', 'States.TaskFailed']) {
      const run = await team.run(
        writ,
        states('A', {
          A: {
            type: 'Task',
            resource: 'tool::raw_disk',
            retry: [{ errorEquals: [name], intervalSeconds: 1, maxAttempts: 5 }],
            catch: [{ errorEquals: [name], next: 'B' }],
            end: true,
          },
          B: { type: 'Task', resource: 'tool::test_one', end: true },
        }),
      );
      expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { name: 'Policy.Denied' } });
      await nothingRan(run.id);
    }
  });

  it('dialect 2, a catch that names the refusal goes on without the step', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(
      writ,
      states('A', {
        A: {
          type: 'Task',
          resource: 'tool::raw_disk',
          catch: [{ errorEquals: ['Policy.Denied'], resultPath: '$.why', next: 'B' }],
          end: true,
        },
        B: { type: 'Task', resource: 'tool::test_one', end: true },
      }),
    );
    expect(run.status).toBe('completed');
    expect(team.functions.calls.map((call) => call.functionId)).toEqual(['tool::test_one']);
  });
});
