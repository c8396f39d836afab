// An answer to a form is signed by who gives it, and counts only while the signature holds: when it comes, and again when
// its run goes on. Somebody who can write the database answers for nobody.
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { verifyTaskAnswer } from '../../src/approval/task-answer.js';
import { commitment } from '../../src/audit/commitment.js';
import type { Commitment, Hex, Json, JsonObject } from '../../src/json.js';
import type { Principal, TaskReply, Writ } from '../../src/runtime/writ.js';
import { refusalOf, states, useTeam } from './fixture.js';

const here = useTeam();

const FORM: JsonObject = { type: 'object', required: ['ok'], properties: { ok: { type: 'boolean' } } };
const REVIEW = states('Review', {
  Review: {
    type: 'Task',
    human: { form: FORM, approverRoles: ['role:reviewer'] },
    resultPath: '$.review',
    end: true,
  },
});
const YES: TaskReply = { kind: 'success', output: { ok: true } };

interface Waiting {
  readonly writ: Writ;
  readonly run: string;
  readonly task: string;
}

async function waiting(): Promise<Waiting> {
  const writ = await here.team.open();
  const { id, waitingFor } = await here.team.run(writ, REVIEW, { claim: 'C-1' });
  if (waitingFor?.kind !== 'task') throw new Error('the run waits for no task');
  return { writ, run: id, task: waitingFor.taskId };
}

async function answer({ writ, task }: Waiting, by: Principal, reply: TaskReply = YES): Promise<void> {
  await writ.answerTask({ id: task }, reply, by);
}

function textOf(value: Json | undefined): string {
  if (typeof value !== 'string') throw new Error('it is no text');
  return value;
}

/** As root on the machine could. */
function tamper(sql: string, ...values: readonly unknown[]): void {
  const db = new Database(path.join(here.team.data, 'writ.db'));
  try {
    expect(db.prepare(sql).run(...values).changes).toBeGreaterThan(0);
  } finally {
    db.close();
  }
}

/** Changes the answer that the store holds. */
function forge(task: string, change: JsonObject): void {
  tamper('UPDATE task SET answer = json_patch(answer, ?) WHERE id = ?', JSON.stringify(change), task);
}

/** Nothing of the answer may have become the run's. */
async function expectRefused({ writ, run, task }: Waiting): Promise<void> {
  expect(await here.team.drive(writ, run)).toMatchObject({
    status: 'failed',
    exitCode: 3,
    output: null,
    error: { code: 'TASK_SIGNATURE_INVALID', name: 'Approval.Denied' },
  });
  expect((await writ.task(task)).record.state).toBe('withdrawn');
  expect(await here.team.facts(run, 'step.finished')).toMatchObject([
    { status: 'failed', code: 'TASK_SIGNATURE_INVALID' },
  ]);
}

