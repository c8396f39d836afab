// What was approved is what runs: policy, ceilings or program changed between approval and start means a new question.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Writ } from '../../src/runtime/writ.js';
import { approvalLines } from '../../src/tui/approval-view.js';
import { replacing } from '../contract/fault-store.js';
import { refusalOf, steps, type Team, useTeam } from './fixture.js';

const here = useTeam();
const GATED = steps(['functionId: "tool::test_one", approval: sync']);

/** A change that has nothing to do with this run: what was approved was approved under the old rules all the same. */
const anotherRule = (team: Team): string =>
  team.policiesWith('rbac/test.yaml', (document) => {
    document.addIn(['rules'], {
      id: 'TEST-90',
      effect: 'allow',
      subject: 'role:auditor',
      domain: 'default',
      action: 'workflow.run',
      resource: 'something-else',
    });
  });

async function approved() {
  const { team } = here;
  const writ = await team.open();
  const run = await team.run(writ, GATED);
  const approval = await team.pending(writ, run.id);
  await team.approve(writ, approval);
  return { team, writ, run, approval };
}

describe('a policy that changed between approval and start', () => {
  it('withdraws the approval and asks again under the new one', async () => {
    const { team, run, approval } = await approved();
    const changed = await team.open({ policies: anotherRule(team) });
    expect(await team.drive(changed, run.id)).toMatchObject({ status: 'waiting', exitCode: 10 });
    expect(team.functions.calls).toEqual([]);
    expect((await changed.approval(approval.id)).record.state).toBe('withdrawn');
    const again = await team.pending(changed, run.id);
    expect(again.id).not.toBe(approval.id);
    expect(again.subjectDigest).not.toBe(approval.subjectDigest);
    expect(again).toMatchObject({ state: 'pending', votes: [], policyHash: changed.policyHash, attempt: 1 });
    expect((await team.types(run.id)).slice(-4)).toEqual([
      'authz.decided',
      'ceiling.composed',
      'approval.withdrawn',
      'approval.requested',
    ]);
    // The rendered input stays the one that was rendered first.
    const inputs = (await team.entries(run.id)).map((entry) => entry.commit['input']);
    const requested = inputs.filter((_, i) => i > 0 && inputs[i] !== undefined);
    expect(new Set(requested).size).toBe(1);
    await team.approve(changed, again);
    expect((await team.drive(changed, run.id)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('lets nobody use the withdrawn one', async () => {
    const { team, run, approval } = await approved();
    const changed = await team.open({ policies: anotherRule(team) });
    await team.drive(changed, run.id);
    expect((await refusalOf(team.approve(changed, approval, 'carol'))).code).toBe('APPROVAL_ALREADY_DECIDED');
    expect((await refusalOf(team.deny(changed, approval, 'carol'))).code).toBe('APPROVAL_ALREADY_DECIDED');
    expect((await team.drive(changed, run.id)).status).toBe('waiting');
    expect(team.functions.calls).toEqual([]);
  });

  it('asks again while nobody has decided yet, and says so to who looks at the first request', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, GATED);
    const first = await team.pending(writ, run.id);
    expect((await writ.approval(first.id)).isOvertaken).toBeUndefined();
    const changed = await team.open({ policies: anotherRule(team) });
    const overtaken = await changed.approval(first.id);
    expect(overtaken.isOvertaken).toBe(true);
    expect(approvalLines(overtaken)[0]).toContain('the policies have changed since this was asked');
    expect((await team.drive(changed, run.id)).status).toBe('waiting');
    const second = await team.pending(changed, run.id);
    expect(second.id).not.toBe(first.id);
    for (const { id } of [first, second]) expect((await changed.approval(id)).isOvertaken).toBeUndefined();
    expect((await changed.approvals({ run: run.id, states: ['pending'] })).length).toBe(1);
  });

  it('that now denies the step ends the approval with the run', async () => {
    const { team, run, approval } = await approved();
    const policies = team.policiesWith('rbac/test.yaml', (document) => document.deleteIn(['rules', 1]));
    const changed = await team.open({ policies });
    expect(await team.drive(changed, run.id)).toMatchObject({ status: 'failed', exitCode: 3 });
    expect((await changed.approval(approval.id)).record.state).toBe('withdrawn');
    expect(team.functions.calls).toEqual([]);
  });

  it('that needs more approval than before is not satisfied by the old one', async () => {
    const { team, run } = await approved();
    const policies = team.policiesWith('ceilings/org.yaml', (document) => {
      document.setIn(['spec', 'approval', 'minimum'], 'two-person');
    });
    const changed = await team.open({ policies });
    await team.drive(changed, run.id);
    const again = await team.pending(changed, run.id);
    expect(again).toMatchObject({ mode: 'two-person', separationOfDuties: true, votes: [] });
    await team.approve(changed, again, 'bob');
    expect((await team.drive(changed, run.id)).status).toBe('waiting');
    expect(team.functions.calls).toEqual([]);
  });

  async function gatedByCeiling() {
    const { team } = here;
    const gate = team.policiesWith('ceilings/org.yaml', (document) => {
      document.setIn(['spec', 'approval', 'minimum'], 'sync');
    });
    const gated = await team.open({ policies: gate });
    const run = await team.run(gated, steps(['functionId: "tool::test_one"']));
    return { team, run, approval: await team.pending(gated, run.id) };
  }

  it('that no longer needs one asks for it all the same in a run that began with it', async () => {
    const { team, run, approval } = await gatedByCeiling();
    const plain = await team.open();
    expect((await team.drive(plain, run.id)).status).toBe('waiting');
    const again = await team.pending(plain, run.id);
    expect(again.id).not.toBe(approval.id);
    expect((await plain.approval(approval.id)).record.state).toBe('withdrawn');
    await team.approve(plain, again);
    expect((await team.drive(plain, run.id)).status).toBe('completed');
  });

  it('that no longer needs one runs without, under policyPin: current, and the request does not stay open', async () => {
    const { team, run, approval } = await gatedByCeiling();
    const config = path.join(team.data, 'config.json');
    const settings = JSON.parse(readFileSync(config, 'utf8')) as object;
    writeFileSync(config, JSON.stringify({ ...settings, policyPin: 'current' }));
    const plain = await team.open();
    expect((await team.drive(plain, run.id)).status).toBe('completed');
    expect((await plain.approval(approval.id)).record.state).toBe('withdrawn');
    const [intended] = await team.facts(run.id, 'step.intended');
    expect(intended?.['approvalId']).toBe(null);
    expect((await refusalOf(team.approve(plain, approval))).code).toBe('APPROVAL_ALREADY_DECIDED');
  });
});

describe('HOLE: policies that come into force while a step is judged', () => {
  /** Reloads them once, when the approved request is looked at: the step was judged by then, and nothing is written. */
  async function approvedAndReloaded(edit: (text: string) => string) {
    const { team } = here;
    // Its people are others than those of the shipped policy tests.
    rmSync(path.join(team.policies, 'tests'), { recursive: true });
    let writ: Writ | null = null;
    const rules = path.join(team.policies, 'rbac', 'test.yaml');
    const reload = async (): Promise<void> => {
      const reloading = writ;
      writ = null;
      writeFileSync(rules, edit(readFileSync(rules, 'utf8')));
      expect(await reloading?.reloadPolicies()).toMatchObject({ status: 'loaded' });
    };
    const opened = await team.open({
      store: (inner) =>
        replacing(inner, {
          approval: async (id) => {
            const found = await inner.approval(id);
            if (found?.state === 'approved' && writ !== null) await reload();
            return found;
          },
        }),
    });
    const run = await team.run(opened, GATED);
    const approval = await team.pending(opened, run.id);
    await team.approve(opened, approval);
    writ = opened;
    return { team, writ: opened, run: await team.drive(opened, run.id), approval };
  }

  it('deny it: it does not run under those of before, which the log says are over', async () => {
    const { team, writ, run, approval } = await approvedAndReloaded((text) =>
      text.replaceAll(
        'function.invoke, resource: "tool::test_*"',
        'function.invoke, resource: "tool::other"',
      ),
    );
    expect(run).toMatchObject({ status: 'failed', exitCode: 3 });
    expect((await writ.approval(approval.id)).record.state).toBe('withdrawn');
    expect(team.functions.calls).toEqual([]);
    expect(await team.types(run.id)).not.toContain('step.intended');
  });

  it('are asked, whatever is different in them: it was approved under others', async () => {
    const { team, writ, run, approval } = await approvedAndReloaded((text) =>
      text.replace('run.cancel, resource: "test*"', 'run.cancel, resource: "test-*"'),
    );
    expect(run.status).toBe('waiting');
    expect(team.functions.calls).toEqual([]);
    const again = await team.pending(writ, run.id);
    expect([again.id === approval.id, again.policyHash]).toEqual([false, writ.policyHash]);
    await team.approve(writ, again);
    expect((await team.drive(writ, run.id)).status).toBe('completed');
  });
});
