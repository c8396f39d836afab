// Does one pattern hold for everything that another one holds for? For advice only, never for a verdict: an answer of
// false may be too careful.
import { fnMatch } from './glob.js';

// Neither can stand in a policy file: invisible characters are refused there.
const RUN = '\u0001';
const ONE = '\u0002';

/** True only when every value that `narrow` matches is matched by `wide`. */
export function patternCovers(wide: string, narrow: string): boolean {
  if (wide === narrow || wide === '*') return true;
  const one = narrow.replaceAll('?', ONE);
  // A run of any length: none at all, and longer than what the other pattern could name one by one.
  return (
    fnMatch(one.replaceAll('*', ''), wide) && fnMatch(one.replaceAll('*', RUN.repeat(wide.length + 1)), wide)
  );
}

/** A value that the pattern matches. */
export function exampleOf(pattern: string): string {
  return pattern.replaceAll('*', 'x').replaceAll('?', 'x');
}
