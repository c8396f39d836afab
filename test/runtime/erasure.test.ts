// Erasing payloads: a governed act like any other, after which the bytes are in no file and every proof still holds.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEntry } from '../../src/audit/entry.js';
import { type Commitment, isObject, type Json, type JsonObject } from '../../src/json.js';
import type { ApprovalRecord, Store } from '../../src/runtime/ports.js';
import type { Erasure, RunView, Writ } from '../../src/runtime/writ.js';
import { faulty, field, refusalOf, rules, states, steps, type Team, useTeam } from './fixture.js';
import { filesWith } from './stored-bytes.js';

const held = useTeam();

const NAME = 'Erika "Ünlü" Mustermann';
const BASIS = 'GDPR art. 17, case 2026-31';
const ECHO = steps(['functionId: tool::test_one, promptTemplate: "x", config: { name: "{{name}}" }']);

/** A finished run whose input and output hold NAME. */
async function finishedRun(team: Team, writ: Writ, name = NAME): Promise<string> {
  team.functions.answer('tool::test_one', ({ input }) => ({ echo: input }));
  const run = await team.run(writ, ECHO, { name });
  expect(run.status).toBe('completed');
  return run.id;
}

async function setUp(): Promise<{ team: Team; writ: Writ; run: string; payloads: Stored[] }> {
  const { team } = held;
  const writ = await team.open();
  const run = await finishedRun(team, writ);
  return { team, writ, run, payloads: await payloadsOf(team, run) };
}

interface Stored {
  readonly commitment: Commitment;
  readonly label: string;
  readonly salt: Uint8Array | null;
  readonly bytes: Uint8Array | null;
  readonly erasedBy: bigint | null;
}

async function payloadsOf(team: Team, run: string): Promise<Stored[]> {
  const commitments = (await team.entries(run)).flatMap((entry) => Object.values(entry.commit));
  return team.stored(async (store) => {
    const found = await Promise.all(commitments.map((hex) => store.payload(hex)));
    return found.filter((one) => one !== null);
  });
}

const ask = async (
  team: Team,
  writ: Writ,
  what: Parameters<Writ['erase']>[0]['what'],
  by = 'ada',
): Promise<Erasure> => writ.erase({ what, basis: BASIS }, await team.as(writ, by));

const ofRun = (run: string, label: string | null = null) => ({ kind: 'run', run, label }) as const;
const ofPayloads = (...commitments: readonly string[]) => ({ kind: 'payloads', commitments }) as const;

async function pending(writ: Writ, run: string): Promise<ApprovalRecord> {
  const [approval] = await writ.approvals({ run, states: ['pending'] });
  if (approval === undefined) throw new Error(`run ${run} asks for no approval`);
  return approval;
}

/** Both reviewers agree; the run goes as far as it can. */
async function approved(team: Team, writ: Writ, run: string): Promise<RunView> {
  await team.drive(writ, run);
  for (const by of ['bob', 'carol']) await team.approve(writ, await pending(writ, run), by);
  return team.drive(writ, run);
}

async function erased(
  team: Team,
  writ: Writ,
  what: Parameters<Writ['erase']>[0]['what'],
): Promise<JsonObject> {
  const { run } = await ask(team, writ, what);
  if (run === null) throw new Error('there was nothing to erase');
  const done = await approved(team, writ, run);
  expect(done).toMatchObject({ status: 'completed' });
  const { output } = await writ.results(run);
  if (!isObject(output)) throw new Error('an erasure has an output');
  return output;
}

