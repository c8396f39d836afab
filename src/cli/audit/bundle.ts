// `writ audit bundle` and `writ audit certify`: evidence of a run for somebody without this machine, as a page that
// judges itself and as JSON, and the certificate that goes with the JSON. The files hold payloads: they are written where
// an erasure finds them, and never over an existing file unless asked.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { replaceFile } from '../../adapters/store/durable-file.js';
import { certificateText } from '../../audit/evidence/certificate.js';
import { decodeEvidence, MAX_EVIDENCE_BYTES } from '../../audit/evidence/format.js';
import { evidencePage } from '../../audit/evidence/page-file.js';
import type { EvidenceReport } from '../../audit/evidence/report.js';
import { MAX_NOTE_BYTES } from '../../audit/note.js';
import { WritError } from '../../errors.js';
import { pageParts } from '../../page-parts.js';
import type { EvidenceRequest, Writ } from '../../runtime/writ.js';
import { whoActs, withPublishedWrit, type Context } from '../context.js';
import { refuseInside } from './out-path.js';
import { printable } from '../output.js';
import { showFindings, showVerdict } from './report.js';

export interface BundleFlags {
  readonly out?: string;
  /** False for --no-payloads. */
  readonly payloads: boolean;
  /** Comma-separated. */
  readonly payloadLabels?: string;
  readonly old?: string;
  readonly custodian?: string;
  readonly force: boolean;
}

const MAX_CUSTODIAN_CHARACTERS = 200;
const MODES = { file: 0o600, directory: 0o700 };

/** Writes F.html and F.json. Exit 0; 3 without the right `audit.export`; 2 when one of them exists. */
export async function bundleRun(context: Context, run: string, flags: BundleFlags): Promise<number> {
  const files = filesOf(flags.out);
  await refuseInside(context.data, [files.html, files.json]);
  refuseExisting([files.html, files.json], flags.force);
  const page = await pageParts();
  const request: EvidenceRequest = {
    run,
    payloads: payloadsOf(flags),
    first: flags.old === undefined ? null : await readNote(flags.old),
    custodian: custodianOf(flags.custodian),
    files: [
      { path: resolve(files.json), replaces: flags.force, contentOf: (json) => json },
      { path: resolve(files.html), replaces: flags.force, contentOf: (json) => evidencePage(json, page) },
    ],
  };
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    await writ.evidence(request, await whoActs(context, writ));
    // What was written is what is vouched for: the file is judged, not what was in memory.
    const written = await readBundle(files.json);
    const report = await judge(writ, written);
    show(context, files, { sha256: hashOf(written), report, vkey: writ.vkey() });
    return report.ok ? 0 : 5;
  });
}

export interface CertifyFlags {
  readonly custodian?: string;
  readonly bundle?: string;
  readonly out?: string;
  readonly force: boolean;
}

/**
 * Prints the certificate, or writes it; `wanted` null = the run that `flags.bundle` is about. Exit 5 and no certificate
 * for a bundle that does not verify.
 */
export async function certifyRun(
  context: Context,
  wanted: string | null,
  flags: CertifyFlags,
): Promise<number> {
  const { out } = flags;
  const custodian = custodianOf(flags.custodian);
  if (out !== undefined) {
    await refuseInside(context.data, [out]);
    refuseExisting([out], flags.force);
  }
  // Read once: what is judged is what is certified.
  const given = flags.bundle === undefined ? null : await readBundle(flags.bundle);
  const run = wanted ?? runIn(given, flags.bundle ?? '');
  const { softwareVersion } = await import('../../init.js');
  const version = await softwareVersion();
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const copies = await writ.handedOut(run, await whoActs(context, writ));
    const file = flags.bundle ?? newestBundle(copies.map(({ path }) => path));
    if (file === null) {
      throw new WritError('NOT_FOUND', `no evidence bundle of ${run} is where it was written`, {
        hint: `make one: writ audit bundle ${run} --out F.html, or name it with --bundle F.json`,
      });
    }
    const json = given ?? (await readBundle(file));
    const report = await judge(writ, json);
    const { evidence } = decodeEvidence(json);
    if (evidence === null || !report.ok || evidence.scope.run !== run) {
      const why = report.findings[0]?.message ?? `it is about run ${evidence?.scope.run ?? '?'}`;
      throw new WritError('AUDIT_PROOF_INVALID', `${file} is no evidence of ${run} that holds: ${why}`, {
        hint: `make it anew: writ audit bundle ${run} --out F.html`,
      });
    }
    const sha256 = hashOf(json);
    const text = certificateText({
      ...{ evidence, report, version, sha256, vkey: writ.vkey(), size: json.length, file: basename(file) },
      madeAt: new Date(context.nowMs()).toISOString(),
      custodian,
    });
    if (out !== undefined) await replaceFile(resolve(out), new TextEncoder().encode(text), MODES);
    const { output } = context;
    if (output.json) output.value({ bundle: file, sha256, certificate: out ?? null, text });
    else if (out === undefined) output.line(text.split('\n').map(printable).join('\n').trimEnd());
    else output.line(`certificate  ${printable(out)}`);
    return 0;
  });
}

