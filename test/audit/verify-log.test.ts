// Whole logs against the verifier: what verifies, and which word each kind of tampering gets.
import { describe, expect, it } from 'vitest';
import {
  encodeBundle,
  encodeTile,
  leafHash,
  nodeHash,
  signCheckpoint,
  verifyLog,
  type VerifyOptions,
  type VerifyReport,
} from '../../src/audit/index.js';
import { platformSha256 } from '../../src/adapters/hash.js';
import { publish } from '../../src/runtime/log/publisher.js';
import {
  fastVerify,
  logOf,
  logOfSizes,
  MemoryDirectory,
  MemoryStore,
  note,
  opened,
  ORIGIN,
  testLocks,
  testSigner,
} from './log-fixture.js';

const PINNED: VerifyOptions = { vkeys: [testSigner().vkey], verifySignature: fastVerify };
const utf8 = new TextEncoder();

function judge(directory: MemoryDirectory, options: VerifyOptions = {}): Promise<VerifyReport> {
  return verifyLog(directory, { ...PINNED, ...options });
}

it("the platform's SHA-256 gives the same verdicts as the portable one", async () => {
  const { directory } = await logOfSizes(600);
  const sha256 = platformSha256;
  expect(await verifyLog(directory, { ...PINNED, sha256 })).toEqual(await verifyLog(directory, PINNED));
  const tile = directory.files.get('tile/entries/001')?.slice() ?? new Uint8Array();
  tile[40] = (tile[40] ?? 0) ^ 1;
  directory.files.set('tile/entries/001', tile);
  const report = await verifyLog(directory, { ...PINNED, sha256 });
  expect(report).toEqual(await verifyLog(directory, PINNED));
  expect(report.verdict).toBe('entry-mismatch');
});

describe('a log that nobody changed', () => {
  it.each([0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 700])('verifies at size %i', async (size) => {
    const { directory } = await logOfSizes(size);
    const report = await judge(directory);
    expect(report).toMatchObject({
      verdict: 'verified',
      ok: true,
      origin: ORIGIN,
      size: `${size}`,
      findings: [],
    });
    expect(report.warnings).toEqual([]);
  });
  it('verifies with its earlier checkpoints and their partial tiles beside it', async () => {
    const { directory } = await logOfSizes(0, 1, 5, 200, 256, 257, 300);
    expect(await judge(directory)).toMatchObject({ verdict: 'verified', findings: [] });
  });
  it('verifies with 65,537 entries, where a tile of level 2 begins', async () => {
    const { directory } = await logOfSizes(65_536, 65_537);
    expect(directory.files.has('tile/2/000.p/1')).toBe(true);
    expect(await judge(directory)).toMatchObject({ verdict: 'verified', size: '65537' });
  });
  it('verifies from a source that can not list, and says what was not looked for', async () => {
    const { directory } = await logOfSizes(5);
    const report = await verifyLog({ get: (path) => directory.get(path) }, PINNED);
    expect(report.verdict).toBe('verified');
    expect(report.warnings[0]).toContain('lists no files');
  });
  it('ignores a file that a crash left half written, with a warning', async () => {
    const { directory } = await logOfSizes(5);
    directory.files.set('tile/0/000.p/5.1234.tmp', utf8.encode('x'));
    const report = await judge(directory);
    expect(report.verdict).toBe('verified');
    expect(report.warnings).toHaveLength(1);
  });
  it("verifies with this room's own Ed25519", async () => {
    const { directory, signer } = await logOfSizes(5);
    expect((await verifyLog(directory, { vkeys: [signer.vkey] })).verdict).toBe('verified');
  });
});

