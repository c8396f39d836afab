import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLASSIFICATIONS, mixedWith, UNKNOWN_DATA, type DataClass } from './data-class.js';

const label = fc.constantFrom('pii', 'phi', 'public');
const data: fc.Arbitrary<DataClass> = fc.record({
  labels: fc.option(fc.uniqueArray(label).map((labels) => labels.sort())),
  classification: fc.option(fc.constantFrom(...CLASSIFICATIONS)),
});

describe('data that is mixed with other data', () => {
  it('carries what either carries, in any order and however often', () => {
    fc.assert(
      fc.property(data, data, data, (a, b, c) => {
        expect(mixedWith(a, b)).toEqual(mixedWith(b, a));
        expect(mixedWith(mixedWith(a, b), c)).toEqual(mixedWith(a, mixedWith(b, c)));
        expect(mixedWith(a, a)).toEqual(a);
        const { labels } = mixedWith(a, b);
        if (labels !== null) expect(labels).toEqual(expect.arrayContaining([...(a.labels ?? [])]));
      }),
    );
  });

  it('is not known where one part is not', () => {
    const known: DataClass = { labels: ['pii'], classification: 'restricted' };
    expect(mixedWith(known, UNKNOWN_DATA)).toEqual(UNKNOWN_DATA);
    expect(mixedWith(known, { labels: [], classification: null })).toEqual({
      labels: ['pii'],
      classification: null,
    });
    expect(mixedWith(known, { labels: ['phi'], classification: 'public' })).toEqual({
      labels: ['phi', 'pii'],
      classification: 'restricted',
    });
  });
});
