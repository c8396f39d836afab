// Regular expressions of a document against data of a run, both attacker-controlled, in an engine that backtracks:
// a repetition inside a repetition is refused, and so is a long subject. What still takes too long ends with the child.

/** Characters one match may look at. */
const MAX_SUBJECT = 10_000;
/** A bounded repetition with more rounds than this counts as unbounded. */
const MANY = 10;

/** The library makes one of these for each regular expression that it evaluates. */
export class GuardedRegExp extends RegExp {
  constructor(pattern: RegExp) {
    if (hasNestedRepetition(pattern.source))
      throw new Error(
        `the regular expression /${pattern.source}/ repeats a repetition, which may take for ever`,
      );
    super(pattern);
  }

  override exec(text: string): RegExpExecArray | null {
    if (text.length > MAX_SUBJECT) {
      throw new Error(
        `a regular expression is matched against ${text.length} characters; ${MAX_SUBJECT} are allowed`,
      );
    }
    return super.exec(text);
  }
}

/** True when a group that may hold a repetition without end is itself repeated: `(a+)+`, `(?:x*y){2,}`. */
export function hasNestedRepetition(source: string): boolean {
  // One flag per open group: whether a repetition without end is in it. The first is the whole expression.
  const open: boolean[] = [false];
  let at = 0;
  // Of what ended right before: whether it holds such a repetition.
  let holds = false;
  while (at < source.length) {
    const char = source[at] ?? '';
    const rounds = quantifierAt(source, at);
    if (rounds !== null) {
      if (rounds.isMany && holds) return true;
      if (rounds.isMany) open[open.length - 1] = true;
      at += rounds.length;
      holds = rounds.isMany || holds;
      // A lazy mark belongs to the quantifier.
      if (source[at] === '?') at += 1;
      continue;
    }
    holds = false;
    if (char === '\\') at += 2;
    else if (char === '[') at = classEnd(source, at);
    else if (char === '(') {
      open.push(false);
      at += 1;
      if (source[at] === '?') at += 1;
    } else if (char === ')') {
      holds = open.length > 1 ? (open.pop() ?? false) : false;
      if (holds) open[open.length - 1] = true;
      at += 1;
    } else at += 1;
  }
  return false;
}

function quantifierAt(
  source: string,
  at: number,
): { readonly length: number; readonly isMany: boolean } | null {
  const char = source[at];
  if (char === '*' || char === '+') return { length: 1, isMany: true };
  if (char === '?') return { length: 1, isMany: false };
  if (char !== '{') return null;
  const end = source.indexOf('}', at);
  const [least = '', most] = source.slice(at + 1, Math.max(end, at + 1)).split(',');
  if (end < 0 || !isCount(least) || !(most === undefined || most === '' || isCount(most))) return null;
  const rounds = most === '' ? Infinity : Number(most ?? least);
  return { length: end - at + 1, isMany: rounds > MANY };
}

function isCount(text: string): boolean {
  return /^[0-9]{1,9}$/.test(text);
}

function classEnd(source: string, at: number): number {
  let here = at + 1;
  while (here < source.length && source[here] !== ']') here += source[here] === '\\' ? 2 : 1;
  return here + 1;
}
