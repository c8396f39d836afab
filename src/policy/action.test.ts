import { describe, expect, it } from 'vitest';
import { isStepAct, resourceProblem, unmatchable } from './action.js';

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