describe('trust from outside', () => {
  it('is unpinned without any key, whatever the log says about itself', async () => {
    const { directory } = await logOfSizes(5);
    const report = await judge(directory, { vkeys: [] });
    expect(report).toMatchObject({ verdict: 'unpinned', ok: false, size: '5' });
  });
  it('is pinned by the key of the trust record', async () => {
    const { directory, signer } = await logOfSizes(5);
    const trust = { vkey: signer.vkey, checkpoint: null };
    expect((await judge(directory, { vkeys: [], trust })).verdict).toBe('verified');
  });
  it('is bad-signature when only another key of that name is trusted', async () => {
    const { directory } = await logOfSizes(5);
    expect((await judge(directory, { vkeys: [testSigner(ORIGIN, 9).vkey] })).verdict).toBe('bad-signature');
  });
  it('is bad-signature when the log is another one', async () => {
    const { directory } = await logOfSizes(5);
    expect((await judge(directory, { vkeys: [testSigner('other.example', 9).vkey] })).verdict).toBe(
      'bad-signature',
    );
  });
  it('is wrong-origin when a trusted key signed a checkpoint of another name', async () => {
    const { directory, signer } = await logOfSizes(5);
    const text = directory.text('checkpoint').split('\n\n')[0] ?? '';
    const other = `${text.replace(ORIGIN, 'log.example/else')}\n`;
    const { signNote, parseVkey } = await import('../../src/audit/index.js');
    directory.files.set('checkpoint', utf8.encode(signNote(other, parseVkey(signer.vkey), signer.sign)));
    expect((await judge(directory)).verdict).toBe('wrong-origin');
  });
  it('is wrong-origin when the first entry opened another log', async () => {
    const log = { store: new MemoryStore(), directory: new MemoryDirectory(), signer: testSigner() };
    log.store.append([opened('log.example/else')]);
    await publish({ ...log, locks: testLocks() });
    expect((await judge(log.directory)).verdict).toBe('wrong-origin');
  });
  it('refuses options it does not know instead of ignoring them', async () => {
    const { directory } = await logOfSizes(1);
    const options = { ...PINNED, quorum: 2 } as VerifyOptions;
    await expect(verifyLog(directory, options)).rejects.toMatchObject({ code: 'USAGE' });
  });
  it('refuses a vkey that can not be read', async () => {
    const { directory } = await logOfSizes(1);
    await expect(judge(directory, { vkeys: ['nonsense'] })).rejects.toMatchObject({
      code: 'AUDIT_KEY_INVALID',
    });
  });
});

describe('an unfinished publication', () => {
  /** A log of size 5 whose publication of size 300 was killed before its `checkpoint`. */
  async function interrupted(): Promise<MemoryDirectory> {
    const { directory } = await logOfSizes(5, 300);
    const small = await logOfSizes(5);
    directory.files.set('pending', utf8.encode(directory.text('checkpoint')));
    directory.files.set('checkpoint', utf8.encode(small.directory.text('checkpoint')));
    return directory;
  }
  it('verifies at the size its checkpoint names, and says what was not judged', async () => {
    const directory = await interrupted();
    const report = await judge(directory);
    expect(report).toMatchObject({ verdict: 'verified', size: '5' });
    expect(report.warnings).toEqual([
      'the publication of size 300 is unfinished: only 5 entries were judged',
    ]);
  });
  it('is damage without the signed pending checkpoint, or with one that nobody signed', async () => {
    const directory = await interrupted();
    const pending = directory.text('pending');
    directory.files.delete('pending');
    expect((await judge(directory)).verdict).toBe('rollback');
    directory.files.set('pending', utf8.encode(pending.replace('\n300\n', '\n400\n')));
    expect((await judge(directory)).verdict).toBe('bad-signature');
    directory.files.set('pending', utf8.encode('nonsense'));
    expect((await judge(directory)).verdict).toBe('malformed');
  });
  it('excuses only the files of that very size', async () => {
    const directory = await interrupted();
    directory.files.set('tile/0/001.p/7', new Uint8Array(7 * 32));
    expect((await judge(directory)).verdict).toBe('extra');
  });
  it('does not excuse a cut tail that this machine has seen', async () => {
    const directory = await interrupted();
    const trust = { vkey: testSigner().vkey, checkpoint: directory.text('pending') };
    expect((await judge(directory, { trust })).verdict).toBe('rollback');
  });
});

