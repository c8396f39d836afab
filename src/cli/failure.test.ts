// What is printed of a failure: a command in a hint is one that works from where it is printed.
import { describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import { withPlace } from './failure.js';

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
