// A run that goes on in another process is held to what it was started under: what was put in force meanwhile can take
// from it and give it nothing. What the store says of its start counts as far as the log says the same.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/runtime/ports.js';
import type { RunView, Writ } from '../../src/runtime/writ.js';
import { replacing } from '../contract/fault-store.js';
import {
  interfering,
  refusalOf,
  rules,
  states,
  steps,
  type OpenChange,
  type Team,
  useTeam,
} from './fixture.js';

const here = useTeam();

const RULES = 'rbac/test.yaml';
const TWO = steps(['functionId: "tool::test_one", approval: sync', 'functionId: "tool::test_two"']);

/** The people of the fixture are others than those of the shipped policy tests. */
function ready(): Team {
  const { team } = here;
  rmSync(path.join(team.policies, 'tests'), { recursive: true });
  return team;
}

function change(team: Team, file: string, edit: (text: string) => string): () => void {
  const name = path.join(team.policies, file);
  const before = readFileSync(name, 'utf8');
  writeFileSync(name, edit(before));
  return () => {
    writeFileSync(name, before);
  };
}

/** Nobody may call tool::test_two any more. */
const narrow = (text: string): string =>
  text.replaceAll('function.invoke, resource: "tool::test_*"', 'function.invoke, resource: "tool::test_one"');

/** A run that was started under narrow policies and waits; the files are wide again, and no process has it open. */
async function startedNarrow(team: Team, opened: OpenChange = {}, text = TWO): Promise<RunView> {
  const widen = change(team, RULES, narrow);
  const writ = await team.open(opened);
  const run = await team.run(writ, text);
  expect(run.status).toBe('waiting');
  await writ.close();
  widen();
  return run;
}

/** Another process goes on with it: the request is made again under the policies of now, and approved. */
async function goneOn(team: Team, writ: Writ, run: string): Promise<RunView> {
  await team.drive(writ, run);
  if ((await writ.status(run)).status === 'waiting') await team.approve(writ, await team.pending(writ, run));
  return team.drive(writ, run);
}

function inDatabase(team: Team, act: (db: Database.Database) => void): void {
  const db = new Database(path.join(team.data, 'writ.db'));
  act(db);
  db.close();
}

const called = (team: Team): string[] => team.functions.calls.map(({ functionId }) => functionId);

