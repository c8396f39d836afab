import { describe, expect, it } from 'vitest';
import { load } from '../../../test/policy/claims-policies.js';
import { decide as decideAct } from '../decision/decide.js';
import { checkDeciding, checkPackage, decidedNames } from './package-access.js';
import { readQuestion } from '../question/question.js';
import { eligibleApprovers } from './quorum.js';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const call = (reference: string, own: string | null, repository = `reg/${own}`) => ({
  functionId: `${reference}@${DIGEST}`,
  ...(own === null ? { requester: null } : { requester: `agent:${own}`, repository }),
});
const rules = (...rows: readonly string[]) => ({
  'rbac/claims.yaml': `apiVersion: writ/v1\nkind: Rules\nrules:\n${rows.map((row) => `  - { ${row}, domain: bank }\n`).join('')}`,
});
const decide = (id: string, effect: string, who: string, resource: string): string =>
  `id: ${id}, effect: ${effect}, subject: '${who}', action: approval.decide, resource: '${resource}'`;
const bob = { subject: 'user:bob', domain: 'bank', action: 'approval.decide' };

describe('who decides about a package', () => {
  it('needs the right under both of its names, where a document calls it by another', async () => {
    const snapshot = await load(
      rules(
        decide('R-1', 'allow', 'user:bob', 'reg/alias@*'),
        decide('R-2', 'allow', 'user:carol', 'reg/*'),
        decide('R-3', 'deny', 'user:carol', 'secret@*'),
      ),
    );
    expect(checkDeciding(snapshot, bob, call('reg/alias', 'alias')).allowed).toBe(true);
    expect(checkDeciding(snapshot, bob, call('reg/alias', 'pay'))).toMatchObject({
      allowed: false,
      code: 'POLICY_NO_MATCH',
      message: expect.stringContaining(`reg/pay@${DIGEST}`),
    });
    // Nobody knows its own name: then the document's is all there is.
    expect(checkDeciding(snapshot, bob, call('reg/alias', null)).allowed).toBe(true);
    const carol = { ...bob, subject: 'user:carol' };
    expect(checkDeciding(snapshot, carol, call('reg/alias', 'pay')).allowed).toBe(true);
    // Denied by its bare name, so under every path.
    expect(checkDeciding(snapshot, carol, call('reg/alias', 'secret'))).toMatchObject({
      allowed: false,
      code: 'POLICY_DENY_RULE',
    });
    const question = { domain: 'bank', separationOfDuties: false, involved: [] };
    expect(eligibleApprovers(snapshot, { ...question, ...call('reg/alias', 'pay') })).toEqual(['user:carol']);
    expect(eligibleApprovers(snapshot, { ...question, ...call('reg/alias', 'secret') })).toEqual([]);
  });

  it('HOLE: is not whoever may decide about a folder that a document has written before it', async () => {
    const snapshot = await load(
      rules(
        decide('R-1', 'allow', 'user:bob', 'reg/tools/*'),
        decide('R-2', 'allow', 'user:carol', 'reg/*'),
        decide('R-3', 'allow', 'user:dora', 'reg/x/*'),
        decide('R-4', 'deny', 'user:dora', 'reg/tools/pay@*'),
      ),
    );
    const renamed = call('reg/tools/pay', 'pay', 'reg/x/pay');
    expect(decidedNames(renamed)).toEqual([`reg/tools/pay@${DIGEST}`, `reg/x/pay@${DIGEST}`]);
    expect(checkDeciding(snapshot, bob, renamed)).toMatchObject({
      code: 'POLICY_NO_MATCH',
      message: expect.stringContaining(`reg/x/pay@${DIGEST}`),
    });
    const may = (subject: string, asked: ReturnType<typeof call>) =>
      checkDeciding(snapshot, { ...bob, subject }, asked).allowed;
    expect(may('user:bob', call('reg/tools/pay', 'pay', 'reg/tools/pay'))).toBe(true);
    expect(may('user:carol', renamed)).toBe(true);
    expect(may('user:dora', renamed)).toBe(false);
    const question = { domain: 'bank', separationOfDuties: false, involved: [] };
    expect(eligibleApprovers(snapshot, { ...question, ...renamed })).toEqual(['user:carol']);
  });

  it('HOLE: is nobody where a request does not say which repository the package names', async () => {
    const snapshot = await load(rules(decide('R-1', 'allow', 'user:bob', '*')));
    const { functionId, requester } = call('reg/pay', 'pay');
    expect(checkDeciding(snapshot, bob, { functionId, requester })).toMatchObject({
      allowed: false,
      code: 'POLICY_REQUEST_INVALID',
      hint: expect.stringContaining('writ workflow resume'),
    });
    expect(checkDeciding(snapshot, bob, call('reg/pay', 'pay')).allowed).toBe(true);
  });

  it('is asked about functions by the one name that they have, whoever acts', async () => {
    const snapshot = await load(rules(decide('R-1', 'allow', 'user:bob', 'tool::x')));
    const tool = { functionId: 'tool::x', requester: 'agent:claims-triage' };
    expect(decidedNames(tool)).toEqual(['tool::x']);
    expect(checkDeciding(snapshot, bob, tool).allowed).toBe(true);
    expect(decidedNames({ ...call('reg/a', 'b'), requester: 'user:b' })).toEqual([`reg/a@${DIGEST}`]);
  });

  it('and who calls one is denied by any of its names, and allowed by that of the document', async () => {
    const snapshot = await load(
      rules(
        "id: R-1, effect: allow, subject: 'user:bob', action: agent.invoke, resource: 'reg/*'",
        "id: R-2, effect: deny, subject: 'user:bob', action: agent.invoke, resource: 'reg/x/pay@*'",
      ),
    );
    const invoke = (agentName: string, agentOwnName?: string, agentRepository?: string) => {
      const resource = `${agentName}@${DIGEST}`;
      const called = {
        agentName,
        agentDigest: DIGEST,
        ...(agentOwnName === undefined ? {} : { agentOwnName }),
        ...(agentRepository === undefined ? {} : { agentRepository }),
      };
      return checkPackage(snapshot, { ...bob, action: 'agent.invoke', resource }, called).allowed;
    };
    expect(invoke('reg/x/alias', 'alias')).toBe(true);
    expect(invoke('reg/x/alias', 'pay')).toBe(false);
    expect(invoke('reg/x/alias/deeper', 'pay')).toBe(false);
    expect(invoke('reg/x/alias')).toBe(true);
    // HOLE: a document that leaves out the folder which the rule names.
    expect(invoke('reg/pay', 'pay', 'reg/x/pay')).toBe(false);
    expect(invoke('reg/pay', 'pay', 'reg/y/pay')).toBe(true);
  });
});

describe('a question about a package, of which nobody has read the bytes', () => {
  it('HOLE: is denied what the name alone is denied, as a recall is written', async () => {
    for (const action of ['agent.invoke', 'approval.decide', 'approval.breakglass']) {
      const row = (id: string, effect: string, resource: string): string =>
        `id: ${id}, effect: ${effect}, subject: 'user:bob', action: ${action}, resource: '${resource}'`;
      const snapshot = await load(rules(row('R-1', 'allow', 'reg/*'), row('R-2', 'deny', `pay@${DIGEST}`)));
      const ruleOf = (resource: string): string | null | undefined => {
        const read = readQuestion({ initiator: 'user:bob', domain: 'bank', action, resource }, 0);
        if (!read.ok) throw new Error(read.problem);
        return decideAct(snapshot, read.request).rbac[0]?.ruleId;
      };
      expect(ruleOf(`reg/pay@${DIGEST}`), action).toBe('R-2');
      expect(ruleOf(`reg/pay@sha256:${'1'.repeat(64)}`), action).toBe('R-1');
      expect(ruleOf(`reg/payment@${DIGEST}`), action).toBe('R-1');
    }
  });
});
