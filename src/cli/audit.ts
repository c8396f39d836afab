// `writ audit verify | vkey`. Verification opens no socket, and no database but for --payloads: it reads a log
// directory as anyone could.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding, VerifyReport } from '../audit/verify/report.js';
import { WritError } from '../errors.js';
import type { Context } from './context.js';
import { printable, type Output } from './output.js';

export interface VerifyFlags {
  readonly vkey: readonly string[];
  readonly old: readonly string[];
  /** A file; false for --no-trust; true when neither was given. */
  readonly trust: string | boolean;
  readonly run?: string;
  readonly payloads?: boolean;
}

/** Exit 0 only for `verified`; 5 for every other verdict. */
export async function verifyAudit(
  context: Context,
  directory: string | undefined,
  flags: VerifyFlags,
): Promise<number> {
  const { defaultTrustFile, verifyData } = await import('../open.js');
  const report = await verifyData({
    dir: directory ?? join(context.data, 'audit'),
    vkeys: [...flags.vkey],
    old: [...flags.old],
    trust: flags.trust === false ? null : flags.trust === true ? defaultTrustFile() : flags.trust,
    run: flags.run ?? null,
    payloads: flags.payloads === true,
  });
  if (context.output.json) context.output.value(report);
  else showReport(context.output, report);
  return report.ok ? 0 : 5;
}

export async function printVkey(context: Context): Promise<number> {
  const file = join(context.data, 'audit', 'vkey');
  let vkey: string;
  try {
    vkey = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new WritError('NOT_INITIALISED', `there is no vkey at ${file}`, {
      hint: 'writ init makes a data directory',
      cause: error,
    });
  }
  if (context.output.json) context.output.value({ vkey });
  else context.output.line(printable(vkey));
  return 0;
}

function showReport(output: Output, report: VerifyReport): void {
  const { colors } = output;
  output.line(report.ok ? colors.green(report.verdict) : colors.red(report.verdict));
  output.line(`origin  ${printable(report.origin ?? '-')}`);
  output.line(`size    ${report.size ?? '-'}`);
  output.line(`root    ${report.root ?? '-'}`);
  for (const finding of report.findings) output.line(findingText(finding));
  for (const warning of report.warnings) output.line(`note: ${printable(warning)}`);
  for (const { index, run, stepPath, attempt } of report.openIntents) {
    const step = `step ${printable(stepPath)} attempt ${attempt} of run ${printable(run)}`;
    output.line(`open intent: entry ${index}, ${step} has no outcome yet; a crash may have caused it`);
  }
  for (const { commitment, entry } of report.erased) {
    output.line(`erased: payload ${printable(commitment)}, logged in entry ${entry}`);
  }
  if (report.verdict === 'unpinned') {
    output.note(
      'writ: hint: give the key from outside this directory: --vkey V, or a trust file that knows the log',
    );
  }
}

function findingText({ verdict, index, path, message }: Finding): string {
  const where = index === undefined ? (path === undefined ? '' : ` ${printable(path)}`) : ` entry ${index}`;
  return `${verdict}${where}: ${printable(message)}`;
}
