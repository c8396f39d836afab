import { describe, expect, it } from 'vitest';
import { RULES, ROLES, PEOPLE, load, refusal, expectRefused } from '../../test/policy/claims-policies.js';
import { isErrorCode } from '../errors.js';
import { checkAccess } from './index.js';
import type { PolicyDiagnostic, PolicySnapshot } from './index.js';

const ceiling = (spec: string, layer = 'org', name = 'org-test') =>
  `apiVersion: writ/v1\nkind: Ceiling\nmetadata: { name: ${name}, layer: ${layer} }\nspec:\n  ${spec}\n`;

const ask = (snapshot: PolicySnapshot, subject: string, resource = 'tool::wasm', domain = 'bank') =>
  checkAccess(snapshot, { subject, domain, action: 'function.invoke', resource });

describe('problems are told with file, line and column', () => {
  it('names the first problem in the message and all of them in the details', async () => {
    const error = await refusal({
      'rbac/claims.yaml': `apiVersion: writ/v1
kind: Rules
rules:
  - id: R-1
    effect: Allow
    subject: role:adjuster
    domain: bank
    action: function.invoke
    resource: "tool::*"
    resorce: x
`,
    });
    expect(error.message).toBe(
      'policies/rbac/claims.yaml:5:13: "effect" must be exactly one of allow, deny, not "Allow" (and 1 more)',
    );
    const diagnostics = error.details?.['diagnostics'] as PolicyDiagnostic[];
    expect(diagnostics.map(({ file, line, column }) => `${file}:${line}:${column}`)).toEqual([
      'rbac/claims.yaml:5:13',
      'rbac/claims.yaml:10:5',
    ]);
    expect(diagnostics[1]?.message).toBe('unknown field "resorce"');
    expect(diagnostics[1]?.hint).toContain('resource');
    expect(isErrorCode(error.code)).toBe(true);
  });
});

describe('strict YAML', () => {
  it.each([
    ['a duplicate key', `${RULES}kind: Rules\n`, '"kind" is given twice'],
    ['an anchor', RULES.replace('rules:', 'rules: &a'), 'anchors'],
    ['an alias', `apiVersion: &v writ/v1\nkind: *v\nrules: []\n`, 'not allowed'],
    ['a tag', RULES.replace('kind: Rules', 'kind: !!str Rules'), 'tag'],
    ['a directive', `%YAML 1.1\n---\n${RULES}`, 'directives'],
    ['two documents', `${RULES}---\n${RULES}`, 'document'],
    ['null', RULES.replace('kind: Rules', 'kind: ~'), 'null'],
    ['a missing value', RULES.replace('kind: Rules', 'kind:'), 'null'],
    ['__proto__', `${RULES}__proto__: { rules: [] }\n`, '__proto__'],
    ['a key that is no string', `${RULES}? [a]\n: b\n`, 'string'],
    ['NUL in a string', RULES.replace('R-1', '"R\\0"'), 'control'],
    ['a newline in a string', RULES.replace('id: R-1', 'id: "R\\n1"'), 'control'],
    ['a bidi control in a string', RULES.replace('id: R-1', 'id: "R\\u202e1"'), 'invisible'],
    ['an unknown top-level field', `${RULES}extra: 1\n`, 'unknown field "extra"'],
    ['another kind', RULES.replace('kind: Rules', 'kind: Roles'), '"kind" must be "Rules"'],
    ['another version', RULES.replace('writ/v1', 'writ/v2'), 'writ/v1'],
    ['nesting without end', '['.repeat(100_000), ''],
    ['a scalar document', 'hello\n', 'type object'],
  ])('refuses %s', async (_, text, words) => {
    await expectRefused({ 'rbac/claims.yaml': text }, words);
  });

  it('refuses a number that is not a plain decimal', async () => {
    await expectRefused({ 'ceilings/org.yaml': ceiling('limits: { timeoutMs: 0x10 }') }, 'plain decimal');
    await expectRefused({ 'ceilings/org.yaml': ceiling('limits: { timeoutMs: .inf }') }, 'plain decimal');
    await expectRefused({ 'ceilings/org.yaml': ceiling('limits: { timeoutMs: 1e3 }') }, 'plain decimal');
  });

  it('refuses files it does not know, so that no deny rule is overlooked', async () => {
    await expectRefused({ 'rbac/deny.yml': RULES }, 'rbac/deny.yml:1:1: unknown file');
    await expectRefused({ 'rules/deny.yaml': RULES }, 'unknown file');
    await expectRefused({ 'rbac/a/deny.yaml': RULES }, 'unknown file');
    await expectRefused({ 'policies.lock': '{}' }, 'policies.lock:1:1: the lock is not of version 1');
    await expect(load({ 'README.md': '# hi', 'tests/a.yaml': 'x: 1' })).resolves.toBeDefined();
  });

  it('refuses more than 200 files', async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`n${i}.md`, '']));
    await expectRefused(many, '204 files');
  });
});

