// The witness protocol (C2SP tlog-witness) without sockets, clock and state: what a log sends to add-checkpoint, and
// what a witness answers and why. A witness cosigns a checkpoint only when the log's key signed it and it is
// consistent with the last one cosigned; whoever calls `judgeAddCheckpoint` makes check and persist one atomic step.
import { WritError } from '../errors.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { parseCheckpoint, type Checkpoint } from './checkpoint.js';
import { verifyConsistency } from './consistency.js';
import { verifyEd25519, type VerifySignature } from './ed25519.js';
import { MAX_NOTE_BYTES, parseNote, verifyNote } from './note.js';
import { emptyRoot, equalBytes } from './tree-hash.js';
import { parseTreeSize } from './tree-size.js';
import type { Vkey } from './vkey.js';

/** A tree of 2^63 - 1 leaves has no longer proof. */
const MAX_PROOF_LINES = 63;
/** Old size, 63 hashes of 44 characters, an empty line, the note. */
export const MAX_ADD_CHECKPOINT_BYTES = MAX_NOTE_BYTES + 4_096;

/** The newest tree of one origin that a witness has cosigned. */
export interface CosignedTree {
  readonly size: bigint;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

/** A request whose checkpoint a trusted log key has signed; nothing is known yet of its consistency. */
export interface AddCheckpoint {
  readonly old: bigint;
  readonly proof: readonly Uint8Array[];
  readonly checkpoint: Checkpoint;
  /** What is cosigned: the note without its signatures. */
  readonly text: string;
}

/** An answer that is no cosignature. `latest` is the body of a 409. */
export interface WitnessRefusal {
  readonly status: 400 | 403 | 404 | 409 | 422;
  readonly message: string;
  readonly latest?: bigint;
}

/** The body of add-checkpoint: `old N`, proof lines, an empty line, the signed checkpoint. */
export function formatAddCheckpoint(old: bigint, proof: readonly Uint8Array[], note: string): string {
  return [`old ${old}`, ...proof.map(encodeBase64), '', note].join('\n');
}

/**
 * Reads a body (attacker-controlled) and its log signature; `logs` are the trusted keys, the name of each an origin.
 * 400 what can't be read, or is older than `old`; 404 another origin; 403 not signed by a trusted key, or wrongly.
 * Never throws on what is in the body.
 */
export function readAddCheckpoint(
  body: Uint8Array,
  logs: readonly Vkey[],
  verify: VerifySignature = verifyEd25519,
): AddCheckpoint | WitnessRefusal {
  const parts = splitBody(body);
  if ('status' in parts) return parts;
  const { old, proof, note } = parts;
  let read: Pick<AddCheckpoint, 'checkpoint' | 'text'>;
  try {
    const { text } = parseNote(note);
    read = { text, checkpoint: anyCheckpoint(text) };
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    return refusal(400, error.message);
  }
  const keys = logs.filter((key) => key.type === 1 && key.name === read.checkpoint.origin);
  if (keys.length === 0) return refusal(404, 'the origin is not one of this witness');
  try {
    verifyNote(note, keys, verify);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    return refusal(403, error.message);
  }
  if (old > read.checkpoint.size) return refusal(400, `old ${old} is larger than the checkpoint`);
  return { old, proof, ...read };
}

/** null = cosign it. 409 when `old` is not the latest size cosigned (0 if none), 422 when the trees don't agree. */
export function judgeAddCheckpoint(
  { old, proof, checkpoint: { size, root } }: AddCheckpoint,
  latest: CosignedTree | null,
): WitnessRefusal | null {
  const known = latest?.size ?? 0n;
  if (old !== known) return { ...refusal(409, `the latest size cosigned is ${known}`), latest: known };
  if (size === 0n && !equalBytes(root, emptyRoot())) return refusal(422, 'size 0 needs the empty root');
  if (old === 0n) {
    // Nothing was seen before, so nothing can be proven (here alone consistency from 0 is the empty proof).
    return proof.length === 0 ? null : refusal(422, 'a proof from size 0 is empty');
  }
  const claim = { size1: old, size2: size, root1: latest?.root ?? emptyRoot(), root2: root, proof };
  return verifyConsistency(claim) ? null : refusal(422, 'not consistent with the last checkpoint cosigned');
}

function splitBody(
  body: Uint8Array,
): { old: bigint; proof: readonly Uint8Array[]; note: string } | WitnessRefusal {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    // The one thing a decoder can say.
    return refusal(400, 'the body is not UTF-8');
  }
  const end = text.indexOf('\n\n');
  const [first = '', ...lines] = text.slice(0, Math.max(0, end)).split('\n');
  const old = first.startsWith('old ') ? parseTreeSize(first.slice('old '.length)) : null;
  if (old === null) return refusal(400, 'the body does not begin with old, a size and an empty line');
  if (lines.length > MAX_PROOF_LINES) return refusal(400, `more than ${MAX_PROOF_LINES} proof lines`);
  const proof: Uint8Array[] = [];
  for (const line of lines) {
    const hash = decodeBase64(line);
    if (hash?.length !== 32) return refusal(400, 'a proof line is not the base64 of 32 bytes');
    proof.push(hash);
  }
  return { old, proof, note: text.slice(end + 2) };
}

/** As `parseCheckpoint`, but size 0 may have any root: that is for `judgeAddCheckpoint` to refuse, with its status. */
function anyCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', root = '', ...rest] = text.split('\n');
  const claimed = decodeBase64(root);
  if (size !== '0' || claimed?.length !== 32) return parseCheckpoint(text);
  return {
    ...parseCheckpoint([origin, size, encodeBase64(emptyRoot()), ...rest].join('\n')),
    root: claimed,
  };
}

function refusal(status: WitnessRefusal['status'], message: string): WitnessRefusal {
  return { status, message };
}