describe('an erasure', () => {
  it('waits for two people, then takes bytes and salts out of every file and leaves every proof', async () => {
    const { team, writ, run, payloads } = await setUp();
    expect(filesWith(team.data, NAME)).not.toEqual([]);
    const { run: erasure } = await ask(team, writ, ofRun(run));
    const waiting = await team.drive(writ, erasure ?? '');
    expect(waiting).toMatchObject({ status: 'waiting', exitCode: 10 });
    const approval = await pending(writ, waiting.id);
    expect(approval).toMatchObject({ mode: 'two-person', quorum: [{ role: 'role:reviewer', n: 2 }] });
    const shown = (await writ.approval(approval.id)).display.join('\n');
    for (const { commitment } of payloads) expect(shown).toContain(commitment);
    expect(shown).toContain(BASIS);
    await team.approve(writ, approval, 'bob');
    expect((await team.drive(writ, waiting.id)).status).toBe('waiting');
    expect(filesWith(team.data, NAME)).not.toEqual([]);
    const before = readFileSync(path.join(team.data, 'audit', 'checkpoint'), 'utf8');

    // The second voice comes from another process, which goes on with the run.
    const other = await team.open();
    await team.approve(other, approval, 'carol');
    expect((await team.drive(other, waiting.id)).status).toBe('completed');

    expect(filesWith(team.data, NAME)).toEqual([]);
    for (const { salt, bytes } of payloads) {
      if (salt !== null) expect(filesWith(team.data, salt)).toEqual([]);
      if (bytes !== null && bytes.length > 8) expect(filesWith(team.data, bytes)).toEqual([]);
    }
    const gone = await payloadsOf(team, run);
    expect(gone.every((one) => one.salt === null && one.bytes === null && one.erasedBy !== null)).toBe(true);
    const old = path.join(team.home, 'old-checkpoint');
    writeFileSync(old, before);
    const report = await team.verify();
    expect(report).toMatchObject({ verdict: 'verified', findings: [] });
    expect(report.warnings.join()).not.toContain('may still be');
    expect(report.erased.map((one) => one.commitment).sort()).toEqual(
      payloads.map((one) => one.commitment).sort(),
    );
  });

  it('says in the chain of the run what is gone, why, and who asked', async () => {
    const { team, writ, run, payloads } = await setUp();
    const before = (await team.types(run)).length;
    const { run: erasure } = await ask(team, writ, ofRun(run, 'input'));
    await approved(team, writ, erasure ?? '');
    const inputs = payloads.filter((one) => one.label === 'input').map((one) => one.commitment);
    const entries = (await team.entries(run)).slice(before);
    expect(entries.map((entry) => entry.type)).toEqual(inputs.map(() => 'payload.erased'));
    expect(entries.map((entry) => entry.data['commitment']).sort()).toEqual([...inputs].sort());
    expect(entries[0]?.data).toMatchObject({
      label: 'input',
      basis: BASIS,
      requester: 'user:ada',
      erasure,
    });
    expect(entries[0]?.actor.id).toBe('user:ada');
  });

  it('takes one payload and names what is left of the run', async () => {
    const { team, writ, run, payloads } = await setUp();
    const output = payloads.find((one) => one.label === 'output')!;
    const result = await erased(team, writ, ofPayloads(output.commitment));
    expect(result).toMatchObject({ clean: true, reason: null, erasedNow: 1, copiesRemoved: [] });
    expect(field((result['erased'] as Json[])[0], 'commitment')).toBe(output.commitment);
    const left = (result['payloadsLeft'] as Json[]).map((one) => field(one, 'commitment'));
    expect([...left].sort()).toEqual(
      payloads
        .map((one) => one.commitment)
        .filter((one) => one !== output.commitment)
        .sort(),
    );
    expect((await payloadsOf(team, run)).filter((one) => one.bytes === null)).toHaveLength(1);
  });

  it('does nothing when a reviewer denies it, and nothing the one who asked may decide', async () => {
    const { team, writ, run, payloads } = await setUp();
    const { run: erasure } = await ask(team, writ, ofRun(run));
    await team.drive(writ, erasure ?? '');
    const approval = await pending(writ, erasure ?? '');
    expect((await refusalOf(team.approve(writ, approval, 'ada'))).exitCode).toBe(3);
    await team.approve(writ, approval, 'bob');
    await team.deny(writ, approval, 'carol');
    expect(await team.drive(writ, erasure ?? '')).toMatchObject({ status: 'failed', exitCode: 4 });
    expect(await payloadsOf(team, run)).toEqual(payloads);
  });

  it('asked for again by the same person goes on with the one that waits', async () => {
    const { team, writ, run } = await setUp();
    const first = await ask(team, writ, ofRun(run));
    await team.drive(writ, first.run ?? '');
    const size = (await team.stored((store) => store.log())).size;
    expect((await ask(team, writ, ofRun(run))).run).toBe(first.run);
    // The right is asked for each time, and that is all that is logged.
    expect((await team.stored((store) => store.log())).size).toBe(size + 1n);
    expect((await ask(team, writ, ofRun(run, 'input'))).run).not.toBe(first.run);
  });

  it('of what is erased already does nothing and says where it was logged', async () => {
    const { team, writ, run, payloads } = await setUp();
    await erased(team, writ, ofRun(run));
    const again = await ask(team, writ, ofRun(run));
    expect(again.run).toBeNull();
    expect(again.before.map((one) => one.commitment).sort()).toEqual(
      payloads.map((one) => one.commitment).sort(),
    );
    expect((await team.facts(run, 'payload.erased')).length).toBe(payloads.length);
  });

  it('asked for twice, by two people, erases once', async () => {
    const { team, writ, run, payloads } = await setUp();
    const policies = team.policiesWith('roles/default.yaml', (document) => {
      document.setIn(['members', 'role:admin'], ['user:ada', 'user:olivia']);
    });
    const both = await team.open({ policies });
    const [a, b] = [await ask(team, both, ofRun(run)), await ask(team, both, ofRun(run), 'olivia')];
    expect(a.run).not.toBe(b.run);
    await approved(team, both, a.run ?? '');
    expect((await approved(team, both, b.run ?? '')).status).toBe('completed');
    expect((await both.results(b.run ?? '')).output).toMatchObject({ erasedNow: 0, clean: true });
    expect((await team.facts(run, 'payload.erased')).length).toBe(payloads.length);
    expect(writ.tenant).toBe('default');
  });
});

