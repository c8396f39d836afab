// What the checks found, with places. All findings of one document are collected; nothing stops at the first.
import type { ErrorCode } from '../errors.js';
import { type Located, nodeAt, offsetOf, pathText, type Segments } from './located.js';

export interface Diagnostic {
  readonly code: ErrorCode;
  readonly severity: 'error' | 'warning';
  /** Lower case, no full stop: what, where, which value. */
  readonly message: string;
  /** What to do. */
  readonly hint?: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, UTF-16 units. */
  readonly column: number;
  /** Path in the document, keywords in native spelling: `spec.states.Triage.agent`; empty for the document itself. */
  readonly path: string;
}

/** 1-based. */
export type Place = Pick<Diagnostic, 'line' | 'column'>;

/** A part of the document, and where it stands. */
export type Part = Pick<Diagnostic, 'line' | 'column' | 'path'>;

export interface Finding {
  readonly code: ErrorCode;
  /** Default: error. */
  readonly severity?: 'error' | 'warning';
  readonly message: string;
  readonly hint?: string | undefined;
  readonly at: Segments;
  /** Points at the key instead of its value. */
  readonly onKey?: boolean;
  /** Given when the place is not one of the document's values. */
  readonly offset?: number;
}

/** How a document spells what checks say in native names. */
export interface DocumentSpelling {
  words(text: string): string;
}

/** At most this many errors, and as many warnings, are kept; a last one says that there may be more. */
const MAX_FINDINGS = 200;

/** Collects the findings of one document. One instance per document. */
export class Findings {
  private readonly found: (Diagnostic & { readonly offset: number })[] = [];
  private readonly seen = new Set<string>();
  private readonly unread = new Set<number>();
  private readonly parts = new Map<string, Segments>();
  private errors = 0;
  private warnings = 0;
  private spelling: DocumentSpelling | null = null;

  /** `lineStarts`: offset of each line's first unit, ascending, the first is 0. */
  constructor(
    private readonly lineStarts: readonly number[],
    private root: Located | null = null,
  ) {}

  /** Findings are told in the spelling of the document from here on. */
  spellAs(spelling: DocumentSpelling): void {
    this.spelling = spelling;
  }

  /** Places are looked up in `root` from here on. */
  locateIn(root: Located): void {
    this.root = root;
  }

  /** Enough was found: a check that costs something may stop, the document is refused anyway. */
  get full(): boolean {
    return this.errors >= MAX_FINDINGS;
  }

  /** The value at this offset could not be read and stands for nothing: what follows from that is not told. */
  leaveUnread(offset: number): void {
    this.unread.add(offset);
  }

  add(finding: Finding): void {
    const severity = finding.severity ?? 'error';
    if (this.full || (severity === 'warning' && this.warnings >= MAX_FINDINGS)) return;
    const offset =
      finding.offset ??
      (this.root === null ? 0 : offsetOf(this.root, finding.at, finding.onKey === true ? 'key' : 'value'));
    if (this.unread.has(offset)) return;
    const place = this.place(offset);
    const path = pathText(finding.at);
    const told = (text: string): string => this.spelling?.words(text) ?? text;
    const same = JSON.stringify([finding.code, path, offset, finding.message]);
    if (this.seen.has(same)) return;
    this.seen.add(same);
    if (severity === 'error') this.errors++;
    else this.warnings++;
    this.found.push({
      code: finding.code,
      severity,
      message: told(finding.message),
      ...(finding.hint === undefined ? {} : { hint: told(finding.hint) }),
      ...place,
      path,
      offset,
    });
  }

  /** Empty, for places of the same text. */
  ofSameText(): Findings {
    return new Findings(this.lineStarts);
  }

  /** Adds those errors of `other`, which is of the same text, that stand before `end` and that `holds` takes. */
  adopt(other: Findings, end: number, holds: (error: Diagnostic) => boolean): void {
    for (const one of other.found) {
      if (this.full) return;
      if (one.severity !== 'error' || one.offset >= end || !holds(one)) continue;
      this.errors++;
      this.found.push(one);
    }
  }

  hasErrors(): boolean {
    return this.errors > 0;
  }

  /** In the order of the text. */
  list(): readonly Diagnostic[] {
    const sorted = [...this.found].sort((a, b) => a.offset - b.offset);
    const all: Diagnostic[] = sorted.map(({ offset: _, ...diagnostic }) => diagnostic);
    const more = (severity: Diagnostic['severity'], what: string) => {
      const message = `there may be more: only the first ${MAX_FINDINGS} ${what} are shown`;
      all.push({ code: 'DOC_INVALID', severity, message, line: 1, column: 1, path: '' });
    };
    if (this.full) more('error', 'errors');
    else if (this.warnings >= MAX_FINDINGS) more('warning', 'warnings');
    return all;
  }

  /** As `place`, of what stands `at`: what is found of it later, by its place only, is located by `partAt`. */
  placeOf(offset: number, at: Segments): Place {
    const place = this.place(offset);
    this.parts.set(`${place.line}:${place.column}`, at);
    return place;
  }

  /**
   * What stands at a place that `placeOf` gave, or the first of its `fields` (from there on) that the document has.
   * null for any other place.
   */
  partAt(given: Place, fields: readonly Segments[]): Part | null {
    const at = this.parts.get(`${given.line}:${given.column}`);
    if (at === undefined) return null;
    const { root } = this;
    const found =
      root === null ? undefined : fields.find((one) => nodeAt(root, [...at, ...one]) !== undefined);
    if (root === null || found === undefined) return { ...given, path: pathText(at) };
    const field = [...at, ...found];
    return { ...this.place(offsetOf(root, field)), path: pathText(field) };
  }

  /** 1-based line and column of an offset. */
  place(offset: number): Place {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.lineStarts[low] ?? 0) + 1 };
  }
}
