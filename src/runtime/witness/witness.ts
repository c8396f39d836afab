// A witness: cosigns checkpoints of the logs it knows, each only when it is consistent with the last one it cosigned.
// Order is fixed: read and check the log's signature, then judge and persist in one transaction, then sign. What
// was not persisted is never signed; a crash in between costs the log one more request, never a fork.
import {
  cosignatureLine,
  judgeAddCheckpoint,
  parseVkey,
  readAddCheckpoint,
  type VerifySignature,
  type Vkey,
  type WitnessRefusal,
} from '../../audit/index.js';
import { WritError } from '../../errors.js';
import type { Clock, Signer, WitnessState } from '../ports.js';

export interface WitnessParts {
  /** vkeys of the logs it cosigns; several of one origin are a log whose key was rotated. */
  readonly logs: readonly string[];
  /** Its vkey is of type 4. */
  readonly signer: Signer;
  readonly state: WitnessState;
  readonly clock: Clock;
  /** A faster Ed25519 than the audit room's. */
  readonly verifySignature?: VerifySignature;
}

/** What goes back to the log, and what a line of the witness's own journal says. */
export interface WitnessAnswer {
  readonly status: 200 | WitnessRefusal['status'];
  readonly contentType: string;
  readonly body: string;
  /** null when the checkpoint could not be read. */
  readonly origin: string | null;
  readonly size: bigint | null;
  /** Why not; null when it was cosigned. */
  readonly message: string | null;
}

/** Answers one body of add-checkpoint. Throws STORE_* when its state can't be read or written: nothing was signed. */
export type Witness = (body: Uint8Array) => WitnessAnswer;

const TEXT = 'text/plain; charset=utf-8';

/** Throws AUDIT_KEY_INVALID when a key is of the wrong kind, or two log keys share name and id. */
export function openWitness({ logs, signer, state, clock, verifySignature }: WitnessParts): Witness {
  const key = parseVkey(signer.vkey);
  if (key.type !== 4) throw wrongKey('the signing key is not a witness key');
  const known = readLogKeys(logs);
  return (body) => {
    const read = readAddCheckpoint(body, known, verifySignature);
    if ('status' in read) return refuse(read, null, null);
    const { checkpoint, text } = read;
    const { origin, size, root } = checkpoint;
    const judged = state.advance<bigint | WitnessRefusal>(origin, (latest) => {
      const refusal = judgeAddCheckpoint(read, latest);
      // The time is taken while nobody else can cosign: a larger tree never gets an earlier one.
      return refusal === null
        ? { store: { size, root, note: noteOf(body) }, answer: BigInt(Math.floor(clock.nowMs() / 1000)) }
        : { store: null, answer: refusal };
    });
    if (typeof judged !== 'bigint') return refuse(judged, origin, size);
    const line = cosignatureLine(text, key, judged, (message) => signer.sign(message));
    return { status: 200, contentType: TEXT, body: line, origin, size, message: null };
  };
}

function refuse(refusal: WitnessRefusal, origin: string | null, size: bigint | null): WitnessAnswer {
  const { status, message, latest } = refusal;
  // 409 is for a program to read, the others are for people.
  return latest === undefined
    ? { status, contentType: TEXT, body: `${message}\n`, origin, size, message }
    : { status, contentType: 'text/x.tlog.size', body: `${latest}\n`, origin, size, message };
}

/** The body was read as UTF-8 with this empty line before. */
function noteOf(body: Uint8Array): string {
  const text = new TextDecoder().decode(body);
  return text.slice(text.indexOf('\n\n') + 2);
}

function sameName(a: Vkey, b: Vkey): boolean {
  return a.name === b.name && a.keyId === b.keyId;
}

/** The logs a witness cosigns for. Throws AUDIT_KEY_INVALID as `openWitness`. */
export function readLogKeys(logs: readonly string[]): readonly Vkey[] {
  const known = logs.map(parseVkey);
  for (const log of known) {
    if (log.type !== 1) throw wrongKey(`${log.name} is no log key`);
    if (known.some((other) => other !== log && sameName(other, log))) {
      throw wrongKey(`the log key ${log.name}+${log.keyId} is given twice`);
    }
  }
  return known;
}

function wrongKey(message: string): WritError {
  return new WritError('AUDIT_KEY_INVALID', message, {
    hint: 'a log key is what writ audit vkey prints; writ audit witness key makes a witness key',
  });
}