describe('who may erase', () => {
  it('is nobody without the right, and the refusal is in the log', async () => {
    const { team, writ, run, payloads } = await setUp();
    for (const by of ['alice', 'audrey', 'olivia']) {
      const error = await refusalOf(ask(team, writ, ofRun(run), by));
      expect([error.code, error.exitCode]).toEqual(['POLICY_NO_MATCH', 3]);
    }
    const own = await team.entries(null);
    expect(own.at(-1)?.data).toMatchObject({ action: 'audit.erase', resource: run, verdict: 'deny' });
    expect(await payloadsOf(team, run)).toEqual(payloads);
    expect(await writ.runs({ workflowId: 'writ-audit-erase' })).toEqual([]);
  });

  it('is told nothing without the right: no label, no run, no payload is known to be there', async () => {
    const { team, writ, run, payloads } = await setUp();
    const waits = await team.run(
      writ,
      steps(['functionId: tool::test_one, promptTemplate: "x", approval: { mode: async }']),
      { name: NAME },
    );
    const asked: (readonly [string, Parameters<Writ['erase']>[0]['what']])[] = [
      [run, ofRun(run, 'nosuch')],
      ['run_none', ofRun('run_none')],
      [waits.id, ofRun(waits.id)],
      [run, ofPayloads(payloads[0]!.commitment)],
      ['*', ofPayloads('ab'.repeat(32))],
      ['*', { kind: 'expired' }],
    ];
    for (const [resource, what] of asked) {
      const error = await refusalOf(ask(team, writ, what, 'alice'));
      expect([error.code, error.exitCode]).toEqual(['POLICY_NO_MATCH', 3]);
      expect(`${error.message} ${error.hint ?? ''}`).not.toMatch(/labels|input|waiting/);
      const [last] = (await team.entries(null)).slice(-1);
      expect(last?.data).toMatchObject({ action: 'audit.erase', resource, verdict: 'deny' });
    }
    // Going on with one's own erasure is asked for anew, too.
    const { run: erasure } = await ask(team, writ, ofRun(run));
    const policies = team.policiesWith('rbac/claims.yaml', (document) => {
      dropRule(document, 'AD-010');
    });
    const later = await team.open({ policies });
    expect(erasure).not.toBeNull();
    expect((await refusalOf(ask(team, later, ofRun(run)))).exitCode).toBe(3);
  });

  it('is nobody who has the right to the data and not to the act', async () => {
    const { team, run, payloads } = await setUp();
    const policies = team.policiesWith('rbac/claims.yaml', (document) => {
      dropRule(document, 'AD-011');
    });
    const writ = await team.open({ policies });
    const { run: erasure } = await ask(team, writ, ofRun(run));
    expect(await team.drive(writ, erasure ?? '')).toMatchObject({ status: 'failed', exitCode: 3 });
    expect(await payloadsOf(team, run)).toEqual(payloads);
  });

  it('is nobody who has lost the right since it was asked for, whoever approved', async () => {
    const { team, writ, run, payloads } = await setUp();
    const { run: erasure } = await ask(team, writ, ofRun(run));
    await team.drive(writ, erasure ?? '');
    const policies = team.policiesWith('rbac/claims.yaml', (document) => {
      dropRule(document, 'AD-010');
    });
    const later = await team.open({ policies });
    const done = await approved(team, later, erasure ?? '');
    expect(done).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'POLICY_NO_MATCH' } });
    expect(await payloadsOf(team, run)).toEqual(payloads);
  });

  it('is no workflow but the built-in one: no document can name audit::erase', async () => {
    const { team, writ, run, payloads } = await setUp();
    const input = {
      basis: BASIS,
      payloads: payloads.map(({ commitment, label }) => ({ commitment, label, run })),
    };
    const own = states('A', { A: { type: 'Task', resource: 'audit::erase', end: true } });
    expect((await refusalOf(team.start(writ, own, input, 'alice'))).code).toBe('DOC_INVALID');
    await ask(team, writ, ofRun(run));
    const stored = await refusalOf(
      writ.start({ workflow: 'writ-audit-erase', input }, await team.as(writ, 'alice')),
    );
    expect(stored.code).toBe('DOC_INVALID');
    expect(await payloadsOf(team, run)).toEqual(payloads);
  });

  it('is no function of an embedding program either', async () => {
    const { team } = held;
    const functions = [{ functionIds: ['audit::erase'], invoke: async () => null }];
    expect((await refusalOf(team.open({ functions }))).code).toBe('USAGE');
  });
});