describe('earlier checkpoints', () => {
  it('accepts old checkpoints of this log, also inside a tile and at its border', async () => {
    const old = await logOfSizes(0, 1, 100, 256, 300);
    const notes = old.store.checkpoints.map((row) => row.note);
    const { directory } = await logOfSizes(600);
    expect((await judge(directory, { old: notes })).verdict).toBe('verified');
  });
  it('is rollback when an old checkpoint is larger', async () => {
    const old = await logOfSizes(6);
    const { directory } = await logOfSizes(5);
    const note6 = old.directory.text('checkpoint');
    expect((await judge(directory, { old: [note6] })).verdict).toBe('rollback');
    const trust = { vkey: testSigner().vkey, checkpoint: note6 };
    expect((await judge(directory, { trust })).verdict).toBe('rollback');
  });
  it.each([5, 4, 3])('is fork when the log had another entry before size %i', async (size) => {
    const other = { store: new MemoryStore(), directory: new MemoryDirectory(), signer: testSigner() };
    other.store.append([opened(), note(1), note(77)]);
    for (let i = 3; i < size; i++) other.store.append([note(i)]);
    await publish({ ...other, locks: testLocks() });
    const { directory } = await logOfSizes(5);
    const report = await judge(directory, { old: [other.directory.text('checkpoint')] });
    expect(report.verdict).toBe('fork');
    directory.files.set(
      `checkpoints/${`${size}`.padStart(20, '0')}`,
      utf8.encode(other.directory.text('checkpoint')),
    );
    expect((await judge(directory)).verdict).toBe('fork');
  });
  it('is rollback when the newest checkpoint was replaced by an older one', async () => {
    const { directory, store } = await logOfSizes(5, 300);
    directory.files.set('checkpoint', utf8.encode(store.checkpoints[0]?.note ?? ''));
    const report = await judge(directory);
    expect(report.verdict).toBe('rollback');
    expect(report.findings.map((finding) => finding.verdict)).toContain('extra');
  });
  it('refuses an old checkpoint that can not be read, and bad-signature one that was changed', async () => {
    const { directory } = await logOfSizes(5);
    const { vkey, sign } = testSigner('other.example', 3);
    const other = signCheckpoint(vkey, 0n, new Uint8Array(), sign);
    await expect(judge(directory, { old: [other] })).rejects.toMatchObject({
      code: 'AUDIT_CHECKPOINT_INVALID',
    });
    const old = await logOfSizes(3);
    const forged = old.directory.text('checkpoint').replace('\n3\n', '\n2\n');
    expect((await judge(directory, { old: [forged] })).verdict).toBe('bad-signature');
  });
});

describe('files', () => {
  it('names a missing file', async () => {
    const { directory } = await logOfSizes(300);
    for (const path of directory.files.keys()) {
      const damaged = directory.copy();
      damaged.files.delete(path);
      const report = await judge(damaged);
      expect([path, report.verdict]).toEqual([path, 'missing']);
      expect(report.findings[0]?.path).toBe(path);
    }
  });
  it.each([
    ['tile/0/005', 'extra'],
    ['tile/0/001', 'extra'],
    ['tile/0/001.p/45', 'extra'],
    ['tile/1/000', 'extra'],
    ['tile/2/000.p/1', 'extra'],
    ['tile/entries/001.p/45', 'extra'],
    ['tile/entries/x001/000', 'extra'],
    ['notes.txt', 'extra'],
    ['checkpoints/5', 'extra'],
    ['checkpoints/00000000000000000300.txt', 'extra'],
    ['tile/0/1000', 'malformed'],
    ['tile/0/000.p/256', 'malformed'],
  ])('finds %s, which does not belong to the log: %s', async (path, verdict) => {
    const { directory } = await logOfSizes(300);
    directory.files.set(path, new Uint8Array(32 * 45));
    const report = await judge(directory);
    expect(report).toMatchObject({ verdict, findings: [{ path }] });
  });
  it("finds a kept partial tile that is not the beginning of today's tile", async () => {
    const { directory } = await logOfSizes(5, 300);
    const tile = directory.copy();
    tile.files.set('tile/0/000.p/5', new Uint8Array(160));
    expect(await judge(tile)).toMatchObject({
      verdict: 'tile-mismatch',
      findings: [{ path: 'tile/0/000.p/5' }],
    });
    const bundle = directory.copy();
    const entries = [1, 2, 3, 4, 5].map((i) => Uint8Array.of(i));
    bundle.files.set('tile/entries/000.p/5', encodeBundle(entries));
    expect(await judge(bundle)).toMatchObject({ verdict: 'entry-mismatch', findings: [{ index: '0' }] });
  });
  it('is malformed when a tile or bundle has another length', async () => {
    const { directory } = await logOfSizes(300);
    for (const path of ['tile/0/000', 'tile/0/001.p/44', 'tile/1/000.p/1', 'tile/entries/000']) {
      const damaged = directory.copy();
      damaged.files.set(path, damaged.files.get(path)?.subarray(0, -1) ?? new Uint8Array());
      expect(await judge(damaged)).toMatchObject({ verdict: 'malformed', findings: [{ path }] });
    }
  });
});