describe('an answer by key', () => {
  it('is signed over this attempt, the form and the input that were shown, and the answer', async () => {
    const { team } = here;
    const one = await waiting();
    const bob = await team.as(one.writ, 'bob');
    const { question } = await one.writ.task(one.task);
    await answer(one, bob);
    const entries = await team.entries(one.run);
    const at = (type: string) => entries.find((entry) => entry.type === type);
    const [opened, given] = [at('task.opened')?.data ?? {}, at('task.answered')];
    expect(opened).toMatchObject({ kind: 'person', roles: ['role:reviewer'], separationOfDuties: true });
    expect(question).toEqual({
      taskId: one.task,
      run: one.run,
      stepPath: 'Review',
      attempt: 1,
      form: opened['form'],
      input: at('step.intended')?.commit['input'],
      expiresAt: opened['expiresAt'],
    });
    const { keyId, signature, at: signedAt } = given?.data ?? {};
    expect(keyId).toBe(bob.publicKey);
    const said = {
      ...question,
      answer: 'success',
      by: 'user:bob',
      at: textOf(signedAt),
      commitment: given?.commit['output'] ?? ('' as Commitment),
    } as const;
    const bytes = (text: Json | undefined): Uint8Array => Buffer.from(textOf(text), 'base64');
    const key = bytes(textOf(keyId).slice('ed25519:'.length));
    expect(verifyTaskAnswer(said, bytes(signature), key)).toBe(true);
    expect(verifyTaskAnswer({ ...said, form: '0'.repeat(64) as Hex }, bytes(signature), key)).toBe(false);
    expect((await team.drive(one.writ, one.run)).status).toBe('completed');
  });

  it('counts only with a signature of that very person; what does not is logged, and the task waits on', async () => {
    const { team } = here;
    const one = await waiting();
    const [bob, carol] = [await team.as(one.writ, 'bob'), await team.as(one.writ, 'carol')];
    for (const by of [
      { ...bob, sign: null },
      { ...bob, sign: carol.sign },
      { ...bob, publicKey: carol.publicKey, sign: carol.sign },
      { ...bob, publicKey: null },
      { ...bob, sign: () => new Uint8Array(64) },
      { ...bob, sign: () => new Uint8Array() },
    ])
      expect((await refusalOf(answer(one, by))).code).toBe('TASK_SIGNATURE_INVALID');
    // Who is accepted without a signature claims no key.
    expect((await refusalOf(answer(one, { ...bob, assurance: 'oidc' }))).code).toBe('TASK_NOT_ELIGIBLE');
    expect(await team.types(one.run)).not.toContain('task.answered');
    const denied = (await team.facts(one.run, 'authz.decided')).filter(({ verdict }) => verdict === 'deny');
    expect(denied).toHaveLength(7);
    await answer(one, bob);
    expect((await team.drive(one.writ, one.run)).output).toEqual({ claim: 'C-1', review: { ok: true } });
  });

  it('that was signed elsewhere is of the last five minutes, to the millisecond, and has a salt of its own', async () => {
    const { team } = here;
    const one = await waiting();
    const bob = await team.as(one.writ, 'bob');
    const nowMs = team.clock.nowMs();
    const salt = new Uint8Array(32).fill(7);
    for (const atMs of [nowMs - 300_001, nowMs + 300_001]) {
      const refusal = await refusalOf(answer(one, bob, { ...YES, signed: { atMs, salt } }));
      expect([refusal.code, refusal.message]).toEqual([
        'TASK_SIGNATURE_INVALID',
        'the answer was not signed within the last 5 minutes',
      ]);
    }
    await answer(one, bob, { ...YES, signed: { atMs: nowMs - 300_000, salt } });
    const two = await waiting();
    const again = await refusalOf(answer(two, bob, { ...YES, signed: { atMs: nowMs, salt } }));
    expect([again.code, again.message]).toEqual(['USAGE', 'the salt of this answer was used before']);
  });
});

describe('HOLE: an answer that somebody wrote into the store', () => {
  it('in place of the one that was given does not count', async () => {
    const one = await waiting();
    await answer(one, await here.team.as(one.writ, 'bob'), { kind: 'failure', error: null, cause: 'no' });
    const { record } = await one.writ.task(one.task);
    expect(record.answer?.kind).toBe('failure');
    // A refusal is turned into a success.
    forge(one.task, { kind: 'success' });
    await expectRefused(one);
  });

  it.each<[string, JsonObject]>([
    ['in the name of somebody else', { by: 'user:carol' }],
    ['without its signature', { signature: null }],
    ['at another time', { atMs: 1 }],
    ['as one that an identity provider vouches for', { assurance: 'oidc' }],
    ['as one that needs no signature', { assurance: 'oidc', keyId: null, signature: null }],
  ])('%s does not count', async (_, change) => {
    const one = await waiting();
    await answer(one, await here.team.as(one.writ, 'bob'));
    forge(one.task, change);
    await expectRefused(one);
  });

  it('to a task that nobody answered does not count, though a person has signed an answer to another one', async () => {
    const [other, one] = [await waiting(), await waiting()];
    await answer(other, await here.team.as(other.writ, 'bob'));
    tamper(
      `UPDATE task SET state = 'answered', answer = (SELECT answer FROM task WHERE id = ?) WHERE id = ?`,
      other.task,
      one.task,
    );
    await expectRefused(one);
    expect((await here.team.drive(other.writ, other.run)).status).toBe('completed');
  });

  it('as other bytes of the same answer does not count', async () => {
    const one = await waiting();
    here.team.payloadsIntact = false;
    await answer(one, await here.team.as(one.writ, 'bob'));
    const { record } = await one.writ.task(one.task);
    tamper(
      'UPDATE payload SET bytes = ? WHERE commitment = ?',
      Buffer.from('{"ok":false}'),
      Buffer.from(record.answer?.payload ?? '', 'hex'),
    );
    await expectRefused(one);
  });

  it('is not shown to have been the answer of a step when its run is cancelled', async () => {
    const { team } = here;
    const one = await waiting();
    await answer(one, await team.as(one.writ, 'bob'));
    forge(one.task, { signature: null });
    await one.writ.cancel(one.run, await team.as(one.writ, 'alice'));
    expect(await team.facts(one.run, 'step.finished')).toMatchObject([{ status: 'cancelled' }]);
  });
});

