// Registering a workflow is an act like any other: policy is asked, the log says what it answered, and the ids of Writ's
// own workflows can't be taken.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { isObject } from '../../src/json.js';
import type { Writ } from '../../src/runtime/writ.js';
import { refusalOf, steps, useTeam } from './fixture.js';

const here = useTeam();
const TEXT = steps(['functionId: "tool::test_one"']);

async function create(writ: Writ, by: string, text = TEXT) {
  return writ.createWorkflow({ text, file: null }, await here.team.as(writ, by));
}

async function decisions(): Promise<unknown[]> {
  const found = (await here.team.entries('')).filter(({ type }) => type === 'authz.decided');
  return found.map(({ data, actor, workflow }) => [
    isObject(data) ? [data['action'], data['resource'], data['verdict'], data['ruleId']] : null,
    actor.id,
    workflow?.id,
  ]);
}

describe('workflow::create', () => {
  it('is for whoever may run the workflow, and stands in the log', async () => {
    const writ = await here.team.open();
    expect(await create(writ, 'alice')).toMatchObject({ id: 'test-steps', version: 1 });
    expect(await decisions()).toEqual([
      [['workflow.create', 'test-steps', 'allow', expect.any(String)], 'user:alice', 'test-steps'],
    ]);
  });

  it('of a faulty document says how many findings there are, and where a program finds them', async () => {
    const writ = await here.team.open();
    const refusal = await refusalOf(create(writ, 'alice', '{"id": "w", "steps": [{"nme": "A"}]}'));
    expect(refusal).toMatchObject({
      code: 'DOC_INVALID',
      message: expect.stringMatching(/has no "name" \(and 2 more\)$/),
      hint: expect.stringMatching(/^unique name/),
      details: { diagnostics: { length: 3 } },
    });
  });

  it('is refused to somebody who may not, with an entry and without a workflow', async () => {
    const writ = await here.team.open();
    expect(await refusalOf(create(writ, 'audrey'))).toMatchObject({ code: 'POLICY_NO_MATCH', exitCode: 3 });
    expect(await decisions()).toEqual([
      [['workflow.create', 'test-steps', 'deny', null], 'user:audrey', 'test-steps'],
    ]);
    expect(await writ.workflows()).toEqual([]);
  });

  it.each(['writ-audit-erase', 'writ-sandbox-exec'])('does not give away %s', async (id) => {
    const writ = await here.team.open();
    const text = TEXT.replace('test-steps', id);
    expect(await refusalOf(create(writ, 'alice', text))).toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(id),
    });
    expect(await writ.workflows()).toEqual([]);
  });

  it('has a right of its own: a rule may give it to others, and take it from those who may run', async () => {
    const { team } = here;
    const rule = (id: string, effect: string, subject: string): string =>
      `  - { id: ${id}, effect: ${effect}, subject: "${subject}", domain: default, action: workflow.create, resource: "test-*", reason: who writes }\n`;
    writeFileSync(
      path.join(team.policies, 'rbac', 'authors.yaml'),
      `apiVersion: writ/v1\nkind: Rules\nrules:\n${rule('W-1', 'allow', 'role:auditor')}${rule('W-2', 'deny', 'role:adjuster')}`,
    );
    const writ = await team.open();
    expect(await refusalOf(create(writ, 'alice'))).toMatchObject({ code: 'POLICY_DENY_RULE' });
    // Neither by running the file.
    const workflow = { text: TEXT, file: null };
    const run = async () => writ.start({ workflow, input: {} }, await team.as(writ, 'alice'));
    expect(await refusalOf(run())).toMatchObject({ code: 'POLICY_DENY_RULE' });
    expect(await writ.workflows()).toEqual([]);
    expect(await create(writ, 'audrey')).toMatchObject({ id: 'test-steps' });
    // What is registered may be run by those who may run it.
    expect(await run()).toMatch(/^run_/);
  });

  it.each(['writ-audit-erase', 'writ-sandbox-exec'])(
    "HOLE: of the id of Writ's own %s is refused to a run of a document too",
    async (id) => {
      const { team } = here;
      writeFileSync(
        path.join(team.policies, 'rbac', 'own.yaml'),
        `apiVersion: writ/v1\nkind: Rules\nrules:\n  - { id: W-1, effect: allow, subject: "role:adjuster", domain: default, action: workflow.run, resource: "writ-*", reason: may }\n`,
      );
      const writ = await team.open();
      const workflow = { text: TEXT.replace('test-steps', id), file: null };
      const alice = await team.as(writ, 'alice');
      const request = { workflow, input: {} };
      for (const started of [writ.start(request, alice), writ.interrupted(request, alice)])
        expect(await refusalOf(started)).toMatchObject({
          code: 'USAGE',
          message: expect.stringContaining(id),
        });
      expect(await writ.workflows()).toEqual([]);
      expect(team.functions.calls).toEqual([]);
    },
  );
});