describe('what can not be erased', () => {
  it('is refused, and nothing but the right is logged: unknown, malformed, of an unfinished run, without a basis', async () => {
    const { team, writ, run } = await setUp();
    const waits = await team.run(
      writ,
      steps(['functionId: tool::test_one, promptTemplate: "x", approval: { mode: async }']),
      { name: NAME },
    );
    expect(waits.status).toBe('waiting');
    const [open] = await payloadsOf(team, waits.id);
    const { size } = await team.stored((store) => store.log());
    const codes: (readonly [string, Parameters<Writ['erase']>[0]['what']])[] = [
      ['NOT_FOUND', ofPayloads('ab'.repeat(32))],
      ['USAGE', ofPayloads('AB'.repeat(32))],
      ['USAGE', ofPayloads('../x')],
      ['NOT_FOUND', ofRun('run_none')],
      ['NOT_FOUND', ofRun(run, 'none')],
      ['RUN_UNFINISHED', ofRun(waits.id)],
      ['RUN_UNFINISHED', ofPayloads(open!.commitment)],
    ];
    for (const [code, what] of codes) {
      const error = await refusalOf(ask(team, writ, what));
      expect([error.code, error.exitCode]).toEqual([code, 2]);
    }
    const ada = await team.as(writ, 'ada');
    for (const basis of ['', '  ', 'x'.repeat(501), 'a\nb', 'a\u202ab\u0000']) {
      expect((await refusalOf(writ.erase({ what: ofRun(run), basis }, ada))).code).toBe('USAGE');
    }
    const since = (await team.stored((store) => store.entries(size, size + 256n, 256))).map(
      (row) => parseEntry(row.bytes).type,
    );
    expect(since).toEqual([
      'authz.decided',
      'authz.decided',
      'authz.decided',
      'authz.decided',
      'authz.decided',
    ]);
    await writ.cancel(waits.id, await team.as(writ, 'alice'));
    await erased(team, writ, ofRun(waits.id));
  });

  it('is what is gone without an entry: verification finds it, and no erasure covers it up', async () => {
    const { team, writ, run, payloads } = await setUp();
    const gone = payloads[0]!;
    const db = new Database(path.join(team.data, 'writ.db'));
    db.prepare('UPDATE payload SET salt = NULL, bytes = NULL WHERE commitment = ?').run(
      Buffer.from(gone.commitment, 'hex'),
    );
    db.close();
    const error = await refusalOf(ask(team, writ, ofRun(run)));
    expect([error.code, error.exitCode]).toEqual(['AUDIT_ERASED_UNLOGGED', 5]);
    expect(await team.verify()).toMatchObject({ verdict: 'erased-unlogged', ok: false });
    team.payloadsIntact = false;
  });
});

