import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { fnMatch } from '../rbac/glob.js';
import { patternCovers } from '../rbac/glob-cover.js';
import { buildSnapshot, lintPolicies, MODEL_TEXT, nearestRules } from '../index.js';
import type { PolicySnapshot } from '../index.js';

type RuleRow = Partial<Record<'id' | 'effect' | 'subject' | 'domain' | 'action' | 'resource', string>>;

const NOW = 1_800_000_000_000;
const header = (kind: string) => ({ apiVersion: 'writ/v1', kind });

async function load(
  rules: readonly RuleRow[],
  {
    roles = {},
    ceiling = null,
    people = [],
    approvers = {},
  }: { roles?: object; ceiling?: object | null; people?: object[]; approvers?: object } = {},
): Promise<PolicySnapshot> {
  const rows = rules.map((rule, index) => ({
    ...{ id: `R-${index + 1}`, effect: 'allow', subject: 'role:a', domain: 'bank', action: 'tool.invoke' },
    ...{ resource: 'x', ...rule },
  }));
  const files: [string, object][] = [
    ['rbac/r.yaml', { ...header('Rules'), rules: rows }],
    ['roles/r.yaml', { ...header('Roles'), domain: 'bank', members: { 'role:a': ['user:a'] }, ...roles }],
    ['approvers.yaml', { ...header('Approvers'), people, ...approvers }],
  ];
  if (ceiling !== null) {
    files.push([
      'ceilings/c.yaml',
      { ...header('Ceiling'), metadata: { name: 'c', layer: 'org' }, spec: ceiling },
    ]);
  }
  return buildSnapshot({
    files: new Map([
      ['model.conf', MODEL_TEXT],
      ...files.map(([file, document]): [string, string] => [file, JSON.stringify(document)]),
    ]),
    canonicalize: (value: Json) => canonicalize(value) ?? '',
  });
}

const codes = (snapshot: PolicySnapshot, uncovered: readonly string[] | null = null) =>
  lintPolicies(snapshot, { nowMs: NOW, uncovered }).map(({ code, about }) => `${code} ${about}`);

