import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import { buildSnapshot, checkAccess, decide, MODEL_TEXT, readQuestion, tightened } from './index.js';
import type { PolicySnapshot } from './index.js';

const header = (kind: string) => ({ apiVersion: 'writ/v1', kind });

interface Policies {
  readonly rules: readonly Readonly<Record<string, string>>[];
  readonly members: Readonly<Record<string, readonly string[]>>;
  readonly spec: Json;
  readonly signers?: readonly object[];
}

function load({ rules, members, spec, signers = [] }: Policies): Promise<PolicySnapshot> {
  const rows = rules.map((rule, index) => ({
    id: `R-${index}`,
    domain: 'bank',
    action: 'function.invoke',
    ...rule,
  }));
  const ceiling = { ...header('Ceiling'), metadata: { name: 'org', layer: 'org' }, spec };
  return buildSnapshot({
    files: new Map([
      ['model.conf', MODEL_TEXT],
      ['rbac/r.yaml', JSON.stringify({ ...header('Rules'), rules: rows })],
      ['roles/r.yaml', JSON.stringify({ ...header('Roles'), domain: 'bank', members })],
      ['ceilings/c.yaml', JSON.stringify(ceiling)],
      ['approvers.yaml', JSON.stringify({ ...header('Approvers'), people: [{ id: 'user:p', keys: [] }] })],
      ['package-signers.yaml', JSON.stringify({ ...header('PackageSigners'), signers })],
    ]),
    canonicalize: (value: Json) => canonicalize(value) ?? '',
  });
}

const resources = ['tool::a', 'tool::b', 'agent::a'];
const seldom = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
const policies = fc.record({
  rules: fc.array(
    fc.record({
      effect: fc.constantFrom('allow', 'allow', 'allow', 'allow', 'deny'),
      subject: fc.constantFrom('role:any', 'role:any', 'role:x', 'user:u'),
      resource: fc.constantFrom('*', 'tool::*', 'tool::a', 'agent::*'),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  members: fc.record({ 'role:x': fc.subarray(['user:u', 'user:v']) }),
  // Most of them empty, so that much is allowed by both.
  spec: fc
    .record({
      functions: seldom(fc.record({ allow: fc.subarray(['tool::*', '*::a'], { minLength: 1 }) })),
      limits: seldom(fc.record({ timeoutMs: fc.constantFrom(10, 100) })),
      budget: seldom(fc.record({ calls: fc.constantFrom(1, 5) })),
      approval: seldom(fc.constant({ minimum: 'async' })),
    })
    .map((spec) => JSON.parse(JSON.stringify(spec)) as Json),
});

describe('policies that were reloaded during a run', () => {
  it('trust no signer of packages who was added since, or has another key since', async () => {
    const [one, two, three] = ['A', 'E', 'I'].map((last) => `MCowBQYDK2VwAyEA${'A'.repeat(42)}${last}=`);
    const plain = { rules: [{ effect: 'allow', subject: 'role:any', resource: '*' }], members: {}, spec: {} };
    const [kept, changed] = [{ name: 'kept', key: one }, (key?: string) => ({ name: 'changed', key })];
    const before = await load({ ...plain, signers: [kept, changed(two), { name: 'gone', key: three }] });
    const now = await load({ ...plain, signers: [kept, changed(three), { name: 'added', key: two }] });
    expect(tightened(now, before).packageSigners).toEqual([kept]);
  });

  it('allow what both allow and nothing else, and never drop an approval', async () => {
    const [seen, strict] = [new Set<string>(), { count: 0 }];
    await fc.assert(
      fc.asyncProperty(policies, policies, async (before, after) => {
        const [start, now] = [await load(before), await load(after)];
        const both = tightened(now, start);
        for (const initiator of ['user:u', 'user:v', 'user:w']) {
          for (const resource of resources) {
            for (const timeoutMs of [10, 11]) {
              const read = readQuestion(
                { initiator, domain: 'bank', action: 'function.invoke', resource, limits: { timeoutMs } },
                0,
              );
              if (!read.ok) throw new Error(read.problem);
              const asked = {
                ...read.request,
                facts: { ...read.request.facts, estimate: { tokens: 0, costMicroUsd: 0 } },
              };
              const [a, b, c] = [start, now, both].map((one) => decide(one, asked));
              const denied = a?.verdict === 'deny' || b?.verdict === 'deny';
              // An approval that two files ask for may need people whom only one of them has: then it is a deny.
              if (denied) expect(c?.verdict).toBe('deny');
              else if (c?.verdict === 'allow') expect([a?.verdict, b?.verdict]).toEqual(['allow', 'allow']);
              if (!denied && a?.verdict === 'allow' && b?.verdict === 'allow')
                expect(c?.verdict).toBe('allow');
              const meters =
                c?.budgets.map(({ layer, name, period, budget }) => `${layer} ${name} ${period} ${budget}`) ??
                [];
              expect(new Set(meters).size).toBe(meters.length);
              seen.add(c?.verdict ?? '');
              if (c?.verdict === 'deny' && b?.verdict === 'allow') strict.count += 1;
            }
          }
        }
      }),
      { numRuns: 200 },
    );
    expect(seen).toEqual(new Set(['allow', 'deny']));
    expect(strict.count).toBeGreaterThan(30);
  });

  it('are the policies in force where nothing changed, and one object for the same two', async () => {
    const one: Policies = {
      rules: [{ effect: 'allow', subject: 'user:u', resource: 'tool::a' }],
      members: {},
      spec: {},
    };
    const [first, same, other] = [
      await load(one),
      await load(one),
      await load({ ...one, members: { 'role:x': [] } }),
    ];
    expect(tightened(same, first)).toBe(same);
    expect(tightened(other, first)).toBe(tightened(other, first));
    expect(tightened(other, first).policyHash).toBe(other.policyHash);
  });

  it('name a deny rule that is gone since', async () => {
    const one: Policies = {
      rules: [{ effect: 'allow', subject: 'user:u', resource: 'tool::*' }],
      members: {},
      spec: {},
    };
    const start = await load({
      ...one,
      rules: [...one.rules, { effect: 'deny', subject: 'role:any', resource: 'tool::b' }],
    });
    const both = tightened(await load(one), start);
    const answer = checkAccess(both, {
      subject: 'user:u',
      domain: 'bank',
      action: 'function.invoke',
      resource: 'tool::b',
    });
    expect(answer).toMatchObject({ allowed: false, code: 'POLICY_DENY_RULE', ruleId: 'R-1' });
  });
});
