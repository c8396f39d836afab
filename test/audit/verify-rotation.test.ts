// A log whose key was replaced against the verifier: who may verify it with which key, and which checkpoints the old
// key still vouches for.
import { describe, expect, it } from 'vitest';
import {
  addSignatureLines,
  formatCheckpoint,
  parseCheckpoint,
  parseNote,
  parseVkey,
  signNote,
  verifyLog,
  type VerifyOptions,
  type VerifyReport,
} from '../../src/audit/index.js';
import { rotationData } from '../../src/audit/key-rotation.js';
import type { JsonObject } from '../../src/json.js';
import type { EntryDraft, Signer } from '../../src/runtime/ports.js';
import { publish } from '../../src/runtime/log/publisher.js';
import {
  draftOf,
  fastVerify,
  MemoryDirectory,
  MemoryStore,
  note,
  opened,
  ORIGIN,
  testLocks,
  testSigner,
} from './log-fixture.js';

const [A, B, C] = [testSigner(ORIGIN, 7), testSigner(ORIGIN, 8), testSigner(ORIGIN, 9)];
const utf8 = new TextEncoder();
const path = (size: number): string => `checkpoints/${`${size}`.padStart(20, '0')}`;

function rotated(from: Signer, to: Signer, change: JsonObject = {}): EntryDraft {
  return draftOf('key.rotated', { ...rotationData(ORIGIN, from, to), ...change }, { run: null });
}
const rotation = (from: Signer, to: Signer): EntryDraft[] => [rotated(from, to), opened(ORIGIN, to.vkey)];

interface Part {
  readonly drafts: readonly EntryDraft[];
  /** Who signs the checkpoint after these entries; the first one leads. */
  readonly signers: readonly Signer[];
}

/** A log whose checkpoints are signed as said; the directory is the one of the last part. */
async function logOfParts(...parts: readonly Part[]): Promise<MemoryDirectory> {
  const store = new MemoryStore();
  const notes = new Map<string, Uint8Array>();
  let directory = new MemoryDirectory();
  for (const { drafts, signers } of parts) {
    for (const draft of drafts) store.append([draft]);
    const [leading = A, ...others] = signers;
    directory = new MemoryDirectory();
    // The entries alone: which keys the log names is this test's affair, not the publisher's.
    const plain: Parameters<typeof publish>[0]['store'] = Object.assign(Object.create(store) as MemoryStore, {
      ownEntries: async () => [],
      putCheckpoint: async (row: Parameters<MemoryStore['putCheckpoint']>[0]) => row,
    });
    await publish({ store: plain, directory, signer: leading, locks: testLocks() });
    const signed = directory.text('checkpoint');
    const { text } = parseNote(signed);
    const lines = others.map(({ vkey, sign }) =>
      signNote(text, parseVkey(vkey), sign).slice(text.length + 1),
    );
    notes.set(path(store.rows.length), utf8.encode(addSignatureLines(signed, lines)));
  }
  for (const [file, bytes] of notes) directory.files.set(file, bytes);
  directory.files.set('checkpoint', notes.get(path(store.rows.length)) ?? new Uint8Array());
  return directory;
}

const judge = (
  directory: MemoryDirectory,
  keys: readonly Signer[],
  options: VerifyOptions = {},
): Promise<VerifyReport> =>
  verifyLog(directory, { vkeys: keys.map(({ vkey }) => vkey), verifySignature: fastVerify, ...options });

const START: Part = { drafts: [opened(ORIGIN, A.vkey), note(1), note(2)], signers: [A] };
const ROTATION: Part = { drafts: rotation(A, B), signers: [B, A] };
const AFTER: Part = { drafts: [note(5), note(6)], signers: [B] };
/** Sizes 3 (A), 5 (both), 7 (B). */
const rotatedLog = (): Promise<MemoryDirectory> => logOfParts(START, ROTATION, AFTER);
const signed = (size: number, root: Uint8Array, { vkey, sign }: Signer): string =>
  signNote(formatCheckpoint(ORIGIN, BigInt(size), root), parseVkey(vkey), sign);
