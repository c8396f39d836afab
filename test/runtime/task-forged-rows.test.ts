// HOLE: a row of the database says who may answer a task, what is asked, until when, or that it was answered. Whoever can
// write the data directory changes it; what counts is what the log says was asked and answered.
import path from 'node:path';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, it } from 'vitest';
import { commitment } from '../../src/audit/commitment.js';
import type { Json, JsonObject } from '../../src/json.js';
import type { Principal, TaskReply, Writ } from '../../src/runtime/writ.js';
import { field, refusalOf, states, useTeam } from './fixture.js';

const here = useTeam();
const HOUR = 3_600_000;
const YES: TaskReply = { kind: 'success', output: { ok: true } };
const NO: TaskReply = { kind: 'failure', error: null, cause: 'no' };
const FORM = { type: 'object', required: ['ok'], properties: { ok: { type: 'boolean' } } };

const document = (human: JsonObject = {}): string =>
  states('Review', {
    Review: { type: 'Task', human: { form: FORM, approverRoles: ['role:reviewer'], ...human }, end: true },
  });

interface Waiting {
  readonly writ: Writ;
  readonly run: string;
  readonly task: string;
}

/** Carol's run, whose form she may not fill in: she started it. */
async function waiting({ text = document(), policies = here.team.policies } = {}): Promise<Waiting> {
  const writ = await here.team.open({ policies });
  const run = await here.team.run(writ, text, { claim: 'C-1' }, 'carol');
  if (run.waitingFor?.kind !== 'task') throw new Error('the run waits for no task');
  return { writ, run: run.id, task: run.waitingFor.taskId };
}

/** As root on the machine could. */
function edit(sql: string, ...values: readonly unknown[]): void {
  const db = new Database(path.join(here.team.data, 'writ.db'));
  try {
    expect(db.prepare(sql).run(...values).changes).toBe(1);
  } finally {
    db.close();
  }
}

function setFacts(task: string, change: JsonObject): void {
  edit('UPDATE task SET facts = json_patch(facts, ?) WHERE id = ?', JSON.stringify(change), task);
}

async function answer({ writ, task }: Waiting, by: string | Principal, reply = YES): Promise<void> {
  const who = typeof by === 'string' ? await here.team.as(writ, by) : by;
  await writ.answerTask({ id: task }, reply, who);
}

/** Whoever answers is refused, the log says so, and the run has nothing of it. */
async function expectNoAnswer(one: Waiting, by: string): Promise<void> {
  const before = (await here.team.facts(one.run, 'task.answered')).length;
  expect((await refusalOf(answer(one, by))).code).toBe('TASK_CHANGED');
  expect(await here.team.facts(one.run, 'task.answered')).toHaveLength(before);
  expect((await here.team.facts(one.run, 'authz.decided')).at(-1)).toMatchObject({
    ...{ subject: `user:${by}`, action: 'task.answer', verdict: 'deny', code: 'TASK_CHANGED' },
  });
}

/** Nothing of the answer may have become the run's. */
async function expectDisbelieved({ writ, run }: Waiting): Promise<void> {
  expect(await here.team.drive(writ, run)).toMatchObject({
    ...{ status: 'failed', exitCode: 3, output: null, error: { name: 'Approval.Denied' } },
  });
}

