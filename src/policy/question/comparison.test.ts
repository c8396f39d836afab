// Whoever signs a change of policies has to see all of it: what a comparison leaves out is approved unseen.
import canonicalize from 'canonicalize';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { ACTIONS, isAction, resourceProblem } from '../rbac/action.js';
import { fnMatch } from '../rbac/glob.js';
import { examplesOf } from '../rbac/glob-example.js';
import { buildSnapshot, comparePolicies, MODEL_TEXT } from '../index.js';
import type { PolicySnapshot } from '../index.js';

const header = (kind: string) => ({ apiVersion: 'writ/v1', kind });
const PEOPLE = ['user:bo', 'user:ca'].map((id) => ({ id, keys: [] }));
const MEMBERS = { 'role:r': ['user:bo', 'user:ca'], 'role:dpo': ['user:bo'] };
const GRANT = {
  ...{ id: 'g', functions: ['tool::x'], subjects: ['role:any'], domains: ['d'], reason: 'x' },
  ...{ notBefore: '2026-11-01T00:00:00Z', notAfter: '2026-11-20T00:00:00Z' },
};
const DELEGATION = {
  ...{ from: 'user:bo', to: 'user:ca', notAfter: '2027-01-01T00:00:00Z' },
  scope: { roles: ['role:r'], domains: ['d'] },
};

function load({
  rules = [],
  members = MEMBERS,
  approvers = {},
  signers = [],
  ceiling = null,
}: {
  readonly rules?: readonly (readonly [action: string, resource: string, effect?: string])[];
  readonly members?: object;
  readonly approvers?: object;
  readonly signers?: readonly object[];
  readonly ceiling?: object | null;
}): Promise<PolicySnapshot> {
  const row = { subject: 'role:r', domain: 'd' };
  const rows = [['function.invoke', 'tool::x'] as const, ...rules].map(
    ([action, resource, effect = 'allow'], at) => ({ id: `R-${at}`, effect, ...row, action, resource }),
  );
  return buildSnapshot({
    files: new Map([
      ['model.conf', MODEL_TEXT],
      ['rbac/r.yaml', JSON.stringify({ ...header('Rules'), rules: rows })],
      ['roles/r.yaml', JSON.stringify({ ...header('Roles'), domain: 'd', members })],
      ['approvers.yaml', JSON.stringify({ ...header('Approvers'), people: PEOPLE, ...approvers })],
      ['package-signers.yaml', JSON.stringify({ ...header('PackageSigners'), signers })],
      ...(ceiling === null ? [] : [['ceilings/c.yaml', JSON.stringify(ceiling)] as const]),
    ]),
    canonicalize: (value: Json) => canonicalize(value) ?? '',
  });
}

const KEYS = ['A', 'E'].map((last) => `MCowBQYDK2VwAyEA${'A'.repeat(42)}${last}=`);