describe('lint', () => {
  it('is silent about a plain set', async () => {
    expect(codes(await load([{}]))).toEqual([]);
  });

  it('warns of an emergency role that no rule lets decide', async () => {
    const approvers = { breakGlass: { role: 'role:a', reviewWithinHours: 1 } };
    expect(codes(await load([{}], { approvers }))).toEqual(['break-glass-unused role:a']);
    const breaks = { action: 'approval.breakglass', resource: 'tool::x' };
    expect(codes(await load([{}, breaks], { approvers }))).toEqual([]);
  });

  it('takes no deny of a package for one without effect: it holds for the package by its own names too', async () => {
    const [one, two] = ['0', '1'].map((digit) => `@sha256:${digit.repeat(64)}`);
    const rows = (deny: string, action = 'agent.invoke') => [
      { action, resource: `ghcr.io/bank/x${one}` },
      { effect: 'deny', subject: 'role:any', domain: '*', action, resource: deny },
    ];
    for (const action of ['agent.invoke', 'approval.decide']) {
      for (const deny of [`x${one}`, `ghcr.io/other/x${one}`, 'ghcr.io/other/*'])
        expect([deny, codes(await load(rows(deny, action)))]).toEqual([deny, []]);
      expect(codes(await load(rows(`ghcr.io/bank/x${two}`, action)))).toEqual(['deny-without-effect R-2']);
    }
    // About every action, and so about this one.
    const all = [{ action: 'agent.invoke', resource: `ghcr.io/bank/x${one}` }];
    const recall = { effect: 'deny', subject: 'role:any', domain: '*', action: '*', resource: `x${one}` };
    expect(codes(await load([...all, recall]))).toEqual([]);
  });

  it('says that a rule pins no digest where another one allows every digest', async () => {
    const pinned = { action: 'agent.invoke', resource: `ghcr.io/bank/x@sha256:${'0'.repeat(64)}` };
    const snapshot = await load([{ action: 'agent.invoke', resource: 'ghcr.io/bank/*' }, pinned]);
    const [found] = lintPolicies(snapshot, { nowMs: NOW, uncovered: null });
    expect(found).toMatchObject({ code: 'rule-redundant', about: 'R-2' });
    expect(found?.message).toMatch(
      /^rule R-2 pins a digest, and rule R-1 \(rbac.* allows every other digest too$/,
    );
    expect(found?.hint).toBe('narrow R-1 if only this digest is meant, else remove R-2');
  });

  it('names an allow that a deny takes away whole, and not one that it takes a part of', async () => {
    const whole = await load([
      { resource: 'raw_x' },
      { effect: 'deny', subject: 'role:any', resource: 'raw_*' },
    ]);
    expect(codes(whole)).toEqual(['rule-shadowed R-1']);
    const part = await load([
      { resource: 'raw*' },
      { effect: 'deny', subject: 'role:any', resource: 'raw_*' },
    ]);
    expect(codes(part)).toEqual([]);
  });

  it('names one of two rules that say the same, and the narrow one of two nested ones', async () => {
    expect(codes(await load([{}, {}]))).toEqual(['rule-redundant R-2']);
    expect(codes(await load([{ resource: 'a*b' }, { resource: 'a*' }]))).toEqual(['rule-redundant R-1']);
    const denies = await load([
      { resource: '*' },
      { effect: 'deny', resource: 'x' },
      { effect: 'deny', subject: 'role:any', resource: '*' },
    ]);
    expect(codes(denies)).toContain('rule-redundant R-2');
  });

  it('names a deny of what nobody allows', async () => {
    expect(codes(await load([{}, { effect: 'deny', resource: 'y' }]))).toEqual(['deny-without-effect R-2']);
  });

  it('names rules for roles that nobody holds, and roles that give nothing', async () => {
    const roles = { members: { 'role:a': ['user:a'], 'role:empty': [], 'role:idle': ['user:b'] } };
    expect(codes(await load([{}, { subject: 'role:empty', resource: 'z' }], { roles }))).toEqual([
      'role-unused role:idle',
      'rule-unused R-2',
    ]);
  });

  it('does not say of a role that it gives nothing where a delegation, an emergency or a standing approval names it', async () => {
    const roles = {
      members: { 'role:a': ['user:a'], 'role:lent': [], 'role:glass': [], 'role:standing': [] },
    };
    const approvers = {
      delegations: [
        {
          ...{ from: 'user:a', to: 'user:b', notAfter: '2030-01-01T00:00:00Z' },
          scope: { roles: ['role:lent'], domains: ['bank'] },
        },
      ],
      breakGlass: { role: 'role:glass', reviewWithinHours: 24 },
      grants: [
        {
          ...{ id: 'g', functions: ['tool::x'], subjects: ['role:standing'], domains: ['bank'], reason: 'r' },
          ...{ notBefore: '2026-01-01T00:00:00Z', notAfter: '2026-01-02T00:00:00Z' },
        },
      ],
    };
    const people = ['user:a', 'user:b'].map((id, at) => ({
      id,
      keys: [`ed25519:${'AB'[at]}${'A'.repeat(42)}=`],
    }));
    const glass = { action: 'approval.breakglass', resource: 'tool::x' };
    expect(codes(await load([{}, glass], { roles, people, approvers }))).toEqual([]);
    expect(codes(await load([{}], { roles, people }))).toHaveLength(3);
  });

  it('names approvers without a key, and not those who prove who they are by other means', async () => {
    const people = [
      { id: 'user:a', keys: [] },
      { id: 'user:b', keys: [], iss: 'https://id.example', sub: 'b', assurance: ['oidc'] },
      { id: 'user:c', keys: [], assurance: ['token'] },
      { id: 'user:d', keys: [], osUser: 'd', assurance: ['os'] },
    ];
    expect(codes(await load([{}], { people }))).toEqual(['approver-without-key user:a']);
  });

  it('names rights without bounds, and long chains of roles', async () => {
    const chain = Object.fromEntries(
      Array.from({ length: 5 }, (_, at) => [at === 0 ? 'role:a' : `role:c${at}`, [`role:c${at + 1}`]]),
    );
    const members = Object.fromEntries(Array.from({ length: 5 }, (_, at) => [`role:c${at + 1}`, []]));
    const snapshot = await load([{ subject: 'role:c5', resource: '*', action: '*' }], {
      roles: { members: { 'role:a': ['user:a'], ...members }, inherits: chain },
    });
    expect(codes(snapshot)).toEqual(['role-deep role:a', 'allow-everything R-1']);
  });

  it('names rules that no test decides, where there are tests', async () => {
    expect(codes(await load([{}]), ['R-1'])).toEqual(['rule-untested R-1']);
  });

  it('names a ceiling that asks for a signer who has no key: no package fits under it', async () => {
    const signed = await load([{}], { ceiling: { agents: { requireSigners: ['cosign:bank-release'] } } });
    expect(codes(signed)).toEqual(['signer-unknown c']);
    expect(codes(await load([{}], { ceiling: { agents: { requireSigners: [] } } }))).toEqual([]);
  });

  it('names ceilings under which nothing fits, or that are past', async () => {
    const snapshot = await load([{}], {
      ceiling: { tools: { allow: [] }, validity: { notAfter: '2026-01-01T00:00:00Z' } },
    });
    expect(codes(snapshot).toSorted()).toEqual(['ceiling-empty tools', 'ceiling-expired c']);
  });

  it('names an approval that nobody may give by RBAC, though the role has holders', async () => {
    const ceiling = {
      approval: {
        rules: [{ match: { functions: ['tool::x'] }, minimum: 'sync', approverRoles: ['role:a'] }],
      },
    };
    const people = [{ id: 'user:a', keys: [`ed25519:${'A'.repeat(43)}=`] }];
    const may = { action: 'approval.decide', resource: 'tool::x' };
    expect(codes(await load([{}], { ceiling, people }))).toEqual(['quorum-unreachable c']);
    expect(codes(await load([{}, may], { ceiling, people }))).toEqual([]);
  });

  it('takes it for an error only where somebody may call what waits for it: a ceiling holds for new domains, too', async () => {
    const rules = [{ match: { functions: ['tool::pay_*'] }, minimum: 'sync', approverRoles: ['role:a'] }];
    const people = [{ id: 'user:a', keys: [`ed25519:${'A'.repeat(43)}=`] }];
    const lint = async (rows: readonly RuleRow[]) =>
      lintPolicies(await load(rows, { ceiling: { approval: { rules } }, people }), {
        nowMs: NOW,
        uncovered: null,
      })
        .filter(({ code }) => code === 'quorum-unreachable')
        .map(({ severity, message }) => [severity, message.includes('nobody may call it')]);
    expect(await lint([{ action: 'function.invoke', resource: 'tool::x' }])).toEqual([['warning', true]]);
    for (const resource of ['tool::pay_*', 'tool::pay_out', '*'])
      expect(await lint([{ action: 'function.invoke', resource }]), resource).toContainEqual([
        'error',
        false,
      ]);
  });

  describe('an approval.minimum', () => {
    const ceiling = { approval: { minimum: 'sync' } };
    const key = (letter: string) => [`ed25519:${letter}${'A'.repeat(42)}=`];
    const people = [
      { id: 'user:a', keys: key('A') },
      { id: 'user:b', keys: key('B') },
    ];
    const roles = { members: { 'role:a': ['user:a'], 'role:b': ['user:b'] } };
    const call = { action: 'function.invoke', resource: 'tool::x' };
    const decide = (subject: string, resource = 'tool::x') => ({
      ...{ subject, action: 'approval.decide', resource },
    });
    const found = async (rules: readonly RuleRow[], spec: object = ceiling) =>
      codes(await load(rules, { ceiling: spec, people, roles })).filter((one) => one.startsWith('quorum'));

    it('is named where somebody may call what nobody may decide on', async () => {
      expect(await found([call])).toEqual(['quorum-unreachable c']);
      expect(await found([call, decide('role:b', 'tool::y')])).toEqual(['quorum-unreachable c']);
      expect(await found([call, decide('role:b')])).toEqual([]);
      expect(await found([call, decide('role:b', '*')])).toEqual([]);
    });

    it('needs somebody else than the one who calls', async () => {
      expect(await found([call, decide('role:a')])).toEqual(['quorum-unreachable c']);
      expect(await found([call, { ...call, subject: 'role:b' }, decide('role:a')])).toEqual([]);
    });

    it('needs two of them where two are asked for', async () => {
      const twice = { approval: { minimum: 'two-person' } };
      expect(await found([call, decide('role:a'), decide('role:b')], twice)).toEqual([
        'quorum-unreachable c',
      ]);
    });

    it('counts a pattern only when no example of it can be approved', async () => {
      const wide = { action: 'function.invoke', resource: 'tool::*' };
      expect(await found([wide, decide('role:b', 'tool::deep_*')])).toEqual([]);
      expect(await found([wide, decide('role:b', 'agent::chat')])).toEqual(['quorum-unreachable c']);
    });

    it('is about packages too, and about nothing that no ceiling or rule lets anybody call', async () => {
      const agent = { action: 'agent.invoke', resource: 'ghcr.io/bank/*' };
      expect(await found([agent])).toEqual(['quorum-unreachable c']);
      expect(await found([agent, decide('role:b', 'ghcr.io/bank/a*')])).toEqual([]);
      expect(await found([call], { ...ceiling, functions: { allow: ['agent::*'] } })).toEqual([]);
      expect(await found([call, { ...call, effect: 'deny', subject: 'role:any' }])).toEqual([]);
    });

    it('is joined with the rules that match, a rule for all among them', async () => {
      const rule = { match: {}, minimum: 'sync', approverRoles: ['role:b'], separationOfDuties: false };
      expect(await found([call, decide('role:b')], { approval: { rules: [rule] } })).toEqual([]);
      expect(await found([call, decide('role:a')], { approval: { rules: [rule] } })).toEqual([
        'quorum-unreachable c',
      ]);
    });

    it('is said once of what a rule names as well', async () => {
      const rules = [{ match: { functions: ['tool::x'] }, minimum: 'sync', approverRoles: ['role:b'] }];
      expect(await found([call], { approval: { minimum: 'sync', rules } })).toEqual(['quorum-unreachable c']);
    });
  });

  it('is silent about the shipped set', async () => {
    const files = new Map<string, string>();
    const root = path.resolve(import.meta.dirname, '..', '..', '..', 'policies');
    for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      if (/\.(?:yaml|conf)$/.test(name)) files.set(name, readFileSync(path.join(root, name), 'utf8'));
    }
    const snapshot = await buildSnapshot({ files, canonicalize: (value: Json) => canonicalize(value) ?? '' });
    expect(codes(snapshot).filter((one) => one.startsWith('quorum'))).toEqual([]);
  });

  it('takes thousands of rules', async () => {
    const rules = Array.from({ length: 2_500 }, (_, index) => ({ resource: `n${index}` }));
    expect(codes(await load(rules))).toEqual([]);
  });
});

