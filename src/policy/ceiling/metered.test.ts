import { beforeAll, describe, expect, it } from 'vitest';
import { plainFacts } from '../../../test/policy/facts.js';
import { canonicalJson } from '../../canonical-json.js';
import type { Json } from '../../json.js';
import type { CeilingLayer, DecisionRequest, Estimate, PolicySnapshot } from '../index.js';
import { buildSnapshot, decide, MODEL_TEXT, parseCeilingSpec, underMeters } from '../index.js';

let snapshot: PolicySnapshot;
beforeAll(async () => {
  const rule = { id: 'R', effect: 'allow', subject: 'user:a', domain: 'd', action: '*', resource: '*' };
  const header = (kind: string) => ({ apiVersion: 'writ/v1', kind });
  const files = {
    'model.conf': MODEL_TEXT,
    'rbac/r.yaml': { ...header('Rules'), rules: [rule] },
    'roles/d.yaml': { ...header('Roles'), domain: 'd' },
    'ceilings/org.yaml': {
      ...header('Ceiling'),
      metadata: { name: 'org', layer: 'org' },
      spec: { budget: { tokens: 100, perDay: { calls: 5 } } },
    },
  };
  snapshot = await buildSnapshot({
    files: new Map(
      Object.entries(files).map(([file, text]) => [
        file,
        typeof text === 'string' ? text : JSON.stringify(text),
      ]),
    ),
    canonicalize: canonicalJson,
  });
});

const workflow = (budget: Json): CeilingLayer => ({
  layer: 'workflow',
  name: 'flow',
  spec: parseCeilingSpec({ budget }, 'flow'),
});
const ask = (estimate: Estimate | undefined, layers: readonly CeilingLayer[] = []) => {
  const request: DecisionRequest = {
    nowMs: 0,
    initiator: 'user:a',
    agent: null,
    domain: 'd',
    action: 'function.invoke',
    resource: 'agent::chat',
    layers,
    facts: plainFacts('agent::chat', estimate === undefined ? {} : { estimate }),
    approval: null,
  };
  return decide(snapshot, request);
};

describe('a decision', () => {
  it('names every budget of every layer that the act is charged to', () => {
    const decision = ask({ tokens: 7, costMicroUsd: 2 }, [workflow({ usd: '1', calls: 3 })]);
    expect(decision.verdict).toBe('allow');
    expect(decision.budgets).toEqual([
      { layer: 'org', name: 'org', period: 'run', budget: 'tokens', limit: 100, estimate: 7 },
      { layer: 'org', name: 'org', period: 'day', budget: 'calls', limit: 5, estimate: 1 },
      { layer: 'workflow', name: 'flow', period: 'run', budget: 'calls', limit: 3, estimate: 1 },
      {
        layer: 'workflow',
        name: 'flow',
        period: 'run',
        budget: 'costMicroUsd',
        limit: 1_000_000,
        estimate: 2,
      },
    ]);
  });

  it('denies what would not fit were nothing used, and what nobody has an estimate of', () => {
    expect(ask({ tokens: 101, costMicroUsd: 0 })).toMatchObject({ code: 'CEILING_BUDGET', budgets: [] });
    for (const estimate of [undefined, { tokens: null, costMicroUsd: 0 }]) {
      const { code, message, hint } = ask(estimate);
      expect(code).toBe('CEILING_BUDGET');
      expect(message).toBe(
        'ceiling org (org): budget.tokens is 100, the request asks for an amount that is not known',
      );
      expect(hint).toContain('prices');
    }
    expect(ask({ tokens: -1, costMicroUsd: 0 }).code).toBe('POLICY_REQUEST_INVALID');
    expect(ask({ tokens: '1' as never, costMicroUsd: 0 }).code).toBe('POLICY_REQUEST_INVALID');
  });
});

describe('what the meters show', () => {
  const decision = () => ask({ tokens: 10, costMicroUsd: 0 }, [workflow({ tokens: 50 })]);

  it('changes nothing while there is room, up to the last unit', () => {
    const allowed = decision();
    expect(underMeters(allowed, [90, 4, 40])).toBe(allowed);
  });

  it('denies when one budget of one layer has none, and says which', () => {
    const denied = underMeters(decision(), [0, 0, 41]);
    expect(denied).toMatchObject({
      verdict: 'deny',
      code: 'CEILING_BUDGET',
      message: 'ceiling flow (workflow): budget.tokens is 50, the request asks for 10 more, 41 are used',
      budgets: [],
    });
    expect(denied.ceiling.filter(({ ok }) => !ok)).toMatchObject([
      {
        layer: 'workflow',
        name: 'flow',
        field: 'budget.tokens',
        limit: '50',
        requested: '10 more, 41 are used',
      },
    ]);
    expect(denied.ceiling).toHaveLength(decision().ceiling.length);
  });

  it('tells every budget that is used up, a row for each', () => {
    const denied = underMeters(decision(), [100, 5, 50]);
    expect(
      denied.ceiling.filter(({ ok }) => !ok).map(({ layer, field }) => `${layer} ${field ?? ''}`),
    ).toEqual(['org budget.tokens', 'org budget.perDay.calls', 'workflow budget.tokens']);
    expect(denied.hint).toContain('raise the budget');
    expect(underMeters(decision(), [0, 5, 0]).hint).toContain('next day');
  });

  it('that were not read count as full', () => {
    for (const used of [[], [0], [0, 0], [Number.NaN, 0, 0]]) {
      expect(underMeters(decision(), used).code).toBe('CEILING_BUDGET');
    }
  });
});