describe('what is shown of erased data', () => {
  it('is that it was erased, and by which entry', async () => {
    const { team, writ } = await setUp();
    const gated = await team.run(
      writ,
      steps([
        'functionId: tool::test_one, promptTemplate: "x", config: { name: "{{name}}" }, approval: { mode: async }',
      ]),
      { name: NAME },
    );
    const approval = await team.pending(writ, gated.id);
    await team.approve(writ, approval);
    await team.drive(writ, gated.id);
    expect((await writ.results(gated.id)).steps[0]).not.toHaveProperty('outputErasedBy');
    await erased(team, writ, ofRun(gated.id));
    const view = await writ.results(gated.id);
    expect(view).toMatchObject({ output: null, outputErasedBy: expect.stringMatching(/^\d+$/) });
    expect(view.steps[0]).toMatchObject({ output: null, outputErasedBy: expect.stringMatching(/^\d+$/) });
    expect(await writ.approval(approval.id)).toMatchObject({
      subject: null,
      display: [expect.stringMatching(/^\(erased, entry \d+\)$/)],
    });
    expect((await refusalOf(writ.resume(gated.id, await team.as(writ, 'alice')))).code).toBe(
      'RUN_ALREADY_FINISHED',
    );
  });

  it('is that the message of an error was erased', async () => {
    const { team, writ } = await setUp();
    team.functions.answer('tool::test_one', () => Promise.reject(new Error(`no such person: ${NAME}`)));
    const run = await team.run(writ, ECHO, { name: NAME });
    expect(run.error?.message).toContain(NAME);
    await erased(team, writ, ofRun(run.id));
    expect((await writ.status(run.id)).error?.message).toMatch(/^\(erased, entry \d+\)$/);
  });
});