const rootOf = (directory: MemoryDirectory, file: string): Uint8Array =>
  parseCheckpoint(parseNote(directory.text(file)).text).root;

describe('a log whose key was replaced', () => {
  it('verifies under the new key, with the checkpoints of the old one beside it', async () => {
    expect(await judge(await rotatedLog(), [B])).toMatchObject({
      verdict: 'verified',
      size: '7',
      findings: [],
    });
  });
  it('verifies under both keys, and as it stood right after the change', async () => {
    expect((await judge(await rotatedLog(), [A, B])).verdict).toBe('verified');
    expect((await judge(await logOfParts(START, ROTATION), [B])).verdict).toBe('verified');
  });
  it('is bad-signature under the old key alone, and says to pin the new one', async () => {
    for (const directory of [await rotatedLog(), await logOfParts(START, ROTATION)]) {
      const report = await judge(directory, [A]);
      expect(report.verdict).toBe('bad-signature');
      expect(report.findings[0]?.message).toContain("a log can't introduce its own successor");
    }
  });
  it('under what this machine trusted before is bad-signature until the new key is pinned', async () => {
    const directory = await rotatedLog();
    const trust = { vkey: A.vkey, checkpoint: directory.text(path(3)) };
    const before = await judge(directory, [], { trust });
    expect(before.findings[0]?.message).toContain('get the new vkey');
    expect(before.verdict).toBe('bad-signature');
    expect((await judge(directory, [B], { trust })).verdict).toBe('verified');
  });
  it('restored from before the change is rollback where this machine knows both keys', async () => {
    const before = await logOfParts(START);
    const checkpoint = (await rotatedLog()).text('checkpoint');
    const trust = { vkey: B.vkey, checkpoint, former: [A.vkey] };
    expect(await judge(before, [], { trust })).toMatchObject({
      verdict: 'rollback',
      findings: [{ path: 'checkpoint' }],
    });
    expect((await judge(before, [], { trust: { ...trust, former: [C.vkey] } })).verdict).toBe(
      'bad-signature',
    );
    expect((await judge(before, [], { trust: { ...trust, former: [] } })).verdict).toBe('bad-signature');
    expect((await judge(before, [], { trust: { ...trust, checkpoint: null } })).verdict).toBe(
      'bad-signature',
    );
    expect((await judge(await rotatedLog(), [], { trust })).verdict).toBe('verified');
  });
  it('accepts old checkpoints from elsewhere under the key of their time', async () => {
    const directory = await rotatedLog();
    const old = [3, 5, 7].map((size) => directory.text(path(size)));
    expect((await judge(directory, [B], { old })).verdict).toBe('verified');
  });
  it('is verified after several changes under the newest key, and under no other', async () => {
    const parts: Part[] = [
      START,
      ROTATION,
      AFTER,
      { drafts: rotation(B, C), signers: [C, B] },
      { drafts: [note(9)], signers: [C] },
    ];
    const directory = await logOfParts(...parts);
    expect(await judge(directory, [C])).toMatchObject({ verdict: 'verified', size: '10' });
    expect((await judge(directory, [B])).verdict).toBe('bad-signature');
    expect((await judge(directory, [A])).verdict).toBe('bad-signature');
  });
  it('may be judged for one run', async () => {
    expect((await judge(await rotatedLog(), [B], { run: 'run-1' })).verdict).toBe('verified');
  });
  it('without a key is unpinned, not bad-signature', async () => {
    expect((await judge(await rotatedLog(), [])).verdict).toBe('unpinned');
  });
});

