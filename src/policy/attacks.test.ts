// Policies under attack: each case is a way by which somebody could have been given what no rule gives, or have got past
// a deny. Named after the way.
import { describe, expect, it } from 'vitest';
import { plainFacts } from '../../test/policy/facts.js';
import { canonicalJson } from '../canonical-json.js';
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import {
  buildSnapshot,
  checkAccess,
  comparePolicies,
  decide,
  MODEL_TEXT,
  parseCeilingSpec,
  permits,
  tightened,
} from './index.js';
import type { CeilingRequest, DecisionRequest, Facts } from './index.js';

type Rows = readonly Readonly<Record<string, string>>[];
const header = (kind: string) => ({ apiVersion: 'writ/v1', kind });

async function load(
  rules: Rows,
  members: Readonly<Record<string, readonly string[]>>,
  extra: Readonly<Record<string, Json>> = {},
) {
  const rows = rules.map((row, index) => ({ id: `R-${index}`, effect: 'allow', domain: 'bank', ...row }));
  const documents: Record<string, Json> = {
    'rbac/r.yaml': { ...header('Rules'), rules: rows },
    'roles/bank.yaml': { ...header('Roles'), domain: 'bank', members: members as Json },
    ...extra,
  };
  const files = Object.entries(documents).map(([file, value]) => [file, JSON.stringify(value)] as const);
  return buildSnapshot({
    files: new Map([['model.conf', MODEL_TEXT], ...files]),
    canonicalize: canonicalJson,
  });
}

async function problemOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof WritError ? error.message : 'it was taken';
}

const facts = (changes: Partial<Facts> = {}): Facts => plainFacts('tool::a', { labels: null, ...changes });

describe('an address in another spelling', () => {
  const egress = { action: 'network.egress', subject: 'role:r' };
  const other = [
    '169.254.169.254:080',
    '2852039166:80',
    '0xa9fea9fe:80',
    '169.254.43518:80',
    '0251.0376.0251.0376:80',
    '[::ffff:169.254.169.254]:80',
    '[::ffff:a9fe:a9fe]:80',
    '[0:0:0:0:0:0:0:1]:80',
    '[0::1]:80',
    'api.x:65536',
    'api.x:0',
    'API.x:80',
    'api.x.:80',
  ];

  it.each(other)('is no resource, so it gets past no deny: %s', async (resource) => {
    const deny = { ...egress, effect: 'deny', resource: '169.254.169.254:80' };
    const snapshot = await load([{ ...egress, resource: '*' }, deny], { 'role:r': ['user:a'] });
    const ask = { subject: 'user:a', domain: 'bank', action: 'network.egress' };
    expect(checkAccess(snapshot, { ...ask, resource }).code).toBe('POLICY_REQUEST_INVALID');
    for (const usual of ['[::1]:80', '10.0.0.1:65535', 'a_b.x:80']) {
      expect(checkAccess(snapshot, { ...ask, resource: usual }).allowed).toBe(true);
    }
    const request = {
      nowMs: 0,
      initiator: 'user:a',
      agent: null,
      domain: 'bank',
      layers: [],
      approval: null,
    };
    const asking = { action: 'function.invoke', resource: 'tool::a', facts: facts({ network: [resource] }) };
    expect(decide(snapshot, { ...request, ...asking }).code).toBe('POLICY_REQUEST_INVALID');
  });

  it('in a ceiling is refused: as a deny it would look like protection and never match', () => {
    for (const host of ['2852039166:80', 'api.x:080', '[0::1]:*', '127.1:*', '[::ffff:7f00:1]:*']) {
      expect(() => parseCeilingSpec({ network: { deny: [host] } }, 'test')).toThrow(/network\/deny\/0/);
    }
    expect(() =>
      parseCeilingSpec({ network: { deny: ['[::1]:*', '*.x:443', '10.0.0.1:*'] } }, 'test'),
    ).not.toThrow();
  });
});

