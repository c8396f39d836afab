// Regular expressions of a document: one that could take exponential time over a short text is refused before it is
// kept. The guard is for honest mistakes; what evaluates them is stopped by its time limit all the same.

/** Where a group that repeats is repeated itself, as in `(a+)+`; null = nowhere. `pattern` compiles. */
export function nestedRepeat(pattern: string): number | null {
  /** Of each open group, and of the whole pattern: does something in it repeat an open number of times? */
  const repeats = [false];
  let inClass = false;
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i];
    if (char === '\\') i++;
    else if (inClass) inClass = char !== ']';
    else if (char === '[') inClass = true;
    else if (char === '(') repeats.push(false);
    else if (char === ')') {
      const inner = repeats.pop() ?? false;
      const outer = repeatAt(pattern, i + 1);
      if (inner && outer) return i + 1;
      note(inner);
    } else if (repeatAt(pattern, i)) note(true);
  }
  return null;

  function note(repeating: boolean): void {
    if (repeating) repeats[repeats.length - 1] = true;
  }
}

/** `*`, `+`, `{2,}`, `{2,5}`; not `?` and not a fixed number: those try one way at most once. */
function repeatAt(pattern: string, at: number): boolean {
  const char = pattern[at];
  if (char === '*' || char === '+') return true;
  const bounds = char === '{' ? /^\{(\d*)(?:,(\d*))?\}/.exec(pattern.slice(at, at + 24)) : null;
  return bounds?.[2] !== undefined && bounds[1] !== bounds[2];
}
