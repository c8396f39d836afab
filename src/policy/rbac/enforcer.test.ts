import { newEnforcer, newModelFromString } from 'casbin';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createJudge } from './enforcer.js';
import { fnMatch } from './glob.js';
import { MODEL_TEXT } from './model.js';
import type { RoleEdge } from './role.js';
import type { Rule } from './rule.js';

type Row = Pick<Rule, 'id' | 'effect' | 'subject' | 'domain' | 'action' | 'resource'>;

const RUNS = Number(process.env['WRIT_PROPERTY_RUNS'] ?? 2000);

const subjects = ['user:a', 'user:b', 'agent:x', 'role:r', 'role:s', 'role:any'];
const segment = fc.constantFrom('tool::', 'tool::x', 'a', 'raw_', '*', '?', 'tool');
const row = fc.record({
  effect: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
  subject: fc.constantFrom(...subjects),
  domain: fc.constantFrom('d', 'e', '*'),
  action: fc.constantFrom('function.invoke' as const, 'secret.use' as const, '*' as const),
  resource: fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('')),
});
const edge = fc.record({
  member: fc.constantFrom('user:a', 'user:b', 'agent:x', 'role:r'),
  role: fc.constantFrom('role:s', 'role:t', 'role:any'),
  domain: fc.constantFrom('d', 'e', '*'),
});
const question = fc.tuple(
  fc.constantFrom('user:a', 'user:b', 'agent:x', 'user:c'),
  fc.constantFrom('d', 'e'),
  fc.constantFrom('function.invoke', 'secret.use'),
  fc
    .array(fc.constantFrom('tool::', 'x', 'a', 'raw_', 'tool'), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join('')),
);

/** Stock Casbin, every row scanned, empty policy guarded. */
async function fullScan(rows: readonly Row[], edges: readonly RoleEdge[]) {
  const enforcer = await newEnforcer(newModelFromString(MODEL_TEXT));
  await enforcer.addFunction('fnMatch', (value: string, pattern: string) => fnMatch(value, pattern));
  const lines = rows.map((r) => [r.subject, r.domain, r.resource, r.action, r.effect, r.id]);
  if (lines.length > 0) await enforcer.addPolicies(lines);
  for (const { member, role, domain } of edges) await enforcer.addGroupingPolicy(member, role, domain);
  return (subject: string, domain: string, action: string, resource: string) => {
    if (rows.length === 0) return { allowed: false, ruleId: null };
    const [allowed, hit] = enforcer.enforceExSync(subject, domain, resource, action);
    return { allowed, ruleId: hit[5] ?? null };
  };
}

describe('the candidate index', () => {
  it('gives the verdict and the rule of a full scan (law 12)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 25 }),
        fc.array(edge, { maxLength: 6 }),
        fc.array(question, { minLength: 1, maxLength: 25 }),
        async (generated, edges, questions) => {
          const rows = generated.map((r, i): Row => ({ ...r, id: `R-${String(i).padStart(3, '0')}` }));
          const judge = await createJudge(rows, edges);
          const oracle = await fullScan(rows, edges);
          for (const q of questions) expect(judge(...q)).toEqual(oracle(...q));
        },
      ),
      { numRuns: Math.max(200, RUNS / 10) },
    );
  });

  it('adding a deny never turns a deny into an allow (law 10)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 10 }), row, question, async (generated, extra, q) => {
        const rows = generated.map((r, i): Row => ({ ...r, id: `R-${i}` }));
        const before = (await createJudge(rows, []))(...q);
        const after = (await createJudge([...rows, { ...extra, effect: 'deny', id: 'X' }], []))(...q);
        expect(after.allowed && !before.allowed).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it('answers among 10,000 rules as fast as among ten', async () => {
    const rows = Array.from({ length: 10_000 }, (_, i): Row => ({
      id: `R-${i}`,
      effect: 'allow',
      subject: 'role:r',
      domain: 'd',
      action: 'function.invoke',
      resource: i % 10 === 0 ? `tool::group${i}*` : `tool::name${i}`,
    }));
    const judge = await createJudge(rows, [{ member: 'user:a', role: 'role:r', domain: 'd' }]);
    expect(judge('user:a', 'd', 'function.invoke', 'tool::name9999').ruleId).toBe('R-9999');
    const times = Array.from({ length: 20 }, (_one, round) => {
      const start = performance.now();
      for (let i = 0; i < 50; i += 1)
        judge('user:a', 'd', 'function.invoke', `tool::name${(i * 20 + round) * 10 + 1}`);
      return performance.now() - start;
    });
    // Stock Casbin needs more than 10 ms for one of these. The quickest fifty: the others may have waited for other work.
    expect(Math.min(...times) / 50).toBeLessThan(1);
  });

  it.each([
    ['one beginning', (i: number) => `*.host${i}.example:443`, 'x.host9999.example:443'],
    ['no literal end at all', (i: number) => `*.host${i}.example:*`, 'x.host9999.example:443'],
  ])('HOLE: ten thousand globs of %s slow nobody down', async (_, pattern, resource) => {
    const rows = Array.from({ length: 10_000 }, (_one, i): Row => ({
      ...{ id: `R-${i}`, effect: 'allow', subject: 'user:a', domain: 'd' },
      ...{ action: 'network.egress', resource: pattern(i) },
    }));
    const judge = await createJudge(rows, []);
    const times = Array.from({ length: 30 }, () => {
      const start = performance.now();
      expect(judge('user:a', 'd', 'network.egress', resource)).toEqual({ allowed: true, ruleId: 'R-9999' });
      return performance.now() - start;
    });
    // Casbin alone takes 15 ms and more on a machine that does nothing else.
    expect(Math.min(...times)).toBeLessThan(5);
    expect(judge('user:a', 'd', 'network.egress', 'x.host.example:443')).toEqual({
      allowed: false,
      ruleId: null,
    });
  });

  it('denies, without asking Casbin, when there is no candidate', async () => {
    const judge = await createJudge([], []);
    expect(judge('user:a', 'd', 'secret.use', 'x')).toEqual({ allowed: false, ruleId: null });
  });
});