/** The name as it will stand in the certificate; null = a blank. Throws USAGE for what is no name on one line. */
function custodianOf(name: string | undefined): string | null {
  if (name === undefined) return null;
  if (name.trim() !== '' && name.length <= MAX_CUSTODIAN_CHARACTERS && !/[\p{C}\p{Zl}\p{Zp}]/u.test(name)) {
    return name;
  }
  throw new WritError('USAGE', `--custodian is no name of at most ${MAX_CUSTODIAN_CHARACTERS} characters`, {
    hint: 'give it on one line, for example --custodian "Maria Ruiz, Records"; without the flag it is a blank',
  });
}

function runIn(json: Uint8Array | null, file: string): string {
  const run = json === null ? undefined : decodeEvidence(json).evidence?.scope.run;
  if (run !== undefined) return run;
  throw new WritError('AUDIT_PROOF_INVALID', `${file} is no evidence of a run`, {
    hint: 'give the .json that writ audit bundle wrote',
  });
}

function filesOf(out: string | undefined): { readonly html: string; readonly json: string } {
  const stem = out === undefined ? '' : (/^(.*[^/])\.html$/su.exec(out)?.[1] ?? '');
  if (out === undefined || stem === '' || basename(stem) === '') {
    throw new WritError('USAGE', '--out names a file that ends in .html', {
      hint: 'for example --out claim-7.html; claim-7.json is written beside it',
    });
  }
  return { html: out, json: `${stem}.json` };
}

function refuseExisting(files: readonly string[], force: boolean): void {
  const taken = force ? undefined : files.find((file) => existsSync(file));
  if (taken === undefined) return;
  throw new WritError('USAGE', `${taken} exists already`, { hint: 'name another file, or add --force' });
}

function payloadsOf({ payloads, payloadLabels }: BundleFlags): EvidenceRequest['payloads'] {
  if (payloadLabels === undefined) return payloads ? 'all' : 'none';
  if (!payloads) throw new WritError('USAGE', '--no-payloads and --payload-labels contradict one another');
  const labels = payloadLabels.split(',').map((label) => label.trim());
  if (labels.every((label) => label !== '')) return labels;
  throw new WritError('USAGE', `"${payloadLabels}" is no list of labels`, {
    hint: 'for example input,output',
  });
}

async function readNote(file: string): Promise<string> {
  const { readGiven } = await import('../../verify-trust.js');
  return new TextDecoder().decode(await readGiven(file, MAX_NOTE_BYTES, 'the old checkpoint'));
}

/** What is longer than a bundle may be is cut, and does not verify. */
async function readBundle(file: string): Promise<Uint8Array> {
  if (file.endsWith('.html')) {
    throw new WritError('USAGE', `${file} is the page: a certificate is about its .json`, {
      hint: `give the file beside it: --bundle ${file.slice(0, -'html'.length)}json`,
    });
  }
  const { readGiven } = await import('../../verify-trust.js');
  return readGiven(file, MAX_EVIDENCE_BYTES, 'the evidence', 'cut');
}

/** The newest copy that is still where it was written. */
function newestBundle(paths: readonly string[]): string | null {
  return paths.findLast((path) => path.endsWith('.json') && existsSync(path)) ?? null;
}

/** As an auditor who got the key from this installation would judge it. */
async function judge(writ: Writ, json: Uint8Array): Promise<EvidenceReport> {
  const { verifyEvidenceBytes } = await import('../../verify-file.js');
  return verifyEvidenceBytes(json, { vkeys: [writ.vkey()], old: [], trust: null });
}

function show(
  { output }: Context,
  { html, json: file }: ReturnType<typeof filesOf>,
  {
    sha256,
    report,
    vkey,
  }: { readonly sha256: string; readonly report: EvidenceReport; readonly vkey: string },
): void {
  const { payloads, completeness, size } = report;
  if (output.json) {
    return output.value({ html, json: file, sha256, vkey, report });
  }
  showVerdict(output, report);
  output.line(`page     ${printable(html)}`);
  output.line(`json     ${printable(file)}`);
  output.line(`sha256   ${sha256}  (of the JSON)`);
  output.line(`log      ${printable(vkey)}, size ${size ?? '-'}`);
  output.line(`run      ${printable(completeness?.message ?? '-')}`);
  output.line(
    `data     ${payloads.disclosed} disclosed, ${payloads.erased} erased, ${payloads.withheld} withheld`,
  );
  showFindings(output, report);
  output.line();
  output.line('the page judges itself once its reader gives it your vkey; give them that by another way');
  if (payloads.disclosed > 0) {
    output.note(
      'writ: warning: these files hold data of the run in the clear, and erasing reaches only copies here',
    );
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