describe('hashes', () => {
  it('names the changed entry, in a full and in the last tile', async () => {
    const { directory } = await logOfSizes(300);
    for (const [path, index] of [
      ['tile/entries/000', 17],
      ['tile/entries/001.p/44', 299],
    ] as const) {
      const damaged = directory.copy();
      const { decodeBundle } = await import('../../src/audit/index.js');
      const entries =
        decodeBundle(damaged.files.get(path) ?? new Uint8Array(), index === 17 ? 256 : 44) ?? [];
      const changed = entries.map((entry, i) => (i === index % 256 ? utf8.encode('{}') : entry));
      damaged.files.set(path, encodeBundle(changed));
      const report = await judge(damaged);
      expect(report).toMatchObject({ verdict: 'entry-mismatch', findings: [{ index: `${index}`, path }] });
      expect(report.findings).toHaveLength(1);
    }
  });
  it('names the tile when entry and leaf were changed together', async () => {
    const { directory, store } = await logOfSizes(300);
    const entries = store.rows.slice(0, 256).map((row, i) => (i === 3 ? utf8.encode('{}') : row.bytes));
    directory.files.set('tile/entries/000', encodeBundle(entries));
    directory.files.set('tile/0/000', encodeTile(entries.map(leafHash)));
    expect(await judge(directory)).toMatchObject({
      verdict: 'tile-mismatch',
      findings: [{ path: 'tile/0/000' }],
    });
  });
  it('is root-mismatch when every file fits but the signed root is another', async () => {
    const { directory, signer } = await logOfSizes(5);
    const root = nodeHash(new Uint8Array(32), new Uint8Array(32));
    const signed = utf8.encode(signCheckpoint(signer.vkey, 5n, root, signer.sign));
    directory.files.set('checkpoint', signed);
    directory.files.set('checkpoints/00000000000000000005', signed);
    expect((await judge(directory)).verdict).toBe('root-mismatch');
  });
  it.each([2n ** 63n - 1n, 2n ** 62n, 2n ** 40n + 1n, 65_536n])(
    'stops at once on the signed size %i, which no file supports',
    async (size) => {
      const { directory, signer } = await logOfSizes(300);
      const signed = utf8.encode(signCheckpoint(signer.vkey, size, new Uint8Array(32), signer.sign));
      directory.files.set('checkpoint', signed);
      directory.files.set('pending', signed);
      expect((await judge(directory)).verdict).toBe('missing');
      // A publication that leads there excuses nothing but its own files.
      const { directory: small } = await logOfSizes(300);
      small.files.set('pending', signed);
      expect((await judge(small)).verdict).toBe('verified');
    },
  );
});