describe('a run that another process goes on with', () => {
  it('is given nothing that it did not have when it was started, and the log names both policies', async () => {
    const team = ready();
    const run = await startedNarrow(team);
    const writ = await team.open();
    expect(await goneOn(team, writ, run.id)).toMatchObject({
      ...{ status: 'failed', exitCode: 3, error: { code: 'POLICY_NO_MATCH' } },
    });
    expect(called(team)).toEqual(['tool::test_one']);
    const [started, ...others] = await team.entries(run.id);
    expect(started?.data).toMatchObject({ policiesKept: true });
    const last = others.findLast(({ type }) => type === 'authz.decided');
    expect([last?.policy, last?.data['startPolicy']]).toEqual([writ.policyHash, started?.policy]);
    expect(started?.policy).not.toBe(writ.policyHash);
    const young = await team.run(writ, TWO);
    expect(await goneOn(team, writ, young.id)).toMatchObject({ status: 'completed' });
  });

  it('loses what is taken away meanwhile', async () => {
    const team = ready();
    const first = await team.open();
    const run = await team.run(first, TWO);
    await first.close();
    change(team, RULES, narrow);
    expect((await goneOn(team, await team.open(), run.id)).error?.code).toBe('POLICY_NO_MATCH');
    expect(called(team)).toEqual(['tool::test_one']);
  });

  it('keeps the duty of an approval that it was started with', async () => {
    const team = ready();
    const duty = `      - { match: { functions: ['tool::test_two'] }, minimum: sync, approverRoles: [role:reviewer] }\n`;
    const undo = change(team, 'ceilings/org.yaml', (text) => text.replace(/( *rules:\n)/u, `$1${duty}`));
    const first = await team.open();
    const run = await team.run(first, TWO);
    await first.close();
    undo();
    const writ = await team.open();
    expect((await goneOn(team, writ, run.id)).status).toBe('waiting');
    expect((await team.pending(writ, run.id)).stepPath).toContain('s2');
    await team.approve(writ, await team.pending(writ, run.id));
    expect((await team.drive(writ, run.id)).status).toBe('completed');
  });

  it('reads no artifact that it might not read when it was started', async () => {
    const team = ready();
    const text = states('Wait', {
      Wait: { type: 'Pass', approval: 'sync', next: 'Each' },
      Each: {
        type: 'Map',
        itemReader: {
          resource: 'arn:aws:states:::s3:getObject',
          readerConfig: { inputType: 'JSON' },
          parameters: { Bucket: 'claims', Key: 'all.json' },
        },
        itemProcessor: {
          processorConfig: { mode: 'DISTRIBUTED', executionType: 'STANDARD' },
          ...{ startAt: 'One', states: { One: { type: 'Pass', end: true } } },
        },
        end: true,
      },
    });
    const first = await team.open();
    const run = await team.run(first, text);
    await first.close();
    writeFileSync(
      path.join(team.policies, 'rbac', 'more.yaml'),
      rules(['adjuster', 'artifact.read', 'claims/*']).replaceAll('TEST-', 'MORE-'),
    );
    const writ = await team.open();
    expect(await goneOn(team, writ, run.id)).toMatchObject({ status: 'failed', exitCode: 3 });
    const [started, ...others] = await team.entries(run.id);
    expect(others.find(({ data }) => data['action'] === 'artifact.read')?.data).toMatchObject({
      ...{ verdict: 'deny', startPolicy: started?.policy },
    });
  });

  it('is decided by the policies of now alone once somebody who may has redriven it', async () => {
    const team = ready();
    const run = await startedNarrow(team);
    const writ = await team.open();
    expect((await goneOn(team, writ, run.id)).status).toBe('failed');
    await writ.redrive(run.id, await team.as(writ, 'alice'));
    await writ.close();
    change(team, RULES, (text) => `${text}# the same policies\n`);
    const another = await team.open();
    expect((await team.drive(another, run.id)).status).toBe('completed');
    expect(called(team)).toEqual(['tool::test_one', 'tool::test_two']);
  });

  it('is held to the policies of its redrive from then on', async () => {
    const team = ready();
    team.functions.answer(
      'tool::test_one',
      () => Promise.reject(new Error('down')),
      () => ({ ok: true }),
    );
    const first = await team.open();
    const run = await team.run(
      first,
      steps(['functionId: "tool::test_one"', 'functionId: "tool::test_two"']),
    );
    expect(run.status).toBe('failed');
    await first.close();
    const widen = change(team, RULES, narrow);
    const second = await team.open();
    await second.redrive(run.id, await team.as(second, 'alice'));
    await second.close();
    widen();
    expect((await team.drive(await team.open(), run.id)).error?.code).toBe('POLICY_NO_MATCH');
    expect(called(team)).toEqual(['tool::test_one', 'tool::test_one']);
  });

  it('is decided by the policies in force alone where the installation says policyPin: current', async () => {
    const team = ready();
    const run = await startedNarrow(team);
    const config = path.join(team.data, 'config.json');
    const settings = JSON.parse(readFileSync(config, 'utf8')) as object;
    writeFileSync(config, JSON.stringify({ ...settings, policyPin: 'current' }));
    expect((await goneOn(team, await team.open(), run.id)).status).toBe('completed');
  });
});