describe('one pattern covers another', () => {
  const text = (letters: string[], maxLength: number) =>
    fc.array(fc.constantFrom(...letters), { maxLength }).map((parts) => parts.join(''));

  it('only when every value of the one is a value of the other', () => {
    let covered = 0;
    fc.assert(
      fc.property(
        text(['a', 'b', '*', '?'], 5),
        text(['a', 'b', '*', '?'], 5),
        text(['a', 'b'], 8),
        (w, n, value) => {
          if (!patternCovers(w, n)) return;
          covered += 1;
          if (fnMatch(value, n)) expect([w, n, value, fnMatch(value, w)]).toEqual([w, n, value, true]);
        },
      ),
      { numRuns: 10_000 },
    );
    expect(covered).toBeGreaterThan(500);
  });
});

describe('the nearest rules', () => {
  it('differ in one field, or in two of which the action is none', async () => {
    const snapshot = await load([
      { resource: 'y' },
      { subject: 'user:z', resource: 'y' },
      { action: 'skill.invoke', resource: 'x' },
      { subject: 'user:z', action: 'secret.use', resource: 'q' },
      { effect: 'deny', resource: 'yy' },
    ]);
    const found = nearestRules(snapshot, {
      ...{ subject: 'user:a', domain: 'bank', action: 'tool.invoke', resource: 'x' },
    });
    expect(found.map(({ rule, differs }) => [rule.id, differs])).toEqual([
      ['R-1', ['resource']],
      ['R-3', ['action']],
      ['R-2', ['subject', 'resource']],
    ]);
  });
});
