import { describe, expect, it } from 'vitest';
import { openCedar } from '../adapters/cedar.js';
import type { Digest, Hex } from '../json.js';
import type { Decision } from '../policy/decide.js';
import { narrowedByPackage } from './package-policy.js';
import type { AgentPackage, FunctionReach } from './ports.js';

const HASH = 'a'.repeat(64) as Hex;
const yes: Decision = {
  ...{ verdict: 'allow', code: null, message: 'rule R-1 allows it', hint: null, rbac: [], ceiling: [] },
  effective: { approval: null, limits: {}, narrowed: [], audit: 'local' },
  ...{ demandedBy: [], budgets: [], rates: [], policyHash: HASH, ceilingHash: HASH, modelHash: HASH },
};
const no: Decision = { ...yes, verdict: 'deny', code: 'POLICY_NO_MATCH', message: 'no rule allows it' };
const plain: AgentPackage = {
  ...{ digest: `sha256:${HASH}` as Digest, name: 'triage', argv: ['triage'], ceiling: {} },
  module: { digest: `sha256:${HASH}` as Digest, bytes: new Uint8Array() },
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

  it('without text changes nothing', async () => {
    expect(await narrowedByPackage(null, yes, plain, online)).toBe(yes);
    expect(await narrowedByPackage(null, yes, null, online)).toBe(yes);
  });
});
