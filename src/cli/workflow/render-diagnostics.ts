// Diagnostics for people: file:line:column, code, message, hint and a frame of the source. The source is
// attacker-controlled: hidden characters are written out before it is framed, and very long lines are cut around
// the column so that one line can't flood a terminal.
import { codeFrameColumns } from '@babel/code-frame';
import type { Diagnostic } from '../../runtime/writ.js';
import { printable, type Colors } from '../output.js';

const MAX_LINE = 160;
const BEFORE_COLUMN = 60;
const LINES_AROUND = 2;

export function renderDiagnostics(
  file: string,
  source: string,
  diagnostics: readonly Diagnostic[],
  colors: Colors,
): string {
  const lines = source.split(/\r\n|\n|\r/u);
  const texts = diagnostics.map((diagnostic, at) => {
    const { hint } = diagnostic;
    const isTold = hint !== undefined && hint === diagnostics[at - 1]?.hint;
    // The same for every step of a document, it hides what is different.
    return renderOne(file, lines, isTold ? { ...diagnostic, hint: 'as above' } : diagnostic, colors);
  });
  return texts.join('\n\n');
}

/** `2 errors, 1 warning` */
export function countDiagnostics(diagnostics: readonly Pick<Diagnostic, 'severity'>[]): string {
  const errors = diagnostics.filter((one) => one.severity === 'error').length;
  const warnings = diagnostics.length - errors;
  return [count(errors, 'error'), count(warnings, 'warning')].filter((text) => text !== '').join(', ');
}

function renderOne(file: string, lines: readonly string[], diagnostic: Diagnostic, colors: Colors): string {
  const { severity, code, message, hint, line, column, path } = diagnostic;
  const word = severity === 'error' ? colors.red('error') : colors.yellow('warning');
  const parts = [`${printable(file)}:${line}:${column}: ${word} ${code}: ${printable(message)}`];
  const frame = frameOf(lines, line, column);
  if (frame !== '') parts.push(frame);
  if (path !== '') parts.push(`  at ${printable(path)}`);
  if (hint !== undefined) parts.push(`  hint: ${printable(hint)}`);
  return parts.join('\n');
}

function frameOf(lines: readonly string[], line: number, column: number): string {
  if (line < 1 || line > lines.length) return '';
  const first = Math.max(0, line - 1 - LINES_AROUND);
  const window = lines.slice(first, line + LINES_AROUND);
  const start = windowStart(window, column);
  const shown = window.map((text) => cut(text, start));
  const before = printable((lines[line - 1] ?? '').slice(start, Math.max(start, column - 1)));
  const lead = start > 0 ? 1 : 0;
  // `startLine` is the number of the window's first line; @types/babel__code-frame does not know it yet.
  const options = {
    highlightCode: false,
    linesAbove: LINES_AROUND,
    linesBelow: LINES_AROUND,
    startLine: first + 1,
  };
  return codeFrameColumns(shown.join('\n'), { start: { line, column: lead + before.length + 1 } }, options);
}

function windowStart(window: readonly string[], column: number): number {
  if (window.every((text) => text.length <= MAX_LINE)) return 0;
  return Math.max(0, column - 1 - BEFORE_COLUMN);
}

function cut(text: string, start: number): string {
  const end = start + MAX_LINE;
  const head = start > 0 ? '…' : '';
  return `${head}${printable(text.slice(start, end))}${text.length > end ? '…' : ''}`;
}

function count(n: number, word: string): string {
  if (n === 0) return '';
  return n === 1 ? `1 ${word}` : `${n} ${word}s`;
}
