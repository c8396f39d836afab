import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logOfSizes, opened, ORIGIN, testSigner } from '../../test/audit/log-fixture.js';
import { WritError } from '../errors.js';
import { cosignatureLine } from './cosignature.js';
import { signCheckpoint } from './checkpoint.js';
import { buildEntry } from './entry.js';
import { inclusionProof } from './inclusion.js';
import { addSignatureLines, parseNote } from './note.js';
import { formatProof, MAX_PROOF_BYTES, parseProof, verifyProof, type TlogProof } from './tlog-proof.js';
import { emptyRoot, leafHash } from './tree-hash.js';
import { formatVkey, parseVkey } from './vkey.js';

const signer = testSigner();
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Proven {
  readonly proof: TlogProof;
  readonly file: string;
  readonly entry: Uint8Array;
  readonly note: string;
}

async function provenAt(size: number, index: number): Promise<Proven> {
  const { store } = await logOfSizes(size);
  const note = (await store.lastCheckpoint())?.note ?? '';
  const leaves = store.rows.map((row) => row.leafHash);
  const hashes = inclusionProof(leaves, index, size);
  const proof: TlogProof = { index: BigInt(index), hashes, checkpoint: note, extra: null };
  return { proof, file: formatProof(proof), entry: store.rows[index]?.bytes ?? new Uint8Array(0), note };
}

const given = { vkeys: [signer.vkey] };

/** A witness that cosigns the note at `seconds`. */
function cosigned(note: string, seconds: bigint, seed = 9): { readonly note: string; readonly vkey: string } {
  const secret = new Uint8Array(32).fill(seed);
  const vkey = formatVkey(`witness.example/${seed}`, 4, ed25519.getPublicKey(secret));
  const { text } = parseNote(note);
  const line = cosignatureLine(text, parseVkey(vkey), seconds, (message) => ed25519.sign(message, secret));
  return { note: addSignatureLines(note, [line]), vkey };
}

