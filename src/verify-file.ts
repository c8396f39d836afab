// Verifying one file as an auditor does: a proof of one entry, or the evidence of a run. As for a whole log, keys come
// from the command line or from this machine's trust store, which is only read here: a file says nothing of the log's
// growth.
import { openTrustStore } from './adapters/store/trust-store.js';
import { verifyClaimedDecision } from './approval/claimed-decision.js';
import { verifyClaimedTaskAnswer } from './approval/claimed-task-answer.js';
import { digestOfSubjectBytes } from './approval/subject.js';
import { MAX_EVIDENCE_BYTES } from './audit/evidence/format.js';
import { evidenceOfPage, isOwnPage } from './audit/evidence/page-file.js';
import { verifyEvidence } from './audit/evidence/verify.js';
import type { EvidenceReport } from './audit/evidence/report.js';
import { parseJson } from './audit/json-reader.js';
import { MAX_ENTRY_BYTES } from './audit/tile.js';
import { MAX_PROOF_BYTES, parseProof, verifyProof, type ProofReport } from './audit/tlog-proof.js';
import { WritError } from './errors.js';
import { isObject } from './json.js';
import { pageParts } from './page-parts.js';
import type { TrustRecord } from './runtime/ports.js';
import { originOfNote, readGiven, readTrust, verifyWithNode, type TrustFiles } from './verify-trust.js';

export interface VerifyProofOptions extends TrustFiles {
  /** A `.tlog-proof` file. */
  readonly proof: string;
  /** The entry's bytes; null = the file beside the proof, `.entry` instead of `.tlog-proof`. */
  readonly entry: string | null;
  /** Trust store file; null = trust nothing this machine saw. */
  readonly trust: string | null;
}

/** Never rejects for what the files hold: that is the report. Rejects as `verifyData` for what can't be read. */
export async function verifyProofFile(options: VerifyProofOptions): Promise<ProofReport> {
  const given = await readTrust(options);
  const proof = await readGiven(options.proof, MAX_PROOF_BYTES, 'the proof', 'cut');
  const entryFile = options.entry ?? entryBeside(options.proof);
  const entry = await readGiven(entryFile, MAX_ENTRY_BYTES, 'the entry', 'cut');
  const trust = await known(options.trust, () => parseProof(proof).checkpoint);
  return verifyProof(proof, entry, { ...given, trust, verifySignature: verifyWithNode });
}

function entryBeside(proof: string): string {
  return `${proof.replace(/\.tlog-proof$/, '')}.entry`;
}

export interface VerifyEvidenceOptions extends TrustFiles {
  /** `F.json`, or `F.html` around it. */
  readonly file: string;
  /** Trust store file; null = trust nothing this machine saw. */
  readonly trust: string | null;
}

/** Longest evidence page: the bundle with every `<` escaped, and the verifier. */
const MAX_PAGE_BYTES = 2 * MAX_EVIDENCE_BYTES;

/** Never rejects for what the file holds: that is the report. Rejects as `verifyData` for what can't be read. */
export async function verifyEvidenceFile(options: VerifyEvidenceOptions): Promise<EvidenceReport> {
  const isPage = /\.html?$/i.test(options.file);
  const limit = isPage ? MAX_PAGE_BYTES : MAX_EVIDENCE_BYTES;
  const bytes = await readGiven(options.file, limit, 'the evidence', 'cut');
  const json = isPage ? bundleIn(bytes) : bytes;
  const report = await verifyEvidenceBytes(json, options);
  if (!isPage || (await isOwn(bytes, json))) return report;
  const warning =
    'the page around the evidence is not the one this version of writ writes: it may show anything; this verdict is about the evidence alone';
  return { ...report, warnings: [...report.warnings, warning] };
}

/** As `verifyEvidenceFile`, of the bytes of an `F.json` that the caller has read, to judge what it goes on to use. */
export async function verifyEvidenceBytes(
  json: Uint8Array,
  options: Omit<VerifyEvidenceOptions, 'file'>,
): Promise<EvidenceReport> {
  const given = await readTrust(options);
  const trust = await known(options.trust, () => checkpointIn(json));
  return verifyEvidence(json, {
    ...given,
    trust,
    verifyDecision: (claim) => verifyClaimedDecision(claim, verifyWithNode),
    verifyAnswer: (claim) => verifyClaimedTaskAnswer(claim, verifyWithNode),
    subjectDigest: digestOfSubjectBytes,
    verifySignature: verifyWithNode,
  }).report;
}

async function isOwn(page: Uint8Array, json: Uint8Array): Promise<boolean> {
  try {
    return isOwnPage(page, json, await pageParts());
  } catch (error) {
    // Not text at all, which the verdict says already.
    if (error instanceof WritError && error.code === 'AUDIT_JSON_INVALID') return false;
    // Run from the sources, without a built page there is none to compare with.
    if (error instanceof WritError && error.code === 'INTERNAL') return true;
    throw error;
  }
}

/** A page without one bundle is read as an empty one, which is malformed. */
function bundleIn(page: Uint8Array): Uint8Array {
  try {
    return evidenceOfPage(page) ?? new Uint8Array(0);
  } catch (error) {
    if (error instanceof WritError) return new Uint8Array(0);
    throw error;
  }
}

function checkpointIn(json: Uint8Array): string {
  const value = parseJson(json);
  return isObject(value) && typeof value.checkpoint === 'string' ? value.checkpoint : '';
}

/** What this machine knows of the log that the file says it is from. */
async function known(trust: string | null, noteIn: () => string): Promise<TrustRecord | null> {
  if (trust === null) return null;
  let origin: string | null;
  try {
    origin = originOfNote(noteIn());
  } catch (error) {
    // Unreadable: the verification says so with the right word.
    if (!(error instanceof WritError)) throw error;
    return null;
  }
  return origin === null ? null : openTrustStore(trust).read(origin);
}
