// What `checkAccess` answers, through index and memory, is what stock Casbin
// answers after scanning every row. Each question is asked twice: the second answer comes from memory.
import { newEnforcer, newModelFromString } from 'casbin';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/canonical-json.js';
import { buildSnapshot, checkAccess, fnMatch, MODEL_TEXT } from '../../src/policy/index.js';

const POLICIES = 500;
const QUESTIONS = 200;

const ROLES = ['role:r', 'role:s', 'role:t'];
const PEOPLE = ['user:a', 'user:b', 'agent:x', 'service:y'];
const part = fc.constantFrom('a::', 'a::b', 'b', 'c/d', 'raw_', '*', '?', 'x');
const pattern = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(''));
const named = fc.array(fc.constantFrom('a::', 'a::b', 'b', 'c/d', 'raw_', 'x'), { maxLength: 3 });

const rule = fc.record({
  effect: fc.constantFrom('allow', 'allow', 'deny'),
  subject: fc.constantFrom(...ROLES, 'role:any', ...PEOPLE),
  domain: fc.constantFrom('bank', 'shop', '*'),
  action: fc.constantFrom('secret.use', 'tool.invoke', '*'),
  // A name without blanks is possible under both actions, so no rule is refused as one that can never match.
  resource: pattern,
});
const roles = fc.record({
  members: fc.record(
    Object.fromEntries(ROLES.map((role) => [role, fc.subarray([...PEOPLE])])) as Record<
      string,
      fc.Arbitrary<string[]>
    >,
  ),
  // Downwards in the alphabet only: no circles.
  inherits: fc.record({ 'role:r': fc.subarray(['role:s', 'role:t']), 'role:s': fc.subarray(['role:t']) }),
});
const policy = fc.record({
  rules: fc.array(rule, { minLength: 1, maxLength: 20 }),
  bank: roles,
  shop: roles,
});
const question = fc.record({
  subject: fc.constantFrom(...PEOPLE, 'user:stranger'),
  domain: fc.constantFrom('bank', 'shop'),
  action: fc.constantFrom('secret.use', 'tool.invoke'),
  resource: named.map((parts) => parts.join('') || 'n'),
});

interface Generated {
  readonly rules: readonly Record<'effect' | 'subject' | 'domain' | 'action' | 'resource', string>[];
  readonly bank: Roles;
  readonly shop: Roles;
}
interface Roles {
  readonly members: Readonly<Record<string, readonly string[]>>;
  readonly inherits: Readonly<Record<string, readonly string[]>>;
}

const idOf = (index: number) => `R-${String(index).padStart(3, '0')}`;

/** YAML 1.2 holds JSON. */
function files({ rules, bank, shop }: Generated): ReadonlyMap<string, string> {
  const header = (kind: string) => ({ apiVersion: 'writ/v1', kind });
  const rows = rules.map((one, index) => ({ id: idOf(index), ...one }));
  return new Map([
    ['model.conf', MODEL_TEXT],
    ['rbac/r.yaml', JSON.stringify({ ...header('Rules'), rules: rows })],
    ['roles/bank.yaml', JSON.stringify({ ...header('Roles'), domain: 'bank', ...bank })],
    ['roles/shop.yaml', JSON.stringify({ ...header('Roles'), domain: 'shop', ...shop })],
  ]);
}

/** Stock Casbin with every row and edge; `role:any` is held by everybody whom more than a deny names. */
async function fullScan({ rules, bank, shop }: Generated) {
  const enforcer = await newEnforcer(newModelFromString(MODEL_TEXT));
  await enforcer.addFunction('fnMatch', (value: string, glob: string) => fnMatch(value, glob));
  await enforcer.addPolicies(
    rules.map((one, index) => [one.subject, one.domain, one.resource, one.action, one.effect, idOf(index)]),
  );
  const allowing = rules.filter(({ effect }) => effect === 'allow').map(({ subject }) => subject);
  const known = new Set(allowing.filter((one) => !one.startsWith('role:')));
  for (const [domain, { members, inherits }] of Object.entries({ bank, shop })) {
    for (const [role, list] of Object.entries(members)) {
      for (const member of list) {
        known.add(member);
        await enforcer.addGroupingPolicy(member, role, domain);
      }
    }
    for (const [role, above] of Object.entries(inherits)) {
      for (const parent of above) await enforcer.addGroupingPolicy(role, parent, domain);
    }
  }
  for (const member of known) await enforcer.addGroupingPolicy(member, 'role:any', '*');
  return enforcer;
}

