import oracle from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, parseJson } from '../../src/audit/index.js';
import { base64, corpus, CORPUS_NOTE, HAVE_CORPUS } from './corpus.js';

interface Jcs {
  pairs: { name: string; input_b64: string; output_b64: string; ok: boolean }[];
  numbers: { ieee: string; text: string }[];
}

describe.skipIf(!HAVE_CORPUS)(`canonical form vectors${CORPUS_NOTE}`, () => {
  const { pairs = [], numbers = [] } = corpus<Jcs>('jcs.json');
  it.each(pairs)('$name becomes its canonical form', ({ input_b64, output_b64 }) => {
    expect(canonicalize(base64(input_b64))).toBe(Buffer.from(output_b64, 'base64').toString());
  });
  it.each(numbers)('the double $ieee is written $text', ({ ieee, text }) => {
    expect(canonicalize(Buffer.from(ieee, 'hex').readDoubleBE(0))).toBe(text);
  });
});

describe('canonical form', () => {
  const json = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
  it('agrees with another implementation on any JSON value', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalize(value as never)).toBe(oracle(value));
      }),
    );
  });
  it('is read back by the strict reader as the same text', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalize(value as never);
        // Integers beyond 2^53 have a canonical form that is not exact: those, and only those, are refused.
        if (/(?<![0-9.e+-])-?[0-9]{16,}(?![0-9.e])/.test(text)) return;
        expect(canonicalize(parseJson(new TextEncoder().encode(text)))).toBe(text);
      }),
    );
  });
});