describe('entries', () => {
  const files = async (...entries: Uint8Array[]): Promise<MemoryDirectory> => {
    const log = { store: new MemoryStore(), directory: new MemoryDirectory(), signer: testSigner() };
    const { appendLeaf } = await import('../../src/audit/index.js');
    entries.forEach((bytes, i) => {
      const hash = leafHash(bytes);
      const { compactRange, size } = log.store.state;
      log.store.rows.push({ index: BigInt(i), bytes, leafHash: hash, run: '', seq: i, type: '' });
      log.store.state = {
        ...log.store.state,
        size: size + 1n,
        compactRange: appendLeaf(compactRange, size, hash),
      };
    });
    await publish({ ...log, locks: testLocks() });
    return log.directory;
  };
  const line = async (): Promise<string> =>
    (await logOfSizes(1)).store.rows.map((r) => new TextDecoder().decode(r.bytes))[0] ?? '';

  it.each([
    ['two equal keys', (t: string) => t.replace('"v":1', '"v":1,"v":1'), 'malformed'],
    ['equal keys after unescaping', (t: string) => t.replace('"v":1', '"v":1,"\\u0076":1'), 'malformed'],
    ['a trailing newline', (t: string) => `${t}\n`, 'not-canonical'],
    ['a trailing value', (t: string) => `${t}{}`, 'malformed'],
    ['a byte order mark', (t: string) => `\ufeff${t}`, 'malformed'],
    ['an escaped letter', (t: string) => t.replace('alice', '\\u0061lice'), 'not-canonical'],
    ['a fraction', (t: string) => t.replace('"seq":0', '"seq":0.0'), 'not-canonical'],
    ['an unknown key', (t: string) => t.replace('"workflow":null', '"workflow":null,"x":1'), 'not-canonical'],
    ['a missing key', (t: string) => t.replace(',"workflow":null', ''), 'not-canonical'],
    ['another version', (t: string) => t.replace('"v":1', '"v":2'), 'not-canonical'],
    ['a time without milliseconds', (t: string) => t.replace('.000Z', 'Z'), 'not-canonical'],
    ['a day that does not exist', (t: string) => t.replace('2026-03-01', '2026-02-30'), 'not-canonical'],
    ['a gap in seq', (t: string) => t.replace('"seq":0', '"seq":1'), 'chain-broken'],
    [
      'a prev for the first entry',
      (t: string) => t.replace('"prev":null', `"prev":"${'0'.repeat(64)}"`),
      'chain-broken',
    ],
  ])('with %s are refused', async (_name, change, verdict) => {
    const text = await line();
    const changed = change(text);
    expect(changed).not.toBe(text);
    const report = await judge(await files(utf8.encode(changed)));
    expect(report).toMatchObject({ verdict, findings: [{ index: '0' }] });
  });
  it('that are not UTF-8 are malformed', async () => {
    expect((await judge(await files(Uint8Array.of(0x22, 0xff, 0x22)))).verdict).toBe('malformed');
  });
  it('of a run may not go back in time, nor name another predecessor', async () => {
    const { store } = await logOfSizes(5);
    const texts = store.rows.map((row) => new TextDecoder().decode(row.bytes));
    const back = texts.map((text, i) => utf8.encode(i === 4 ? text.replace('2026', '2025') : text));
    expect(await judge(await files(...back))).toMatchObject({
      verdict: 'chain-broken',
      findings: [{ index: '4' }],
    });
    const swapped = [0, 1, 2, 4, 3].map((i) => store.rows[i]?.bytes ?? new Uint8Array());
    // Entry 4 follows entry 1 in its run, entry 3 is the first of its run: moving them apart is no fault ...
    expect((await judge(await files(...swapped))).verdict).toBe('verified');
    const swappedInRun = [0, 4, 2, 3, 1].map((i) => store.rows[i]?.bytes ?? new Uint8Array());
    // ... moving them within their run is.
    expect((await judge(await files(...swappedInRun))).verdict).toBe('chain-broken');
  });
  it('of other software are left alone when asked', async () => {
    const directory = await files(utf8.encode('leaf 0'), utf8.encode('leaf 1'));
    expect((await judge(directory)).verdict).toBe('malformed');
    const report = await judge(directory, { entries: 'opaque' });
    expect(report.verdict).toBe('verified');
    expect(report.warnings[0]).toContain('not read');
  });
  it('of one run are judged alone when asked', async () => {
    const { directory } = await logOf([note(1, 'a'), note(2, 'b')]);
    expect((await judge(directory, { run: 'a' })).verdict).toBe('verified');
    expect((await judge(directory, { run: 'c' })).verdict).toBe('missing');
  });
});
