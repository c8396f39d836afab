// Reading and hashing in a thread changes nothing but the time: the report is the same for good and damaged logs, and
// what goes wrong there is told here.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTileDirectory } from '../../src/adapters/store/tile-directory.js';
import { verifyLog, type VerifyReport } from '../../src/audit/index.js';
import { FindingList } from '../../src/audit/verify/report.js';
import { walkInThread, WALK_AHEAD_BYTES, type WalkStep, type WalkTask } from '../../src/verify-walk.js';
import { fastVerify, logOfSizes, type MemoryDirectory, testSigner } from './log-fixture.js';
import { rawLog } from './raw-log.js';

const BUILT = new URL('../../dist/verify-walk-thread.js', import.meta.url);
const OPTIONS = { vkeys: [testSigner().vkey], verifySignature: fastVerify };
/** More batches than the thread may be ahead, twice, and a partial one. */
const SIZE = 2 * 16 * 256 + 300;

let home = '';
let whole: MemoryDirectory;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'writ-walk-'));
  whole = (await logOfSizes(700, SIZE)).directory;
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function write(dir: string, { files }: MemoryDirectory): void {
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), bytes);
  }
}

/** Writes the log and judges it both ways. */
async function judge(directory: MemoryDirectory): Promise<{ here: VerifyReport; there: VerifyReport }> {
  const dir = mkdtempSync(join(home, 'log-'));
  write(dir, directory);
  const source = openTileDirectory(dir);
  const here = await verifyLog(source, OPTIONS);
  const there = await verifyLog(source, {
    ...OPTIONS,
    walk: (size, root, findings) => walkInThread({ dir, size, root }, findings, BUILT),
  });
  return { here, there };
}

function changed(path: string, change: (bytes: Uint8Array) => Uint8Array | null): MemoryDirectory {
  const copy = whole.copy();
  const bytes = change(copy.files.get(path)?.slice() ?? new Uint8Array());
  if (bytes === null) copy.files.delete(path);
  else copy.files.set(path, bytes);
  return copy;
}

const flip =
  (at: number) =>
  (bytes: Uint8Array): Uint8Array =>
    bytes.with(at, (bytes[at] ?? 0) ^ 1);

/** Neither the entries nor the hashes of one tile are what its parent says: a finding for every entry. */
function damagedTwice(): MemoryDirectory {
  const copy = changed('tile/entries/020', flip(200));
  const tile = copy.files.get('tile/0/020') ?? new Uint8Array();
  copy.files.set(
    'tile/0/020',
    tile.map((byte) => byte ^ 1),
  );
  return copy;
}

describe('a log whose files a thread reads', () => {
  it.each([0, 1, 255, 256, 257, 600])('verifies at size %i as one that is read here', async (size) => {
    const { here, there } = await judge((await logOfSizes(size)).directory);
    expect(there).toEqual(here);
    expect(there).toMatchObject({ verdict: 'verified', size: `${size}` });
  });

  it('verifies when it is longer than the thread may be ahead', async () => {
    const { here, there } = await judge(whole);
    expect(there).toEqual(here);
    expect(there).toMatchObject({ verdict: 'verified', size: `${SIZE}` });
  });

  it.each([
    ['an entry', 'entry-mismatch', () => changed('tile/entries/020', flip(200))],
    ['the first entry', 'entry-mismatch', () => changed('tile/entries/000', flip(5))],
    ['an entry of the last bundle', 'entry-mismatch', () => changed('tile/entries/033.p/44', flip(100))],
    ['a leaf hash', 'tile-mismatch', () => changed('tile/0/020', flip(100))],
    ['a hash of the right edge', 'tile-mismatch', () => changed('tile/1/000.p/33', flip(100))],
    ['a bundle that is absent', 'missing', () => changed('tile/entries/020', () => null)],
    ['a bundle that is cut', 'malformed', () => changed('tile/entries/020', (bytes) => bytes.subarray(1))],
    ['a tile that is cut', 'malformed', () => changed('tile/0/020', (bytes) => bytes.subarray(1))],
    ['more than findings are listed', 'entry-mismatch', damagedTwice],
  ])('gets the same report when %s is damaged', async (_what, verdict, damage) => {
    const { here, there } = await judge(damage());
    expect(there).toEqual(here);
    expect(there.ok).toBe(false);
    expect(there.findings.map((finding) => finding.verdict)).toContain(verdict);
  });

  it('gets the same report when neither a bundle nor its tile can be read', async () => {
    const copy = changed('tile/entries/020', () => null);
    copy.files.delete('tile/0/020');
    const { here, there } = await judge(copy);
    expect(there).toEqual(here);
    expect(there.verdict).toBe('missing');
  });
});

describe('a walk that is given up', () => {
  it('ends its thread, which may be waiting for its batches to be taken', async () => {
    const dir = mkdtempSync(join(home, 'log-'));
    write(dir, whole);
    const log = { dir, size: BigInt(SIZE), root: new Uint8Array(32) };
    const walk = walkInThread(log, new FindingList(), BUILT);
    const first = await walk.next();
    expect(first.value?.first).toBe(0n);
    await expect(walk.return(undefined)).resolves.toEqual({ done: true, value: undefined });
  });
});

describe('HOLE: entries as large as they may be filled the memory with sixteen batches that nobody had judged', () => {
  it('the thread waits at the bytes that are on their way, not only at their number', async () => {
    const dir = mkdtempSync(join(home, 'large-'));
    const entry = new Uint8Array(60_000);
    write(dir, rawLog(Array.from({ length: 5 * 256 }, () => entry)));
    const taken = new Int32Array(new SharedArrayBuffer(4));
    const task: WalkTask = { dir, size: 5n * 256n, root: new Uint8Array(32), taken };
    const thread = new Worker(BUILT, { workerData: task });
    let batches = 0;
    thread.on('message', ({ batch }: WalkStep) => (batches += batch === null ? 0 : 1));
    const most = Math.ceil(WALK_AHEAD_BYTES / (256 * entry.length));
    try {
      // Whoever is woken waited; it finds that nothing was taken and waits again.
      await expect.poll(() => Atomics.notify(taken, 0)).toBe(1);
      await expect.poll(() => batches).toBe(most);
      await expect.poll(() => Atomics.notify(taken, 0)).toBe(1);
      expect(batches).toBe(most);
      Atomics.store(taken, 0, batches);
      Atomics.notify(taken, 0);
      await expect.poll(() => batches).toBe(5);
    } finally {
      await thread.terminate();
    }
  });
});

describe('a thread that fails', () => {
  const task = { dir: '/nowhere', size: 30_000n, root: new Uint8Array(32) };
  const all = async (script: string): Promise<void> => {
    const file = join(mkdtempSync(join(home, 'thread-')), 'thread.mjs');
    writeFileSync(file, script);
    for await (const _ of walkInThread(task, new FindingList(), pathToFileURL(file)));
  };

  it('rejects with the error that reading gave', async () => {
    const step = { findings: [], dropped: 0, batch: null };
    const error = { code: 'USAGE', message: 'not for you', hint: 'ask' };
    const script = `import { parentPort } from 'node:worker_threads';
      parentPort.postMessage(${JSON.stringify({ ...step, error })});
      setInterval(() => {}, 1000);`;
    await expect(all(script)).rejects.toMatchObject({ code: 'USAGE', message: 'not for you', hint: 'ask' });
  });

  it('rejects when the thread throws, and when it ends without a word', async () => {
    await expect(all(`throw new TypeError('broken');`)).rejects.toThrow('broken');
    await expect(all(`process.exit(0);`)).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});