describe('HOLE: a run that goes on under looser policies, because those of its start', () => {
  const wide = (db: Database.Database): void => {
    const row = db.prepare('SELECT files FROM policy_files').pluck().get() as string;
    const files = (JSON.parse(row) as [string, string][]).map(([file, text]) => [
      file,
      file === RULES ? text.replaceAll('"tool::test_one"', '"tool::test_*"') : text,
    ]);
    db.prepare('UPDATE policy_files SET files = ?').run(JSON.stringify(files));
  };

  it.each([
    ['were edited in the store', wide],
    [
      'are gone from the store',
      (db: Database.Database) => {
        db.exec('DELETE FROM policy_files');
      },
    ],
    [
      'are half a file',
      (db: Database.Database) => {
        db.exec(`UPDATE policy_files SET files = json_remove(files, '$[0]')`);
      },
    ],
  ])('%s, is refused', async (_, attack) => {
    const team = ready();
    const run = await startedNarrow(team);
    inDatabase(team, attack);
    const ended = await team.drive(await team.open(), run.id);
    expect(ended).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'POLICY_START_LOST' } });
    expect(called(team)).toEqual([]);
    const decided = await team.facts(run.id, 'authz.decided');
    expect(decided.at(-1)).toMatchObject({ verdict: 'deny', code: 'POLICY_START_LOST' });
  });

  it.each(['older ones', 'those of now'])(
    'were replaced by %s in the row of the run, is refused',
    async (which) => {
      const team = ready();
      const first = await team.open();
      const old = await team.run(first, TWO);
      await first.close();
      const run = await startedNarrow(team);
      const now = change(team, RULES, (text) => text.replace('"test*"', '"test-*"'));
      const writ = await team.open();
      const { policyHash } = which === 'older ones' ? await team.record(old.id) : writ;
      if (which === 'older ones') now();
      inDatabase(team, (db) => {
        db.prepare('UPDATE run SET policy_hash = ? WHERE id = ?').run(policyHash, run.id);
      });
      expect((await team.drive(writ, run.id)).error?.code).toBe('POLICY_START_LOST');
      expect(called(team)).toEqual([]);
    },
  );

  it('are kept under the name of older ones, is refused', async () => {
    const team = ready();
    const first = await team.open();
    await team.run(first, TWO);
    await first.close();
    const run = await startedNarrow(team);
    inDatabase(team, (db) => {
      const { policy_hash: start } = db.prepare('SELECT policy_hash FROM run WHERE id = ?').get(run.id) as {
        policy_hash: string;
      };
      const older = db.prepare('SELECT files FROM policy_files WHERE policy_hash <> ?').pluck().get(start);
      expect(typeof older).toBe('string');
      db.prepare('UPDATE policy_files SET files = ? WHERE policy_hash = ?').run(older, start);
    });
    change(team, RULES, (text) => text.replace('"test*"', '"test-*"'));
    expect((await team.drive(await team.open(), run.id)).error?.code).toBe('POLICY_START_LOST');
    expect(called(team)).toEqual([]);
  });

  it('are no text that can be read, stops', async () => {
    const team = ready();
    const run = await startedNarrow(team);
    inDatabase(team, (db) => {
      db.exec(`UPDATE policy_files SET files = '[["model.conf"'`);
    });
    expect((await refusalOf(team.drive(await team.open(), run.id))).code).toBe('STORE_IO');
    expect(called(team)).toEqual([]);
  });

  it('are lost, can be cancelled, and redriven under the policies of now by who may', async () => {
    const team = ready();
    const run = await startedNarrow(team);
    inDatabase(team, (db) => {
      db.exec('DELETE FROM policy_files');
    });
    const writ = await team.open();
    const alice = await team.as(writ, 'alice');
    expect((await writ.cancel(run.id, alice)).status).toBe('cancelled');
    await writ.redrive(run.id, alice);
    expect((await goneOn(team, writ, run.id)).status).toBe('completed');
  });
});

describe('what is kept of the policies that runs are started under', () => {
  it('are those that the run was asked under, whatever comes into force while it starts', async () => {
    const team = ready();
    const widen = change(team, RULES, narrow);
    let before = async (): Promise<void> => undefined;
    const writ = await team.open({ store: (inner) => interfering(inner, 'authz.decided', () => before()) });
    before = async () => {
      widen();
      expect((await writ.reloadPolicies()).status).toBe('loaded');
    };
    const run = await team.run(writ, TWO);
    expect((await goneOn(team, writ, run.id)).error?.code).toBe('POLICY_NO_MATCH');
    const [started] = await team.entries(run.id);
    expect((await team.record(run.id)).policyHash).toBe(started?.policy);
  });

  it('is nothing of an older version: such a run goes on under the policies of now, and its log says so', async () => {
    const team = ready();
    /** As a version did that kept nothing. */
    const asBefore = ({ policies: _, entries, ...others }: Change): Change => ({
      ...others,
      entries: entries.map((entry) => {
        const { policiesKept: __, ...data } = entry.data;
        return { ...entry, data };
      }),
    });
    const run = await startedNarrow(team, {
      store: (inner) => replacing(inner, { commit: (given) => inner.commit(asBefore(given)) }),
    });
    const writ = await team.open();
    expect((await goneOn(team, writ, run.id)).status).toBe('completed');
    const decided = (await team.facts(run.id, 'authz.decided')).filter(({ attempt }) => attempt !== null);
    expect(decided.at(-1)).toMatchObject({ verdict: 'allow', startPolicy: null });
  });

  it('is loaded from the files that decide: neither tests nor pages nor a lock are needed', async () => {
    const team = ready();
    cpSync(
      path.join(import.meta.dirname, '..', '..', 'policies', 'tests'),
      path.join(team.policies, 'tests'),
      {
        recursive: true,
      },
    );
    await startedNarrow(team);
    inDatabase(team, (db) => {
      const row = db.prepare('SELECT files FROM policy_files').pluck().get() as string;
      const kept = (JSON.parse(row) as [string, string][]).map(([file]) => file);
      expect(kept.filter((file) => !/^(rbac|roles|ceilings)\//u.test(file))).toEqual([
        'approvers.yaml',
        'model.conf',
      ]);
    });
  });
});
