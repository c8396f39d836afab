import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { holdsWords } from './whole-words.js';

describe('whole words', () => {
  it.each<[string, string, boolean]>([
    ['LGTM', 'LGTM', true],
    ['I say: LGTM.', 'LGTM', true],
    ['(LGTM)', 'LGTM', true],
    ['**LGTM**', 'LGTM', true],
    ['a-LGTM-b', 'LGTM', true],
    ['LGTM\nnext', 'LGTM', true],
    ['not yet LGTM', 'LGTM', true],
    ['lgtm', 'LGTM', false],
    ['LGTMs', 'LGTM', false],
    ['notLGTM', 'LGTM', false],
    ['LGTM2', 'LGTM', false],
    ['LGTM_x', 'LGTM', false],
    ['éLGTM', 'LGTM', false],
    ['𝒳LGTM', 'LGTM', false],
    ['LGTM𝒳', 'LGTM', false],
    ['🌊LGTM🌊', 'LGTM', true],
    ['LGTM\u0301', 'LGTM', false],
    ['LGTMx LGTM', 'LGTM', true],
    ['all tests pass', 'all tests pass', true],
    ['all tests passed', 'all tests pass', false],
    ['gruesse', 'grüße', false],
    ['Gru\u0308ße', 'Grüße', true],
    ['Grüßen', 'Grüße', false],
    ['одобрено.', 'одобрено', true],
    ['неодобрено', 'одобрено', false],
    ['これは承認します', '承認', true],
    ['version 1.2 ok', '1.2', true],
    ['done!', 'done!', true],
    ['done!x', 'done!', true],
    ['', 'LGTM', false],
    ['LGTM', '', false],
  ])('%j holds %j: %j', (text, phrase, expected) => {
    expect(holdsWords(text, phrase)).toBe(expected);
  });

  it('are found between any two blanks, and in no word that goes on', () => {
    fc.assert(
      fc.property(fc.string(), fc.stringMatching(/^[a-z]{1,8}$/), fc.string(), (before, word, after) => {
        expect(holdsWords(`${before} ${word} ${after}`, word)).toBe(true);
        expect(holdsWords(`${word}x`, word)).toBe(false);
      }),
    );
  });

  it('are looked for in time that is linear in the text', () => {
    expect(holdsWords('ab'.repeat(1_000_000), 'ab')).toBe(false);
  });
});
