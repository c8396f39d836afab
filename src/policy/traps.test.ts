// The traps of stock Casbin, each under its number: what it does there, and that nothing of
// it can be met here.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { plainFacts } from '../../test/policy/facts.js';
import { expectRefused, load, ROLES } from '../../test/policy/claims-policies.js';
import { WritError } from '../errors.js';
import { checkAccess, decide, MODEL_HASH, MODEL_TEXT } from './index.js';
import type { PolicySnapshot } from './index.js';
import { sha256Hex } from './rbac/model.js';

const SOURCES = fileURLToPath(new URL('..', import.meta.url));
const rule = (...rules: readonly string[]) => ({
  'rbac/claims.yaml': `apiVersion: writ/v1\nkind: Rules\nrules:\n${rules.map((fields) => `  - { ${fields} }\n`).join('')}`,
});

const ask = (snapshot: PolicySnapshot, subject: string, resource = 'tool::wasm', domain = 'bank') =>
  checkAccess(snapshot, { subject, domain, action: 'function.invoke', resource });

describe('trap 1: built-in matchers that never return', () => {
  it.each(['/:', '/{}', '{}', ':a/:', '/:a*'])('decides the resource %s as a plain glob', async (pattern) => {
    const snapshot = await load(
      rule(
        `id: R-1, effect: allow, subject: "role:adjuster", domain: "*", action: "*", resource: "${pattern}"`,
      ),
    );
    // One that loops would never come back.
    expect(ask(snapshot, 'user:alice').allowed).toBe(false);
  });
});

describe('trap 2: an empty policy allows', () => {
  it('refuses no rule files and an empty rule list', async () => {
    await expectRefused({ 'rbac/claims.yaml': null }, 'no rules');
    await expectRefused({ 'rbac/claims.yaml': 'apiVersion: writ/v1\nkind: Rules\nrules: []\n' }, 'item');
    await expectRefused({ 'rbac/claims.yaml': '' }, 'empty');
  });

  it('denies empty fields and a subject without a rule', async () => {
    const snapshot = await load();
    const question = {
      subject: 'user:alice',
      domain: 'bank',
      action: 'function.invoke',
      resource: 'tool::wasm',
    };
    for (const field of Object.keys(question)) {
      const answer = checkAccess(snapshot, { ...question, [field]: '' });
      expect(answer).toMatchObject({ allowed: false, code: 'POLICY_REQUEST_INVALID' });
    }
    expect(() => snapshot.judge('', '', '', '')).toThrow(WritError);
    expect(ask(snapshot, 'user:stranger')).toMatchObject({ allowed: false, code: 'POLICY_NO_MATCH' });
  });
});

describe('trap 3: a misspelt effect allows', () => {
  it.each(['Deny', 'DENY', '"deny # x"', '"deny "', 'no', '""', 'true'])(
    'refuses effect %s',
    async (effect) => {
      await expectRefused(
        rule(`id: R-1, effect: ${effect}, subject: "role:any", domain: bank, action: "*", resource: "*"`),
        'effect',
      );
    },
  );

  it('refuses a rule without effect', async () => {
    await expectRefused(
      rule('id: R-1, subject: "role:any", domain: bank, action: "*", resource: "*"'),
      '"effect" is missing',
    );
  });
});

describe('traps 4 and 14: the model is frozen', () => {
  it('pins the hash of the model', () => {
    expect(MODEL_HASH).toBe('1d9420229f4c8a4c100dd4fae9946b80f8fa5fb66517b214c06961e64b8bc993');
    expect(sha256Hex(MODEL_TEXT)).toBe(MODEL_HASH);
  });

  it.each([
    ['another matcher', MODEL_TEXT.replace('fnMatch', '!isBlocked')],
    ['a comment', MODEL_TEXT.replace('[matchers]', '# x\n[matchers]')],
    ['a comment sign inside the matcher', MODEL_TEXT.replace('"*" ||', '"*" # ||')],
    ['one more space', `${MODEL_TEXT} `],
    ['nothing', ''],
  ])('refuses a model with %s', async (_, text) => {
    await expectRefused({ 'model.conf': text }, 'model is frozen');
  });

  it('refuses a directory without model.conf and tells the differing line', async () => {
    await expectRefused({ 'model.conf': null }, 'model.conf:1:1: file is missing');
    await expectRefused({ 'model.conf': MODEL_TEXT.replace('fnMatch', 'keyMatch2') }, 'model.conf:10:1');
  });
});

