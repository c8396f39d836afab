import { describe, expect, it } from 'vitest';
import {
  fastVerify,
  logOfSizes,
  MemoryDirectory,
  MemoryStore,
  MemoryTrust,
  note,
  opened,
  ORIGIN,
  testLocks,
  testSigner,
  type TestLog,
} from '../../../test/audit/log-fixture.js';
import { emptyRoot, signCheckpoint, verifyLog } from '../../audit/index.js';
import type { LogDirectory } from '../ports.js';
import { checkLogAtStart } from './start.js';
import { publish } from './publisher.js';

const signer = testSigner();
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function grow(log: TestLog, size: number): void {
  for (let i = log.store.rows.length; i < size; i++) log.store.append([i === 0 ? opened() : note(i)]);
}

async function verdict(directory: MemoryDirectory): Promise<string> {
  return (await verifyLog(directory, { vkeys: [signer.vkey], verifySignature: fastVerify })).verdict;
}

describe('publishing', () => {
  it('publishes the empty log', async () => {
    const { directory, store } = await logOfSizes(0);
    expect(directory.written).toEqual(['pending', 'vkey', 'checkpoints/00000000000000000000', 'checkpoint']);
    expect(store.checkpoints).toMatchObject([{ size: 0n, root: emptyRoot() }]);
  });
  it('writes what others rely on first', async () => {
    const { directory } = await logOfSizes(300);
    expect(directory.written).toEqual([
      'pending',
      'vkey',
      'tile/entries/000',
      'tile/entries/001.p/44',
      'tile/0/000',
      'tile/0/001.p/44',
      'tile/1/000.p/1',
      'checkpoints/00000000000000000300',
      'checkpoint',
    ]);
  });
  it('writes only what changed, and nothing when nothing changed', async () => {
    const log = await logOfSizes(256);
    log.directory.written.length = 0;
    await publish({ ...log, locks: testLocks() });
    expect(log.directory.written).toEqual([]);
    grow(log, 257);
    await publish({ ...log, locks: testLocks() });
    expect(log.directory.written).toEqual([
      'pending',
      'tile/entries/001.p/1',
      'tile/0/001.p/1',
      'checkpoints/00000000000000000257',
      'checkpoint',
    ]);
    expect(log.store.state.publishedSize).toBe(257n);
  });
  it('keeps the partial tiles and checkpoints of earlier sizes', async () => {
    const { directory } = await logOfSizes(3, 5);
    expect([...directory.files.keys()]).toEqual(expect.arrayContaining(['tile/0/000.p/3', 'tile/0/000.p/5']));
    expect(await verdict(directory)).toBe('verified');
  });
  it('rebuilds the same bytes when the directory was lost', async () => {
    const log = await logOfSizes(300);
    const rebuilt = new MemoryDirectory();
    await publish({ ...log, directory: rebuilt, locks: testLocks() });
    expect(rebuilt.files).toEqual(log.directory.files);
  });
  it('heals after a crash before any of its writes', async () => {
    const writes = (await logOfSizes(5, 300)).directory.written.length;
    for (let budget = 0; budget < writes; budget++) {
      const log: TestLog = { store: new MemoryStore(), directory: new MemoryDirectory(), signer };
      log.directory.budget = budget;
      const locks = testLocks();
      for (const size of [5, 300]) {
        grow(log, size);
        await publish({ ...log, locks }).catch((error: unknown) =>
          expect(error).toMatchObject({ code: 'STORE_FULL' }),
        );
      }
      // Once the first checkpoint is out, an interrupted publication is no damage.
      if (log.directory.files.has('checkpoint')) expect(await verdict(log.directory)).toBe('verified');
      expect(locks.held).toEqual([]);
      log.directory.budget = Number.POSITIVE_INFINITY;
      await publish({ ...log, locks });
      expect(await verdict(log.directory)).toBe('verified');
      expect(log.directory.text('checkpoint')).toContain('\n300\n');
      expect(log.store.state.publishedSize).toBe(300n);
    }
  });
  it('is no damage at any write when the log grew between two crashes', async () => {
    const writes = (await logOfSizes(5, 300)).directory.written.length;
    for (let first = 4; first < writes; first++) {
      for (let second = 0; second < 12; second++) {
        const log = await logOfSizes(5);
        grow(log, 300);
        log.directory.budget = first - 4;
        await publish({ ...log, locks: testLocks() }).catch(() => undefined);
        grow(log, 310);
        log.directory.budget = second;
        await publish({ ...log, locks: testLocks() }).catch(() => undefined);
        expect(await verdict(log.directory)).toBe('verified');
        log.directory.budget = Number.POSITIVE_INFINITY;
        await publish({ ...log, locks: testLocks() });
        expect(await verdict(log.directory)).toBe('verified');
        expect(log.directory.files.has('pending')).toBe(false);
      }
    }
  });
  it('heals after a crash between the checkpoint file and the mark', async () => {
    const log = await logOfSizes(5);
    log.store.state = { ...log.store.state, publishedSize: 2n };
    await publish({ ...log, locks: testLocks() });
    expect(log.store.state.publishedSize).toBe(5n);
    expect(await verdict(log.directory)).toBe('verified');
  });
  it('writes nothing more once it has failed, although it writes several tiles at once', async () => {
    const log = await logOfSizes(5);
    grow(log, 5000);
    let running = 0;
    const most: number[] = [];
    const directory: LogDirectory = {
      get: (path) => log.directory.get(path),
      remove: (path) => log.directory.remove(path),
      async put(path, bytes) {
        running += 1;
        most.push(running);
        // Some are slower than others: the failure of a fast one does not wait for them by itself.
        for (let turn = 0; turn < path.length % 5; turn++) await new Promise(setImmediate);
        running -= 1;
        await log.directory.put(path, bytes);
      },
    };
    log.directory.budget = 7;
    await expect(publish({ ...log, directory, locks: testLocks() })).rejects.toMatchObject({
      code: 'STORE_FULL',
    });
    expect(running).toBe(0);
    expect(Math.max(...most)).toBe(8);
    expect(await verdict(log.directory)).toBe('verified');
    log.directory.budget = Number.POSITIVE_INFINITY;
    await publish({ ...log, directory, locks: testLocks() });
    expect(log.directory.text('checkpoint')).toContain('\n5000\n');
    expect(await verdict(log.directory)).toBe('verified');
  });
  it('never moves the checkpoint backwards', async () => {
    const newer = await logOfSizes(6);
    const older = await logOfSizes(5);
    const before = newer.directory.text('checkpoint');
    await expect(publish({ ...older, directory: newer.directory, locks: testLocks() })).rejects.toMatchObject(
      {
        code: 'AUDIT_ROLLBACK',
      },
    );
    expect(newer.directory.text('checkpoint')).toBe(before);
  });
  it('never signs a second root for a size', async () => {
    const log = await logOfSizes(5);
    const other: TestLog = { store: new MemoryStore(), directory: new MemoryDirectory(), signer };
    grow(other, 4);
    other.store.append([note(99)]);
    await expect(publish({ ...other, directory: log.directory, locks: testLocks() })).rejects.toMatchObject({
      code: 'AUDIT_FORK',
    });
    other.store.checkpoints = log.store.checkpoints;
    await expect(publish({ ...other, locks: testLocks() })).rejects.toMatchObject({ code: 'AUDIT_FORK' });
    expect(other.directory.files.has('checkpoint')).toBe(false);
  });
  it('keeps a checkpoint copy that carries cosignatures', async () => {
    const log = await logOfSizes(5);
    const path = 'checkpoints/00000000000000000005';
    const cosigned = `${log.directory.text(path)}\u2014 witness.example AAAAAAAA\n`;
    log.directory.files.set(path, utf8(cosigned));
    log.directory.files.delete('checkpoint');
    await publish({ ...log, locks: testLocks() });
    expect(log.directory.text(path)).toBe(cosigned);
    expect(await verdict(log.directory)).toBe('verified');
  });
});