describe('a crash in the middle', () => {
  it.each(['failAppendAndNotPersist', 'failAppendButPersist'] as const)(
    '%s of the erasure: the run goes on under the same approval, and it is erased once',
    async (fault) => {
      const { team, writ, run, payloads } = await setUp();
      const { run: erasure } = await ask(team, writ, ofRun(run));
      await team.drive(writ, erasure ?? '');
      for (const by of ['bob', 'carol']) await team.approve(writ, await pending(writ, erasure ?? ''), by);
      const broken = await team.open({ store: (inner) => faulty(inner, fault, 'payload.erased') });
      await refusalOf(team.drive(broken, erasure ?? ''));
      const fresh = await team.open();
      expect((await team.drive(fresh, erasure ?? '')).status).toBe('completed');
      expect((await team.facts(run, 'payload.erased')).length).toBe(payloads.length);
      expect((await team.facts(erasure ?? '', 'approval.consumed')).length).toBe(1);
      expect(filesWith(team.data, NAME)).toEqual([]);
    },
  );

  it('between the erasure and its outcome: the next one finishes it', async () => {
    const { team, writ, run } = await setUp();
    const { run: erasure } = await ask(team, writ, ofRun(run));
    await team.drive(writ, erasure ?? '');
    for (const by of ['bob', 'carol']) await team.approve(writ, await pending(writ, erasure ?? ''), by);
    const broken = await team.open({
      store: (inner) => faulty(inner, 'failAppendAndNotPersist', 'step.finished'),
    });
    await refusalOf(team.drive(broken, erasure ?? ''));
    expect((await team.drive(await team.open(), erasure ?? '')).status).toBe('completed');
  });

  it('between the erasure and the scrubbing: whoever opens the store next does it', async () => {
    const { team, writ, run } = await setUp();
    const { run: erasure } = await ask(team, writ, ofRun(run));
    await team.drive(writ, erasure ?? '');
    for (const by of ['bob', 'carol']) await team.approve(writ, await pending(writ, erasure ?? ''), by);
    const stuck = await team.open({ store: (inner) => neverScrubbed(inner) });
    expect((await team.drive(stuck, erasure ?? '')).status).toBe('completed');
    expect((await stuck.results(erasure ?? '')).output).toMatchObject({
      clean: false,
      reason: expect.stringContaining('still reads'),
    });
    expect((await stuck.doctor()).find((one) => one.name === 'erased data')).toMatchObject({ ok: false });
    expect((await team.verify()).warnings.join()).toContain('may still be');
    expect(filesWith(team.data, NAME)).not.toEqual([]);
    const next = await team.open();
    expect((await next.doctor()).find((one) => one.name === 'erased data')).toMatchObject({ ok: true });
    expect(filesWith(team.data, NAME)).toEqual([]);
    expect((await team.verify()).warnings.join()).not.toContain('may still be');
  });

  it('is finished by the same command again, too', async () => {
    const { team, writ, run } = await setUp();
    const { run: erasure } = await ask(team, writ, ofRun(run));
    await team.drive(writ, erasure ?? '');
    for (const by of ['bob', 'carol']) await team.approve(writ, await pending(writ, erasure ?? ''), by);
    const stuck = await team.open({ store: (inner) => neverScrubbed(inner) });
    await team.drive(stuck, erasure ?? '');
    // This handle was open all the time.
    const again = await ask(team, writ, ofRun(run));
    expect(again).toMatchObject({ run: null, scrub: { clean: true, reason: null } });
    expect(filesWith(team.data, NAME)).toEqual([]);
  });
});

describe('copies handed out', () => {
  it('are removed where they hold what was erased, left where they do not, and named where they are gone', async () => {
    const { team, writ, run, payloads } = await setUp();
    const other = await finishedRun(team, writ, 'somebody else');
    const stores: Store[] = [];
    await team.open({ store: (inner) => (stores.push(inner), inner) });
    const file = (name: string): string => path.join(team.home, name);
    const target = payloads[0]!;
    const withIt = JSON.stringify({ disclosed: [{ commitment: target.commitment, bytes: 'secret' }] });
    writeFileSync(file('bundle.json'), withIt);
    writeFileSync(file('all.jsonl'), 'x'.repeat(3_000_000) + withIt);
    writeFileSync(file('clean.json'), '{}');
    writeFileSync(file('other.json'), withIt);
    for (const [name, of] of [
      ['bundle.json', run],
      ['all.jsonl', null],
      ['clean.json', run],
      ['gone.json', run],
      ['other.json', other],
    ] as const) {
      await stores[0]!.recordCopy({ path: file(name), run: of, madeAtMs: 0 });
    }
    const result = await erased(team, writ, ofPayloads(target.commitment));
    expect((result['copiesRemoved'] as string[]).toSorted()).toEqual([
      file('all.jsonl'),
      file('bundle.json'),
    ]);
    expect(result['copiesOutOfReach']).toEqual([
      { path: file('gone.json'), reason: 'is no longer where it was written' },
    ]);
    expect(
      ['bundle.json', 'all.jsonl', 'clean.json', 'other.json'].map((name) => existsSync(file(name))),
    ).toEqual([false, false, true, true]);
    const copies = await team.stored((store) => store.copies());
    expect(copies.map((one) => path.basename(one.path)).sort()).toEqual([
      'clean.json',
      'gone.json',
      'other.json',
    ]);
  });
});