describe('a name that looks like another one', () => {
  // A Cyrillic а, a full-width a, a letter with a combining accent, Cyrillic letters only, a Greek omicron, a phonetic
  // alpha, an Armenian o, a Cherokee A, a Lisu A.
  it.each([
    'user:\u0430lice',
    'user:\uff41lice',
    'user:e\u0301va',
    'user:\u0440\u0430\u0443',
    'user:b\u03bfb',
    'user:\u0251lice',
    'user:b\u0585b',
    'user:\u13aalice',
    'user:\ua4eelice',
    // Beside Latin: a Canadian d, a Bengali 0, an Arabic 1, a Georgian o, a Hebrew letter; a click that looks like an l.
    'user:\u146fave',
    'user:b\u09e6b',
    'user:b\u0661b',
    'user:b\u10ffb',
    'user:alice\u05d0',
    'user:a\u01c0ice',
    // A hyphen, a minus, a fraction slash and a colon that are not those of a keyboard.
    'user:a\u2010b',
    'user:a\u2212b',
    'user:a\u2044b',
    'user:a\ua789b',
  ])('is refused wherever a policy file names somebody, and shown by its codes: %s', async (name) => {
    const rule = { action: 'tool.invoke', subject: 'role:r', resource: '*' };
    const approvers = { 'approvers.yaml': { ...header('Approvers'), people: [{ id: name, keys: [] }] } };
    for (const loading of [
      () => load([{ ...rule, subject: name }], { 'role:r': ['user:a'] }),
      () => load([rule], { 'role:r': [name] }),
      () => load([rule], { 'role:r': ['user:a'] }, approvers),
    ]) {
      expect(await problemOf(loading())).toMatch(/\\u\{[0-9a-f]+\}.*(?:NFKC|Latin|looks like)/u);
    }
    const snapshot = await load([rule], { 'role:r': ['user:a'] });
    const ask = { subject: name, domain: 'bank', action: 'tool.invoke', resource: 'x' };
    expect(checkAccess(snapshot, ask).code).toBe('POLICY_REQUEST_INVALID');
  });

  // Variation selectors, fillers, joiners, a braille pattern without dots, private use: in every font nothing, or anything.
  it.each(['\ufe0f', '\u{e0100}', '\u034f', '\u115f', '\u1160', '\u17b4', '\u180b', '\u2800', '\ue000'])(
    'is refused where an invisible character makes it another one: U+%#',
    async (unseen) => {
      const rule = { action: 'tool.invoke', subject: 'role:r', resource: '*' };
      const name = `user:ali${unseen}ce`;
      const code = `U+${(unseen.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
      expect(await problemOf(load([rule], { 'role:r': [name] }))).toContain(code);
      const snapshot = await load([rule], { 'role:r': ['user:alice'] });
      const ask = { subject: name, domain: 'bank', action: 'tool.invoke', resource: 'x' };
      expect(checkAccess(snapshot, ask).code).toBe('POLICY_REQUEST_INVALID');
      expect(checkAccess(snapshot, { ...ask, subject: 'user:alice', resource: `x${unseen}` }).allowed).toBe(
        false,
      );
    },
  );

  it.each([
    'user:иван',
    'user:josé',
    'user:山田',
    'user:山田taro',
    'user:Ιωάννης',
    'user:a.b+c@d',
    'user:o’neil',
    'user:מירב',
  ])('of one script is a name: %s', async (name) => {
    const snapshot = await load([{ action: 'tool.invoke', subject: name, resource: '*' }], {
      'role:r': [name],
    });
    const ask = { subject: name, domain: 'bank', action: 'tool.invoke', resource: 'x' };
    expect(checkAccess(snapshot, ask).allowed).toBe(true);
  });
});

describe('text that means something elsewhere', () => {
  it.each([
    'a\nb',
    'a\u0000',
    'a\u2028',
    'a\u200bb',
    'a\u202eb',
    ' ',
    'a b',
    '.*',
    '^a$',
    '(a+)+$',
    '[a]',
    '{a,b}',
    '/:id',
    'a$$b',
    'a/../b',
    '${a}',
  ])('as a resource matches nothing but itself: %j', async (resource) => {
    const rule = { action: 'tool.invoke', subject: 'role:r', resource: 'a' };
    const snapshot = await load([rule], { 'role:r': ['user:a'] });
    const ask = { subject: 'user:a', domain: 'bank', action: 'tool.invoke', resource };
    expect(checkAccess(snapshot, ask).allowed).toBe(false);
    expect(checkAccess(snapshot, { ...ask, resource: 'a' }).allowed).toBe(true);
  });

  it.each(['.', '.*', '^', '[a-z]', '(a|b)', '{a}', '/:x', '$', '\\w'])(
    'as a pattern matches no other name: %s',
    async (pattern) => {
      const rule = { action: 'tool.invoke', subject: 'role:r', resource: pattern };
      const snapshot = await load([rule], { 'role:r': ['user:a'] });
      for (const resource of ['a', 'ab', '/a', 'x']) {
        const ask = { subject: 'user:a', domain: 'bank', action: 'tool.invoke', resource };
        expect(checkAccess(snapshot, ask).allowed).toBe(false);
      }
    },
  );

  it('of a million characters is refused at once, in every place, and not repeated in the answer', async () => {
    const long = 'a'.repeat(1_000_000);
    const snapshot = await load([{ action: 'tool.invoke', subject: 'role:r', resource: '*' }], {
      'role:r': ['user:a'],
    });
    const ask = { subject: 'user:a', domain: 'bank', action: 'tool.invoke', resource: 'x' };
    for (const change of [
      { subject: `user:${long}` },
      { domain: long },
      { action: long },
      { resource: long },
    ]) {
      const answer = checkAccess(snapshot, { ...ask, ...change });
      expect([answer.allowed, answer.code]).toEqual([false, 'POLICY_REQUEST_INVALID']);
      expect(answer.message.length).toBeLessThan(400);
    }
    const rule = { action: 'tool.invoke', subject: 'role:r' };
    for (const row of [
      { ...rule, resource: long },
      { ...rule, resource: 'x', subject: `user:${long}` },
    ]) {
      expect((await problemOf(load([row], { 'role:r': ['user:a'] }))).length).toBeLessThan(400);
    }
  });

  it('is no domain: * and names that nobody defined', async () => {
    const rule = { action: 'tool.invoke', subject: 'role:r', resource: '*', domain: '*' };
    const snapshot = await load([rule], { 'role:r': ['user:a'] });
    for (const domain of ['*', 'other', 'bank ', 'BANK', 'bank::x', '__proto__', 'constructor']) {
      const ask = { subject: 'user:a', domain, action: 'tool.invoke', resource: 'x' };
      expect(checkAccess(snapshot, ask).allowed).toBe(false);
    }
  });
});

describe('a domain where nobody holds a role', () => {
  it('is part of the policy hash: rules for every domain hold there, so no signature stands for it unseen', async () => {
    const rule = { action: 'tool.invoke', subject: 'user:a', resource: 'x', domain: '*' };
    const roles = { 'role:r': ['user:a'] };
    const bare = { 'roles/other.yaml': { ...header('Roles'), domain: 'other' } };
    const ask = { subject: 'user:a', domain: 'other', action: 'tool.invoke', resource: 'x' };
    const before = await load([rule], roles);
    const after = await load([rule], roles, bare);
    expect([checkAccess(before, ask).allowed, checkAccess(after, ask).allowed]).toEqual([false, true]);
    expect(after.policyHash).not.toBe(before.policyHash);
    expect(comparePolicies(before, after)).toMatchObject({ same: false, decisions: [{ domain: 'other' }] });
  });
});

describe('a deny that names a stranger', () => {
  it('does not make them known: it gives them nothing that everybody has (law 10)', async () => {
    const everybody = { action: 'tool.invoke', subject: 'role:any', resource: 'x' };
    const ask = { subject: 'user:stranger', domain: 'bank', action: 'tool.invoke', resource: 'x' };
    const roles = { 'role:r': ['user:a'] };
    const before = await load([everybody], roles);
    expect(checkAccess(before, ask).allowed).toBe(false);
    const deny = { effect: 'deny', action: 'tool.invoke', subject: 'user:stranger', resource: 'other' };
    const after = await load([everybody, deny], roles);
    expect(checkAccess(after, ask).allowed).toBe(false);
    expect([...after.rolesOf('user:stranger', 'bank')]).toEqual([]);
    expect(checkAccess(after, { ...ask, subject: 'user:a' }).allowed).toBe(true);
  });
});

describe('a path that climbs', () => {
  it.each(['/data/../etc/passwd', '/data/./x', '/data//x', '/data/', 'data/x', '/data/..', '/..', ''])(
    'is no resource and no mount: %s',
    async (path) => {
      const rule = { action: 'filesystem.read', subject: 'role:r', resource: '/data/*' };
      const snapshot = await load([rule], { 'role:r': ['user:a'] });
      const ask = { subject: 'user:a', domain: 'bank', action: 'filesystem.read' };
      expect(checkAccess(snapshot, { ...ask, resource: path }).allowed).toBe(false);
      expect(checkAccess(snapshot, { ...ask, resource: '/data/..x' }).allowed).toBe(true);
      const request: CeilingRequest = {
        ...{ nowMs: 0, action: 'filesystem.read', resource: '/data/x', approval: null },
        facts: facts({ mounts: [{ path: '/database', mode: 'ro' }] }),
      };
      const ceiling = parseCeilingSpec({ mounts: { allow: [{ path: '/data', mode: 'ro' }] } }, 'test');
      expect(permits(ceiling, request).ok).toBe(false);
    },
  );
});

describe('a reload that hands out a role', () => {
  it('gives a run that began before it no standing approval that names the role', async () => {
    const rules = [{ action: 'function.invoke', subject: 'user:a', resource: 'tool::a' }];
    const decides = { action: 'approval.decide', subject: 'user:b', resource: '*' };
    const extra: Record<string, Json> = {
      'approvers.yaml': {
        ...header('Approvers'),
        people: [{ id: 'user:b', keys: [] }],
        grants: [
          {
            ...{ id: 'g', functions: ['tool::a'], subjects: ['role:trusted'], domains: ['bank'] },
            ...{ notBefore: '2026-01-01T00:00:00Z', notAfter: '2026-01-20T00:00:00Z', reason: 'a trial' },
          },
        ],
      },
      'ceilings/org.yaml': {
        ...header('Ceiling'),
        metadata: { name: 'org', layer: 'org' },
        spec: { approval: { minimum: 'sync' } },
      },
    };
    const before = await load([...rules, decides], { 'role:trusted': [] }, extra);
    const now = await load([...rules, decides], { 'role:trusted': ['user:a'] }, extra);
    const request: DecisionRequest = {
      ...{ nowMs: Date.UTC(2026, 0, 10), initiator: 'user:a', agent: null, domain: 'bank', layers: [] },
      ...{ action: 'function.invoke', resource: 'tool::a', facts: facts(), approval: null },
    };
    expect(decide(before, request).verdict).toBe('needs_approval');
    expect(decide(now, request)).toMatchObject({ verdict: 'allow', grant: 'g' });
    expect(decide(tightened(now, before), request).verdict).toBe('needs_approval');
  });
});
