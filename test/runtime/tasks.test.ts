// Steps that wait for an answer from outside: forms that people fill in, and tokens that come back.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/json.js';
import type { RunView, TaskReply, Writ } from '../../src/runtime/writ.js';
import { FakeSandbox, fail, field, refusalOf, states, useTeam } from './fixture.js';

const here = useTeam();

function document(all: JsonObject, spec: JsonObject = {}): string {
  return states(Object.keys(all)[0] ?? '', all, spec);
}

const FORM = {
  type: 'object',
  required: ['approved', 'amount'],
  additionalProperties: false,
  properties: { approved: { type: 'boolean' }, amount: { type: 'number', maximum: 1000 } },
};
const review = (fields: JsonObject = {}, human: JsonObject = {}): JsonObject => ({
  type: 'Task',
  human: { form: FORM, approverRoles: ['role:reviewer'], ...human },
  resultPath: '$.review',
  end: true,
  ...fields,
});
const call = (fields: JsonObject = {}): JsonObject => ({
  type: 'Task',
  resource: 'tool::test_one.waitForTaskToken',
  parameters: { order: 7, 'token.$': '$$.Task.Token' },
  end: true,
  ...fields,
});
const success = (output: Json): TaskReply => ({ kind: 'success', output });
const GOOD = { approved: true, amount: 12 };

/** The task that the run waits for. */
function taskOf({ waitingFor }: Pick<RunView, 'waitingFor'>): string {
  if (waitingFor?.kind !== 'task') throw new Error('the run waits for no task');
  return waitingFor.taskId;
}

/** The token that the last call was given. */
function tokenOf(): string {
  return tokenIn(here.team.functions.calls.at(-1)?.input);
}

function tokenIn(input: Json | undefined): string {
  const token = field(input, 'token');
  if (typeof token !== 'string') throw new Error('there is no token in it');
  return token;
}

/** Every byte of the data directory. */
function everything(dir: string): Buffer {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  return Buffer.concat(files.map((one) => readFileSync(path.join(one.parentPath, one.name))));
}

async function answer(writ: Writ, id: string, reply: TaskReply, by = 'bob'): Promise<void> {
  await writ.answerTask({ id }, reply, await here.team.as(writ, by));
}

async function bring(writ: Writ, token: string, reply: TaskReply, by = 'bob'): Promise<void> {
  await writ.answerTask({ token }, reply, await here.team.as(writ, by));
}