describe('trap 5: loose equality', () => {
  it('denies arrays, numbers and String objects in place of strings', async () => {
    const snapshot = await load();
    for (const value of [['user:alice'], 7, new String('user:alice'), null, {}]) {
      const subject = value as unknown as string;
      expect(ask(snapshot, subject)).toMatchObject({ allowed: false, code: 'POLICY_REQUEST_INVALID' });
      expect(ask(snapshot, 'user:alice', value as unknown as string).allowed).toBe(false);
      expect(ask(snapshot, 'user:alice', 'tool::wasm', value as unknown as string).allowed).toBe(false);
      const action = value as unknown as string;
      const question = { subject: 'user:alice', domain: 'bank', action, resource: 'tool::wasm' };
      expect(checkAccess(snapshot, question).allowed).toBe(false);
    }
  });
});

describe('trap 6: keys joined with a separator collide', () => {
  it('keeps ids with $$, quotes and commas apart', async () => {
    const snapshot = await load({
      ...rule(
        'id: R-1, effect: allow, subject: "user:a", domain: bank, action: secret.use, resource: "b$$c"',
      ),
    });
    const secret = (subject: string, resource: string) =>
      checkAccess(snapshot, { subject, domain: 'bank', action: 'secret.use', resource }).allowed;
    expect(secret('user:a', 'b$$c')).toBe(true);
    expect(secret('user:a$$b', 'c')).toBe(false);
    expect(secret('user:a', 'b')).toBe(false);
    expect(secret('user:a",', 'b$$c')).toBe(false);
    expect(secret('user:a\0', 'b$$c')).toBe(false);
  });
});

describe('trap 7: questions during a reload', () => {
  it('answers from the old snapshot while others are built, and after one fails to', async () => {
    const snapshot = await load();
    const reloads = Array.from({ length: 20 }, (_, i) =>
      i % 2 === 0 ? load() : load({ 'rbac/claims.yaml': 'broken' }).catch(() => null),
    );
    for (let i = 0; i < 200; i += 1) {
      expect(ask(snapshot, 'user:alice').allowed).toBe(true);
      expect(ask(snapshot, 'user:bob').allowed).toBe(false);
      await Promise.resolve();
    }
    await Promise.all(reloads);
    expect(ask(snapshot, 'user:alice').allowed).toBe(true);
  });
});

describe('trap 8: a filter that loads nothing', () => {
  it('is not used, nor any other adapter, cache or switch of Casbin: one file knows it at all', () => {
    const sources = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.ts$/.test(file) && !file.endsWith('.test.ts'))
      .map((file) => ({ file, text: readFileSync(join(SOURCES, file), 'utf8') }));
    expect(sources.length).toBeGreaterThan(300);
    const users = sources.filter(({ text }) => /from 'casbin'/.test(text)).map(({ file }) => file);
    expect(users).toEqual([join('policy', 'rbac', 'enforcer.ts')]);
    const engine = sources.find(({ file }) => file === users[0])?.text ?? '';
    const code = engine.replaceAll(/\/\/.*$/gm, '');
    expect(code).toContain('enforceExSync');
    expect(code).not.toMatch(
      /Adapter|CachedEnforcer|savePolicy|loadPolicy|loadFilteredPolicy|enableEnforce|eval\(/,
    );
  });
});

describe('trap 9: rows that shift or inject', () => {
  it('takes commas and quotes in ids as they are', async () => {
    const snapshot = await load({
      ...rule(
        `id: R-1, effect: allow, subject: 'user:a,"b"', domain: bank, action: function.invoke, resource: "tool::*"`,
      ),
    });
    expect(ask(snapshot, 'user:a,"b"').allowed).toBe(true);
    expect(ask(snapshot, 'user:a').allowed).toBe(false);
  });
});

