// A text that is read from left to right, and the place that its parser has come to.

/** What `pattern`, a sticky expression, matches at `at`; null = nothing. */
export function matchAt(source: string, at: number, pattern: RegExp): string | null {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? null;
}

export class TextCursor {
  /** 0-based, UTF-16 units. */
  at: number;

  /** `blanks`: a sticky expression for what may stand between two words, which is also nothing. */
  constructor(
    protected readonly source: string,
    at: number,
    private readonly blanks: RegExp,
  ) {
    this.at = at;
  }

  /** What the sticky `pattern` matches here, and goes behind it; null = nothing, and it stays. */
  match(pattern: RegExp): string | null {
    const found = matchAt(this.source, this.at, pattern);
    this.at += found?.length ?? 0;
    return found;
  }

  /** Goes behind blanks, and behind `sign` where it follows them. */
  take(sign: string): boolean {
    this.space();
    if (!this.source.startsWith(sign, this.at)) return false;
    this.at += sign.length;
    return true;
  }

  /** Goes behind blanks. */
  space(): void {
    this.match(this.blanks);
  }
}
