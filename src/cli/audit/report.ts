// The report of a verification as text: the verdict, and every finding with the place it is about.
import type { Finding, VerifyReport } from '../../audit/verify/report.js';
import { printable, type Output } from '../output.js';

/** One line: green when it is what was hoped for, red for every other. */
export function showVerdict(output: Output, { ok, verdict }: Pick<VerifyReport, 'ok' | 'verdict'>): void {
  output.line(ok ? output.colors.green(verdict) : output.colors.red(verdict));
}

/** Lines of one kind that people are shown. */
const MAX_LINES = 10;

/** Ten lines, and how many more there are: a damaged log may give a finding per file. */
export function showSome(output: Output, lines: readonly string[], kind: string): void {
  for (const line of lines.slice(0, MAX_LINES)) output.line(line);
  const left = lines.length - MAX_LINES;
  if (left > 0) output.line(`and ${left} more ${kind} (--json shows them)`);
}

/** One line for each finding, with its entry or file, then one for each warning; ten of each at most. */
export function showFindings(
  output: Output,
  { findings, warnings }: Pick<VerifyReport, 'findings' | 'warnings'>,
): void {
  showSome(output, findings.map(findingText), 'findings');
  const notes = warnings.map((warning) => `note: ${printable(warning)}`);
  showSome(output, notes, 'notes');
}

function findingText({ verdict, index, path, message }: Finding): string {
  const where = index === undefined ? (path === undefined ? '' : ` ${printable(path)}`) : ` entry ${index}`;
  return `${verdict}${where}: ${printable(message)}`;
}
