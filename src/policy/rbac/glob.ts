// The only pattern language of policies: `*` is any run of characters (also across `/` and `::`), `?` is one.
// Every other character stands for itself: no classes, braces, normalisation or case folding. So the text before the first
// wildcard begins every value that matches, and the text after the last one ends it; the candidate index rests on that.

/** Longest pattern a policy file may hold, in characters. */
const MAX_PATTERN_LENGTH = 1024;
/** Most `*` a pattern may hold. */
const MAX_PATTERN_STARS = 64;

/**
 * Whether `value` matches `pattern` as a whole. No recursion and no regular expression: at most
 * |value| x |pattern| steps, because only the last `*` is ever tried again. `?` takes a whole code point.
 */
export function fnMatch(value: string, pattern: string): boolean {
  let v = 0;
  let p = 0;
  let star = -1;
  let retryAt = 0;
  while (v < value.length) {
    const want = p < pattern.length ? pattern.charCodeAt(p) : -1;
    if (want === STAR) {
      star = p++;
      retryAt = v;
    } else if (want === QUESTION) {
      p += 1;
      v += codePointLength(value, v);
    } else if (want === value.charCodeAt(v)) {
      p += 1;
      v += 1;
    } else if (star >= 0) {
      p = star + 1;
      v = ++retryAt;
    } else {
      return false;
    }
  }
  while (p < pattern.length && pattern.charCodeAt(p) === STAR) p += 1;
  return p === pattern.length;
}

/** Text before the first wildcard; the whole pattern when it has none. */
export function literalPrefix(pattern: string): string {
  const end = wildcardAt(pattern);
  return end < 0 ? pattern : pattern.slice(0, end);
}

/** Text after the last wildcard; the whole pattern when it has none. */
export function literalSuffix(pattern: string): string {
  return pattern.slice(Math.max(pattern.lastIndexOf('*'), pattern.lastIndexOf('?')) + 1);
}

export function hasWildcard(pattern: string): boolean {
  return wildcardAt(pattern) >= 0;
}

/** Where the first wildcard stands; -1 = there is none. */
function wildcardAt(pattern: string): number {
  const star = pattern.indexOf('*');
  const question = pattern.indexOf('?');
  return star < 0 ? question : question < 0 ? star : Math.min(star, question);
}

/** Why `pattern` is refused, or null. Bounds keep the worst match under a millisecond. */
export function patternProblem(pattern: string): string | null {
  if (pattern.length === 0) return 'pattern is empty';
  if (pattern.length > MAX_PATTERN_LENGTH) {
    return `pattern has ${pattern.length} characters, at most ${MAX_PATTERN_LENGTH} are allowed`;
  }
  let stars = 0;
  for (let at = pattern.indexOf('*'); at >= 0; at = pattern.indexOf('*', at + 1)) stars += 1;
  return stars > MAX_PATTERN_STARS
    ? `pattern has ${stars} stars, at most ${MAX_PATTERN_STARS} are allowed`
    : null;
}

const STAR = 0x2a;
const QUESTION = 0x3f;

function codePointLength(text: string, index: number): number {
  return (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
}
