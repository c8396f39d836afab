import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quorumMet, type Factor } from '../../src/approval/index.js';

const ROLES = ['a', 'b', 'c'] as const;
const people = fc.array(
  fc.record({ id: fc.constantFrom('p', 'q', 'r', 's', 't'), roles: fc.subarray([...ROLES]) }),
  { maxLength: 5 },
);
const factors = fc.array(fc.record({ role: fc.constantFrom(...ROLES), n: fc.integer({ min: 1, max: 2 }) }), {
  maxLength: 3,
});

/** Tries every way to seat people; the definition, not an algorithm. */
function seats(
  places: readonly string[],
  free: readonly string[],
  rolesOf: (id: string) => ReadonlySet<string>,
): boolean {
  const [place, ...rest] = places;
  if (place === undefined) return true;
  return free.some(
    (person) =>
      rolesOf(person).has(place) &&
      seats(
        rest,
        free.filter((one) => one !== person),
        rolesOf,
      ),
  );
}

describe('a quorum', () => {
  it('is met exactly when some way to seat distinct people fills every place', () => {
    fc.assert(
      fc.property(factors, people, (needed: readonly Factor[], voters) => {
        const roles = new Map(
          voters.map((one): [string, ReadonlySet<string>] => [one.id, new Set<string>(one.roles)]),
        );
        const rolesOf = (id: string): ReadonlySet<string> => roles.get(id) ?? new Set();
        const holds = (id: string, role: string): boolean => rolesOf(id).has(role);
        const places = needed.flatMap((factor) => Array.from({ length: factor.n }, () => factor.role));
        const ids = voters.map((one) => one.id);
        const expected = places.length > 0 && seats(places, [...new Set(ids)], rolesOf);
        expect(quorumMet(needed, ids, holds)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it('is never lost by one more approval, and never met by the same people again', () => {
    fc.assert(
      fc.property(factors, people, fc.constantFrom('p', 'q', 'x'), (needed, voters, extra) => {
        const roles = new Map(
          voters.map((one): [string, ReadonlySet<string>] => [one.id, new Set<string>(one.roles)]),
        );
        const rolesOf = (id: string): ReadonlySet<string> => roles.get(id) ?? new Set();
        const holds = (id: string, role: string): boolean => rolesOf(id).has(role);
        const ids = voters.map((one) => one.id);
        const before = quorumMet(needed, ids, holds);
        if (before) expect(quorumMet(needed, [...ids, extra], holds)).toBe(true);
        expect(quorumMet(needed, [...ids, ...ids], holds)).toBe(before);
      }),
    );
  });
});