describe('trap 10: role chains that end silently', () => {
  const chain = (roles: number) => {
    const inherits = Array.from({ length: roles - 1 }, (_, i) => `  "role:r${i + 1}": ["role:r${i + 2}"]`);
    return {
      'roles/bank.yaml': `apiVersion: writ/v1\nkind: Roles\ndomain: bank\nmembers:\n  "role:r1": ["user:alice"]\n  "role:r${roles}": []\ninherits:\n${inherits.join('\n')}\n`,
      ...rule(
        `id: R-1, effect: allow, subject: "role:r${roles}", domain: bank, action: function.invoke, resource: "tool::*"`,
      ),
    };
  };

  it('loads ten edges from a person to a role, and Casbin follows them', async () => {
    const snapshot = await load(chain(10));
    const answer = ask(snapshot, 'user:alice');
    expect(answer.allowed).toBe(true);
    expect(answer.rolePath).toHaveLength(11);
    expect(snapshot.rolesOf('user:alice', 'bank').has('role:r10')).toBe(true);
  });

  it('refuses eleven', async () => {
    await expectRefused(chain(11), 'deeper than 10');
  });

  const roles = (text: string) => ({ 'roles/bank.yaml': `${ROLES.split('members:')[0] ?? ''}${text}` });
  it.each([
    [
      'a circle',
      'members: { "role:adjuster": [] }\ninherits: { "role:a": ["role:b"], "role:b": ["role:a"] }\n',
      'circle',
    ],
    [
      'a role that inherits itself',
      'members: { "role:adjuster": [] }\ninherits: { "role:a": ["role:a"] }\n',
      'circle',
    ],
    [
      'an unknown role',
      'members: { "role:adjuster": [] }\ninherits: { "role:adjuster": ["role:typo"] }\n',
      'unknown role "role:typo"',
    ],
    ['a role as a member', 'members: { "role:adjuster": ["role:lead"] }\n', 'user:NAME'],
    ['members of role:any', 'members: { "role:adjuster": [], "role:any": ["user:x"] }\n', 'role:any'],
    ['a role without prefix', 'members: { "adjuster": ["user:x"] }\n', 'adjuster'],
  ])('refuses %s', async (_, text, words) => {
    await expectRefused(roles(text), words);
  });

  it('refuses a lattice with too many ways up', async () => {
    const levels = Array.from({ length: 6 }, (_, level) =>
      Array.from(
        { length: 5 },
        (_unused, i) =>
          `  "role:l${level}x${i}": [${Array.from({ length: 5 }, (_x, j) => `"role:l${level + 1}x${j}"`).join(', ')}]`,
      ),
    ).flat();
    const top = Array.from({ length: 5 }, (_, i) => `  "role:l6x${i}": []`);
    await expectRefused(
      roles(`members:\n  "role:adjuster": []\n${top.join('\n')}\ninherits:\n${levels.join('\n')}\n`),
      'more than 1000 ways',
    );
  });
});

describe('trap 11: expressions in policy data', () => {
  it('takes them as plain text', async () => {
    const text = '1==1)||(1==1';
    const snapshot = await load(
      rule(`id: R-1, effect: allow, subject: "role:any", domain: "*", action: "*", resource: "${text}"`),
    );
    expect(ask(snapshot, 'user:alice').allowed).toBe(false);
    expect(ask(snapshot, 'user:alice', 'constructor').allowed).toBe(false);
  });

  it.each(['true', 'r.sub', 'eval(1)', '!false', 'r.obj==r.obj', '"x"=="x"', '{}.constructor', '__proto__'])(
    'allows by %s nothing but itself, in a rule and in a question',
    async (text) => {
      const allow = (resource: string) =>
        rule(
          `id: R-1, effect: allow, subject: "role:any", domain: bank, action: tool.invoke, resource: ${JSON.stringify(resource)}`,
        );
      const question = { subject: 'user:alice', domain: 'bank', action: 'tool.invoke' };
      const snapshot = await load(allow(text));
      expect(checkAccess(snapshot, { ...question, resource: 'other' }).allowed).toBe(false);
      expect(checkAccess(snapshot, { ...question, resource: text }).allowed).toBe(true);
      const plain = await load(allow('other'));
      expect(checkAccess(plain, { ...question, resource: text }).allowed).toBe(false);
      expect(checkAccess(plain, { ...question, subject: `user:${text}`, resource: 'other' }).allowed).toBe(
        false,
      );
    },
  );
});

