import { describe, expect, it } from 'vitest';
import { openCedar } from '../../adapters/cedar.js';
import type { Digest, Hex } from '../../json.js';
import type { Decision } from '../../policy/decision/decision.js';
import { narrowedByPackage } from './package-policy.js';
import type { AgentPackage, FunctionReach } from '../ports.js';

const HASH = 'a'.repeat(64) as Hex;
const yes: Decision = {
  ...{ verdict: 'allow', code: null, message: 'rule R-1 allows it', hint: null, rbac: [], ceiling: [] },
  effective: { approval: null, limits: {}, narrowed: [], audit: 'local' },
  ...{ demandedBy: [], budgets: [], rates: [], policyHash: HASH, ceilingHash: HASH, modelHash: HASH },
};
const no: Decision = { ...yes, verdict: 'deny', code: 'POLICY_NO_MATCH', message: 'no rule allows it' };
const plain: AgentPackage = {
  ...{
    digest: `sha256:${HASH}` as Digest,
    name: 'triage',
    repository: 'reg/triage',
    argv: ['triage'],
    ceiling: {},
  },
  module: { digest: `sha256:${HASH}` as Digest, bytes: new Uint8Array() },
  isSignedBy: () => false,
};
const packaged = (policy: string): AgentPackage => ({ ...plain, policy });
const nowhere: FunctionReach = { network: [], credentials: [], tools: [] };
const online: FunctionReach = { ...nowhere, network: ['api.example:443'] };
const cedar = openCedar();
const ALL = 'permit(principal, action, resource);';

describe('a package with policy text', () => {
  it('narrows a yes to a no, with the text hash and the act in the record', async () => {
    const decision = await narrowedByPackage(
      cedar,
      yes,
      packaged('forbid(principal, action, resource);'),
      online,
    );
    expect(decision).toMatchObject({ verdict: 'deny', code: 'POLICY_DENY_RULE', budgets: [] });
    expect(decision.ceiling).toEqual([
      {
        ...{
          layer: 'agent',
          name: 'triage:policy',
          hash: expect.stringMatching(/^[0-9a-f]{64}$/u),
          ok: false,
        },
        ...{
          field: 'policy',
          limit: expect.stringContaining('forbids'),
          requested: 'network.egress on api.example:443',
        },
      },
    ]);
  });

  it('never widens: what was denied stays denied by the same words', async () => {
    const decision = await narrowedByPackage(cedar, no, packaged(ALL), online);
    expect(decision).toMatchObject({ verdict: 'deny', code: 'POLICY_NO_MATCH', message: no.message });
    expect(decision.ceiling).toMatchObject([{ name: 'triage:policy', ok: true }]);
  });

  it('lets through what it permits, and needs an approval where one was needed', async () => {
    expect((await narrowedByPackage(cedar, yes, packaged(ALL), online)).verdict).toBe('allow');
    const gated: Decision = { ...yes, verdict: 'needs_approval' };
    expect((await narrowedByPackage(cedar, gated, packaged(ALL), online)).verdict).toBe('needs_approval');
    expect((await narrowedByPackage(cedar, gated, packaged('x'), online)).verdict).toBe('deny');
  });

  it('is refused where it can not be read or nobody can evaluate it', async () => {
    const unread = await narrowedByPackage(cedar, yes, packaged('permit('), nowhere);
    expect(unread).toMatchObject({ verdict: 'deny', code: 'POLICY_ERROR' });
    const nobody = await narrowedByPackage(null, yes, packaged(ALL), nowhere);
    expect(nobody).toMatchObject({ verdict: 'deny', code: 'POLICY_ERROR' });
  });

  it('is refused where its text forbids all or fails, though the call reaches nothing', async () => {
    const failing = `${ALL} forbid(principal, action, resource) when { context.missing == 1 };`;
    const asked = (text: string) => narrowedByPackage(cedar, yes, packaged(text), nowhere);
    const forbids = await asked(`${ALL} forbid(principal, action, resource);`);
    expect(forbids).toMatchObject({ verdict: 'deny', code: 'POLICY_DENY_RULE' });
    expect(forbids.message).toContain(`agent.invoke on triage@sha256:${HASH}`);
    expect(await asked(failing)).toMatchObject({ verdict: 'deny', code: 'POLICY_ERROR' });
    const byName = 'forbid(principal, action == AgentRC::Action::"agent.invoke", resource);';
    expect(await asked(byName)).toMatchObject({ verdict: 'deny', code: 'POLICY_DENY_RULE' });
  });

  it('needs no permit of its own text to be called: it says what the package may reach', async () => {
    for (const text of [
      'permit(principal, action == AgentRC::Action::"tool.invoke", resource == AgentRC::Tool::"read");',
      'forbid(principal, action == AgentRC::Action::"NetworkEgress", resource);',
      '// nothing',
    ]) {
      expect((await narrowedByPackage(cedar, yes, packaged(text), nowhere)).verdict, text).toBe('allow');
      expect((await narrowedByPackage(cedar, yes, packaged(text), online)).verdict, text).toBe('deny');
    }
  });

  it('is refused where its text holds what a reviewer can not see', async () => {
    for (const hidden of ['\0', '\u200b', '\u202e', '\u2028', '\r', '\u0085']) {
      const text = `permit(principal, action, resource); // see ${hidden} forbid(principal, action, resource);`;
      const decision = await narrowedByPackage(cedar, yes, packaged(text), nowhere);
      expect(decision).toMatchObject({ verdict: 'deny', code: 'POLICY_ERROR' });
      expect(decision.message).toContain('control or invisible character');
    }
    const plain = `// é\r\n\t${ALL}\n`;
    expect((await narrowedByPackage(cedar, yes, packaged(plain), online)).verdict).toBe('allow');
  });

  it('without text changes nothing', async () => {
    expect(await narrowedByPackage(null, yes, plain, online)).toBe(yes);
    expect(await narrowedByPackage(null, yes, null, online)).toBe(yes);
  });
});
