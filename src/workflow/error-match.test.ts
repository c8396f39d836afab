import { describe, expect, it } from 'vitest';
import { type CaughtError, errorMatches } from './error-match.js';

function matches(
  names: readonly string[],
  name: string,
  kind: CaughtError['kind'],
  use: 'retry' | 'catch',
): boolean {
  return errorMatches(names, { name, kind }, use);
}

describe('a retry or catch list', () => {
  it.each<[readonly string[], string, boolean]>([
    [['Tool.Failed'], 'Tool.Failed', true],
    [['Tool.TemporaryFailure'], 'Tool.Failed', false],
    [['States.ALL'], 'Tool.Failed', true],
    [['States.TaskFailed'], 'Tool.Failed', true],
    [['States.TaskFailed'], 'States.TaskFailed', true],
    [['States.TaskFailed'], 'Runner.Timeout', false],
    [['States.TaskFailed'], 'States.HeartbeatTimeout', false],
    [['States.TaskFailed'], 'States.DataLimitExceeded', false],
    [['States.ALL'], 'States.DataLimitExceeded', true],
    [['Runner.Timeout'], 'States.Timeout', true],
    [['States.Timeout'], 'Runner.Timeout', true],
    [['Platform.Timeout'], 'Runner.Timeout', true],
    [['States.Timeout'], 'States.HeartbeatTimeout', true],
    [['States.HeartbeatTimeout'], 'States.HeartbeatTimeout', true],
    [['States.HeartbeatTimeout'], 'States.Timeout', false],
    [['States.Runtime', 'States.ALL'], 'States.Runtime', false],
    [['A', 'Tool.Failed'], 'Tool.Failed', true],
    [[], 'Tool.Failed', false],
  ])('%j on the failure %s: %j, in retry and in catch', (names, name, expected) => {
    expect(matches(names, name, 'failure', 'retry')).toBe(expected);
    expect(matches(names, name, 'failure', 'catch')).toBe(expected);
  });

  const REFUSALS = ['Policy.Denied', 'Ceiling.Exceeded', 'Approval.Denied', 'Approval.Expired'];

  it.each(REFUSALS)('never retries the refusal %s, not even by its name', (name) => {
    expect(matches([name], name, 'refusal', 'retry')).toBe(false);
    expect(matches(['States.ALL'], name, 'refusal', 'retry')).toBe(false);
  });

  it.each(REFUSALS)('catches the refusal %s by its own name only', (name) => {
    expect(matches([name], name, 'refusal', 'catch')).toBe(true);
    expect(matches(['States.ALL', 'States.TaskFailed', 'Tool.Failed'], name, 'refusal', 'catch')).toBe(false);
  });

  it('knows the second names of approval refusals', () => {
    expect(matches(['Approval.Rejected'], 'Approval.Denied', 'refusal', 'catch')).toBe(true);
    expect(matches(['Approval.Timeout'], 'Approval.Expired', 'refusal', 'catch')).toBe(true);
    expect(matches(['Approval.Timeout'], 'Approval.Denied', 'refusal', 'catch')).toBe(false);
  });

  it('matches no refusal that has no name of its own', () => {
    expect(matches(['States.TaskFailed', 'States.ALL'], 'States.TaskFailed', 'refusal', 'catch')).toBe(false);
  });

  it.each(['fatal', 'document'] as const)('matches no %s error', (kind) => {
    for (const use of ['retry', 'catch'] as const) {
      expect(matches(['States.ALL'], 'States.TaskFailed', kind, use)).toBe(false);
      expect(matches(['Integrity.Digest'], 'Integrity.Digest', kind, use)).toBe(false);
    }
  });

  it('matches no fatal name, whatever kind it comes with', () => {
    expect(matches(['Integrity.Digest', 'States.ALL'], 'Integrity.Digest', 'failure', 'catch')).toBe(false);
    expect(matches(['Policy.Denied', 'States.ALL'], 'Policy.Denied', 'failure', 'retry')).toBe(false);
  });
});