describe('the check at start', () => {
  const start = (log: TestLog, trust = new MemoryTrust()): Promise<void> =>
    checkLogAtStart({ ...log, trust });
  const trusting = (checkpoint: string | null, vkey = signer.vkey): MemoryTrust => {
    const trust = new MemoryTrust();
    trust.records.set(ORIGIN, { vkey, checkpoint });
    return trust;
  };
  const rollback = { code: 'AUDIT_ROLLBACK' };
  const fork = { code: 'AUDIT_FORK' };

  it('passes on a new log, a published one, and one that grew since', async () => {
    await start({ store: new MemoryStore(), directory: new MemoryDirectory(), signer });
    const log = await logOfSizes(0, 1, 300);
    await start(log, trusting(log.store.checkpoints[1]?.note ?? null));
    grow(log, 600);
    await start(log, trusting(log.directory.text('checkpoint')));
  });
  it('finds a store that was cut or restored, by what the store itself signed', async () => {
    const log = await logOfSizes(5);
    const old = await logOfSizes(4);
    old.store.checkpoints = log.store.checkpoints;
    await expect(start({ ...old, directory: new MemoryDirectory() })).rejects.toMatchObject(rollback);
  });
  it('finds it by the published checkpoint', async () => {
    const log = await logOfSizes(5);
    const old = await logOfSizes(4);
    await expect(start({ ...old, directory: log.directory })).rejects.toMatchObject(rollback);
  });
  it('finds it by the trust store alone, when the whole data directory was restored', async () => {
    const log = await logOfSizes(5);
    const old = await logOfSizes(4);
    await expect(start(old, trusting(log.directory.text('checkpoint')))).rejects.toMatchObject(rollback);
  });
  it('finds a fork at the same size and below, in all three places', async () => {
    for (const size of [5, 4]) {
      const log = await logOfSizes(size);
      const other: TestLog = { store: new MemoryStore(), directory: new MemoryDirectory(), signer };
      grow(other, 2);
      other.store.append([note(99)]);
      grow(other, 5);
      await expect(start({ ...other, directory: log.directory })).rejects.toMatchObject(fork);
      await expect(start(other, trusting(log.directory.text('checkpoint')))).rejects.toMatchObject(fork);
      other.store.checkpoints = log.store.checkpoints;
      await expect(start(other)).rejects.toMatchObject(fork);
    }
  });
  it('finds a log state that is not what the rows say', async () => {
    const log = await logOfSizes(5);
    const { compactRange } = log.store.state;
    log.store.state = { ...log.store.state, compactRange: compactRange.toReversed() };
    await expect(start(log)).rejects.toMatchObject(fork);
  });
  it('finds a stored root that is not the one in its note', async () => {
    const log = await logOfSizes(5);
    const note4 = (await logOfSizes(4)).directory.text('checkpoint').replace('\n4\n', '\n5\n');
    log.store.checkpoints = log.store.checkpoints.map((row) => ({ ...row, note: note4 }));
    await expect(start(log)).rejects.toMatchObject({ code: 'AUDIT_NOTE_INVALID' });
  });
  it('refuses another signing key than the one this machine trusts', async () => {
    const log = await logOfSizes(5);
    const trust = trusting(null, testSigner(ORIGIN, 9).vkey);
    await expect(start(log, trust)).rejects.toMatchObject({ code: 'AUDIT_KEY_INVALID' });
  });
  it('refuses a published checkpoint that was changed', async () => {
    const log = await logOfSizes(5);
    log.directory.files.set('checkpoint', utf8(log.directory.text('checkpoint').replace('\n5\n', '\n4\n')));
    await expect(start(log)).rejects.toMatchObject({ code: 'AUDIT_NOTE_INVALID' });
    const other = testSigner('other.example', 7);
    log.directory.files.set('checkpoint', utf8(signCheckpoint(other.vkey, 0n, emptyRoot(), other.sign)));
    await expect(start(log)).rejects.toMatchObject({ code: 'AUDIT_NOTE_INVALID' });
  });
});
