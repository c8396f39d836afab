import { ed25519 } from '@noble/curves/ed25519.js';
import { concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { encodeBase64 } from './base64.js';
import { formatCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.js';
import { openNote, parseNote, signNote, verifyNote } from './note.js';
import { emptyRoot } from './tree-hash.js';
import { formatVkey, parseVkey, type KeyType } from './vkey.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const key = (name: string, seed: number, type: KeyType = 1) => {
  const secret = new Uint8Array(32).fill(seed);
  const vkey = formatVkey(name, type, ed25519.getPublicKey(secret));
  return { vkey, key: parseVkey(vkey), sign: (message: Uint8Array) => ed25519.sign(message, secret) };
};
const log = key('log.example', 1);
const witness = key('witness.example', 2, 4);
const text = formatCheckpoint('log.example', 0n, emptyRoot());
const note = signNote(text, log.key, log.sign);

function cosignature(seconds: bigint, over: { text?: string; keyId?: string } = {}): string {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, seconds);
  const signature = witness.sign(utf8(`cosignature/v1\ntime ${seconds}\n${over.text ?? text}`));
  const blob = concatBytes(hexToBytes(over.keyId ?? witness.key.keyId), time, signature);
  return `\u2014 witness.example ${encodeBase64(blob)}\n`;
}

const invalid = expect.objectContaining({ code: 'AUDIT_NOTE_INVALID' });

describe('a signed note', () => {
  it('opens with its key and gives back exactly the text that was signed', () => {
    expect(openNote(note, [log.vkey])).toEqual({
      text,
      verified: [{ name: 'log.example', keyId: log.key.keyId }],
      unverified: 0,
    });
    expect(openNote(utf8(note), [log.vkey]).text).toBe(text);
  });
  it('is refused without a known key', () => {
    expect(() => openNote(note, [])).toThrow(invalid);
    expect(() => openNote(note, [key('log.example', 3).vkey])).toThrow(invalid);
  });
  it('takes the last empty line as the separator', () => {
    const twice = signNote(`a\n\n${text}`, log.key, log.sign);
    expect(parseNote(twice).text).toBe(`a\n\n${text}`);
  });
  it('is refused when a known key signed wrongly, though it signed rightly before', () => {
    const wrong = signNote('other\n', log.key, log.sign).split('\n\n')[1] ?? '';
    expect(() => openNote(note + wrong, [log.vkey])).toThrow(invalid);
  });
  it('reports one known key once, and lines of unknown keys once each', () => {
    const line = note.split('\n\n')[1] ?? '';
    expect(
      openNote(note + line + cosignature(5n) + cosignature(5n) + cosignature(6n), [log.vkey]),
    ).toMatchObject({
      verified: [{ name: 'log.example' }],
      unverified: 2,
    });
  });
  it('is refused when two configured keys share name and id, and fine when one is given twice', () => {
    const twin = { ...log.key, publicKey: witness.key.publicKey };
    expect(() => verifyNote(note, [log.key, twin])).toThrow(invalid);
    expect(verifyNote(note, [log.key, { ...log.key }]).keys).toHaveLength(1);
    expect(
      verifyNote(note, [log.key, witness.key, { ...witness.key, publicKey: log.key.publicKey }]).keys,
    ).toHaveLength(1);
  });
  it('accepts 100 signature lines and refuses 101', () => {
    expect(openNote(note + cosignature(5n).repeat(99), [log.vkey]).verified).toHaveLength(1);
    expect(() => openNote(note + cosignature(5n).repeat(100), [log.vkey])).toThrow('more than 100');
  });
  it('accepts 64 KiB and refuses a byte more', () => {
    const line = (note.split('\n\n')[1] ?? '').length + 3;
    const long = 'x'.repeat(65_536 - line - 1) + '\n';
    const full = signNote(long, log.key, log.sign);
    expect(new TextEncoder().encode(full).length).toBe(65_536);
    expect(openNote(full, [log.vkey]).text).toBe(long);
    expect(() => signNote(`x${long}`, log.key, log.sign)).toThrow('longer than');
  });
  it.each([
    ['a tab', note.replace('log.example\n', 'log\texample\n')],
    ['a carriage return', note.replaceAll('\n', '\r\n')],
    ['no final newline', note.slice(0, -1)],
    ['a hyphen instead of the dash', note.replace('\u2014', '-')],
    ['two spaces', note.replace('\u2014 ', '\u2014  ')],
    ['a plus in the name', note.replace('\u2014 log', '\u2014 log+')],
    ['unpadded base64', note.replace(/=+\n$/, '\n')],
    ['url-safe base64', note.replace(/[+/](?=[^ ]*\n$)/, '_')],
    ['a signature of four bytes', `${text}\n\u2014 log.example AAAAAA==\n`],
    ['an unpaired surrogate', note.replace('log.example\n', '\ud800\n')],
    ['an empty line after the signatures', `${note}\n`],
  ])('is refused with %s', (_name, changed) => {
    expect(changed).not.toBe(note);
    expect(() => openNote(changed, [log.vkey])).toThrow(invalid);
  });
  it.each(['\t', '\r', '\u0000', '\u001f'])(
    'HOLE: is refused with %j in it, though it was signed so',
    (control) => {
      const odd = `log.example${control}\n`;
      const signature = concatBytes(hexToBytes(log.key.keyId), log.sign(utf8(odd)));
      const signed = `${odd}\n\u2014 log.example ${encodeBase64(signature)}\n`;
      expect(() => openNote(signed, [log.vkey])).toThrow('control character');
    },
  );
});

