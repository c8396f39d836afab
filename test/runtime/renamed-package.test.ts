// The repository before a digest is the word of whoever wrote the document, and the bytes are the same under any: what a
// rule, a ceiling or an approval says of a package holds however the document calls it.
import { appendFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/json.js';
import { AGENT_DIGEST, FakeSandbox, refusalOf, states, useTeam } from './fixture.js';

const here = useTeam();
const OTHER_NAMES = ['ghcr.io/bank/renamed', 'ghcr.io/bank/x/claims-triage', 'ghcr.io/bank/x/y/z'];

function policiesWith(at: readonly string[], value: Json, rules: readonly string[] = []): string {
  const { team } = here;
  const policies = team.policiesWith('ceilings/org.yaml', (document) => {
    if (at.at(-1) === 'rules') document.addIn(['spec', ...at], document.createNode(value));
    else if (at.length > 0) document.setIn(['spec', ...at], value);
  });
  appendFileSync(path.join(policies, 'rbac', 'test.yaml'), rules.map((rule) => `  - ${rule}\n`).join(''));
  return policies;
}

/** Of every request, as it lies in the store. */
function changeMore(edit: (more: JsonObject) => JsonObject): void {
  const db = new Database(path.join(here.team.data, 'writ.db'));
  try {
    const rows = db.prepare('SELECT id, more FROM approval').all() as { id: string; more: string }[];
    for (const { id, more } of rows) {
      const changed = JSON.stringify(edit(JSON.parse(more) as JsonObject));
      db.prepare('UPDATE approval SET more = ? WHERE id = ?').run(changed, id);
    }
  } finally {
    db.close();
  }
}

const calling = (name: string): string =>
  states('A', { A: { type: 'Task', agent: `${name}@${AGENT_DIGEST}`, end: true } });

describe('a package that a document calls by another repository', () => {
  it('needs the approval that a ceiling asks for it by name', async () => {
    const { team } = here;
    const rule = { match: { agents: ['ghcr.io/bank/claims-triage*'] }, minimum: 'sync' };
    const decide =
      "{ id: T-1, effect: allow, subject: role:reviewer, domain: default, action: approval.decide, resource: 'ghcr.io/bank/*' }";
    const sandbox = new FakeSandbox();
    const policies = policiesWith(['approval', 'rules'], rule, [decide]);
    const writ = await team.open({ policies, sandbox });
    for (const name of OTHER_NAMES) {
      expect((await team.run(writ, calling(name))).status, name).toBe('waiting');
    }
    expect(sandbox.runs).toEqual([]);
  });

  it('is approved only by who may decide about it by its own name, too', async () => {
    const { team } = here;
    const demand = { match: { agents: ['ghcr.io/bank/claims-triage*'] }, minimum: 'sync' };
    const decide = (id: string, effect: string, subject: string, resource: string): string =>
      `{ id: ${id}, effect: ${effect}, subject: '${subject}', domain: default, action: approval.decide, resource: '${resource}' }`;
    const sandbox = new FakeSandbox();
    // Reviewers decide about what the document pretends to call, and nobody about what it calls.
    const aliasOnly = decide('T-1', 'allow', 'role:reviewer', 'ghcr.io/bank/renamed*');
    let policies = policiesWith(['approval', 'rules'], demand, [aliasOnly]);
    let writ = await team.open({ policies, sandbox });
    const refused = await team.run(writ, calling('ghcr.io/bank/renamed'));
    expect(refused).toMatchObject({ exitCode: 3, error: { code: 'APPROVAL_QUORUM_UNREACHABLE' } });
    expect(refused.error?.message).toContain('by its own name ghcr.io/bank/claims-triage@');
    // Carol may decide about both, bob about the other name only, or about all but this package.
    const both = decide('T-2', 'allow', 'user:carol', 'ghcr.io/bank/claims-triage*');
    const all = decide('T-3', 'allow', 'user:bob', '*');
    const butThis = decide('T-4', 'deny', 'user:bob', 'ghcr.io/bank/claims-triage*');
    for (const rules of [
      [aliasOnly, both],
      [aliasOnly, both, all, butThis],
    ]) {
      policies = policiesWith(['approval', 'rules'], demand, rules);
      writ = await team.open({ policies, sandbox });
      const run = await team.run(writ, calling('ghcr.io/bank/renamed'));
      const pending = await team.pending(writ, run.id);
      await refusalOf(team.approve(writ, pending, 'bob'));
      expect((await team.drive(writ, run.id)).status).toBe('waiting');
      expect(sandbox.runs).toEqual([]);
      await team.approve(writ, pending, 'carol');
      expect((await team.drive(writ, run.id)).status).toBe('completed');
      expect(sandbox.runs.splice(0)).toHaveLength(1);
    }
  });

  it('HOLE: is not approved by who may decide about the folder that the document has put it into', async () => {
    const { team } = here;
    const sandbox = new FakeSandbox();
    const demand = { match: { agents: ['*'] }, minimum: 'sync' };
    const decide = (id: string, subject: string, resource: string): string =>
      `{ id: ${id}, effect: allow, subject: '${subject}', domain: default, action: approval.decide, resource: '${resource}' }`;
    const rules = [decide('T-1', 'user:bob', 'ghcr.io/bank/x/*'), decide('T-2', 'user:carol', 'ghcr.io/*')];
    const policies = policiesWith(['approval', 'rules'], demand, rules);
    const writ = await team.open({ policies, sandbox });
    const run = await team.run(writ, calling('ghcr.io/bank/x/claims-triage'));
    const pending = await team.pending(writ, run.id);
    expect((await refusalOf(team.approve(writ, pending, 'bob'))).code).toBe('APPROVAL_NOT_ELIGIBLE');
    // A row that says the package comes from that folder: the vote is of another request than the one that is asked for.
    changeMore(({ repository: _, ...more }) => ({ ...more, repository: 'ghcr.io/bank/x/claims-triage' }));
    await team.approve(writ, pending, 'bob');
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    expect(sandbox.runs).toEqual([]);
    await team.approve(writ, await team.pending(writ, run.id), 'carol');
    expect((await team.drive(writ, run.id)).status).toBe('completed');
  });

  it('HOLE: is decided by nobody on a request that does not say its repository, and asked for again', async () => {
    const { team } = here;
    const sandbox = new FakeSandbox();
    const demand = { match: { agents: ['*'] }, minimum: 'sync' };
    const decide =
      "{ id: T-1, effect: allow, subject: role:reviewer, domain: default, action: approval.decide, resource: 'ghcr.io/*' }";
    const policies = policiesWith(['approval', 'rules'], demand, [decide]);
    let writ = await team.open({ policies, sandbox });
    const run = await team.run(writ, calling('ghcr.io/bank/claims-triage'));
    const forget = (): void => changeMore(({ repository: _, ...more }) => more);
    const first = await team.pending(writ, run.id);
    forget();
    expect(await refusalOf(team.approve(writ, first))).toMatchObject({
      code: 'APPROVAL_NOT_ELIGIBLE',
      hint: expect.stringContaining('writ workflow resume'),
    });
    // The next process that looks at the run.
    writ = await team.open({ policies, sandbox });
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    const second = await team.pending(writ, run.id);
    expect(second.id).not.toBe(first.id);
    // One that an older version had approved already is no other.
    await team.approve(writ, second);
    forget();
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    expect(sandbox.runs).toEqual([]);
    await team.approve(writ, await team.pending(writ, run.id));
    expect((await team.drive(writ, run.id)).status).toBe('completed');
  });

  it('stays denied by the ceiling that denies it by name', async () => {
    const { team } = here;
    const sandbox = new FakeSandbox();
    const policies = policiesWith(['agents', 'deny'], ['ghcr.io/bank/claims-triage*']);
    const writ = await team.open({ policies, sandbox });
    for (const name of OTHER_NAMES) {
      const refusal = await refusalOf(team.run(writ, calling(name)));
      expect(refusal.message, name).toContain('agents.deny');
    }
    expect(sandbox.runs).toEqual([]);
  });

  it('stays denied by the rule that denies it by name', async () => {
    const { team } = here;
    const deny =
      "{ id: T-9, effect: deny, subject: role:any, domain: default, action: agent.invoke, resource: 'ghcr.io/bank/claims-triage@*' }";
    const sandbox = new FakeSandbox();
    const writ = await team.open({ policies: policiesWith([], null, [deny]), sandbox });
    for (const name of OTHER_NAMES) {
      const view = await team.run(writ, calling(name));
      expect(view, name).toMatchObject({
        status: 'failed',
        exitCode: 3,
        error: { code: 'POLICY_DENY_RULE' },
      });
      expect((await team.facts(view.id, 'authz.decided'))[0]).toMatchObject({ ruleId: 'T-9' });
    }
    expect(sandbox.runs).toEqual([]);
  });

  it('is still allowed where nothing is said against it', async () => {
    const { team } = here;
    const writ = await team.open({ sandbox: new FakeSandbox() });
    for (const name of OTHER_NAMES) {
      expect((await team.run(writ, calling(name))).status, name).toBe('completed');
    }
  });
});