describe('HOLE: a row that says who may answer', () => {
  it.each<[string, JsonObject]>([
    ['although they started the run: duties are not separated in it', { separationOfDuties: false }],
    ['although they started the run: it names somebody else', { initiator: 'user:alice' }],
  ])('%s', async (_, change) => {
    const one = await waiting();
    expect((await refusalOf(answer(one, 'carol'))).code).toBe('TASK_NOT_ELIGIBLE');
    setFacts(one.task, change);
    await expectNoAnswer(one, 'carol');
    // Nor does anybody sign for what was changed.
    await expectNoAnswer(one, 'bob');
    expect((await refusalOf(one.writ.task(one.task))).code).toBe('TASK_CHANGED');
  });

  it('although they hold no role of it, or only the right to another function', async () => {
    const policies = here.team.policiesWith('rbac/test.yaml', (rules) => {
      rules.addIn(['rules'], {
        ...{ id: 'TEST-90', effect: 'allow', subject: 'role:operator', domain: 'default' },
        ...{ action: 'task.answer', resource: 'tool::raw_disk' },
      });
    });
    const text = document({ approverRoles: ['role:operator'] });
    const [other, function_] = [await waiting({ text, policies }), await waiting({ policies })];
    setFacts(other.task, { roles: [] });
    await expectNoAnswer(other, 'bob');
    setFacts(function_.task, { roles: [], functionId: 'tool::raw_disk' });
    await expectNoAnswer(function_, 'olivia');
  });

  it('although they redrove the run: it names nobody who did', async () => {
    const one = await waiting();
    await answer(one, 'bob', NO);
    expect((await here.team.drive(one.writ, one.run)).status).toBe('failed');
    await one.writ.redrive(one.run, await here.team.as(one.writ, 'carol'));
    await here.team.drive(one.writ, one.run);
    const [again] = await one.writ.tasks({ run: one.run, states: ['open'] });
    expect(again?.redriver).toBe('user:carol');
    const asked = { ...one, task: again?.id ?? '' };
    setFacts(asked.task, { redriver: null, initiator: 'user:alice' });
    await expectNoAnswer(asked, 'carol');
  });
});

describe('HOLE: a row that says what is asked', () => {
  it('until later than the log says', async () => {
    const one = await waiting({ text: document({ expiresSeconds: 60 }) });
    setFacts(one.task, { expiresAtMs: here.team.clock.nowMs() + HOUR });
    here.team.clock.advance(60_000);
    await expectNoAnswer(one, 'bob');
  });

  it('of a larger answer than the limits of the step allow', async () => {
    const one = await waiting();
    setFacts(one.task, { outputBytes: 1_000_000_000 });
    await expectNoAnswer(one, 'bob');
  });

  it('with another input than its step was given: it is neither shown nor answered', async () => {
    const one = await waiting();
    const salt = Buffer.alloc(32, 9);
    const bytes = Buffer.from('{"claim":"C-2"}');
    const hex = commitment(salt, 'input', bytes);
    edit(
      'INSERT INTO payload (commitment, label, salt, bytes, media_type, run, entry_idx) VALUES (?, ?, ?, ?, ?, ?, 1)',
      ...[Buffer.from(hex, 'hex'), 'input', salt, bytes, 'application/json', one.run],
    );
    here.team.payloadsIntact = false;
    edit('UPDATE attempt SET input = ? WHERE run = ?', hex, one.run);
    expect((await refusalOf(one.writ.task(one.task))).code).toBe('TASK_CHANGED');
    await expectNoAnswer(one, 'bob');
  });

  it('in another form', async () => {
    const one = await waiting();
    edit(`UPDATE run SET plan = replace(plan, '"required":["ok"]', '"required":[]') WHERE id = ?`, one.run);
    expect((await refusalOf(one.writ.task(one.task))).code).toBe('TASK_CHANGED');
    await expectNoAnswer(one, 'bob');
  });

  it('of a task that the log does not know, or of another run', async () => {
    const [one, two] = [await waiting(), await waiting()];
    edit('UPDATE task SET id = ? WHERE id = ?', 'tsk_mine', one.task);
    await expectNoAnswer({ ...one, task: 'tsk_mine' }, 'bob');
    edit('UPDATE task SET run = ?, attempt = 2 WHERE id = ?', one.run, two.task);
    const elsewhere = await refusalOf(answer(two, 'bob'));
    expect(elsewhere.code).toBe('TASK_CHANGED');
  });
});