describe('cosignatures', () => {
  it('verify with the time they carry', () => {
    expect(openNote(note + cosignature(1_700_000_000n), [log.vkey, witness.vkey])).toMatchObject({
      verified: [{ name: 'log.example' }, { name: 'witness.example' }],
      unverified: 0,
    });
  });
  it('are refused at time 0 and beyond 2^63-1', () => {
    for (const seconds of [0n, 2n ** 63n]) {
      expect(() => openNote(note + cosignature(seconds), [log.vkey, witness.vkey])).toThrow(invalid);
    }
  });
  it('are refused over another text', () => {
    expect(() => openNote(note + cosignature(5n, { text: 'x\n' }), [log.vkey, witness.vkey])).toThrow(
      invalid,
    );
  });
  it('never count as a log signature: the type is part of the key', () => {
    const sameSecret = key('witness.example', 2, 1);
    expect(sameSecret.key.keyId).not.toBe(witness.key.keyId);
    expect(() => openNote(`${text}\n${cosignature(5n)}`, [sameSecret.vkey])).toThrow(invalid);
    expect(() =>
      openNote(`${text}\n${cosignature(5n, { keyId: sameSecret.key.keyId })}`, [sameSecret.vkey]),
    ).toThrow(invalid);
    expect(() => signNote(text, witness.key, witness.sign)).toThrow(invalid);
  });
  it('of a post-quantum key are ignored, not failed', () => {
    const vkey = formatVkey('witness.example', 6, new Uint8Array(1312));
    const line = `\u2014 witness.example ${encodeBase64(concatBytes(hexToBytes(parseVkey(vkey).keyId), new Uint8Array(2428)))}\n`;
    expect(openNote(note + line, [log.vkey, vkey])).toMatchObject({
      verified: [{ name: 'log.example' }],
      unverified: 1,
    });
    expect(() => openNote(`${text}\n${line}`, [vkey])).toThrow(invalid);
  });
});

describe('a checkpoint', () => {
  it('is signed under the name of its key', () => {
    expect(signCheckpoint(log.vkey, 0n, emptyRoot(), log.sign)).toBe(note);
  });
  it('keeps extension lines', () => {
    expect(parseCheckpoint(`${text}a\nb c\n`).extensions).toEqual(['a', 'b c']);
  });
  it.each([
    ['no final newline', text.slice(0, -1)],
    ['an empty extension line', `${text}a\n\n`],
    ['an empty origin', text.replace('log.example', '')],
    ['a size of 2^63', text.replace('\n0\n', '\n9223372036854775808\n')],
    ['a leading zero', text.replace('\n0\n', '\n00\n')],
    ['two lines', 'a\n0\n'],
  ])('is refused with %s', (_name, changed) => {
    expect(() => parseCheckpoint(changed)).toThrow(
      expect.objectContaining({ code: 'AUDIT_CHECKPOINT_INVALID' }),
    );
  });
});
