import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../canonical-json.js';
import { sha256Hex } from '../rbac/model.js';
import { PIECE, policyHashOf } from './policy-hash.js';
import type { RowRule } from '../rbac/rule.js';

describe('the policy hash', () => {
  const others = { modelHash: 'x', approvers: [], 'a"': 'é\u2028', roles: [['user:a', 'role:r', '*']] };
  const rule: RowRule = {
    id: 'R-1',
    effect: 'deny',
    subject: 'user:a',
    action: '*',
    domain: 'é,"]\u2028\u007f',
    resource: '\\ud800*',
  };
  const canonicalize = canonicalJson;

  it.each([0, 1, 2, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 7])(
    'of %i rules in pieces is that of the whole',
    async (count) => {
      const rules = Array.from({ length: count }, (_, i) => ({
        ...rule,
        id: String(i),
        subject: `user:${i}`,
      }));
      let pauses = 0;
      const pause = async () => {
        pauses += 1;
      };
      const rows = rules.map(({ id, subject }) => [subject, 'é,"]\u2028\u007f', '\\ud800*', '*', 'deny', id]);
      const whole = sha256Hex(canonicalize({ ...others, rules: rows }));
      expect(await policyHashOf(others, rules, { canonicalize, pause })).toBe(whole);
      expect(pauses).toBe(Math.ceil(count / PIECE));
    },
  );

  it('is made of no rule with half a character', async () => {
    await expect(
      policyHashOf(others, [{ ...rule, subject: 'user:\ud800' }], { canonicalize }),
    ).rejects.toThrow('surrogate');
  });

  it('is made of no key that would stand behind the rules', async () => {
    for (const key of ['rules', 'rulez', 'zone']) {
      await expect(policyHashOf({ [key]: 1 }, [], { canonicalize })).rejects.toThrow(key);
    }
  });
});
