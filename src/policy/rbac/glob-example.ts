// Values that a pattern matches and that somebody could ask about. For advice only, never for a verdict: of a pattern that
// is unlike all others none may be found.
import { fnMatch } from './glob.js';

/** Most that are given of one pattern. */
const MAX_EXAMPLES = 4;
const DIGEST = `sha256:${'0'.repeat(64)}`;
/** What may stand in place of the last `*`: ends of functions, packages, addresses, paths and objects. */
const ENDS = [
  'x',
  `@${DIGEST}`,
  `x@${DIGEST}`,
  '',
  '::x',
  'x::x',
  ':x',
  '443',
  ':443',
  'x.example:443',
  '0.0.1:443',
  '::1]:443',
  ']:443',
  '/x',
  'x/x',
];
const FILLS = ['x', '', '0', 'x.example', 'x::', '/x'];

/** Values of `pattern` that `isAskable`, at most four, the plainest first. */
export function examplesOf(pattern: string, isAskable: (value: string) => boolean): readonly string[] {
  const found = new Set<string>();
  for (const one of ['x', '0']) {
    const only = pattern.replaceAll('?', one);
    const last = only.lastIndexOf('*');
    const ends = last < 0 ? [''] : [...ENDS, ...restOfDigest(only.slice(0, last), only.slice(last + 1))];
    for (const fill of FILLS) {
      for (const end of ends) {
        const value =
          last < 0 ? only : only.slice(0, last).replaceAll('*', fill) + end + only.slice(last + 1);
        if (fnMatch(value, pattern) && isAskable(value)) found.add(value);
        if (found.size >= MAX_EXAMPLES) return [...found];
      }
      if (last < 0 || !only.slice(0, last).includes('*')) break;
    }
    if (!pattern.includes('?')) break;
  }
  return [...found];
}

/** The digits that a digest still needs between what stands before and after them. */
function restOfDigest(before: string, after: string): readonly string[] {
  const begun = /sha256:([0-9a-f]*)$/.exec(before)?.[1];
  const ended = /^[0-9a-f]*/.exec(after)?.[0] ?? '';
  if (begun === undefined) return [];
  return ['0'.repeat(Math.max(0, 64 - begun.length - ended.length))];
}
