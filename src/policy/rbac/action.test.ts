import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStepAct, resourceProblem, unmatchable, type Action } from './action.js';

describe('artifacts as resources', () => {
  it.each(['claims/a', 'claims/2026/open claims.csv', 'claims/', 'claims/...', `sha256:${'a'.repeat(64)}`])(
    'may be asked for as %j',
    (resource) => {
      expect(resourceProblem('artifact.read', resource)).toBeNull();
      expect(unmatchable('artifact.write', resource)).toBeNull();
    },
  );

  it.each([
    'claims',
    '/a',
    '../a',
    'claims/..',
    'claims/../x',
    'claims/a/./b',
    'claims\\a/b',
    'c/a\\b',
    'sha256:abc',
    '*',
  ])('may not be asked for as %j', (resource) => {
    expect(resourceProblem('artifact.read', resource)).toContain('is not an artifact');
  });

  it.each(['*', 'claims*', 'claims/*', 'claims/2026/*.csv', 'sha256:*'])(
    'may be named by the pattern %j',
    (pattern) => {
      expect(unmatchable('artifact.read', pattern)).toBeNull();
    },
  );

  it.each(['/claims/*', './*', 'claims', 'claims\\*'])('are never met by the pattern %j', (pattern) => {
    expect(unmatchable('artifact.read', pattern)).toContain('can never match');
  });

  it('are not what a step does in a sandbox: RBAC and the validity of ceilings decide', () => {
    expect([isStepAct('artifact.read'), isStepAct('artifact.write'), isStepAct('function.invoke')]).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe('a pattern that no resource has the form of', () => {
  it.each<[string, Action, string]>([
    ['a blank behind its star', 'function.invoke', 'tool::raw_* '],
    ['a blank of another kind', 'function.invoke', 'tool::raw_*\u00a0'],
    ['a letter that looks Latin, behind a star', 'function.invoke', 'tool::*_d\u0435lete'],
    ['the same between two stars', 'function.invoke', 'tool::*d\u0435l*'],
    ['braces of another pattern language', 'function.invoke', 'tool::*{a,b}'],
    ['a package without its digest', 'agent.invoke', 'ghcr.io/*/evil'],
    ['a package by a tag', 'agent.invoke', '*/evil:latest'],
    ['a package in capitals', 'agent.invoke', '*/Evil@*'],
    ['a host without a port', 'network.egress', '*.evil.example'],
    ['a host in capitals', 'network.egress', '*.Evil.example:443'],
    ['a host with a dot at its end', 'network.egress', '*.evil.example.:443'],
    ['an address that is written otherwise', 'network.egress', '[0:0::1]:80'],
    ['an address in hexadecimal', 'network.egress', '0x7f.1:80'],
    ['a port that there is not', 'network.egress', 'evil.example:99999'],
    ['a path with a slash at its end', 'filesystem.read', '*/etc/'],
    ['a path that goes up', 'filesystem.read', '/data/*/../x'],
    ['the same between two stars', 'filesystem.read', '/data*/../*'],
    ['a path with an empty segment', 'filesystem.write', '*//etc'],
    ['a blank in a workflow id', 'workflow.run', 'claims-* x'],
    ['a blank in a name', 'secret.use', '* claims'],
    ['an artifact that goes up', 'artifact.read', 'claims/*/../x'],
  ])('is refused: it would look like protection (%s)', (_, action, pattern) => {
    expect(unmatchable(action, pattern)).toMatch(/^can never match: /u);
  });

  const from = (alphabet: string, minLength: number, maxLength: number) =>
    fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });
  const hex = from('0123456789abcdef', 64, 64);
  const values: Readonly<Record<string, fc.Arbitrary<string>>> = {
    'workflow.run': from('aZ09_.:-', 1, 12),
    'function.invoke': fc.tuple(from('aZ0_.-', 1, 4), from('aZ0_.:/-', 1, 8)).map((two) => two.join('::')),
    'agent.invoke': fc.tuple(from('a0._/-', 1, 8), hex).map(([name, digits]) => `a${name}@sha256:${digits}`),
    'network.egress': fc
      .oneof(
        fc.tuple(from('abz-', 1, 4), fc.constantFrom('.example', ''), fc.integer({ min: 1, max: 65_535 })),
        fc.tuple(fc.constantFrom('[::1]', '[2001:db8::1]', '127.0.0.1'), fc.constant(''), fc.constant(8080)),
      )
      .map(([host, end, port]) => `${host}${end}:${port}`),
    'filesystem.read': fc.oneof(
      fc.constant('/'),
      fc.array(from('ab.', 1, 3), { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`),
    ),
    'secret.use': from('ab-_/:', 1, 8),
    'artifact.read': fc.oneof(
      hex.map((digits) => `sha256:${digits}`),
      fc.tuple(from('ab.', 0, 3), from('ab./ ', 0, 6)).map(([bucket, key]) => `b${bucket}/${key}`),
    ),
  };

  it.each(Object.keys(values))('is never said of one that a resource of %s matches', (name) => {
    const action = name as Action;
    const resources = (values[name] ?? fc.constant('')).filter(
      (one) => resourceProblem(action, one) === null,
    );
    const cut = fc.tuple(fc.nat(90), fc.nat(90), fc.constantFrom('*', '?', '**'));
    fc.assert(
      fc.property(resources, fc.array(cut, { minLength: 1, maxLength: 3 }), (resource, cuts) => {
        let pattern = resource;
        for (const [at, length, wildcard] of cuts) {
          const from = at % (pattern.length + 1);
          const to = wildcard === '?' ? from + 1 : from + length;
          if (wildcard !== '?' || from < pattern.length)
            pattern = pattern.slice(0, from) + wildcard + pattern.slice(to);
        }
        expect(unmatchable(action, pattern)).toBeNull();
      }),
      { numRuns: 2000 },
    );
  });
});