describe('index and memory', () => {
  it(`give the verdict and the rule of a full scan, for ${POLICIES * QUESTIONS} questions`, async () => {
    let asked = 0;
    let allowed = 0;
    await fc.assert(
      fc.asyncProperty(
        policy,
        fc.array(question, { minLength: QUESTIONS, maxLength: QUESTIONS }),
        async (generated, questions) => {
          const snapshot = await buildSnapshot({ files: files(generated), canonicalize: canonicalJson });
          const enforcer = await fullScan(generated);
          for (const one of questions) {
            const [verdict, row] = enforcer.enforceExSync(one.subject, one.domain, one.resource, one.action);
            const first = checkAccess(snapshot, one);
            const again = checkAccess(snapshot, { ...one });
            if (first.allowed !== verdict || first.ruleId !== (row[5] ?? null) || again !== first) {
              expect({ one, first, again }).toEqual({ one, verdict, row });
            }
            asked += 1;
            if (verdict) allowed += 1;
          }
        },
      ),
      { numRuns: POLICIES, endOnFailure: true },
    );
    expect(asked).toBeGreaterThanOrEqual(100_000);
    expect(allowed).toBeGreaterThan(asked / 100);
    expect(allowed).toBeLessThan((asked * 99) / 100);
  });
});

describe('what is remembered', () => {
  const generated: Generated = {
    rules: [
      { effect: 'allow', subject: 'role:r', domain: 'bank', action: 'secret.use', resource: 'a$$b' },
      { effect: 'allow', subject: 'role:r', domain: 'bank', action: 'secret.use', resource: 'plain' },
    ],
    bank: { members: { 'role:r': ['user:a'] }, inherits: {} },
    shop: { members: {}, inherits: {} },
  };
  const build = () => buildSnapshot({ files: files(generated), canonicalize: canonicalJson });
  const ask = { subject: 'user:a', domain: 'bank', action: 'secret.use', resource: 'plain' };

  it('is immutable, and the same object for the same question', async () => {
    const snapshot = await build();
    const answer = checkAccess(snapshot, ask);
    expect(checkAccess(snapshot, { ...ask })).toBe(answer);
    expect(Object.isFrozen(answer) && Object.isFrozen(answer.rolePath)).toBe(true);
  });

  it('is found by four plain strings only: nothing that looks like one of them (trap 5)', async () => {
    const snapshot = await build();
    expect(checkAccess(snapshot, ask).allowed).toBe(true);
    for (const resource of [['plain'], new String('plain'), { toString: () => 'plain' }, 0, null]) {
      const answer = checkAccess(snapshot, { ...ask, resource: resource as never });
      expect([answer.allowed, answer.code]).toEqual([false, 'POLICY_REQUEST_INVALID']);
    }
  });

  it('keeps ids apart that would be one when joined (trap 6)', async () => {
    const snapshot = await build();
    expect(checkAccess(snapshot, { ...ask, resource: 'a$$b' }).allowed).toBe(true);
    const moved = { ...ask, subject: 'user:a$$a', resource: 'b' };
    expect(checkAccess(snapshot, moved).code).toBe('POLICY_NO_MATCH');
    expect(checkAccess(snapshot, { ...ask, subject: 'user:a","a', resource: 'b' }).allowed).toBe(false);
  });

  it('does not outlive its snapshot: a new one is asked anew', async () => {
    const before = await build();
    expect(checkAccess(before, ask).allowed).toBe(true);
    const after = await buildSnapshot({
      files: files({ ...generated, bank: { members: { 'role:r': [] }, inherits: {} } }),
      canonicalize: canonicalJson,
    });
    expect(checkAccess(after, ask).allowed).toBe(false);
    expect(checkAccess(before, ask).allowed).toBe(true);
  });

  it('holds no error, and nothing for a snapshot that could be changed', async () => {
    const snapshot = await build();
    let fails = true;
    const judge: typeof snapshot.judge = (...question) => {
      if (fails) throw new Error('out of order');
      return snapshot.judge(...question);
    };
    const broken = Object.freeze({ ...snapshot, judge });
    expect(checkAccess(broken, ask).code).toBe('POLICY_ERROR');
    fails = false;
    expect(checkAccess(broken, ask).allowed).toBe(true);
    const open = { ...snapshot };
    expect(checkAccess(open, ask).allowed).toBe(true);
    open.judge = () => ({ allowed: false, ruleId: null });
    expect(checkAccess(open, ask).allowed).toBe(false);
  });
});