describe('rules that can never match are load errors', () => {
  it.each([
    [
      'duplicate rule id',
      `${RULES}  - { id: R-1, effect: deny, subject: "role:any", domain: bank, action: "*", resource: "*" }\n`,
    ],
    ['unknown action', RULES.replace('function.invoke', 'function.call')],
    ['unknown domain', RULES.replace('domain: bank', 'domain: bnak')],
    ['unknown role', RULES.replace('role:adjuster', 'role:adjustor')],
    ['can never match', RULES.replace('resource: "tool::*"', 'resource: "ghcr.io/bank/*"')],
    ['can never match', RULES.replace('resource: "tool::*"', 'resource: "shell_exec"')],
    ['can never match', RULES.replace('function.invoke', 'agent.invoke')],
    [
      'can never match',
      RULES.replace('function.invoke, resource: "tool::*"', 'network.egress, resource: "API.example:443"'),
    ],
    [
      'can never match',
      RULES.replace('function.invoke, resource: "tool::*"', 'filesystem.read, resource: "data/*"'),
    ],
    [
      'can never match',
      RULES.replace('function.invoke, resource: "tool::*"', 'filesystem.read, resource: "/data/../etc/*"'),
    ],
    ['role:NAME', RULES.replace('role:adjuster', 'adjuster')],
  ])('%s', async (words, text) => {
    await expectRefused({ 'rbac/claims.yaml': text }, words);
  });
});

describe('decisions', () => {
  it('a deny anywhere wins and is named', async () => {
    const answer = ask(await load(), 'user:alice', 'tool::raw_shell');
    expect(answer).toMatchObject({ allowed: false, effect: 'deny', ruleId: 'R-2', code: 'POLICY_DENY_RULE' });
    expect(answer.rolePath).toEqual(['user:alice', 'role:any']);
    expect(answer.message).toContain('rbac/claims.yaml:5');
  });

  it('a denial for want of a role says which role would do', async () => {
    const answer = ask(await load(), 'user:bob');
    expect(answer.hint).toBe('add user:bob to role:adjuster in roles of domain bank (rule R-1)');
  });

  it('a denial names for an agent a role that agents hold, and no role that nobody can be put into', async () => {
    const rule = (id: string, subject: string) =>
      `  - { id: ${id}, effect: allow, subject: "${subject}", domain: bank, action: tool.invoke, resource: "${subject === 'role:any' ? 'y' : 'x'}" }\n`;
    const snapshot = await load({
      'rbac/more.yaml': `apiVersion: writ/v1\nkind: Rules\nrules:\n${rule('M-1', 'role:people')}${rule('M-2', 'role:bots')}${rule('M-3', 'role:any')}`,
      'roles/more.yaml': `apiVersion: writ/v1\nkind: Roles\ndomain: bank\nmembers: { "role:people": ["user:p"], "role:bots": ["agent:b"] }\n`,
    });
    const hintFor = (subject: string, resource: string) =>
      checkAccess(snapshot, { subject, domain: 'bank', action: 'tool.invoke', resource }).hint;
    expect(hintFor('agent:new', 'x')).toBe('add agent:new to role:bots in roles of domain bank (rule M-2)');
    expect(hintFor('service:new', 'x')).toContain('role:people');
    expect(hintFor('user:new', 'x')).toContain('role:people');
    expect(hintFor('user:new', 'y')).toBe(
      'give user:new any role in domain bank: rule M-3 is for everybody whom a file names',
    );
  });

  it('a domain no file defines is denied before Casbin sees it', async () => {
    const answer = ask(await load(), 'user:alice', 'tool::wasm', 'other');
    expect(answer).toMatchObject({ allowed: false, code: 'POLICY_REQUEST_INVALID' });
  });
});