describe('a checkpoint of a former key', () => {
  it('with a changed root is bad-signature; signed by the old key it is fork', async () => {
    const directory = await rotatedLog();
    const other = rootOf(directory, path(5));
    const forged = directory.copy();
    forged.files.set(path(3), utf8.encode(signed(3, other, C)));
    expect(await judge(forged, [B])).toMatchObject({
      verdict: 'bad-signature',
      findings: [{ path: path(3) }],
    });
    directory.files.set(path(3), utf8.encode(signed(3, other, A)));
    expect(await judge(directory, [B])).toMatchObject({ verdict: 'fork', findings: [{ path: path(3) }] });
    const given = await judge(await rotatedLog(), [B], { old: [signed(3, other, A)] });
    expect(given.verdict).toBe('fork');
  });
  it('with any changed byte is bad-signature or malformed, with its path', async () => {
    const directory = await rotatedLog();
    const bytes = directory.files.get(path(3)) ?? new Uint8Array();
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      const copy = directory.copy();
      copy.files.set(path(3), changed);
      const report = await judge(copy, [B]);
      expect([at, report.ok, report.findings[0]?.path]).toEqual([at, false, path(3)]);
      expect(['bad-signature', 'malformed']).toContain(report.verdict);
    }
  });
  it('is not accepted for a size after its time, also where the key is pinned', async () => {
    const directory = await rotatedLog();
    const late = signed(7, rootOf(directory, path(7)), A);
    for (const keys of [[B], [A, B]]) {
      const stolen = directory.copy();
      stolen.files.set(path(7), utf8.encode(late));
      expect(await judge(stolen, keys)).toMatchObject({
        verdict: 'bad-signature',
        findings: [{ path: path(7) }],
      });
    }
    directory.files.set('checkpoint', utf8.encode(late));
    expect(await judge(directory, [A, B])).toMatchObject({
      verdict: 'bad-signature',
      findings: [{ path: 'checkpoint' }],
    });
  });
  it('is accepted for the size right after the change, and not one later', async () => {
    const late = await logOfParts(START, ROTATION, { drafts: [note(5)], signers: [A] }, AFTER);
    expect(await judge(late, [B])).toMatchObject({ verdict: 'bad-signature', findings: [{ path: path(6) }] });
    const alone = await logOfParts(START, { ...ROTATION, signers: [A] }, AFTER);
    expect((await judge(alone, [B])).verdict).toBe('verified');
  });
  it('larger than the log is bad-signature: a former key speaks of no later size', async () => {
    const directory = await rotatedLog();
    const old = [signed(9, rootOf(directory, path(7)), A)];
    expect((await judge(directory, [B], { old })).verdict).toBe('bad-signature');
  });
  it('of a key that nothing in the log names is bad-signature', async () => {
    const directory = await rotatedLog();
    directory.files.set(path(3), utf8.encode(signed(3, rootOf(directory, path(3)), C)));
    expect((await judge(directory, [B])).verdict).toBe('bad-signature');
  });
  it('under the wrong name of a file is malformed', async () => {
    const directory = await rotatedLog();
    directory.files.set(path(2), directory.files.get(path(3)) ?? new Uint8Array());
    directory.files.delete(path(3));
    expect(await judge(directory, [B])).toMatchObject({
      verdict: 'malformed',
      findings: [{ path: path(2) }],
    });
  });
  it('is not judged in a damaged tree: the damage is the finding', async () => {
    const directory = await rotatedLog();
    directory.files.set('tile/0/000.p/7', new Uint8Array(7 * 32));
    const report = await judge(directory, [B]);
    expect(report.verdict).toBe('tile-mismatch');
    expect(report.findings.map(({ verdict }) => verdict)).not.toContain('bad-signature');
  });
});