describe('HOLE: an answer that somebody wrote into the store before a redrive', () => {
  const FORGED = Buffer.from('{"ok":true}');

  async function expectNoRedrive({ writ, run }: Waiting): Promise<void> {
    const refusal = await refusalOf(writ.redrive(run, await here.team.as(writ, 'alice')));
    expect(refusal.code).toBe('INTEGRITY_DIGEST');
    expect(refusal.message).toBe('the stored output of attempt 1 of Review is not what the log names');
    expect(await here.team.types(run)).not.toContain('run.redriven');
  }

  it('as the outcome of an attempt that nobody answered does not count', async () => {
    const one = await waiting();
    here.team.payloadsIntact = false;
    await one.writ.cancel(one.run, await here.team.as(one.writ, 'alice'));
    const salt = Buffer.alloc(32, 9);
    const hex = commitment(salt, 'output', FORGED);
    tamper(
      'INSERT INTO payload (commitment, label, salt, bytes, media_type, run, entry_idx) VALUES (?, ?, ?, ?, ?, ?, 1)',
      ...[Buffer.from(hex, 'hex'), 'output', salt, FORGED, 'application/json', one.run],
    );
    tamper(`UPDATE attempt SET status = 'succeeded', output = ? WHERE run = ?`, hex, one.run);
    await expectNoRedrive(one);
  });

  it('as other bytes of the answer that was given does not count', async () => {
    const one = await waiting();
    here.team.payloadsIntact = false;
    await answer(one, await here.team.as(one.writ, 'bob'), { kind: 'success', output: { ok: false } });
    await one.writ.cancel(one.run, await here.team.as(one.writ, 'alice'));
    tamper(`UPDATE payload SET bytes = ? WHERE label = 'output' AND run = ?`, FORGED, one.run);
    await expectNoRedrive(one);
  });
});

describe('HOLE: an input that somebody changed in the store', () => {
  it('is shown to nobody who answers', async () => {
    const { team } = here;
    const one = await waiting();
    team.payloadsIntact = false;
    const row = await team.stored((store) => store.attempt(one.run, 'Review', 1));
    tamper(
      'UPDATE payload SET bytes = ? WHERE commitment = ?',
      Buffer.from('{"claim":"C-2"}'),
      Buffer.from(row?.input ?? '', 'hex'),
    );
    expect((await refusalOf(one.writ.task(one.task))).code).toBe('INTEGRITY_DIGEST');
  });
});

describe('an answer that waits for its run to go on', () => {
  it.each<[string, string, (document: import('yaml').Document) => void]>([
    [
      'has lost the role',
      'roles/default.yaml',
      (roles) => {
        roles.setIn(['members', 'role:reviewer'], ['user:alice', 'user:carol']);
      },
    ],
    [
      'has lost the key',
      'approvers.yaml',
      (approvers) => {
        const { people } = approvers.toJS() as { people: { id: string }[] };
        approvers.setIn(['people', people.findIndex(({ id }) => id === 'user:bob'), 'keys'], []);
      },
    ],
  ])('does not count when its giver %s meanwhile', async (_, file, edit) => {
    const { team } = here;
    const one = await waiting();
    await answer(one, await team.as(one.writ, 'bob'));
    const later = await team.open({ policies: team.policiesWith(file, edit) });
    await expectRefused({ ...one, writ: later });
  });
});