describe('approvers', () => {
  const key = `ed25519:${'A'.repeat(43)}=`;
  const people = (...rows: string[]) => ({
    'approvers.yaml': `apiVersion: writ/v1\nkind: Approvers\npeople:\n${rows.map((row) => `  - { ${row} }\n`).join('')}`,
  });

  it('are found by key and by account', async () => {
    const snapshot = await load(
      people(`id: "user:bob", keys: ["${key}"], osUser: bob, assurance: [key, os]`),
    );
    expect(snapshot.personByKey(key)?.id).toBe('user:bob');
    expect(snapshot.personByOsUser('bob')).toEqual({
      id: 'user:bob',
      keys: [key],
      osUser: 'bob',
      oidc: null,
      assurance: ['key', 'os'],
    });
    expect(snapshot.personByKey('ed25519:x')).toBeNull();
    expect(snapshot.personByOsUser('root')).toBeNull();
    expect([...snapshot.rolesOf('user:bob', 'bank')].toSorted()).toEqual(['role:any', 'role:reviewer']);
    expect([...snapshot.rolesOf('user:stranger', 'bank')]).toEqual([]);
  });

  it('are found by issuer and subject, both exactly, where the file names them', async () => {
    const identity = 'iss: "https://id.example.com", sub: "u-1"';
    const snapshot = await load(people(`id: "user:bob", keys: ["${key}"], ${identity}, assurance: [oidc]`));
    expect(snapshot.personByOidc('https://id.example.com', 'u-1')?.id).toBe('user:bob');
    for (const [iss, sub] of [
      ['https://id.example.com/', 'u-1'],
      ['https://id.example.com', 'U-1'],
      ['https://other.example.com', 'u-1'],
      ['https://id.example.com', ''],
    ] as const) {
      expect(snapshot.personByOidc(iss, sub)).toBeNull();
    }
    expect((await load()).personByOidc('', '')).toBeNull();
  });

  it('need a signature unless the file says otherwise', async () => {
    expect((await load()).people.map(({ assurance }) => assurance)).toEqual([['key'], ['key']]);
    expect((await load()).personByOsUser('null')).toBeNull();
  });

  it.each([
    [
      'a key of two people',
      [`id: "user:a", keys: ["${key}"]`, `id: "user:b", keys: ["${key}"]`],
      'already belongs',
    ],
    [
      'an account of two people',
      ['id: "user:a", keys: [], osUser: x', 'id: "user:b", keys: [], osUser: x'],
      'already belongs',
    ],
    ['a person twice', ['id: "user:a", keys: []', 'id: "user:a", keys: []'], 'already belongs'],
    ['an agent', ['id: "agent:a", keys: []'], 'user:NAME'],
    ['a short key', [`id: "user:a", keys: ["ed25519:${'A'.repeat(42)}="]`], 'canonical base64'],
    [
      'a key whose base64 is not canonical',
      [`id: "user:a", keys: ["ed25519:${'A'.repeat(42)}B="]`],
      'canonical base64',
    ],
    ['roles', ['id: "user:a", keys: [], roles: ["role:x"]'], 'unknown field "roles"'],
    ['assurance os without an account', ['id: "user:a", keys: [], assurance: [os]'], 'needs osUser'],
    [
      'assurance oidc without an identity',
      ['id: "user:a", keys: [], assurance: [oidc]'],
      'needs iss and sub',
    ],
    ['an issuer without a subject', ['id: "user:a", keys: [], iss: "https://id.example.com"'], 'together'],
    ['an issuer that is no https URL', ['id: "user:a", keys: [], iss: "http://id", sub: x'], 'an https URL'],
    [
      'an identity of two people',
      ['a', 'b'].map((name) => `id: "user:${name}", keys: [], iss: "https://id.example.com", sub: x`),
      'already belongs',
    ],
  ])('refuse %s', async (_, rows, words) => {
    await expectRefused(people(...rows), words);
  });

  it.each<[string, string, string]>([
    [
      'a delegation of somebody who is not among them',
      'delegations: [{ from: "user:nobody", to: "user:bob", scope: { roles: ["role:x"], domains: [d] }, notAfter: "2040-01-01T00:00:00Z" }]',
      'none of the people',
    ],
    [
      'a delegation without an end',
      'delegations: [{ from: "user:bob", to: "user:carol", scope: { roles: ["role:x"], domains: [d] } }]',
      'notAfter',
    ],
    ['an emergency role without a review', 'breakGlass: { role: "role:x" }', 'reviewWithinHours'],
    [
      'a grant for every function',
      'grants: [{ id: G1, functions: ["*"], subjects: ["role:adjuster"], domains: [bank], notBefore: "2040-01-01T00:00:00Z", notAfter: "2040-01-02T00:00:00Z", reason: x }]',
      'a grant names functions',
    ],
    [
      'a grant that holds for longer than a month',
      'grants: [{ id: G1, functions: ["tool::a"], subjects: ["role:adjuster"], domains: [bank], notBefore: "2040-01-01T00:00:00Z", notAfter: "2040-02-01T00:00:00Z", reason: x }]',
      'up to 30 days',
    ],
    [
      'a grant that nobody gives a reason for',
      'grants: [{ id: G1, functions: ["tool::a"], subjects: ["role:adjuster"], domains: [bank], notBefore: "2040-01-01T00:00:00Z", notAfter: "2040-01-02T00:00:00Z" }]',
      'reason',
    ],
  ])('refuse %s', async (_, line, words) => {
    await expectRefused({ 'approvers.yaml': `${PEOPLE}${line}\n` }, words);
  });
});