describe('HOLE: a row that says what was answered', () => {
  /** The account of a person on the machine is enough, so that their answers have no signature. */
  const trusting = (): string =>
    here.team.policiesWith('approvers.yaml', (approvers) => {
      const { people } = approvers.toJS() as { people: { id: string }[] };
      for (const [at, { id }] of people.entries())
        for (const [key, value] of [
          ['assurance', ['key', 'os']],
          ['osUser', id.slice('user:'.length)],
        ] as const)
          approvers.setIn(['people', at, key], value);
    });
  const byAccount = async (writ: Writ, name: string): Promise<Principal> => ({
    ...(await here.team.as(writ, name)),
    ...{ assurance: 'os', publicKey: null, sign: null },
  });

  it('by nobody: it waits again, and another person answers otherwise', async () => {
    const one = await waiting();
    await answer(one, 'bob', NO);
    edit(`UPDATE task SET state = 'open', answer = 'null' WHERE id = ?`, one.task);
    await expectNoAnswer(one, 'bob');
    expect(await here.team.facts(one.run, 'task.answered')).toMatchObject([{ answer: 'failure' }]);
  });

  it('by somebody who needs no signature and has said nothing', async () => {
    const policies = trusting();
    const [given, one] = [await waiting({ policies }), await waiting({ policies })];
    await answer(given, await byAccount(given.writ, 'bob'));
    edit(
      `UPDATE task SET state = 'answered', answer = (SELECT answer FROM task WHERE id = ?) WHERE id = ?`,
      given.task,
      one.task,
    );
    await expectDisbelieved(one);
    expect((await here.team.drive(given.writ, given.run)).status).toBe('completed');
  });

  it('by somebody who said the opposite without a signature', async () => {
    const one = await waiting({ policies: trusting() });
    await answer(one, await byAccount(one.writ, 'bob'), NO);
    edit(`UPDATE task SET answer = json_set(answer, '$.kind', 'success') WHERE id = ?`, one.task);
    await expectDisbelieved(one);
  });

  it('at another time than it was: a run that is cancelled keeps nothing of it for its redrive', async () => {
    const one = await waiting({ policies: trusting() });
    await answer(one, await byAccount(one.writ, 'bob'));
    edit(`UPDATE task SET answer = json_set(answer, '$.atMs', 1) WHERE id = ?`, one.task);
    await one.writ.cancel(one.run, await here.team.as(one.writ, 'carol'));
    expect(await here.team.facts(one.run, 'step.finished')).toMatchObject([{ status: 'cancelled' }]);
  });
});

describe('HOLE: a row that says by which token it is answered', () => {
  const call = states('Order', {
    Order: {
      ...{ type: 'Task', resource: 'tool::test_one.waitForTaskToken', end: true },
      parameters: { 'token.$': '$$.Task.Token' },
    },
  });
  const bring = async (
    { writ }: Waiting,
    token: string,
    by: string,
    reply: TaskReply = YES,
  ): Promise<void> => {
    await writ.answerTask({ token }, reply, await here.team.as(writ, by));
  };
  const tokenOf = (at: number): string => {
    const token: Json | undefined = field(here.team.functions.calls[at]?.input, 'token');
    if (typeof token !== 'string') throw new Error('there is no token in it');
    return token;
  };
  let one: Waiting;
  let mine: Waiting;

  beforeEach(async () => {
    [one, mine] = [await waiting({ text: call }), await waiting({ text: call })];
  });

  it('is not answered by the token of another task', async () => {
    const hash = 'SELECT token_hash FROM task WHERE id = ?';
    const [, token] = [tokenOf(0), tokenOf(1)];
    const db = new Database(path.join(here.team.data, 'writ.db'));
    const known = db.prepare(hash).pluck().get(mine.task);
    db.close();
    edit('UPDATE task SET token_hash = NULL WHERE id = ?', mine.task);
    edit('UPDATE task SET token_hash = ? WHERE id = ?', known, one.task);
    for (const reply of [YES, NO, { kind: 'heartbeat' } as const])
      expect((await refusalOf(bring(one, token, 'bob', reply))).code).toBe('TASK_CHANGED');
    expect(await here.team.types(one.run)).not.toContain('task.answered');
  });

  it('is not answered by id, as if it were a form', async () => {
    setFacts(one.task, { kind: 'person' });
    await expectNoAnswer(one, 'bob');
  });

  it('is answered by its own, and the log holds the hash of it', async () => {
    const [opened] = await here.team.facts(one.run, 'task.opened');
    expect(opened).toMatchObject({
      kind: 'token',
      tokenHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    await bring(one, tokenOf(0), 'bob');
    expect((await here.team.drive(one.writ, one.run)).status).toBe('completed');
  });
});

describe('a row that somebody has written again', () => {
  it('counts when it says what the log says: what is refused above is not the writing as such', async () => {
    const one = await waiting();
    setFacts(one.task, { separationOfDuties: true, unknown: 1 });
    await answer(one, 'bob');
    edit(`UPDATE task SET answer = json_set(answer, '$.unknown', 1) WHERE id = ?`, one.task);
    expect((await here.team.drive(one.writ, one.run)).status).toBe('completed');
  });
});