describe('a form that a person fills in', () => {
  it('waits with exit code 10, and its answer is the result of the state', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Review: review() }), { claim: 'C-1' });
    expect(waiting).toMatchObject({ status: 'waiting', exitCode: 10, waitingFor: { by: 'person' } });
    expect(waiting.steps).toMatchObject([{ status: 'suspended', functionId: 'human::form' }]);
    const view = await writ.task(taskOf(waiting));
    expect(view).toMatchObject({ step: 'Review', input: { claim: 'C-1' }, form: FORM });
    await answer(writ, taskOf(waiting), success(GOOD));
    const { status, output } = await team.drive(writ, waiting.id);
    expect([status, output]).toEqual(['completed', { claim: 'C-1', review: GOOD }]);
    expect(await team.types(waiting.id)).toEqual([
      'run.started',
      'authz.decided',
      'ceiling.composed',
      'step.intended',
      'task.opened',
      'task.answered',
      'step.finished',
      'run.finished',
    ]);
    expect(await team.facts(waiting.id, 'task.answered')).toMatchObject([
      { by: 'user:bob', answer: 'success', assurance: 'key' },
    ]);
  });

  it('goes on in another process, whoever answered while none was running', async () => {
    const { team } = here;
    const first = await team.open();
    const waiting = await team.run(first, document({ Review: review() }));
    const second = await team.open();
    await answer(second, taskOf(waiting), success(GOOD));
    expect((await team.drive(second, waiting.id)).output).toEqual({ review: GOOD });
  });

  it('wakes the process that waits for the end of the run', async () => {
    const { team } = here;
    const writ = await team.open();
    const runId = await team.start(writ, document({ Review: review() }));
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await expect.poll(async () => (await writ.tasks()).length).toBe(1);
    const [task] = await writ.tasks({ states: ['open'] });
    const other = await team.open();
    await answer(other, task?.id ?? '', success(GOOD));
    await expect
      .poll(async () => {
        team.clock.advance(100);
        return (await writ.status(runId)).status;
      })
      .toBe('completed');
    await driven;
  });

  it('takes nothing that does not fit, says all that is wrong at once, and goes on waiting', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Review: review() }));
    const error = await refusalOf(answer(writ, taskOf(waiting), success({ amount: 2000, extra: 1 })));
    expect(error.code).toBe('INPUT_INVALID');
    const problems = error.details?.['problems'];
    expect(problems).toHaveLength(3);
    expect(JSON.stringify(problems)).toMatch(/approved.*|amount/);
    expect((await writ.task(taskOf(waiting))).record.state).toBe('open');
    await answer(writ, taskOf(waiting), success(GOOD));
    expect((await team.drive(writ, waiting.id)).status).toBe('completed');
  });

  it('takes at most as many bytes as an output may have, and nothing that can not be recorded', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Review: review({}, { form: {} }) }));
    const limit = 1_048_576;
    const large = await refusalOf(answer(writ, taskOf(waiting), success('x'.repeat(limit - 1))));
    expect([large.code, large.message]).toEqual(['INPUT_INVALID', expect.stringContaining(String(limit))]);
    expect((await refusalOf(answer(writ, taskOf(waiting), success('\ud800')))).code).toBe('INPUT_INVALID');
    // A run's data is at most 60 deep: the step would fail with what was recorded.
    const deep = JSON.parse('['.repeat(62) + ']'.repeat(62)) as Json;
    expect((await refusalOf(answer(writ, taskOf(waiting), success(deep)))).code).toBe('INPUT_INVALID');
    await answer(writ, taskOf(waiting), success('x'.repeat(limit - 2)));
    expect((await team.drive(writ, waiting.id)).status).toBe('completed');
  });

  it('is filled in by nobody without the right, the role, or who started the run; each try is logged', async () => {
    const { team } = here;
    const writ = await team.open();
    const asked = document({ Review: review({}, { approverRoles: ['role:operator'] }) });
    const waiting = await team.run(writ, asked, {}, 'carol');
    const codes = async (...names: string[]): Promise<string[]> => {
      const found: string[] = [];
      for (const name of names)
        found.push((await refusalOf(answer(writ, taskOf(waiting), success(GOOD), name))).code);
      return found;
    };
    expect(await codes('olivia', 'bob')).toEqual(['POLICY_NO_MATCH', 'TASK_NOT_ELIGIBLE']);
    const own = await team.run(writ, document({ Review: review() }), {}, 'carol');
    expect((await refusalOf(answer(writ, taskOf(own), success(GOOD), 'carol'))).code).toBe(
      'TASK_NOT_ELIGIBLE',
    );
    const denied = (await team.facts(waiting.id, 'authz.decided')).filter(
      ({ action }) => action === 'task.answer',
    );
    expect(denied.map(({ subject, code, attempt }) => [subject, code, attempt])).toEqual([
      ['user:olivia', 'POLICY_NO_MATCH', null],
      ['user:bob', 'TASK_NOT_ELIGIBLE', null],
    ]);
  });

  it('may be filled in by who started the run only where the form says so', async () => {
    const { team } = here;
    const writ = await team.open();
    const asked = document({ Review: review({}, { separationOfDuties: false }) });
    const waiting = await team.run(writ, asked, {}, 'carol');
    await answer(writ, taskOf(waiting), success(GOOD), 'carol');
    expect((await team.drive(writ, waiting.id)).status).toBe('completed');
  });

  it('is answered once', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Review: review() }));
    await answer(writ, taskOf(waiting), success(GOOD));
    const twice = await refusalOf(answer(writ, taskOf(waiting), success(GOOD)));
    expect(twice.code).toBe('TASK_ANSWERED');
    expect(twice.hint).toBe(`see what was answered: writ task show ${taskOf(waiting)}`);
    await team.drive(writ, waiting.id);
    expect((await refusalOf(answer(writ, taskOf(waiting), success(GOOD)))).code).toBe('TASK_ANSWERED');
  });

  it('of two who answer at the same moment one is heard', async () => {
    const { team } = here;
    const [one, two] = [await team.open(), await team.open()];
    const waiting = await team.run(one, document({ Review: review() }), {}, 'alice');
    const both = await Promise.allSettled([
      answer(one, taskOf(waiting), success(GOOD), 'bob'),
      answer(two, taskOf(waiting), success(GOOD), 'carol'),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await team.facts(waiting.id, 'task.answered')).toHaveLength(1);
  });

  it('may be refused: that is Approval.Denied, which no catch-all takes', async () => {
    const { team } = here;
    const writ = await team.open();
    const takes = (name: string): JsonObject => ({
      Review: review({ catch: [{ errorEquals: [name], resultPath: '$.why', next: 'Caught' }] }),
      Caught: { type: 'Succeed' },
    });
    const no: TaskReply = { kind: 'failure', error: null, cause: 'not without the invoice' };
    const all = await team.run(writ, document(takes('States.ALL')));
    await answer(writ, taskOf(all), no);
    expect(await team.drive(writ, all.id)).toMatchObject({
      status: 'failed',
      exitCode: 4,
      error: { code: 'APPROVAL_DENIED', name: 'Approval.Denied' },
    });
    const own = await team.run(writ, document(takes('Approval.Denied')));
    await answer(writ, taskOf(own), no);
    expect((await team.drive(writ, own.id)).output).toEqual({
      why: { Error: 'Approval.Denied', Cause: 'not without the invoice' },
    });
  });

  it('expires: at the border it is too late, and the step fails with Approval.Expired', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Review: review({}, { expiresSeconds: 60 }) }));
    team.clock.advance(60_000);
    expect((await refusalOf(answer(writ, taskOf(waiting), success(GOOD)))).code).toBe('TASK_CLOSED');
    expect(await team.drive(writ, waiting.id)).toMatchObject({ error: { name: 'Approval.Expired' } });
    expect((await writ.task(taskOf(waiting))).record.state).toBe('expired');
  });

  it('is what the time limit of its state ends, where that is shorter', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Review: review({ timeoutSeconds: 30 }) }));
    team.clock.advance(30_000);
    expect(await team.drive(writ, waiting.id)).toMatchObject({ error: { name: 'States.Timeout' } });
  });

  it('does not count for the time limit of the run', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Review: review() }, { timeoutSeconds: 10 }));
    team.clock.advance(600_000);
    await answer(writ, taskOf(waiting), success(GOOD));
    expect((await team.drive(writ, waiting.id)).status).toBe('completed');
  });

  it('takes no proof of a person that approvers.yaml does not accept of them', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Review: review() }));
    const bob = await team.as(writ, 'bob');
    for (const assurance of ['os', 'oidc', 'token'] as const) {
      const weak = { ...bob, assurance, publicKey: null, sign: null };
      const refusal = await refusalOf(writ.answerTask({ id: taskOf(waiting) }, success(GOOD), weak));
      expect([refusal.code, refusal.message]).toEqual([
        'TASK_NOT_ELIGIBLE',
        `approvers.yaml does not accept "${assurance}" as proof of user:bob`,
      ]);
    }
    await answer(writ, taskOf(waiting), success(GOOD));
  });

  it('is closed when its run is cancelled', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Review: review() }));
    await writ.cancel(waiting.id, await team.as(writ, 'alice'));
    expect((await refusalOf(answer(writ, taskOf(waiting), success(GOOD)))).code).toBe('TASK_CLOSED');
    expect(await team.facts(waiting.id, 'step.finished')).toMatchObject([{ status: 'cancelled' }]);
  });

  it('is closed when another branch fails', async () => {
    const { team } = here;
    const writ = await team.open();
    const branches = [
      { startAt: 'Review', states: { Review: review() } },
      { startAt: 'Hold', states: { Hold: { type: 'Wait', seconds: 5, next: 'Bad' }, Bad: { type: 'Fail' } } },
    ];
    const runId = await team.start(writ, document({ Both: { type: 'Parallel', branches, end: true } }));
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await expect.poll(async () => (await writ.tasks()).length).toBe(1);
    await expect
      .poll(async () => {
        team.clock.advance(5_000);
        return (await writ.status(runId)).status;
      })
      .toBe('failed');
    await driven;
    expect((await writ.tasks())[0]?.state).toBe('withdrawn');
  });

  it('needs a role that is one, and one person: anything else is refused when it is created', async () => {
    const { team } = here;
    const writ = await team.open();
    const codes = async (human: JsonObject): Promise<string[]> => {
      const { diagnostics } = await writ.validate({ text: document({ R: review({}, human) }), file: null });
      return diagnostics.filter((one) => one.severity === 'error').map((one) => one.code);
    };
    expect(await codes({})).toEqual([]);
    expect(await codes({ approverRoles: ['reviewer'] })).toEqual(['DOC_BAD_VALUE']);
    expect(await codes({ quorum: 2 })).toEqual(['DOC_UNSUPPORTED']);
  });

  it('asks every item of a Map by itself', async () => {
    const { team } = here;
    const writ = await team.open();
    const itemProcessor = { startAt: 'Ask', states: { Ask: review({ resultPath: '$' }, { form: {} }) } };
    const all = { Each: { type: 'Map', itemProcessor, end: true } };
    const waiting = await team.run(writ, document(all), ['a', 'b', 'c']);
    expect(waiting.waitingFor).toMatchObject({ others: 2 });
    expect(waiting.steps).toMatchObject([{ status: 'suspended', items: { done: 0, failed: 0 } }]);
    const tasks = await writ.tasks({ run: waiting.id });
    expect(tasks.map((one) => one.stepPath).toSorted()).toEqual([
      'Each[0]/Ask',
      'Each[1]/Ask',
      'Each[2]/Ask',
    ]);
    for (const { id, stepPath } of tasks) await answer(writ, id, success(stepPath));
    expect((await team.drive(writ, waiting.id)).output).toEqual([
      'Each[0]/Ask',
      'Each[1]/Ask',
      'Each[2]/Ask',
    ]);
  });
});

