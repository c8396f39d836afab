import { describe, expect, it } from 'vitest';
import { quorumMet, type Factor } from './quorum.js';

const ROLES: Readonly<Record<string, readonly string[]>> = {
  'user:ann': ['claims'],
  'user:bob': ['claims', 'legal'],
  'user:cat': ['legal'],
  'user:dan': ['claims', 'legal', 'risk'],
  'user:eve': [],
};
const holds = (person: string, role: string): boolean => new Set(ROLES[person]).has(role);
const met = (factors: readonly Factor[], ...people: readonly string[]): boolean =>
  quorumMet(
    factors,
    people.map((name) => `user:${name}`),
    holds,
  );

const claims = (n: number): Factor => ({ role: 'claims', n });
const legal = (n: number): Factor => ({ role: 'legal', n });

describe('a quorum', () => {
  it.each<[string, readonly Factor[], readonly string[], boolean]>([
    ['of one is met by one who holds the role', [claims(1)], ['ann'], true],
    ['of one is not met by nobody', [claims(1)], [], false],
    ['of one is not met by one without the role', [claims(1)], ['cat'], false],
    ['of two is not met by one (quorum minus one)', [claims(2)], ['ann'], false],
    ['of two is not met by one person twice', [claims(2)], ['ann', 'ann'], false],
    ['of two is met by two', [claims(2)], ['ann', 'bob'], true],
    ['of two is not met by two of whom one has no role', [claims(2)], ['ann', 'eve'], false],
    ['of two is met by three of whom one has no role', [claims(2)], ['ann', 'eve', 'bob'], true],
    ['of two factors needs both', [claims(1), legal(1)], ['ann'], false],
    ['of two factors is not met by one person who holds both roles', [claims(1), legal(1)], ['bob'], false],
    ['of two factors is met by two', [claims(1), legal(1)], ['ann', 'cat'], true],
    ['of two factors is not met by two of the same role', [claims(1), legal(1)], ['ann', 'eve'], false],
    ['moves a person to another factor where that is needed', [claims(1), legal(1)], ['bob', 'ann'], true],
    ['moves people in a chain', [{ role: 'risk', n: 1 }, legal(1), claims(1)], ['dan', 'bob', 'ann'], true],
    ['finds no place when two compete for one', [{ role: 'risk', n: 1 }, claims(1)], ['ann', 'bob'], false],
    ['counts a factor that is listed twice twice', [claims(1), claims(1)], ['ann'], false],
    ['is met by more people than needed', [claims(1)], ['ann', 'bob', 'cat', 'dan', 'eve'], true],
    ['without factors is never met', [], ['ann', 'bob'], false],
    ['with n 0 is never met', [claims(0)], ['ann'], false],
    [
      'with a role nobody holds is never met',
      [{ role: 'nobody', n: 1 }],
      ['ann', 'bob', 'cat', 'dan'],
      false,
    ],
  ])('%s', (_, factors, people, expected) => {
    expect(met(factors, ...people)).toBe(expected);
    expect(met(factors, ...[...people].reverse())).toBe(expected);
  });
});
