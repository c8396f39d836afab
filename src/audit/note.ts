// Signed notes (C2SP signed-note): a text, an empty line, signature lines. Signatures of unknown keys are ignored;
// one failing signature of a known key refuses the whole note; at least one known key must verify.
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { WritError } from '../errors.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { verifyCosignature, type Cosignature } from './cosignature.js';
import { verifyEd25519, type Sign, type VerifySignature } from './ed25519.js';
import { isKeyName, parseVkey, type Vkey } from './vkey.js';

/** Bounds on hostile notes. */
export const MAX_NOTE_BYTES = 65_536;
const MAX_NOTE_SIGNATURES = 100;

export interface NoteSignature {
  readonly name: string;
  /** 8 lower-case hex digits. */
  readonly keyId: string;
  /** What follows the key id. */
  readonly signature: Uint8Array;
}

export interface ParsedNote {
  /** Everything that is signed; ends with a newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** The parts of a note (attacker-controlled), nothing verified. Throws AUDIT_NOTE_INVALID. */
export function parseNote(note: string | Uint8Array): ParsedNote {
  const whole = typeof note === 'string' ? note : decode(note);
  if (encode(whole).length > MAX_NOTE_BYTES) throw invalid(`it is longer than ${MAX_NOTE_BYTES} bytes`);
  if (LONE_SURROGATE.test(whole)) throw invalid('it holds an unpaired surrogate');
  if (CONTROL.test(whole)) throw invalid('it holds a control character');
  const split = whole.lastIndexOf('\n\n');
  if (split < 0 || !whole.endsWith('\n')) throw invalid('it has no signature part after an empty line');
  const lines = whole
    .slice(split + 2)
    .split('\n')
    .slice(0, -1);
  if (lines.length === 0) throw invalid('it has no signature');
  if (lines.length > MAX_NOTE_SIGNATURES) throw invalid(`it has more than ${MAX_NOTE_SIGNATURES} signatures`);
  return { text: whole.slice(0, split + 1), signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): NoteSignature {
  const match = /^\u2014 ([^ ]+) ([^ ]+)$/u.exec(line);
  const [, name = '', blob64 = ''] = match ?? [];
  const blob = decodeBase64(blob64);
  if (!isKeyName(name) || blob === null || blob.length < 5) throw invalid('a signature line is not readable');
  return { name, keyId: bytesToHex(blob.subarray(0, 4)), signature: blob.subarray(4) };
}

export interface VerifiedNote {
  readonly text: string;
  /** Each known key once, logs and witnesses, in order of the note's lines. */
  readonly keys: readonly Vkey[];
  /** Of the known witnesses, one each: of several lines the earliest time, by then it had seen the checkpoint. */
  readonly cosignatures: readonly Cosignature[];
  /** Distinct lines of keys that are not known. */
  readonly unverified: number;
}

/**
 * As `openNote`, with parsed keys and the signature check given (default: RFC 8032 in this room).
 * Keys of type 6 are treated as unknown: ignored, not failed.
 */
export function verifyNote(
  note: string | Uint8Array,
  known: readonly Vkey[],
  verify: VerifySignature = verifyEd25519,
): VerifiedNote {
  const { text, signatures } = parseNote(note);
  const keys = new Map<string, Vkey>();
  const times = new Map<string, Cosignature>();
  const unverified = new Set<string>();
  for (const line of signatures) {
    const id = `${line.name}+${line.keyId}`;
    const [key, other] = distinct(known.filter((k) => k.type !== 6 && `${k.name}+${k.keyId}` === id));
    if (key === undefined) {
      unverified.add(`${id}+${bytesToHex(line.signature)}`);
      continue;
    }
    if (other !== undefined) throw invalid(`two configured keys are named ${id}`);
    const seconds = key.type === 4 ? verifyCosignature(key, text, line.signature, verify) : null;
    const holds = key.type === 4 ? seconds !== null : verify(key.publicKey, encode(text), line.signature);
    if (!holds) throw invalid(`the signature of ${id} is wrong`, { badSignature: id });
    keys.set(id, key);
    const before = times.get(id)?.seconds;
    if (seconds !== null && (before === undefined || seconds < before)) times.set(id, { key, seconds });
  }
  if (keys.size === 0) throw invalid('no trusted key signed it', { badSignature: null });
  return { text, keys: [...keys.values()], cosignatures: [...times.values()], unverified: unverified.size };
}

/**
 * The cosignatures of `witnesses` on a note, whoever else signed it; none is no fault. Throws AUDIT_NOTE_INVALID on
 * a note that can't be read and when a line of one of `witnesses` fails.
 */
export function noteCosignatures(
  note: string | Uint8Array,
  witnesses: readonly Vkey[],
  verify: VerifySignature = verifyEd25519,
): readonly Cosignature[] {
  const ids = new Set(witnesses.filter((key) => key.type === 4).map((key) => `${key.name}+${key.keyId}`));
  const signed = parseNote(note).signatures.some((line) => ids.has(`${line.name}+${line.keyId}`));
  return signed ? verifyNote(note, witnesses, verify).cosignatures : [];
}

/**
 * The note with `lines` (each with its newline) after its own, those it has already left out: the text and what was
 * signed before stay byte for byte. Throws AUDIT_NOTE_INVALID when the result is no note, e.g. beyond 100 signatures.
 */
export function addSignatureLines(note: string, lines: readonly string[]): string {
  const { text } = parseNote(note);
  const kept = note.slice(text.length + 1).split(/(?<=\n)/);
  const all = [...new Set([...kept, ...lines])];
  const result = `${text}\n${all.join('')}`;
  const parsed = parseNote(result);
  if (parsed.text !== text || parsed.signatures.length !== all.length) {
    throw invalid('what is added to it is not one signature line each');
  }
  return result;
}

/**
 * The text of a note that at least one of `vkeys` signed, and who did. `unverified` counts distinct lines of
 * unknown keys. `verify` as in `verifyNote`. Throws AUDIT_NOTE_INVALID, and AUDIT_KEY_INVALID on a vkey that can't be
 * read.
 */
export function openNote(
  note: string | Uint8Array,
  vkeys: readonly string[],
  verify: VerifySignature = verifyEd25519,
): { text: string; verified: { name: string; keyId: string }[]; unverified: number } {
  const { text, keys, unverified } = verifyNote(note, vkeys.map(parseVkey), verify);
  return { text, verified: keys.map(({ name, keyId }) => ({ name, keyId })), unverified };
}

/** The note of `text` with one log signature. Throws AUDIT_NOTE_INVALID on a text no note can hold. */
export function signNote(text: string, key: Vkey, sign: Sign): string {
  if (!text.endsWith('\n')) throw invalid('its text does not end with a newline');
  if (key.type !== 1) throw invalid('only a log key signs a note');
  const signature = sign(encode(text));
  if (signature.length !== 64) throw invalid(`an Ed25519 signature has 64 bytes, not ${signature.length}`);
  const note = `${text}\n\u2014 ${key.name} ${encodeBase64(concatBytes(hexToBytes(key.keyId), signature))}\n`;
  parseNote(note);
  return note;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

// The same key given twice is one key; two keys under one (name, id) are ambiguous.
function distinct(keys: readonly Vkey[]): readonly Vkey[] {
  return keys.filter((key, i) => keys.findIndex((k) => same(k, key)) === i);
}

function same(a: Vkey, b: Vkey): boolean {
  return a.type === b.type && bytesToHex(a.publicKey) === bytesToHex(b.publicKey);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new WritError('AUDIT_NOTE_INVALID', 'invalid signed note: it is not valid UTF-8', { cause });
  }
}

/** `details.badSignature` is there when the note is readable but not signed as it must be. */
function invalid(reason: string, details?: { readonly badSignature: string | null }): WritError {
  return new WritError('AUDIT_NOTE_INVALID', `invalid signed note: ${reason}`, {
    hint: 'get the file again from where it was published, or check which vkey you trust',
    ...(details === undefined ? {} : { details }),
  });
}