describe('a copy that is made while its payload is erased', () => {
  /** Erases the run the moment `at` says so; the store that the copy is made with. */
  function erasingAt(inner: Store, isMoment: (name: string) => boolean, erase: () => Promise<void>): Store {
    return new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          const result: unknown = await Reflect.apply(value, target, args);
          if (typeof name === 'string' && isMoment(name)) await erase();
          return result;
        };
      },
    });
  }
  async function copyWhileErased(isMoment: (name: string) => boolean) {
    const { team, writ, run } = await setUp();
    const policies = team.policiesWith('rbac/test.yaml', () => undefined);
    const rule = rules(['auditor', 'audit.export', '*']).replace('TEST-1', 'EXPORT-1');
    writeFileSync(path.join(policies, 'rbac', 'export.yaml'), rule);
    let result: JsonObject | null = null;
    let isArmed = false;
    const copying = await team.open({
      policies,
      store: (inner) =>
        erasingAt(
          inner,
          (name) => isArmed && isMoment(name),
          async () => {
            isArmed = false;
            result = await erased(team, writ, ofRun(run));
          },
        ),
    });
    const audrey = await team.as(copying, 'audrey');
    const place = (name: string): string => path.join(team.home, name);
    isArmed = true;
    return { team, copying, audrey, run, place, erasure: () => result };
  }
  const bundleOf = (run: string, place: (name: string) => string) => ({
    ...{ run, payloads: 'all' as const, first: null, custodian: null },
    files: ['e.json', 'e.html'].map((name) => ({
      ...{ path: place(name), replaces: false },
      contentOf: (json: Uint8Array) => json,
    })),
  });
  const leftOf = async (team: Team): Promise<unknown[]> => [
    readdirSync(team.home).filter((name) => name.startsWith('e.')),
    await team.stored((store) => store.copies()),
  ];

  it.each([
    ['after the payload was read', ['payload']],
    ['after the first file was recorded', ['recordCopy']],
    ['after the second file was recorded', ['recordCopy', 'recordCopy']],
    ['when the log was asked a last time', ['recordCopy', 'recordCopy', 'log']],
  ])('as a bundle, %s, is taken back: no file is left', async (_, calls) => {
    let seen = 0;
    const { team, copying, audrey, run, place, erasure } = await copyWhileErased(
      (name) => name === calls[seen] && ++seen === calls.length,
    );
    const refusal = await refusalOf(copying.evidence(bundleOf(run, place), audrey));
    expect(refusal).toMatchObject({ code: 'STORE_CONFLICT' });
    expect(erasure()).toMatchObject({ clean: true });
    expect(await leftOf(team)).toEqual([[], []]);
  });

  it('as an export of payloads, is taken back: no line is left', async () => {
    const { team, copying, audrey, place, erasure } = await copyWhileErased((name) => name === 'payload');
    const request = { dir: place('copy'), payloads: place('e.jsonl'), size: null };
    expect(await refusalOf(copying.exportLog(request, audrey))).toMatchObject({ code: 'STORE_CONFLICT' });
    expect(erasure()).toMatchObject({ clean: true });
    expect(await leftOf(team)).toEqual([[], []]);
  });

  it('and was cut short by a crash is removed, though the name of the payload was never written', async () => {
    const { team, copying, audrey, run, place } = await copyWhileErased(() => false);
    await copying.evidence(bundleOf(run, place), audrey);
    for (const name of ['e.json', 'e.html']) {
      const text = readFileSync(place(name), 'utf8');
      writeFileSync(place(name), text.slice(0, text.indexOf('"bytes":"') + 20));
    }
    const writ = await team.open();
    const result = await erased(team, writ, ofRun(run));
    expect((result['copiesRemoved'] as string[]).toSorted()).toEqual([place('e.html'), place('e.json')]);
    expect(await leftOf(team)).toEqual([[], []]);
  });
});

