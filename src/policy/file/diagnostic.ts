// Every problem of a policy directory with its place. All are collected before anything is refused, so an
// operator sees the whole list; a single problem is enough to refuse the directory.
import { WritError } from '../../errors.js';

/** Where and what; `line` and `column` are 1-based. */
export interface PolicyDiagnostic {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint?: string;
}

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Of what is wrong with a file as a whole. */
export const FILE_START: Place = { line: 1, column: 1 };

/** Collects diagnostics; `throwIfAny` is the only way out of a load. */
export class Problems {
  readonly #list: PolicyDiagnostic[] = [];

  /** A hint that takes work is given as a function, and asked for only where it is shown. */
  add(file: string, place: Place, message: string, hint?: string | (() => string)): void {
    if (this.#list.length >= MAX_REPORTED) return;
    const said = typeof hint === 'function' ? hint() : hint;
    this.#list.push({ file, ...place, message, ...(said === undefined ? {} : { hint: said }) });
  }

  /** Whether a file whose name fits has a problem. */
  anyIn(name: RegExp): boolean {
    return this.#list.some(({ file }) => name.test(file));
  }

  get any(): boolean {
    return this.#list.length > 0;
  }

  /** Throws POLICY_INVALID named after the first problem, in order of file, line, column. */
  throwIfAny(root: string): void {
    const sorted = this.#list.toSorted(
      (a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column,
    );
    const first = sorted[0];
    if (first === undefined) return;
    const more = sorted.length > 1 ? ` (and ${sorted.length - 1} more)` : '';
    const path = root === '' ? first.file : `${root}/${first.file}`;
    throw new WritError('POLICY_INVALID', `${path}:${first.line}:${first.column}: ${first.message}${more}`, {
      hint: first.hint ?? 'nothing is decided under a policy directory with a problem; correct it',
      details: { diagnostics: sorted },
    });
  }
}

const MAX_REPORTED = 200;

/** Order by UTF-16 code unit, the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
