// Proofs that travel alone (C2SP tlog-proof): an index, the hashes from an entry's sibling up, and a signed checkpoint.
// With the entry's bytes and keys from outside, anybody can check offline that the log holds this entry there.
import { bytesToHex } from '@noble/hashes/utils.js';
import { WritError } from '../errors.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { parseCheckpoint, type Checkpoint } from './checkpoint.js';
import { verifyEd25519, type VerifySignature } from './ed25519.js';
import { readEntry } from './entry.js';
import { verifyInclusion } from './inclusion.js';
import { MAX_NOTE_BYTES, parseNote } from './note.js';
import { equalBytes, isHash, leafHash } from './tree-hash.js';
import { parseTreeSize, toTreeSize } from './tree-size.js';
import { FindingList, type VerifyReport } from './verify/report.js';
import {
  checkpointOpener,
  type OpenedCheckpoint,
  type RefusedCheckpoint,
} from './verify/signed-checkpoint.js';
import { boundOf, TimeBounds } from './verify/time-bound.js';
import {
  quorumFault,
  seenNotes,
  trustOf,
  type SeenNote,
  type Trust,
  type TrustOptions,
} from './verify/trust.js';

const HEADER = 'c2sp.org/tlog-proof@v1';
/** A tree of 2^63 - 1 leaves has no longer proof. */
const MAX_HASHES = 63;
const OTHER_KEY =
  "; if the log's key was replaced, pin the one of the proof's time, or have the proof made again";
/** Bound on hostile files: a note, as much extra data, and the lines between. */
export const MAX_PROOF_BYTES = 2 * MAX_NOTE_BYTES + 4_096;

export interface TlogProof {
  /** Of the entry, 0-based. */
  readonly index: bigint;
  /** From the leaf's sibling up; 32 bytes each. */
  readonly hashes: readonly Uint8Array[];
  /** The signed checkpoint, verbatim. */
  readonly checkpoint: string;
  /** Not authenticated by anything: never trusted, and not read by this software. */
  readonly extra: Uint8Array | null;
}

/**
 * The text of a proof file; `checkpoint` is taken as it is. Throws AUDIT_PROOF_INVALID on an index beyond 2^63-1, on
 * more than 63 hashes, and on one that is not 32 bytes.
 */