describe('ceilings', () => {
  it.each([
    ['budget: { usd: 20.00 }', 'must be of type string'],
    ['rates: [{ match: "tool::*", count: -1, perSeconds: 1 }]', '>= 0'],
    ['rates: [{ match: "tool::*", count: 1, perSeconds: 0 }]', '>= 1'],
    ['rates: [{ match: "tool::*", count: 1 }]', 'perSeconds'],
    ['limits: { width: 5 }', 'unknown field'],
    ['limits: { depth: 0 }', '>= 1'],
    ['limits: { retries: 5 }\n  clamp: [retries]', 'nobody rewrites it'],
    ['sandbox: { profile: { docker: loose } }', 'every sandbox has the profile strict'],
    ['sandbox: { require: [aMoat] }', 'what a sandbox keeps is called'],
    ['data: { maxClassification: secret }', 'must be exactly one of public, internal'],
    ['approval: { rules: [{ match: { costUsdAbove: 1 }, minimum: sync }] }', 'must be of type string'],
    [
      'approval: { rules: [{ match: { costUsdAbove: "999999999999" }, minimum: sync }] }',
      'is too much to count',
    ],
    ['approval: { rules: [{ match: {}, minimum: none }] }', 'async, sync, two-person'],
    [
      'approval: { rules: [{ match: {}, minimum: sync, approverRoles: ["role:typo"] }] }',
      'unknown role "role:typo"',
    ],
    ['approval: { rules: [{ match: {}, minimum: sync, expiresSeconds: 2592001 }] }', '<= 2592000'],
    ['network: { mode: allowlist }', 'mode allowlist needs allow'],
    ['network: { mode: none, allow: ["API.example:443"] }', 'lower case'],
    ['mounts: { allow: [{ path: /data/, mode: ro }] }', 'absolute path'],
    ['mounts: { allow: [{ path: /data/../etc, mode: ro }] }', 'absolute path'],
    ['validity: { notBefore: "2026-02-30T00:00:00Z" }', 'does not exist'],
    [
      'validity: { notBefore: "2026-02-02T00:00:00Z", notAfter: "2026-02-01T00:00:00Z" }',
      'is not after notBefore 2026-02-02T00:00:00Z, so no time fits',
    ],
    ['validity: { notBefore: "2026-02-01T00:00:00Z", notAfter: "2026-02-01T00:00:00Z" }', 'so no time fits'],
    ['clamp: [timeoutMs]', 'no value in limits'],
    ['functions: { alow: ["*"] }', 'unknown field "alow"'],
    ['functions: { allow: null }', 'null'],
  ])('refuse %s', async (spec, words) => {
    await expectRefused({ 'ceilings/org.yaml': ceiling(spec) }, words);
  });

  it('refuse a quorum larger than the approvers, and load one they can reach', async () => {
    const quorum = (n: number) => ({
      'ceilings/org.yaml': ceiling(
        `approval: { rules: [{ match: {}, minimum: sync, approverRoles: ["role:reviewer"], quorum: ${n} }] }`,
      ),
    });
    await expect(load(quorum(2))).resolves.toBeDefined();
    await expectRefused(
      quorum(3),
      "quorum 3 can't be reached: approvers.yaml has 2 people with role:reviewer",
    );
    await expectRefused(
      { ...quorum(1), 'approvers.yaml': 'apiVersion: writ/v1\nkind: Approvers\npeople: []\n' },
      "quorum 1 can't be reached",
    );
    await expectRefused(
      { 'ceilings/org.yaml': ceiling('approval: { minimum: two-person }'), 'approvers.yaml': null },
      "quorum 2 can't be reached",
    );
  });

  it('refuse a tenant nobody defined, a name twice, and a layer that comes from elsewhere', async () => {
    await expectRefused(
      { 'ceilings/t.yaml': ceiling('limits: {}', 'tenant', 'bnak') },
      'unknown domain "bnak"',
    );
    await expectRefused(
      { 'ceilings/a.yaml': ceiling('limits: {}'), 'ceilings/b.yaml': ceiling('limits: {}') },
      'duplicate ceiling name org-test, first in ceilings/a.yaml',
    );
    await expectRefused({ 'ceilings/w.yaml': ceiling('limits: {}', 'workflow') }, 'org, environment, tenant');
  });
});

