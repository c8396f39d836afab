// Asking one witness for its cosignature of one checkpoint. Everything it answers is attacker-controlled: a line is
// kept only when it is this witness's, verifies, and its time fits the log's. It can refuse; it can't make the log
// keep anything else.
import {
  addSignatureLines,
  consistencyProof,
  formatAddCheckpoint,
  MAX_NOTE_BYTES,
  noteCosignatures,
  parseNote,
  parseTreeSize,
  type PolicyWitness,
} from '../../audit/index.js';
import { WritError } from '../../errors.js';
import type { Clock, HttpPost, Store } from '../ports.js';
import { withHashes } from '../log/tree-hashes.js';
import { submissionUrl } from './set.js';

/** First try, once more with the size a 409 tells, once more when its clock is a moment behind the log's. */
const MAX_REQUESTS = 3;
/** A witness whose clock is further ahead than this is not believed. */
const MAX_AHEAD_MS = 5 * 60_000;
/** A witness whose clock is behind by no more than this is waited for. */
const MAX_BEHIND_MS = 2_000;

export interface AskParts {
  readonly store: Pick<Store, 'hashes'>;
  readonly clock: Clock;
  readonly post: HttpPost;
}

/** The checkpoint to be cosigned. */
export interface Asked {
  /** The log's signed note. */
  readonly note: string;
  readonly size: bigint;
  /** Time of the last entry it holds. */
  readonly lastTimeMs: number;
}

/** What became of the question. */
export type WitnessSaid = { readonly line: string; readonly seconds: bigint } | { readonly problem: string };

/**
 * Never rejects for what the witness does or fails to do. `knownSize` is where to begin: the largest size known to be
 * cosigned by it, 0 when there is none; a 409 corrects it.
 */
export async function askWitness(
  { store, clock, post }: AskParts,
  witness: PolicyWitness,
  asked: Asked,
  knownSize: bigint,
  { deadlineMs, signal }: { readonly deadlineMs: number; readonly signal: AbortSignal },
): Promise<WitnessSaid> {
  const url = submissionUrl(witness);
  if (url === null) return { problem: 'it has no URL in witnesses.policy' };
  if (witness.key.type !== 4) return { problem: 'cosignatures of its key type are not verified' };
  let old = knownSize > asked.size ? 0n : knownSize;
  let conflicts = 0;
  for (let request = 0; request < MAX_REQUESTS; request++) {
    const timeoutMs = deadlineMs - clock.nowMs();
    if (timeoutMs <= 0) return { problem: 'no answer in time' };
    const proof = await proofFrom(store, old, asked.size);
    const body = new TextEncoder().encode(formatAddCheckpoint(old, proof, asked.note));
    const contentType = 'text/plain; charset=utf-8';
    const answer = await post({ url, contentType, body, maxBytes: MAX_NOTE_BYTES, timeoutMs, signal });
    if ('failure' in answer) return { problem: answer.failure };
    if (answer.status === 409) {
      const told = sizeOf(answer.body);
      if (told === null || told === old || ++conflicts > 1) return { problem: 'it contradicts itself (409)' };
      if (told > asked.size) return { problem: aheadOf(told, asked.size) };
      old = told;
      continue;
    }
    if (answer.status !== 200) return { problem: `it refused: ${words(answer.status)}` };
    const said = readCosignature(witness, asked, answer.body);
    if ('problem' in said) return said;
    const aheadMs = Number(said.seconds) * 1000 - clock.nowMs();
    if (aheadMs > MAX_AHEAD_MS) return { problem: `its clock is ${Math.round(aheadMs / 1000)} s ahead` };
    // A cosignature bounds the time of what it covers: one from before the last entry would accuse the log.
    const behindMs = asked.lastTimeMs - (Number(said.seconds) + 1) * 1000 + 1;
    if (behindMs <= 0) return said;
    if (behindMs > MAX_BEHIND_MS) return { problem: `its clock is ${Math.ceil(behindMs / 1000)} s behind` };
    await clock.sleep(behindMs, signal);
    old = asked.size;
  }
  return { problem: 'it gave no usable answer' };
}

async function proofFrom(
  store: Pick<Store, 'hashes'>,
  old: bigint,
  size: bigint,
): Promise<readonly Uint8Array[]> {
  if (old === 0n) return [];
  return withHashes(store, size, (read) => consistencyProof(read, old, size));
}

/** The one line of this witness in its answer; those of others are ignored. */
function readCosignature({ key }: PolicyWitness, { note }: Asked, body: Uint8Array): WitnessSaid {
  try {
    const { text } = parseNote(note);
    const lines = new TextDecoder('utf-8', { fatal: true }).decode(body).split(/(?<=\n)/);
    const own = lines.filter((line) => line.startsWith(`\u2014 ${key.name} `));
    for (const line of own) {
      const [cosignature] = noteCosignatures(`${text}\n${line}`, [key]);
      if (cosignature === undefined) continue;
      // Proves that the note stays one with the line in it.
      addSignatureLines(note, [line]);
      return { line, seconds: cosignature.seconds };
    }
  } catch (error) {
    if (!(error instanceof WritError) && !(error instanceof TypeError)) throw error;
    return { problem: 'its cosignature does not verify' };
  }
  return { problem: 'its answer holds no cosignature of its key' };
}

/** `<decimal>\n` */
function sizeOf(body: Uint8Array): bigint | null {
  const text = new TextDecoder().decode(body.subarray(0, 32));
  return text.endsWith('\n') ? parseTreeSize(text.slice(0, -1)) : null;
}

function aheadOf(told: bigint, size: bigint): string {
  return `it has cosigned ${told} entries of this log, which has ${size}: restored from an old copy?`;
}

function words(status: number): string {
  switch (status) {
    case 403:
      return 'it does not know the key of this log (403)';
    case 404:
      return 'it does not know this log (404)';
    case 422:
      return 'not consistent with what it cosigned before (422): writ audit verify';
    default:
      return `status ${status}`;
  }
}
