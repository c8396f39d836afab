import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { renderFitting } from './table.js';

const plain = pc.createColors(false);
const HEAD = ['approval', 'state', 'function', 'expires'];
const ROWS = [
  [
    'apr_one',
    { styled: pc.createColors(true).yellow('pending') },
    'ghcr.io/bank/review@sha256:7e5cac2fd225…',
    'in 1 h',
  ],
];
const lines = (columns: number): readonly string[] =>
  renderFitting(plain, HEAD, ROWS, { columns, lessImportant: ['function', 'state'] }).split('\n');

describe('a table on a terminal that is too narrow for it', () => {
  it('leaves out what matters least first, and no more than it has to', () => {
    expect(lines(68)[0]).toMatch(/^approval +state +function +expires$/u);
    expect(lines(67)[0]).toMatch(/^approval +state +expires$/u);
    expect(lines(26)[0]).toMatch(/^approval +state +expires$/u);
    expect(lines(25)).toEqual(['approval  expires', 'apr_one   in 1 h']);
  });

  it('never leaves out the others, however narrow it is', () => {
    expect(lines(5)).toEqual(['approval  expires', 'apr_one   in 1 h']);
  });

  it('is as wide as it is where nothing bounds it', () => {
    expect(lines(Infinity)).toEqual(lines(1_000));
    expect(lines(Infinity)[1]).toContain('review@sha256');
  });
});