describe('policyHash', () => {
  it('does not change with formatting, comments, order of files, rules or keys (law 11)', async () => {
    const reordered = `# comment
kind: Rules
rules:
  - resource: "tool::raw_*"
    action: function.invoke
    domain: "*"
    subject: role:any
    effect: deny
    id: R-2
    reason: said otherwise
  - { id: R-1, effect: allow, subject: "role:adjuster", domain: bank, action: function.invoke, resource: "tool::*" }
apiVersion: writ/v1
`;
    const before = await load();
    const after = await load({ 'rbac/claims.yaml': null, 'rbac/z.yaml': reordered });
    expect(after.policyHash).toBe(before.policyHash);
  });

  it('changes with any rule, role, ceiling or person', async () => {
    const hashes = await Promise.all(
      [
        {},
        { 'rbac/claims.yaml': RULES.replace('"tool::*"', '"tool::w*"') },
        { 'roles/bank.yaml': ROLES.replace('"user:carol"', '"user:dave"') },
        { 'ceilings/org.yaml': ceiling('limits: { timeoutMs: 1 }') },
        { 'ceilings/org.yaml': ceiling('limits: { timeoutMs: 2 }') },
        { 'approvers.yaml': PEOPLE.replace('user:carol", keys: []', 'user:carol", keys: [], osUser: carol') },
      ].map(async (changes) => (await load(changes as Record<string, string>)).policyHash),
    );
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
