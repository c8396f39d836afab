import { describe, expect, it } from 'vitest';
import { readDecision } from './decision-body.js';

const digest = 'a'.repeat(64);
const read = (body: object) => readDecision(new TextEncoder().encode(JSON.stringify(body)));

describe('a change of the input', () => {
  it('goes with decision approve, which it takes the place of', () => {
    const body = { decision: 'approve', digest, changes: { input: { amount: 1 } } };
    expect(read(body)).toMatchObject({ decision: 'approve', digest, changes: { input: { amount: 1 } } });
  });

  it.each([
    ['a denial', { decision: 'deny' }],
    ['a revocation', { decision: 'revoke' }],
    ['a delegation', { delegation: 'user:bob' }],
    ['an emergency', { breakGlass: true }],
  ])('HOLE: with %s is refused, which would be lost without a word', (_, more) => {
    const body = { decision: 'approve', digest, changes: { input: 1 }, ...more };
    expect(() => read(body)).toThrow('changes goes with decision approve');
  });
});