function refusal(work: () => unknown): WritError {
  try {
    work();
  } catch (error) {
    if (error instanceof WritError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a proof file', () => {
  it('is the text of C2SP tlog-proof', async () => {
    const { proof, file, note } = await provenAt(3, 0);
    const lines = proof.hashes.map((hash) => Buffer.from(hash).toString('base64'));
    expect(file).toBe(['c2sp.org/tlog-proof@v1', 'index 0', ...lines, '', note].join('\n'));
    const extra = formatProof({ ...proof, extra: utf8('hi') });
    expect(extra).toBe(file.replace('index', 'extra aGk=\nindex'));
    expect(parseProof(extra)).toEqual({ ...proof, extra: utf8('hi') });
  });

  it.each([1, 2, 3, 255, 256, 257])('reads back what was written, in a tree of %i', async (size) => {
    for (const index of [0, Math.floor(size / 2), size - 1]) {
      const { proof, file } = await provenAt(size, index);
      expect(parseProof(file)).toEqual(proof);
      expect(parseProof(utf8(file))).toEqual(proof);
    }
  });

  it.each<[string, (file: string) => string | Uint8Array]>([
    ['nothing', () => ''],
    ['another first line', (file) => file.replace('@v1', '@v2')],
    ['a carriage return', (file) => file.replace('\n', '\r\n')],
    ['no index', (file) => file.replace(/index .*\n/, '')],
    ['an index with a sign', (file) => file.replace('index ', 'index +')],
    ['an index with a leading zero', (file) => file.replace('index ', 'index 0')],
    ['an index of 2^63', (file) => file.replace(/index .*/, `index ${2n ** 63n}`)],
    ['a hash of 31 bytes', (file) => file.replace(/(index .*\n).*/, `$1${'A'.repeat(40)}AA==`)],
    ['a hash that is not canonical base64', (file) => file.replace(/(index .*\n.{42})./, '$1-')],
    ['64 hashes', (file) => file.replace(/(index .*\n)/, `$1${`${'A'.repeat(43)}=\n`.repeat(64)}`)],
    ['extra data behind the index', (file) => file.replace(/(index .*\n)/, '$1extra aGk=\n')],
    ['extra data twice', (file) => file.replace('index', 'extra aGk=\nextra aGk=\nindex')],
    ['extra data in base64url', (file) => file.replace('index', 'extra _-A=\nindex')],
    ['no empty line', (file) => file.replace('\n\n', '\n')],
    ['a checkpoint cut off', (file) => file.slice(0, -1)],
    ['bytes behind the checkpoint', (file) => `${file}x`],
    ['a byte order mark', (file) => `\ufeff${file}`],
    ['invalid UTF-8', (file) => Buffer.concat([utf8(file), Buffer.of(0xff)])],
    [
      'more bytes than a proof has',
      (file) => file.replace('index', `extra ${'A'.repeat(MAX_PROOF_BYTES)}\nindex`),
    ],
  ])('is malformed with %s, and never read in part', async (_, damage) => {
    const { file, entry } = await provenAt(5, 3);
    const damaged = damage(file);
    expect(refusal(() => parseProof(damaged)).code).toBe('AUDIT_PROOF_INVALID');
    const report = verifyProof(damaged, entry, given);
    expect(report).toMatchObject({ verdict: 'malformed', ok: false, index: null });
  });

  it('is not written with an index, a count or a length that none can have', async () => {
    const { proof } = await provenAt(2, 0);
    const [hash = emptyRoot()] = proof.hashes;
    for (const wrong of [
      { ...proof, index: -1n },
      { ...proof, index: 2n ** 63n },
      { ...proof, hashes: [hash.subarray(1)] },
      { ...proof, hashes: Array.from({ length: 64 }, () => hash) },
    ]) {
      expect(refusal(() => formatProof(wrong)).code).toBe('AUDIT_PROOF_INVALID');
    }
  });

  it('has at most 63 hashes, and 63 are read', async () => {
    const { proof } = await provenAt(2, 0);
    const hashes = Array.from({ length: 63 }, () => emptyRoot());
    expect(parseProof(formatProof({ ...proof, hashes })).hashes).toHaveLength(63);
  });
});

describe('verifying a proof', () => {
  it.each([1, 2, 3, 8, 255, 256, 257])('verifies every entry of a log of %i', async (size) => {
    for (let index = 0; index < size; index += size > 8 ? 17 : 1) {
      const { file, entry } = await provenAt(size, index);
      expect(verifyProof(file, entry, given)).toMatchObject({
        verdict: 'verified',
        ok: true,
        origin: ORIGIN,
        size: String(size),
        index: String(index),
        leafHash: Buffer.from(leafHash(entry)).toString('hex'),
        findings: [],
      });
    }
  });

  it('says unpinned without a key from outside, and nothing better', async () => {
    const { file, entry } = await provenAt(4, 2);
    expect(verifyProof(file, entry)).toMatchObject({ verdict: 'unpinned', ok: false, origin: ORIGIN });
    expect(verifyProof(file, utf8('other'))).toMatchObject({ verdict: 'entry-mismatch' });
  });

  it('uses the key this machine trusts when none is pinned', async () => {
    const { file, entry, note } = await provenAt(4, 2);
    const trust = { vkey: signer.vkey, checkpoint: note };
    expect(verifyProof(file, entry, { trust }).verdict).toBe('verified');
    const other = { vkey: testSigner(ORIGIN, 8).vkey, checkpoint: null };
    expect(verifyProof(file, entry, { trust: other }).verdict).toBe('bad-signature');
    expect(verifyProof(file, entry, { ...given, trust: other }).verdict).toBe('verified');
  });

  it('refuses another key, another log, and a signature that does not hold', async () => {
    const { file, entry } = await provenAt(4, 2);
    const sameName = verifyProof(file, entry, { vkeys: [testSigner(ORIGIN, 8).vkey] });
    expect(sameName.verdict).toBe('bad-signature');
    expect(sameName.findings[0]?.message).toContain('have the proof made again');
    expect(verifyProof(file, entry, { vkeys: [testSigner('other.example', 7).vkey] }).verdict).toBe(
      'bad-signature',
    );
    const forged = file.replace(/\n4\n/, '\n5\n');
    expect(verifyProof(forged, entry, given).verdict).toBe('bad-signature');
    const secret = new Uint8Array(32).fill(7);
    const strange = signCheckpoint(signer.vkey, 0n, emptyRoot(), (message) => ed25519.sign(message, secret));
    const lied = strange.replaceAll(ORIGIN, 'other.example');
    expect(verifyProof(file.slice(0, file.indexOf('\n\n') + 2) + lied, entry, given).verdict).toBe(
      'bad-signature',
    );
  });

  it('never believes extra data, and says that it is there', async () => {
    const { proof, entry } = await provenAt(4, 2);
    const report = verifyProof(formatProof({ ...proof, extra: utf8('verified') }), entry, given);
    expect(report.verdict).toBe('verified');
    expect(report.warnings).toEqual(['8 extra bytes, which nothing vouches for: not read']);
  });

  it('gives another entry, index or hash as entry-mismatch with the index', async () => {
    const { proof, file, entry } = await provenAt(9, 4);
    const other = (await provenAt(9, 5)).entry;
    const swapped = formatProof({ ...proof, hashes: proof.hashes.toReversed() });
    const longer = formatProof({ ...proof, hashes: [...proof.hashes, emptyRoot()] });
    const shorter = formatProof({ ...proof, hashes: proof.hashes.slice(1) });
    const cases: [string, Uint8Array, string][] = [
      [file, other, '4'],
      [file, Uint8Array.of(...entry, 10), '4'],
      [formatProof({ ...proof, index: 5n }), entry, '5'],
      [formatProof({ ...proof, index: 9n }), entry, '9'],
      [formatProof({ ...proof, index: 2n ** 63n - 1n }), entry, '9223372036854775807'],
      [swapped, entry, '4'],
      [longer, entry, '4'],
      [shorter, entry, '4'],
    ];
    for (const [text, bytes, index] of cases) {
      expect(verifyProof(text, bytes, given)).toMatchObject({
        verdict: 'entry-mismatch',
        findings: [{ verdict: 'entry-mismatch', index }],
      });
    }
  });

  it('reads the entry strictly, unless it is of other software', () => {
    const proven = (bytes: Uint8Array): string => {
      const note = signCheckpoint(signer.vkey, 1n, leafHash(bytes), (message) => signer.sign(message));
      return formatProof({ index: 0n, hashes: [], checkpoint: note, extra: null });
    };
    const good = buildEntry({ ...opened(), run: null }, { seq: 0, prev: null, timeMs: 0 });
    expect(verifyProof(proven(good), good, given).verdict).toBe('verified');
    const cases: [Uint8Array, string][] = [
      [utf8('no json'), 'malformed'],
      [utf8('{"v":1}'), 'not-canonical'],
      [utf8(new TextDecoder().decode(good).replace('{', '{ ')), 'not-canonical'],
    ];
    for (const [bytes, verdict] of cases) {
      expect(verifyProof(proven(bytes), bytes, given).verdict).toBe(verdict);
      expect(verifyProof(proven(bytes), bytes, { ...given, entries: 'opaque' }).verdict).toBe('verified');
    }
  });

  it('asks for the quorum, and shows who cosigned', async () => {
    const { proof, file, entry, note } = await provenAt(4, 2);
    const one = cosigned(note, 4_000_000_000n);
    const two = cosigned(one.note, 4_000_000_001n, 10);
    const both = formatProof({ ...proof, checkpoint: two.note });
    const witnesses = [one.vkey, two.vkey];
    expect(verifyProof(file, entry, { ...given, witnesses }).verdict).toBe('quorum-missing');
    const alone = formatProof({ ...proof, checkpoint: one.note });
    expect(verifyProof(alone, entry, { ...given, witnesses }).verdict).toBe('quorum-missing');
    expect(verifyProof(alone, entry, { ...given, witnesses, quorum: 1 }).verdict).toBe('verified');
    const report = verifyProof(both, entry, { ...given, witnesses });
    expect(report.verdict).toBe('verified');
    expect(report.cosignatures.map(({ time }) => time)).toEqual(['4000000000', '4000000001']);
  });

  it('refuses an entry that says it is from after its witnesses saw it', async () => {
    const { proof, entry, note } = await provenAt(4, 2);
    const early = cosigned(note, 1n);
    const report = verifyProof(formatProof({ ...proof, checkpoint: early.note }), entry, {
      ...given,
      witnesses: [early.vkey],
    });
    expect(report.verdict).toBe('chain-broken');
  });

  it('gives a fork when an earlier checkpoint of the same size has another root', async () => {
    const { file, entry, note } = await provenAt(4, 2);
    const rewritten = signCheckpoint(signer.vkey, 4n, leafHash(entry), (message) => signer.sign(message));
    expect(verifyProof(file, entry, { ...given, old: [note] }).verdict).toBe('verified');
    expect(verifyProof(file, entry, { ...given, old: [rewritten] }).verdict).toBe('fork');
    const trust = { vkey: signer.vkey, checkpoint: rewritten };
    expect(verifyProof(file, entry, { trust }).verdict).toBe('fork');
    // Of another size, nothing can be said without the tree.
    const larger = signCheckpoint(signer.vkey, 9n, leafHash(entry), (message) => signer.sign(message));
    expect(verifyProof(file, entry, { ...given, old: [larger] }).verdict).toBe('verified');
  });

  it('holds for no file in which one character was changed', async () => {
    const { file, entry } = await provenAt(7, 3);
    const place = fc.nat(file.length - 1);
    fc.assert(
      fc.property(place, fc.constantFrom(...'Az09+/=\n \u2014x-'), (at, character) => {
        fc.pre(file.charAt(at) !== character);
        const changed = file.slice(0, at) + character + file.slice(at + 1);
        expect(verifyProof(changed, entry, given).ok).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('holds for no entry in which one bit was changed', async () => {
    const { file, entry } = await provenAt(7, 3);
    for (let bit = 0; bit < entry.length * 8; bit += 11) {
      const changed = Uint8Array.from(entry);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(verifyProof(file, changed, given).verdict).toBe('entry-mismatch');
    }
  });
});