export function formatProof({ index, hashes, checkpoint, extra }: TlogProof): string {
  if (toTreeSize(index) === null) throw invalid('its index is not in 0 to 2^63-1');
  if (hashes.length > MAX_HASHES || !hashes.every(isHash))
    throw invalid('its hashes are not up to 63 of 32 bytes');
  const lines = [
    HEADER,
    ...(extra === null ? [] : [`extra ${encodeBase64(extra)}`]),
    `index ${index}`,
    ...hashes.map(encodeBase64),
  ];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

/**
 * The proof in a file (attacker-controlled), nothing verified. Throws AUDIT_PROOF_INVALID; the checkpoint is checked to
 * be a note with a checkpoint in it, its signatures are not.
 */
export function parseProof(file: string | Uint8Array): TlogProof {
  const text = typeof file === 'string' ? file : decode(file);
  if (text.length > MAX_PROOF_BYTES) throw invalid(`it is longer than ${MAX_PROOF_BYTES} bytes`);
  const end = text.indexOf('\n\n');
  if (end < 0) throw invalid('no empty line ends the hashes');
  const [header, ...lines] = text.slice(0, end).split('\n');
  if (header !== HEADER) throw invalid(`its first line is not ${HEADER}`);
  const extra =
    lines[0]?.startsWith('extra ') === true ? decodeBase64((lines.shift() ?? '').slice(6)) : undefined;
  if (extra === null) throw invalid('the extra line is not canonical base64');
  const indexLine = lines.shift() ?? '';
  const index = indexLine.startsWith('index ') ? parseTreeSize(indexLine.slice(6)) : null;
  if (index === null) throw invalid('the index line is not "index" and a decimal number up to 2^63-1');
  if (lines.length > MAX_HASHES) throw invalid(`more than ${MAX_HASHES} hashes`);
  const hashes = lines.map((line, i) => {
    const hash = decodeBase64(line);
    if (hash?.length !== 32) throw invalid(`hash ${i + 1} is not the base64 of 32 bytes`);
    return hash;
  });
  const checkpoint = text.slice(end + 2);
  try {
    parseCheckpoint(parseNote(checkpoint).text);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    throw invalid(error.message);
  }
  return { index, hashes, checkpoint, extra: extra ?? null };
}

/** All of `trust` and `old` comes from outside the proof. */
export interface ProofOptions extends TrustOptions {
  /** Signed checkpoints of this log seen elsewhere, whole notes. */
  readonly old?: readonly string[];
  /** `opaque`: an entry of other software; it is bytes, nothing is read from it. Default `writ`. */
  readonly entries?: 'writ' | 'opaque';
  /** A faster Ed25519 than this room's, e.g. the platform's. */
  readonly verifySignature?: VerifySignature;
}

/** What holds of one entry; `size` and `root` are the proven tree's. */
export interface ProofReport extends VerifyReport {
  readonly index: string | null;
  /** Hex, of the entry's bytes. */
  readonly leafHash: string;
}

/**
 * Whether the log that the pinned keys sign holds exactly `entry` where `proof` says (both attacker-controlled), with
 * the words of a log's verification (FORMAT.md section 9) in the same order. Never throws on what is in them; throws
 * as `trustOf`, and AUDIT_NOTE_INVALID or AUDIT_CHECKPOINT_INVALID on old checkpoints that can't be read. It says
 * nothing of the entries around it.
 */
export function verifyProof(
  proof: string | Uint8Array,
  entry: Uint8Array,
  options: ProofOptions = {},
): ProofReport {
  const trust = trustOf(options);
  const seen = seenNotes(options.old, options.trust);
  const findings = new FindingList();
  const warnings: string[] = [];
  const parsed = read(proof);
  if (typeof parsed === 'string') findings.add('malformed', parsed);
  const opened =
    typeof parsed === 'string'
      ? null
      : judge({ proof: parsed, entry, seen, trust, options, findings, warnings });
  if (!findings.any && trust.pinned.length === 0) {
    const message = 'the hashes fit together, but no key was given from outside: nobody vouches for the root';
    findings.add('unpinned', message);
  }
  return {
    verdict: findings.items[0]?.verdict ?? 'verified',
    ok: !findings.any,
    origin: opened?.checkpoint.origin ?? null,
    size: opened?.checkpoint.size.toString() ?? null,
    root: opened === null ? null : encodeBase64(opened.checkpoint.root),
    cosignatures: (opened?.cosignatures ?? []).map(({ key, seconds }) => ({
      name: key.name,
      keyId: key.keyId,
      time: seconds.toString(),
    })),
    findings: findings.items,
    warnings,
    openIntents: [],
    erased: [],
    index: typeof parsed === 'string' ? null : parsed.index.toString(),
    leafHash: bytesToHex(leafHash(entry)),
  };
}

type Opened = Pick<OpenedCheckpoint, 'checkpoint' | 'cosignatures'>;

interface Case {
  readonly proof: TlogProof;
  readonly entry: Uint8Array;
  readonly seen: readonly SeenNote[];
  readonly trust: Trust;
  readonly options: ProofOptions;
  readonly findings: FindingList;
  readonly warnings: string[];
}

/** The rules in their order; the signed checkpoint, or null when it is not to be believed. */
function judge({ proof, entry, seen, trust, options, findings, warnings }: Case): Opened | null {
  const { policy, pinned } = trust;
  const { index, hashes, extra } = proof;
  const witnesses = policy?.witnesses.map(({ key }) => key) ?? [];
  const open =
    pinned.length === 0
      ? unsigned
      : checkpointOpener(pinned, witnesses, options.verifySignature ?? verifyEd25519);
  if (extra !== null) warnings.push(`${extra.length} extra bytes, which nothing vouches for: not read`);

  const opened = open(proof.checkpoint);
  if ('verdict' in opened) {
    const rotated = opened.claimed === undefined ? '' : OTHER_KEY;
    findings.add(opened.verdict, `its checkpoint: ${opened.message}${rotated}`);
    return null;
  }
  const { checkpoint, cosignatures } = opened;
  const fault = policy === null ? null : quorumFault(policy, cosignatures);
  if (fault !== null) findings.add('quorum-missing', fault);
  for (const kept of seen) compare(checkpoint, open(kept.note), kept, findings, warnings);
  const { size, root } = checkpoint;
  if (!verifyInclusion({ index, size, leafHash: leafHash(entry), root, proof: hashes })) {
    const message = `the entry and the hashes do not lead to the signed root of size ${size}`;
    findings.add('entry-mismatch', message, { index });
  } else if (options.entries !== 'opaque') {
    judgeEntry(index, entry, { checkpoint, seconds: boundOf(policy, cosignatures) }, findings);
  }
  return opened;
}

/** The bytes are one canonical entry, and not from after the witnesses saw them. */
function judgeEntry(
  index: bigint,
  bytes: Uint8Array,
  signed: { readonly checkpoint: Checkpoint; readonly seconds: bigint | null },
  findings: FindingList,
): void {
  const entry = readEntry(bytes);
  if ('fault' in entry) {
    findings.add(entry.fault === 'json' ? 'malformed' : 'not-canonical', `entry ${index}: ${entry.message}`, {
      index,
    });
    return;
  }
  const { checkpoint, seconds } = signed;
  if (seconds === null) return;
  const times = new TimeBounds(findings);
  times.observe(index, entry);
  times.judge({ size: checkpoint.size, seconds, what: 'checkpoint' });
}

/** Two roots of one size are a fork; other sizes can't be compared without the tree. */
function compare(
  checkpoint: Checkpoint,
  seen: Opened | RefusedCheckpoint,
  { what, named }: SeenNote,
  findings: FindingList,
  warnings: string[],
): void {
  if ('verdict' in seen) {
    // Of a key that was replaced, perhaps: only the whole log can tell.
    if (seen.claimed === undefined) findings.add(seen.verdict, `${named}: ${seen.message}`);
    else warnings.push(`${named} is of another key of the log: not compared`);
  } else if (seen.checkpoint.origin !== checkpoint.origin) {
    findings.add(
      'wrong-origin',
      `${named} is of ${seen.checkpoint.origin}, the proof of ${checkpoint.origin}`,
    );
  } else if (seen.checkpoint.size === checkpoint.size && !equalBytes(seen.checkpoint.root, checkpoint.root)) {
    findings.add('fork', `${what} has another root for size ${checkpoint.size}`);
  }
}

/** Without any key the hashes can still be checked, and the verdict says unpinned. */
function unsigned(note: string): Opened | RefusedCheckpoint {
  return { checkpoint: parseCheckpoint(parseNote(note).text), cosignatures: [] };
}

/** The proof, or why it can't be read. */
function read(file: string | Uint8Array): TlogProof | string {
  try {
    return parseProof(file);
  } catch (error) {
    if (error instanceof WritError) return error.message;
    throw error;
  }
}

function decode(bytes: Uint8Array): string {
  if (bytes.length > MAX_PROOF_BYTES) throw invalid(`it is longer than ${MAX_PROOF_BYTES} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new WritError('AUDIT_PROOF_INVALID', 'invalid proof: it is not valid UTF-8', { cause });
  }
}

function invalid(reason: string): WritError {
  return new WritError('AUDIT_PROOF_INVALID', `invalid proof: ${reason}`, {
    hint: 'make it again with writ audit prove',
  });
}