describe('trap 12: patterns without bound', () => {
  it('refuses 65 stars and a pattern of 1,025 characters', async () => {
    const pattern = (text: string) =>
      rule(`id: R-1, effect: allow, subject: "role:any", domain: bank, action: "*", resource: "${text}"`);
    await expectRefused(pattern('*a'.repeat(65)), '65 stars');
    await expectRefused(pattern('a'.repeat(1025)), '1024');
  });

  it.each([
    ['^(a+)+$', 'a'.repeat(26)],
    ['(a|aa)+', 'a'.repeat(26)],
    ['{a,b}', 'a'],
    ['[a-z]', 'a'],
    ['a**b', 'acb!'],
    ['.*', 'x'],
  ])('takes %s for no expression: it does not match %s', async (text, resource) => {
    const snapshot = await load(
      rule(
        `id: R-1, effect: allow, subject: "role:any", domain: bank, action: tool.invoke, resource: "${text}"`,
      ),
    );
    const question = { subject: 'user:alice', domain: 'bank', action: 'tool.invoke', resource };
    expect(checkAccess(snapshot, question).allowed).toBe(false);
  });

  it('lets * cross / and match names that begin with a dot, in a deny too', async () => {
    const snapshot = await load(
      rule(
        'id: R-1, effect: allow, subject: "role:any", domain: bank, action: tool.invoke, resource: "*"',
        'id: R-2, effect: deny, subject: "role:any", domain: bank, action: tool.invoke, resource: "a/*"',
      ),
    );
    const question = { subject: 'user:alice', domain: 'bank', action: 'tool.invoke' };
    for (const resource of ['a/b', 'a/b/c', 'a/.hidden', 'a/']) {
      expect(checkAccess(snapshot, { ...question, resource })).toMatchObject({ ruleId: 'R-2' });
    }
  });
});

describe('trap 13: the enforcer can be switched off', () => {
  it('is not reachable from the snapshot, which is frozen', async () => {
    const snapshot = await load();
    expect(Object.isFrozen(snapshot)).toBe(true);
    for (const value of Object.values(snapshot)) {
      expect(Object(value)).not.toHaveProperty('enableEnforce');
    }
    expect(Object.isFrozen(snapshot.rules[0])).toBe(true);
  });

  it('is not reachable from what the room and the package export', async () => {
    const rooms = [
      await import('./index.js'),
      await import('./rbac/enforcer.js'),
      await import('../library/policy.js'),
    ];
    const { createJudge } = await import('./rbac/enforcer.js');
    const judge = await createJudge([], []);
    for (const value of [...rooms.flatMap((room) => Object.values<unknown>(room)), judge]) {
      for (const name of ['enableEnforce', 'enforceSync', 'getModel', 'loadPolicy', 'addPolicy']) {
        const found = typeof value === 'function' || typeof value === 'object' ? Object(value) : {};
        expect(found).not.toHaveProperty(name);
      }
    }
    expect(Reflect.ownKeys(judge).filter((key) => key !== 'length' && key !== 'name')).toEqual([]);
  });
});

describe('trap 15: a role name as the subject of a request', () => {
  it('is denied', async () => {
    const snapshot = await load();
    for (const subject of [
      'role:adjuster',
      'role:any',
      'alice',
      'User:alice',
      'user:',
      'user:a b',
      'user:*',
    ]) {
      expect(ask(snapshot, subject)).toMatchObject({ allowed: false, code: 'POLICY_REQUEST_INVALID' });
    }
  });

  it('would be allowed by the engine itself, and is denied as initiator and as agent of a decision', async () => {
    const snapshot = await load(
      rule(
        'id: R-1, effect: allow, subject: "role:adjuster", domain: bank, action: function.invoke, resource: "tool::a"',
      ),
    );
    // The stock behaviour: a name has every role of that name.
    expect(snapshot.judge('role:adjuster', 'bank', 'function.invoke', 'tool::a').allowed).toBe(true);
    const request = {
      ...{
        nowMs: 0,
        domain: 'bank',
        action: 'function.invoke',
        resource: 'tool::a',
        layers: [],
        approval: null,
      },
      facts: plainFacts('tool::a'),
    };
    for (const who of [
      { initiator: 'role:adjuster', agent: null },
      { initiator: 'user:alice', agent: 'role:adjuster' },
    ]) {
      expect(decide(snapshot, { ...request, ...who })).toMatchObject({
        verdict: 'deny',
        code: 'POLICY_REQUEST_INVALID',
      });
    }
  });
});

