// Finding one of a plan's names at a place in a text, where names may hold blanks and one may begin like another.

/**
 * The longest of `names` that stands in `text` at `start` and is followed by what `end`, a sticky expression, matches.
 * The time depends on the longest name, not on how many there are; the set must not change any more.
 */
export function longestName(
  text: string,
  start: number,
  names: ReadonlySet<string>,
  end: RegExp,
): string | null {
  for (let length = Math.min(longest(names), text.length - start); length > 0; length--) {
    end.lastIndex = start + length;
    if (!end.test(text)) continue;
    const candidate = text.slice(start, start + length);
    if (names.has(candidate)) return candidate;
  }
  return null;
}

const LONGEST = new WeakMap<ReadonlySet<string>, number>();

function longest(names: ReadonlySet<string>): number {
  let length = LONGEST.get(names);
  if (length === undefined) {
    length = 0;
    for (const name of names) length = Math.max(length, name.length);
    LONGEST.set(names, length);
  }
  return length;
}
