// What is printed of a failure: a command in a hint is one that works from where it is printed.
import { describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import { noteFailure, withPlace } from './failure.js';
import type { Output } from './output.js';

const place = { data: 'other data', policies: 'policies', env: {} };
const hint = 'when the witnesses answer again: writ workflow resume run_1';
const refused = new WritError('AUDIT_WITNESS_UNAVAILABLE', 'no quorum', { hint, details: { size: '7' } });

describe('a hint that says to resume a run', () => {
  it('carries --data and --policies, and the error stays what it was', () => {
    expect(withPlace(place, 'run_1', refused)).toMatchObject({
      code: 'AUDIT_WITNESS_UNAVAILABLE',
      message: 'no quorum',
      details: { size: '7' },
      hint: "when the witnesses answer again: writ workflow resume run_1 --data 'other data'",
    });
  });

  it('leaves every other error alone', () => {
    const bare = new WritError('STORE_IO', 'x');
    for (const error of [bare, new Error('y'), 'z']) expect(withPlace(place, 'run_1', error)).toBe(error);
    expect(withPlace(place, 'run_2', refused)).toBe(refused);
  });
});

describe('problems of policy files', () => {
  it('are all printed with their places, each hint once', () => {
    const at = (line: number, message: string, hint?: string) => ({
      ...{ file: 'rbac/a.yaml', line, column: 5, message },
      ...(hint === undefined ? {} : { hint }),
    });
    const diagnostics = [
      at(1, 'first', 'did you mean "a"?'),
      at(2, 'second', 'did you mean "a"?'),
      at(3, 'third', 'did you mean "b"?'),
      at(4, 'fourth', 'did you mean "b"?'),
      at(5, 'fifth'),
    ];
    const error = new WritError('POLICY_INVALID', 'policies/rbac/a.yaml:1:5: first (and 4 more)', {
      hint: 'did you mean "a"?',
      details: { diagnostics },
    });
    const lines: string[] = [];
    noteFailure({ note: (line: string) => lines.push(line) } as unknown as Output, error);
    expect(lines).toEqual([
      'writ: error: policies/rbac/a.yaml:1:5: first (and 4 more)',
      '  rbac/a.yaml:2:5: second',
      '  rbac/a.yaml:3:5: third',
      '    did you mean "b"?',
      '  rbac/a.yaml:4:5: fourth',
      '  rbac/a.yaml:5:5: fifth',
      'writ: hint: did you mean "a"?',
    ]);
  });
});
