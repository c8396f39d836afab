// `writ audit verify | vkey`. Verification opens no socket, and no database but for --payloads: it reads a log
// directory as anyone could.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding, VerifyReport } from '../audit/verify/report.js';
import { WritError } from '../errors.js';
import type { Context } from './context.js';
import { printable, type Output } from './output.js';

export interface VerifyFlags {
  readonly vkey: readonly string[];
  readonly policy?: string;
  readonly witness: readonly string[];
  readonly quorum?: string;
  readonly old: readonly string[];
  /** A file; false for --no-trust; true when neither was given. */
  readonly trust: string | boolean;
  readonly run?: string;
  /** True = against the database, text = against an export. */
  readonly payloads: boolean | string;
  readonly entry?: string;
}

/**
 * A log directory, a `.tlog-proof`, or an evidence bundle. Exit 0 only for `verified`, 5 for every other verdict, 2 for
 * arguments that can't be read.
 */
export async function verifyAudit(
  context: Context,
  target: string | undefined,
  flags: VerifyFlags,
): Promise<number> {
  const { defaultTrustFile, verifyData, verifyEvidenceFile, verifyProofFile } = await import('../open.js');
  const kind = target === undefined ? 'log' : await kindOf(target);
  refuseOthers(kind, flags);
  const given = {
    vkeys: [...flags.vkey],
    policy: flags.policy ?? null,
    witnesses: [...flags.witness],
    quorum: quorumOf(flags.quorum),
    old: [...flags.old],
    trust: flags.trust === false ? null : flags.trust === true ? defaultTrustFile() : flags.trust,
  };
  let report: VerifyReport;
  if (target === undefined || kind === 'log') {
    const payloads = await payloadsOf(flags.payloads);
    const dir = target ?? join(context.data, 'audit');
    report = await verifyData({ ...given, dir, run: flags.run ?? null, payloads });
  } else if (kind === 'proof') {
    report = await verifyProofFile({ ...given, proof: target, entry: flags.entry ?? null });
  } else {
    report = await verifyEvidenceFile({ ...given, file: target });
  }
  if (context.output.json) context.output.value(report);
  else showReport(context.output, report);
  return report.ok ? 0 : 5;
}

type Kind = 'log' | 'proof' | 'evidence';

async function kindOf(target: string): Promise<Kind> {
  let isDirectory: boolean;
  try {
    isDirectory = (await stat(target)).isDirectory();
  } catch (cause) {
    throw new WritError('USAGE', `there is no ${target}`, {
      hint: 'give a log directory, a .tlog-proof, or the .json or .html of an evidence bundle',
      cause,
    });
  }
  if (isDirectory) return 'log';
  if (target.endsWith('.tlog-proof')) return 'proof';
  if (/\.(?:json|html?)$/i.test(target)) return 'evidence';
  throw new WritError('USAGE', `${target} is neither a log directory nor a file that can be verified`, {
    hint: 'files that can: .tlog-proof, and the .json or .html of an evidence bundle',
  });
}

/** What is not checked must not look checked. */
function refuseOthers(kind: Kind, { run, payloads, entry }: VerifyFlags): void {
  const of = (flag: string, owner: Kind, given: boolean): void => {
    if (!given || kind === owner) return;
    const what = { log: 'a log directory', proof: 'a .tlog-proof', evidence: 'an evidence bundle' };
    throw new WritError('USAGE', `${flag} is for ${what[owner]}, this is ${what[kind]}`);
  };
  of('--run', 'log', run !== undefined);
  of('--payloads', 'log', payloads !== false);
  of('--entry', 'proof', entry !== undefined);
}

function quorumOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^[1-9][0-9]{0,2}$/.test(text)) return Number(text);
  throw new WritError('USAGE', `a quorum is a number of witnesses, not "${text}"`);
}

/** `--payloads DIR` would take the log directory for an export. */
async function payloadsOf(payloads: boolean | string): Promise<boolean | string> {
  if (typeof payloads !== 'string') return payloads;
  const found = await stat(payloads).catch(() => null);
  if (found?.isDirectory() !== true) return payloads;
  throw new WritError('USAGE', `${payloads} is a directory, not an export of payloads`, {
    hint: 'put the log directory before --payloads',
  });
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
  for (const { name, keyId, time } of report.cosignatures) {
    output.line(`witness ${printable(name)}+${keyId} at ${timeText(time)}`);
  }
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

/** Unix seconds as a date, where there is one: the witness may say anything up to 2^63-1. */
function timeText(seconds: string): string {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? `second ${seconds}` : date.toISOString().replace('.000Z', 'Z');
}

function findingText({ verdict, index, path, message }: Finding): string {
  const where = index === undefined ? (path === undefined ? '' : ` ${printable(path)}`) : ` entry ${index}`;
  return `${verdict}${where}: ${printable(message)}`;
}
