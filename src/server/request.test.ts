import { describe, expect, it } from 'vitest';
import { HttpProblem } from './answer.js';
import { headerPairs, requireOnce } from './request.js';

describe('a header that says for whom, by whom or for the how manyth time', () => {
  it.each(['Host', 'authorization', 'Idempotency-Key', 'content-type', 'last-event-id'])(
    'is refused when it is there twice, in whatever case: %s',
    (name) => {
      const raw = ['host', 'a', 'x', '1', name, 'b', name.toUpperCase(), 'b'];
      expect(() => requireOnce(raw)).toThrow(expect.objectContaining({ status: 400 }) as HttpProblem);
    },
  );

  it('is fine once, and others may come again', () => {
    expect(() =>
      requireOnce(['Host', 'a', 'Authorization', 'Bearer b', 'accept', '1', 'accept', '2']),
    ).not.toThrow();
    expect(() => requireOnce([])).not.toThrow();
  });
});

describe('headers as they came', () => {
  it('keep what is there twice, in its order', () => {
    expect(headerPairs(['A', '1', 'a', '2'])).toEqual([
      ['A', '1'],
      ['a', '2'],
    ]);
  });
});