describe('a change of the key that does not hold', () => {
  const parts = (...drafts: EntryDraft[]): Part[] => [
    START,
    { drafts, signers: [B, A] },
    { drafts: [note(5)], signers: [B] },
  ];
  it.each<[string, EntryDraft[], number]>([
    [
      'not signed by the old key',
      [
        rotated(A, B, { signatureByOld: rotationData(ORIGIN, C, B)['signatureByOld'] ?? null }),
        opened(ORIGIN, B.vkey),
      ],
      3,
    ],
    [
      'not signed by the new key',
      [
        rotated(A, B, { signatureByNew: rotationData(ORIGIN, A, C)['signatureByNew'] ?? null }),
        opened(ORIGIN, B.vkey),
      ],
      3,
    ],
    [
      'without signatures',
      [rotated(A, B, { signatureByNew: null, signatureByOld: null }), opened(ORIGIN, B.vkey)],
      3,
    ],
    ['that names no keys', [rotated(A, B, { oldVkey: null })], 3],
    ['of a key that is not the one the log was opened with', [...rotation(C, B)], 3],
    ['without log.opened after it', [rotated(A, B), note(4)], 3],
    ['with another entry before its log.opened', [rotated(A, B), note(4), opened(ORIGIN, B.vkey)], 3],
    ['as the last entry', [rotated(A, B)], 3],
    ['with log.opened of another key', [rotated(A, B), opened(ORIGIN, C.vkey)], 4],
    ['without key.rotated', [opened(ORIGIN, B.vkey)], 3],
    ['that gives back a key that was replaced', [...rotation(A, B), ...rotation(B, A)], 5],
    ['in a run', [{ ...rotated(A, B), run: 'run-1' }], 3],
  ])('%s is order-broken', async (_what, drafts, index) => {
    const report = await judge(await logOfParts(...parts(...drafts)), [B]);
    const broken = report.findings.find(({ verdict }) => verdict === 'order-broken');
    expect(broken?.index).toBe(`${index}`);
    // Where the file `vkey` is not the last opened key either, that is found first.
    expect(['order-broken', 'bad-signature']).toContain(report.verdict);
    expect(report.findings.filter(({ path: file }) => file?.startsWith('checkpoints/'))).toEqual([]);
  });
  it('of another log is order-broken', async () => {
    const other = draftOf(
      'key.rotated',
      rotationData('log.example/else', testSigner('log.example/else', 1), testSigner('log.example/else', 2)),
      { run: null },
    );
    const report = await judge(await logOfParts(START, { drafts: [other], signers: [A] }), [A]);
    expect(report).toMatchObject({ verdict: 'order-broken', findings: [{ index: '3' }, { index: '3' }] });
  });
  it('is found when one run is judged, too', async () => {
    const directory = await logOfParts(...parts(rotated(A, B), note(4)));
    expect((await judge(directory, [B], { run: 'run-1' })).findings).toContainEqual(
      expect.objectContaining({ verdict: 'order-broken', index: '3' }),
    );
  });
});

describe('the file vkey', () => {
  it('of the old key is bad-signature, also where that is pinned as well', async () => {
    const directory = await rotatedLog();
    directory.files.set('vkey', utf8.encode(`${A.vkey}\n`));
    expect(await judge(directory, [B])).toMatchObject({
      verdict: 'bad-signature',
      findings: [{ path: 'vkey' }],
    });
    expect(await judge(directory, [A, B])).toMatchObject({
      verdict: 'bad-signature',
      findings: [{ path: 'vkey' }],
    });
  });
  it('may be the new key while the publication of the change is unfinished', async () => {
    const directory = await logOfParts(START, ROTATION);
    const before = await logOfParts(START);
    directory.files.set('pending', utf8.encode(directory.text('checkpoint')));
    directory.files.set('checkpoint', utf8.encode(before.text('checkpoint')));
    for (const [file, bytes] of before.files) if (file.startsWith('tile/')) directory.files.set(file, bytes);
    const report = await judge(directory, [A]);
    expect(report).toMatchObject({ verdict: 'verified', size: '3' });
    expect(report.warnings[0]).toContain('unfinished');
    directory.files.delete('pending');
    expect((await judge(directory, [A])).verdict).not.toBe('verified');
  });
});