describe('a token that is given to what is called', () => {
  it('comes back with the result; nobody but the function ever saw it', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', ({ input }) => ({ echoed: field(input, 'token') ?? null }));
    const waiting = await team.run(writ, document({ Order: call() }));
    expect(waiting).toMatchObject({ status: 'waiting', waitingFor: { by: 'token' }, exitCode: 10 });
    const token = tokenOf();
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect((await writ.task(taskOf(waiting))).input).toMatchObject({
      order: 7,
      token: expect.stringMatching(/^writ-task-token:/),
    });
    await bring(writ, token, success({ shipped: true }));
    expect((await team.drive(writ, waiting.id)).output).toEqual({ shipped: true });
    expect(everything(team.data).includes(token)).toBe(false);
  });

  it('that a failing function says aloud is taken out of what is stored', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', (made) =>
      fail('FUNCTION_FAILED', `could not send ${tokenIn(made.input)}`)(made),
    );
    const { error, id } = await team.run(writ, document({ Order: call() }));
    expect(error?.message).toContain('«secret task-token»');
    const token = tokenOf();
    expect(everything(team.data).includes(token)).toBe(false);
    expect((await writ.tasks({ run: id }))[0]?.state).toBe('withdrawn');
    expect((await refusalOf(bring(writ, token, success(1)))).code).toBe('TASK_CLOSED');
  });

  it('is needed: the id of the task answers nothing, nor does what looks like a token', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Order: call() }));
    expect((await refusalOf(answer(writ, taskOf(waiting), success(1)))).code).toBe('USAGE');
    const view = await writ.task(taskOf(waiting));
    const stands = tokenIn(view.input);
    for (const wrong of ['', 'x', 'A'.repeat(43), stands]) {
      expect((await refusalOf(bring(writ, wrong, success(1)))).code).toBe('TASK_TOKEN_INVALID');
    }
    await bring(writ, tokenOf(), success(1));
    expect((await refusalOf(bring(writ, tokenOf(), success(2)))).code).toBe('TASK_ANSWERED');
    expect((await team.drive(writ, waiting.id)).output).toBe(1);
  });

  it('is not enough for somebody whom policy does not let answer', async () => {
    const { team } = here;
    const writ = await team.open();
    await team.run(writ, document({ Order: call() }));
    expect((await refusalOf(bring(writ, tokenOf(), success(1), 'alice'))).code).toBe('POLICY_NO_MATCH');
    expect((await refusalOf(bring(writ, tokenOf(), { kind: 'heartbeat' }, 'alice'))).code).toBe(
      'POLICY_NO_MATCH',
    );
  });

  it('is new for each attempt, and that of an earlier attempt answers nothing', async () => {
    const { team } = here;
    const writ = await team.open();
    const retry = [{ errorEquals: ['States.TaskFailed'], maxAttempts: 1, intervalSeconds: 1 }];
    const runId = await team.start(writ, document({ Order: call({ retry }) }));
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await expect.poll(() => team.functions.calls.length).toBe(1);
    const first = tokenOf();
    await bring(writ, first, { kind: 'failure', error: 'Carrier.Busy', cause: 'later' });
    await expect
      .poll(() => {
        team.clock.advance(1_000);
        return team.functions.calls.length;
      })
      .toBe(2);
    const second = tokenOf();
    expect(second).not.toBe(first);
    expect((await refusalOf(bring(writ, first, success(1)))).code).toBe('TASK_ANSWERED');
    await bring(writ, second, success(2));
    await expect
      .poll(() => {
        team.clock.advance(100);
        return writ.status(runId).then(({ status }) => status);
      })
      .toBe('completed');
    await driven;
    expect((await writ.results(runId)).output).toBe(2);
  });

  it('may fail the step, by an error of its own that the document catches', async () => {
    const { team } = here;
    const writ = await team.open();
    const all = {
      Order: call({ catch: [{ errorEquals: ['Carrier.Lost'], next: 'Caught' }] }),
      Caught: { type: 'Succeed' },
    };
    const waiting = await team.run(writ, document(all));
    await bring(writ, tokenOf(), { kind: 'failure', error: 'Carrier.Lost', cause: 'at sea' });
    expect((await team.drive(writ, waiting.id)).output).toEqual({ Error: 'Carrier.Lost', Cause: 'at sea' });
  });

  it('can not make its answer pass for a refusal of policy or a fault of the log', async () => {
    const { team } = here;
    const writ = await team.open();
    await team.run(writ, document({ Order: call() }));
    for (const error of ['Policy.Denied', 'Approval.Denied', 'Integrity.Digest', 'States.ALL', '', 'a\nb']) {
      const no = { kind: 'failure', error, cause: null } as const;
      expect((await refusalOf(bring(writ, tokenOf(), no))).code).toBe('INPUT_INVALID');
    }
  });

  it('runs out with the time of its state: a late answer is refused and logged, the step times out', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Order: call({ timeoutSeconds: 60 }) }));
    team.clock.advance(60_000);
    expect((await refusalOf(bring(writ, tokenOf(), success(1)))).code).toBe('TASK_CLOSED');
    expect(await team.drive(writ, waiting.id)).toMatchObject({ error: { name: 'States.Timeout' } });
    expect(await team.facts(waiting.id, 'step.finished')).toMatchObject([{ status: 'timed-out' }]);
    expect((await refusalOf(bring(writ, tokenOf(), success(1)))).code).toBe('TASK_CLOSED');
  });

  it('stays good while there are signs of life, and not a heartbeat longer', async () => {
    const { team } = here;
    const writ = await team.open();
    const all = {
      Order: call({
        timeoutSeconds: 300,
        heartbeatSeconds: 60,
        catch: [{ errorEquals: ['States.HeartbeatTimeout'], next: 'Silent' }],
      }),
      Silent: { type: 'Succeed' },
    };
    const waiting = await team.run(writ, document(all));
    for (let beat = 0; beat < 3; beat++) {
      team.clock.advance(59_999);
      await bring(writ, tokenOf(), { kind: 'heartbeat' });
      expect((await team.drive(writ, waiting.id)).status).toBe('waiting');
    }
    team.clock.advance(60_000);
    expect((await refusalOf(bring(writ, tokenOf(), { kind: 'heartbeat' }))).code).toBe('TASK_CLOSED');
    expect(await team.drive(writ, waiting.id)).toMatchObject({
      status: 'completed',
      output: { Error: 'States.Timeout' },
    });
    expect(await team.types(waiting.id)).not.toContain('task.heartbeat');
  });

  it('counts for the time limit of the run', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Order: call() }, { timeoutSeconds: 10 }));
    team.clock.advance(10_000);
    expect(await team.drive(writ, waiting.id)).toMatchObject({ error: { code: 'RUN_TIMEOUT' } });
    expect((await writ.tasks())[0]?.state).toBe('withdrawn');
  });

  it('is another one after a redrive, and the one from before the cancellation answers nothing', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, document({ Order: call() }));
    const first = tokenOf();
    await writ.cancel(waiting.id, await team.as(writ, 'alice'));
    await writ.redrive(waiting.id, await team.as(writ, 'alice'));
    expect((await team.drive(writ, waiting.id)).waitingFor).toMatchObject({ by: 'token' });
    const second = tokenOf();
    expect(second).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect((await refusalOf(bring(writ, first, success(1)))).code).toBe('TASK_CLOSED');
    await bring(writ, second, success(2));
    expect((await team.drive(writ, waiting.id)).output).toBe(2);
  });

  it('that was answered is not asked for again by a redrive, though its fork or its run was stopped', async () => {
    const { team } = here;
    const writ = await team.open();
    const branches = ['A', 'B'].map((name) => ({ startAt: name, states: { [name]: call() } }));
    const both = document({ Both: { type: 'Parallel', branches, end: true } });
    const tokens = (): readonly string[] => team.functions.calls.map(({ input }) => tokenIn(input));

    const waiting = await team.run(writ, both);
    const [a = '', b = ''] = tokens();
    await bring(writ, a, { kind: 'failure', error: 'Payment.Refused', cause: 'no' });
    await bring(writ, b, success('paid'));
    expect((await team.drive(writ, waiting.id)).status).toBe('failed');
    await writ.redrive(waiting.id, await team.as(writ, 'alice'));
    await team.drive(writ, waiting.id);
    expect(tokens()).toHaveLength(3);

    // And where nobody came to hear of the answer before the run was cancelled.
    await bring(writ, tokens()[2] ?? '', success('again'));
    await writ.cancel(waiting.id, await team.as(writ, 'alice'));
    await writ.redrive(waiting.id, await team.as(writ, 'alice'));
    expect(await team.drive(writ, waiting.id)).toMatchObject({
      status: 'completed',
      output: expect.arrayContaining(['again', 'paid']) as unknown,
    });
    expect(tokens()).toHaveLength(3);
  });

  it('may come back before the function that it was given to has ended', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', async ({ input }) => {
      await bring(writ, tokenIn(input), success('early'));
      return null;
    });
    const { status, output } = await team.run(writ, document({ Order: call() }));
    expect([status, output]).toEqual(['completed', 'early']);
  });

  it('stands for itself only: what earlier steps gave is no way to it', async () => {
    const { team } = here;
    const writ = await team.open();
    const all = {
      Guess: {
        type: 'Pass',
        parameters: { 'guess.$': "States.Format('writ-task-token:{}/Order', $$.Execution.Id)" },
        next: 'Order',
      },
      Order: call({ parameters: { 'guess.$': '$.guess', 'token.$': '$$.Task.Token' } }),
    };
    const waiting = await team.run(writ, document(all));
    const guess = field(team.functions.calls[0]?.input, 'guess');
    expect(guess).toBe(`writ-task-token:${waiting.id}/Order`);
  });

  it('is told to no model', async () => {
    const { team } = here;
    const model = {
      functionIds: ['tool::test_model'],
      converses: ['tool::test_model'],
      invoke: () => Promise.resolve(null),
    };
    const writ = await team.open({ functions: [team.functions, model] });
    const text = document({ Order: call({ resource: 'tool::test_model.waitForTaskToken' }) });
    const { diagnostics } = await writ.validate({ text, file: null });
    expect(diagnostics).toMatchObject([{ code: 'DOC_UNSUPPORTED' }]);
  });

  it('reaches a sandbox by what the program is given, and stands in nothing that it prints', async () => {
    const { team } = here;
    const sandbox = new FakeSandbox();
    const writ = await team.open({ sandbox });
    const own = {
      resource: 'tool::wasm.waitForTaskToken',
      parameters: { module: 'fake', 'stdin.$': '$$.Task.Token' },
    };
    const runId = await team.start(writ, document({ Order: call(own) }));
    const leak = (): Uint8Array => new TextEncoder().encode(`sent ${told()}`);
    const told = (): string => new TextDecoder().decode(sandbox.runs[0]?.stdin);
    sandbox.results = [
      {
        get stderr() {
          return { bytes: leak(), truncated: false };
        },
      },
    ];
    const waiting = await team.drive(writ, runId);
    expect(waiting.status).toBe('waiting');
    const token = told();
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const policies = team.policiesWith('rbac/test.yaml', (rules) => {
      const about = { domain: 'default', action: 'task.answer', resource: 'tool::wasm', reason: 'test' };
      rules.addIn(['rules'], { id: 'TEST-99', effect: 'allow', subject: 'role:reviewer', ...about });
    });
    const other = await team.open({ sandbox, policies });
    await bring(other, token, success('done'));
    expect((await team.drive(other, runId)).output).toBe('done');
    expect(everything(team.data).includes(token)).toBe(false);
  });
});

describe('a job that is waited for (.sync)', () => {
  it('is the call itself: its output is the result', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', () => ({ Status: 'SUCCEEDED' }));
    const { output } = await team.run(
      writ,
      document({ Job: call({ resource: 'tool::test_one.sync', parameters: {} }) }),
    );
    expect(output).toEqual({ Status: 'SUCCEEDED' });
  });
});