describe('trap 16: an error inside the engine', () => {
  it('is a deny with POLICY_ERROR', async () => {
    const snapshot = await load();
    const broken: PolicySnapshot = {
      ...snapshot,
      judge: () => {
        throw new Error('boom');
      },
    };
    expect(ask(broken, 'user:alice')).toMatchObject({ allowed: false, code: 'POLICY_ERROR' });
  });

  it('inside the matcher denies that question, and the next one finds no rows of it', async () => {
    const { createJudge } = await import('./rbac/enforcer.js');
    const allow = (id: string, resource: string) => ({
      ...({ id, effect: 'allow', subject: 'user:a', domain: 'd', action: 'tool.invoke', resource } as const),
    });
    const judge = await createJudge([allow('R-1', 'x*'), allow('R-2', 'y')], []);
    // The index finds the row by what it prints as, and the matcher throws on what it is.
    const odd = { length: 9, slice: () => 'x', toString: () => 'x1' } as unknown as string;
    expect(() => judge('user:a', 'd', 'tool.invoke', odd)).toThrow();
    expect(judge('user:a', 'd', 'tool.invoke', 'y')).toEqual({ allowed: true, ruleId: 'R-2' });
    expect(judge('user:a', 'd', 'tool.invoke', 'z')).toEqual({ allowed: false, ruleId: null });
  });
});

// Of Casbin's own bug lists, beyond the numbered ones.
describe('further traps of Casbin', () => {
  it('rewrites r. and p. in texts of its matcher: names that hold them are compared as they are', async () => {
    const snapshot = await load(
      rule(
        'id: R-1, effect: allow, subject: "user:r.sub", domain: bank, action: secret.use, resource: "p.obj"',
      ),
    );
    const secret = (subject: string, resource: string) =>
      checkAccess(snapshot, { subject, domain: 'bank', action: 'secret.use', resource }).allowed;
    expect(secret('user:r.sub', 'p.obj')).toBe(true);
    expect(secret('user:r_sub', 'p_obj')).toBe(false);
    expect(secret('user:r_sub', 'p.obj')).toBe(false);
    expect(secret('user:r.sub', 'r.obj')).toBe(false);
  });

  it('joins the arguments of g with commas: a name with commas has no role of another one', async () => {
    const snapshot = await load({
      'roles/bank.yaml': `${ROLES.split('members:')[0] ?? ''}members: { "role:adjuster": ["user:a,user:b"] }\n`,
      ...rule(
        'id: R-1, effect: allow, subject: "role:adjuster", domain: bank, action: function.invoke, resource: "tool::*"',
        'id: R-2, effect: allow, subject: "user:b,role:adjuster", domain: bank, action: function.invoke, resource: "tool::*"',
        'id: R-3, effect: allow, subject: "user:b,role:adjuster,bank", domain: "*", action: function.invoke, resource: "tool::*"',
      ),
    });
    for (const subject of [
      'user:a',
      'user:b',
      'user:a,user:b,role:adjuster',
      'user:b,role',
      'user:a,user:b,',
    ]) {
      expect(ask(snapshot, 'user:a,user:b').allowed).toBe(true);
      expect(ask(snapshot, subject).allowed, subject).toBe(false);
    }
  });

  it('may read the text of a request as JSON: here it stays the text that it is', async () => {
    const snapshot = await load(
      rule('id: R-1, effect: allow, subject: "user:1", domain: bank, action: secret.use, resource: "*"'),
    );
    const secret = (subject: string, resource: string) =>
      checkAccess(snapshot, { subject, domain: 'bank', action: 'secret.use', resource });
    expect(secret('user:1', '{"length":5}').allowed).toBe(true);
    for (const subject of ['1', '"user:1"', '["user:1"]', '{"toString":"user:1"}', 'user:1 ', 'user:01']) {
      expect(secret(subject, 'x').allowed, subject).toBe(false);
    }
  });

  it('finds what every object has by name: such names are nobody', async () => {
    const snapshot = await load();
    for (const name of ['constructor', '__proto__', 'toString', 'fnMatch', 'g', 'r_sub', 'p_sub']) {
      expect(ask(snapshot, `user:${name}`).allowed, name).toBe(false);
      expect(ask(snapshot, name).allowed, name).toBe(false);
    }
  });
});
