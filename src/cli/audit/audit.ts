// `writ audit verify | vkey`. Verification opens no socket, and no database but for --payloads: it reads a log
// directory as anyone could.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { EvidenceReport } from '../../audit/evidence/report.js';
import type { ProofReport } from '../../audit/tlog-proof.js';
import type { VerifyReport } from '../../audit/verify/report.js';
import { REMEMBERED } from '../../audit/verify/trust.js';
import { WritError } from '../../errors.js';
import type { Context } from '../context.js';
import { printable, type Output } from '../output.js';
import { showFindings, showSome, showVerdict } from './report.js';

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
  // Not open.js, which loads all that runs: an auditor runs nothing.
  const { defaultTrustFile } = await import('../../adapters/store/trust-store.js');
  const { verifyData } = await import('../../verify-data.js');
  const { verifyEvidenceFile, verifyProofFile } = await import('../../verify-file.js');
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
  let judged: Judged;
  if (target === undefined || kind === 'log') {
    const payloads = await payloadsOf(flags.payloads);
    const place = target ?? (await ownLog(context.data));
    const report = await verifyData({ ...given, dir: place, run: flags.run ?? null, payloads });
    judged = { kind: 'log', place, report };
  } else if (kind === 'proof') {
    const report = await verifyProofFile({ ...given, proof: target, entry: flags.entry ?? null });
    judged = { kind, place: target, report };
  } else {
    judged = { kind, place: target, report: await verifyEvidenceFile({ ...given, file: target }) };
  }
  if (context.output.json) context.output.value(judged.report);
  else await showReport(context.output, judged);
  return judged.report.ok ? 0 : 5;
}

/** What was judged, where it lies, and what was found. */
type Judged = { readonly place: string } & (
  | { readonly kind: 'log'; readonly report: VerifyReport }
  | { readonly kind: 'proof'; readonly report: ProofReport }
  | { readonly kind: 'evidence'; readonly report: EvidenceReport }
);

/** The log of this data directory. One that was never made is no damaged log: NOT_INITIALISED, exit 2. */
async function ownLog(data: string): Promise<string> {
  const dir = join(data, 'audit');
  if (await exists(dir)) return dir;
  throw new WritError('NOT_INITIALISED', `there is no log at ${dir}`, {
    hint: 'give the log directory, or --data DIR; writ init makes a data directory',
  });
}

/** Also true for what this user may not look at: that is said when it is read. */
async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
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

async function showReport(output: Output, judged: Judged): Promise<void> {
  const { report, kind, place } = judged;
  showVerdict(output, report);
  const names = { log: 'log     ', proof: 'proof   ', evidence: 'bundle  ' };
  output.line(`${names[kind]}${printable(place)}`);
  output.line(`origin  ${printable(report.origin ?? '-')}`);
  output.line(`size    ${report.size ?? '-'}`);
  output.line(`root    ${report.root ?? '-'}`);
  for (const { name, keyId, time } of report.cosignatures) {
    output.line(`witness ${printable(name)}+${keyId} at ${timeText(time)}`);
  }
  if (judged.kind === 'proof') showProven(output, judged.report);
  if (judged.kind === 'evidence') showEvidence(output, judged.report);
  showFindings(output, report);
  const intents = report.openIntents.map(({ index, run, stepPath, attempt }) => {
    const step = `step ${printable(stepPath)} attempt ${attempt} of run ${printable(run)}`;
    return `open intent: entry ${index}, ${step} has no outcome yet: it goes on, waits for an answer, or a crash ended it`;
  });
  showSome(output, intents, 'open intents');
  const erased = report.erased.map(
    ({ commitment, entry }) => `erased: payload ${printable(commitment)}, logged in entry ${entry}`,
  );
  showSome(output, erased, 'erased payloads');
  const hint = await hintFor(judged);
  if (hint !== null) output.note(`writ: hint: ${hint}`);
}

function showProven(output: Output, { index, leafHash }: ProofReport): void {
  output.line(`entry   ${index ?? '-'}`);
  output.line(`leaf    ${leafHash}`);
}

function showEvidence(output: Output, { run, completeness, payloads }: EvidenceReport): void {
  const { disclosed, erased, withheld } = payloads;
  output.line(`run     ${printable(run ?? '-')}`);
  output.line(
    `shown   ${completeness === null ? '-' : `${completeness.state}: ${printable(completeness.message)}`}`,
  );
  output.line(`data    ${disclosed} disclosed, ${erased} erased, ${withheld} withheld`);
}

/** What to do about the verdict, where something can be done. */
async function hintFor({ kind, place, report }: Judged): Promise<string | null> {
  const { verdict, findings } = report;
  if (verdict === 'unpinned') {
    return kind === 'log'
      ? 'give the key from outside this directory: --vkey V, or a trust file that knows the log'
      : 'give the key from another source than the file: --vkey V, or a trust file that knows the log';
  }
  if (kind !== 'log') return null;
  const inside = join(place, 'audit');
  if (verdict === 'missing' && !(await exists(join(place, 'checkpoint')))) {
    return (await exists(join(inside, 'checkpoint')))
      ? `did you mean ${printable(inside)}?`
      : 'give the directory that holds the file checkpoint, usually <data>/audit';
  }
  if (findings.some((one) => one.verdict === 'rollback' && one.message.includes(REMEMBERED))) {
    return 'an older copy? --no-trust with --vkey V judges it alone, --old FILE compares it with a checkpoint you kept';
  }
  return null;
}

/** Unix seconds as a date, where there is one: the witness may say anything up to 2^63-1. */
function timeText(seconds: string): string {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? `second ${seconds}` : date.toISOString().replace('.000Z', 'Z');
}