describe('retention', () => {
  const DAY_MS = 86_400_000;

  it('is six months, changed by who may, and every change is in the log', async () => {
    const { team, writ } = await setUp();
    const ada = await team.as(writ, 'ada');
    expect(await writ.retention()).toEqual({ days: 183, override: null, loggedDays: 183 });
    expect(await writ.changeRetention({ days: 400, override: null }, ada)).toMatchObject({
      days: 400,
      loggedDays: 400,
    });
    expect((await (await team.open()).retention()).days).toBe(400);
    const own = await team.entries(null);
    expect(own.at(-1)).toMatchObject({
      type: 'retention.changed',
      data: { days: 400, previous: 183, minimum: 183, override: null },
      actor: { id: 'user:ada' },
    });
    const config = JSON.parse(readFileSync(path.join(team.data, 'config.json'), 'utf8')) as JsonObject;
    expect(config).toMatchObject({ v: 1, tenant: 'default', retention: { days: 400 } });
    expect(
      (await refusalOf(writ.changeRetention({ days: 1, override: 'x' }, await team.as(writ, 'alice'))))
        .exitCode,
    ).toBe(3);
    expect((await writ.retention()).days).toBe(400);
  });

  it.each([
    [182, null],
    [183, 'no need'],
    [0, 'x'],
    [36_501, null],
    [1.5, 'x'],
    [30, ''],
  ])('refuses %s days with the reason %j, and logs nothing', async (days, override) => {
    const { team, writ } = await setUp();
    const { size } = await team.stored((store) => store.log());
    const ada = await team.as(writ, 'ada');
    expect((await refusalOf(writ.changeRetention({ days, override }, ada))).code).toBe('USAGE');
    expect((await team.stored((store) => store.log())).size).toBe(size);
  });

  it('below the minimum needs a reason, which stands in the log', async () => {
    const { team, writ } = await setUp();
    const ada = await team.as(writ, 'ada');
    await writ.changeRetention({ days: 30, override: 'national law X' }, ada);
    expect((await team.entries(null)).at(-1)?.data).toMatchObject({ days: 30, override: 'national law X' });
  });

  it('says what has expired: runs that finished longer ago, and no others', async () => {
    const { team, writ, run } = await setUp();
    expect(await ask(team, writ, { kind: 'expired' })).toMatchObject({ run: null, before: [] });
    team.clock.advance(183 * DAY_MS);
    const young = await finishedRun(team, writ, 'young');
    expect((await ask(team, writ, { kind: 'expired' })).run).toBeNull();
    team.clock.advance(1);
    await erased(team, writ, { kind: 'expired' });
    expect((await payloadsOf(team, run)).every((one) => one.bytes === null)).toBe(true);
    expect((await payloadsOf(team, young)).every((one) => one.bytes !== null)).toBe(true);
    const denied = await refusalOf(ask(team, writ, { kind: 'expired' }, 'audrey'));
    expect(denied.exitCode).toBe(3);
  });

  it('that was edited in the file alone shortens nothing', async () => {
    const { team, writ } = await setUp();
    const file = path.join(team.data, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as JsonObject;
    writeFileSync(file, JSON.stringify({ ...config, retention: { days: 1 } }));
    team.clock.advance(2 * DAY_MS);
    expect((await refusalOf(ask(team, writ, { kind: 'expired' }))).message).toContain('the log says 183');
    writeFileSync(file, JSON.stringify({ ...config, retention: { days: 'one' } }));
    expect((await refusalOf(team.open())).code).toBe('STORE_UNAVAILABLE');
    writeFileSync(file, JSON.stringify(config));
  });
});

describe('any payloads of a run, in any order', () => {
  it('can be erased one by one: those are gone, the others are there, and the log verifies after each', async () => {
    const { team, writ, run, payloads } = await setUp();
    const order =
      fc.sample(
        fc.shuffledSubarray(
          payloads.map((_, i) => i),
          { minLength: 2 },
        ),
        1,
      )[0] ?? [];
    const gone = new Set<string>();
    for (const index of order) {
      const { commitment } = payloads[index]!;
      await erased(team, writ, ofPayloads(commitment));
      gone.add(commitment);
      for (const one of await payloadsOf(team, run)) {
        expect(one.bytes === null && one.salt === null).toBe(gone.has(one.commitment));
      }
      expect((await team.verify()).verdict).toBe('verified');
    }
  });
});

function neverScrubbed(inner: Store): Store {
  return new Proxy(inner, {
    get: (target, name) => {
      if (name === 'scrub') return async () => 'busy';
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

function dropRule(document: Parameters<Parameters<Team['policiesWith']>[1]>[0], id: string): void {
  const { rules } = document.toJS() as { rules: { id: string }[] };
  document.deleteIn(['rules', rules.findIndex((one) => one.id === id)]);
}
