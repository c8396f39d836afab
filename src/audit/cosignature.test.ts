import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { decodeBase64 } from './base64.js';
import { formatCheckpoint } from './checkpoint.js';
import { cosignatureLine, cosignatureMessage, verifyCosignature } from './cosignature.js';
import { verifyEd25519 } from './ed25519.js';
import { addSignatureLines, noteCosignatures, parseNote, signNote, verifyNote } from './note.js';
import { emptyRoot } from './tree-hash.js';
import { formatVkey, parseVkey, type KeyType } from './vkey.js';

const keyOf = (name: string, seed: number, type: KeyType) => {
  const secret = new Uint8Array(32).fill(seed);
  const key = parseVkey(formatVkey(name, type, ed25519.getPublicKey(secret)));
  return { key, sign: (message: Uint8Array) => ed25519.sign(message, secret) };
};
const log = keyOf('log.example', 1, 1);
const one = keyOf('one.example', 2, 4);
const two = keyOf('two.example', 3, 4);
const text = formatCheckpoint('log.example', 0n, emptyRoot());
const note = signNote(text, log.key, log.sign);
const line = (of: typeof one, seconds: bigint): string => cosignatureLine(text, of.key, seconds, of.sign);
const MAX = 2n ** 63n - 1n;
const invalid = expect.objectContaining({ code: 'AUDIT_NOTE_INVALID' });

describe('a cosignature', () => {
  it('signs a header, the time and the whole text', () => {
    expect(new TextDecoder().decode(cosignatureMessage(1679315147n, text))).toBe(
      `cosignature/v1\ntime 1679315147\n${text}`,
    );
  });
  it('is a line of 4 bytes key id, 8 bytes time and 64 bytes signature', () => {
    const [, name, blob] = line(one, 5n).trimEnd().split(' ');
    expect([name, decodeBase64(blob ?? '')?.length]).toEqual(['one.example', 76]);
  });
  it.each([1n, 1679315147n, MAX])('holds for its own time, %i, and no other', (seconds) => {
    const [signature] = parseNote(note + line(one, seconds)).signatures.slice(1);
    const bytes = signature?.signature ?? new Uint8Array();
    expect(verifyCosignature(one.key, text, bytes, verifyEd25519)).toBe(seconds);
    const other = bytes.slice();
    other[7] = (other[7] ?? 0) ^ 1;
    expect(verifyCosignature(one.key, text, other, verifyEd25519)).toBeNull();
    expect(verifyCosignature(one.key, `${text}x\n`, bytes, verifyEd25519)).toBeNull();
    expect(verifyCosignature(two.key, text, bytes, verifyEd25519)).toBeNull();
    expect(verifyCosignature(one.key, text, bytes.subarray(1), verifyEd25519)).toBeNull();
    expect(verifyCosignature(log.key, text, bytes, verifyEd25519)).toBeNull();
  });
  it.each([0n, -1n, MAX + 1n])('can not be made for the time %i', (seconds) => {
    expect(() => cosignatureMessage(seconds, text)).toThrow(invalid);
  });
  it('is made by a witness key only', () => {
    expect(() => cosignatureLine(text, log.key, 5n, log.sign)).toThrow(invalid);
    expect(() => cosignatureLine(text, one.key, 5n, () => new Uint8Array(63))).toThrow(invalid);
  });
});

describe('the cosignatures of a note', () => {
  it('are those of the witnesses asked for, with their times; others are ignored', () => {
    const signed = note + line(two, 7n) + line(one, 5n);
    expect(noteCosignatures(signed, [one.key])).toEqual([{ key: one.key, seconds: 5n }]);
    expect(noteCosignatures(signed, [one.key, two.key]).map(({ seconds }) => seconds)).toEqual([7n, 5n]);
    expect(noteCosignatures(signed, [])).toEqual([]);
    expect(noteCosignatures(note, [one.key])).toEqual([]);
  });
  it("never count the log's key, whatever it is given as", () => {
    expect(noteCosignatures(note, [log.key])).toEqual([]);
    expect(verifyNote(note + line(one, 5n), [log.key, one.key])).toMatchObject({
      keys: [{ type: 1 }, { type: 4 }],
      cosignatures: [{ seconds: 5n }],
    });
  });
  it('of one witness count once, with the earliest time', () => {
    const signed = note + line(one, 9n) + line(one, 5n) + line(one, 7n);
    expect(noteCosignatures(signed, [one.key])).toEqual([{ key: one.key, seconds: 5n }]);
  });
  it('refuse the note when one of them fails, though another of the same witness holds', () => {
    const wrong = cosignatureLine('other\n', one.key, 5n, one.sign);
    expect(() => noteCosignatures(note + line(one, 5n) + wrong, [one.key])).toThrow(invalid);
    expect(noteCosignatures(note + line(two, 5n) + wrong, [two.key])).toHaveLength(1);
  });
  it('by a type 6 key are ignored', () => {
    const key = parseVkey(formatVkey('one.example', 6, new Uint8Array(1312)));
    expect(noteCosignatures(note + line(one, 5n), [key])).toEqual([]);
  });
});

describe('adding lines to a note', () => {
  it('keeps the text and the lines there are, and adds each line once', () => {
    const once = addSignatureLines(note, [line(one, 5n)]);
    expect(once).toBe(note + line(one, 5n));
    expect(addSignatureLines(once, [line(two, 6n), line(one, 5n)])).toBe(once + line(two, 6n));
    expect(addSignatureLines(once, [])).toBe(once);
  });
  it('refuses what is not one signature line', () => {
    for (const bad of [
      '',
      '\n',
      'x\n',
      line(one, 5n).trimEnd(),
      line(one, 5n) + line(two, 5n),
      `\n${line(one, 5n)}`,
    ]) {
      expect(() => addSignatureLines(note, [bad]), JSON.stringify(bad)).toThrow(invalid);
    }
  });
  it('refuses the 101st signature', () => {
    const lines = Array.from({ length: 100 }, (_, i) => line(one, BigInt(i + 1)));
    expect(parseNote(addSignatureLines(note, lines.slice(1))).signatures).toHaveLength(100);
    expect(() => addSignatureLines(note, lines)).toThrow(invalid);
  });
});
