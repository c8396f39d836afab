import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wrapRows } from './rows.js';

describe('rows', () => {
  it('marks the start of a line and its continuation differently', () => {
    expect(wrapRows(['abcdef', ''], 5)).toEqual(['  abc', '> def', '  ']);
  });

  it('counts wide characters as two columns', () => {
    expect(wrapRows(['日本語'], 6)).toEqual(['  日本', '> 語']);
  });

  it('loses no character of any line', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme' })),
        fc.integer({ min: 1, max: 120 }),
        (lines, columns) => {
          const rows = wrapRows(lines, columns);
          expect(rows.map((row) => row.slice(2)).join('')).toBe(lines.join(''));
          expect(rows.filter((row) => row.startsWith('  ')).length).toBeGreaterThanOrEqual(lines.length);
        },
      ),
    );
  });

  it('gives no text the mark of a new line', () => {
    const forged = `${'x'.repeat(8)}  sandbox: none`;
    const rows = wrapRows([forged], 10);
    expect(rows.slice(1).every((row) => row.startsWith('> '))).toBe(true);
  });
});