describe('the comparison of two policies', () => {
  it('HOLE: a recall that was taken back changed no decision, and was no rule to look at either', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const allow = ['agent.invoke', `reg/pay@${digest}`] as const;
    const recall = ['agent.invoke', `pay@${digest}`, 'deny'] as const;
    const taken = comparePolicies(await load({ rules: [allow, recall] }), await load({ rules: [allow] }));
    expect(taken.decisions).toMatchObject(
      ['user:bo', 'user:ca'].map((subject) => ({
        ...{ subject, resource: allow[1], before: { verdict: 'deny' }, after: { verdict: 'allow' } },
      })),
    );
    expect(taken.rulesNotAsked).toEqual([]);
    // No example of the allow is this very package: somebody has to look.
    const wide = ['agent.invoke', 'reg/*'] as const;
    const unseen = comparePolicies(await load({ rules: [wide] }), await load({ rules: [wide, recall] }));
    expect([unseen.decisions, unseen.rulesNotAsked]).toEqual([[], ['R-2']]);
  });

  it('names a signer of packages who got another key', async () => {
    const [before, after] = KEYS.map((key) => ({ signers: [{ name: 'cosign:a', key }] }));
    const { same, packageSigners } = comparePolicies(await load(before ?? {}), await load(after ?? {}));
    expect(same).toBe(false);
    expect(packageSigners).toEqual([{ what: 'package signer cosign:a', before: KEYS[0], after: KEYS[1] }]);
  });

  it('shows a new ceiling by what it restricts, and one that restricts nothing by its name', async () => {
    const metadata = { name: 'c', layer: 'org' };
    const of = (spec: object) => load({ ceiling: { ...header('Ceiling'), metadata, spec } });
    const added = { what: 'ceiling c (org)', before: null, after: 'present' };
    expect(comparePolicies(await load({}), await of({})).ceilings).toEqual([added]);
    const mode = { allow: [], deny: [], mode: 'none' };
    expect(comparePolicies(await load({}), await of({ network: { mode: 'none' } })).ceilings).toEqual([
      added,
      { what: 'ceiling c (org) network', before: null, after: mode },
    ]);
    expect(comparePolicies(await of({ network: { mode: 'none' } }), await of({})).ceilings).toEqual([
      { what: 'ceiling c (org) network', before: mode, after: null },
    ]);
  });

  it.each<[string, object, string]>([
    ['a standing approval', { grants: [GRANT] }, 'grant g'],
    ['a delegation', { delegations: [DELEGATION] }, 'delegation from user:bo to user:ca'],
    ['who may break the glass', { breakGlass: { role: 'role:r', reviewWithinHours: 2 } }, 'breakGlass'],
    [
      'the identity behind an approver',
      { people: [{ id: 'user:bo', keys: [], iss: 'https://other.example', sub: 'm' }, PEOPLE[1]] },
      'approver user:bo',
    ],
  ])('shows %s', async (_, approvers, what) => {
    const changes = comparePolicies(await load({}), await load({ approvers }));
    expect(changes.approvers).toMatchObject([{ what }]);
    // Times as the file has them.
    expect(JSON.stringify(changes.approvers)).not.toContain('Ms');
    const back = comparePolicies(await load({ approvers }), await load({}));
    expect(back.approvers).toMatchObject([{ what }]);
    expect(comparePolicies(await load({ approvers }), await load({ approvers })).approvers).toEqual([]);
  });

  it('shows who has a role that no rule names, and only quorums ask for', async () => {
    const members = { ...MEMBERS, 'role:dpo': ['user:bo', 'user:mallory'] };
    const changes = comparePolicies(await load({}), await load({ members }));
    expect(changes.decisions).toEqual([]);
    expect(changes.roles).toEqual([
      { what: 'role:dpo in d', before: ['user:bo'], after: ['user:bo', 'user:mallory'] },
    ]);
  });

  it.each([
    ['artifact.read', '*'],
    ['artifact.read', 'sha256:*'],
    ['artifact.write', 'reports-*'],
    ['network.egress', 'api.example:*'],
    ['network.egress', '10.*'],
    ['network.egress', '[*'],
    ['network.egress', 'api.example:4?3'],
    ['agent.invoke', 'ghcr.io/*@sha256:ab*'],
    ['agent.invoke', '*@sha256:*'],
    ['agent.invoke', 'ghcr.io/bank/???*'],
    ['function.invoke', 'tool*'],
    ['function.invoke', '*'],
    ['approval.decide', 'g*/x*'],
    ['filesystem.read', '/data*'],
  ])('asks about a new rule for %s on %s', async (action, resource) => {
    const changes = comparePolicies(await load({}), await load({ rules: [[action, resource]] }));
    expect(changes.rulesNotAsked).toEqual([]);
    expect(changes.decisions.map(({ after }) => after.ruleId)).toContain('R-1');
  });

  it('names a rule of which it found no example', async () => {
    const odd = `ghcr.io/x@sha256:${'?'.repeat(63)}*a?`;
    const changes = comparePolicies(await load({}), await load({ rules: [['agent.invoke', odd]] }));
    expect(changes).toMatchObject({ decisions: [], rules: { added: ['R-1'] }, rulesNotAsked: ['R-1'] });
  });
});

describe('an example of a pattern', () => {
  it('is matched by it and can be asked for, and there are four at most', () => {
    for (const pattern of ['*', 'tool::*', '?*', '*x*', '**', 'a?b*', 'x']) {
      for (const action of ACTIONS.filter(isAction)) {
        const isAskable = (value: string) => resourceProblem(action, value) === null;
        const found = examplesOf(pattern, isAskable);
        expect(found.length).toBeLessThanOrEqual(4);
        expect(found.every((value) => isAskable(value) && fnMatch(value, pattern))).toBe(true);
      }
    }
  });
});
