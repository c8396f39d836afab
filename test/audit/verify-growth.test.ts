// A log that is published while it is verified, at every interleaving of reads and writes there is a pace for: what
// came later is no damage, and nothing else is excused by it.
import { describe, expect, it } from 'vitest';
import { signCheckpoint, verifyLog, type LogSource, type VerifyReport } from '../../src/audit/index.js';
import { publish } from '../../src/runtime/log/publisher.js';
import {
  fastVerify,
  MemoryDirectory,
  MemoryStore,
  note,
  opened,
  testLocks,
  testSigner,
} from './log-fixture.js';
import { SECOND_VERIFIER, type SecondVerifier } from './second-verifier.js';

const signer = testSigner();
const second = (await import(SECOND_VERIFIER)) as SecondVerifier;

type Change = (files: Map<string, Uint8Array>) => void;

/** Keeps what is written and removed, in order. */
class Recorder extends MemoryDirectory {
  readonly changes: Change[] = [];
  override async put(path: string, bytes: Uint8Array): Promise<void> {
    await super.put(path, bytes);
    this.changes.push((files) => files.set(path, bytes));
  }
  override async remove(path: string): Promise<void> {
    await super.remove(path);
    this.changes.push((files) => files.delete(path));
  }
}

/** Publications of these sizes, one after the other; `from` is how many changes the first one takes. */
async function publications(sizes: readonly number[]): Promise<{ changes: readonly Change[]; from: number }> {
  const [store, directory] = [new MemoryStore(), new Recorder()];
  store.append([opened()]);
  let from = 0;
  for (const size of sizes) {
    const missing = size - store.rows.length;
    if (missing > 0) store.append(Array.from({ length: missing }, () => note(1, `r${size}`)));
    await publish({ store, directory, signer, locks: testLocks() });
    if (from === 0) from = directory.changes.length;
  }
  return { changes: directory.changes, from };
}

/** A directory in which `pace` changes happen before each reading; names are those of when a listing begins. */
class Live {
  readonly files = new Map<string, Uint8Array>();
  private next = 0;
  private readonly when = new Map<string, () => void>();
  constructor(
    private readonly changes: readonly Change[],
    from: number,
    private readonly pace: number,
  ) {
    this.advance(from);
  }
  advance(count: number): void {
    const end = Math.floor(this.next + count);
    for (const change of this.changes.slice(Math.floor(this.next), end)) change(this.files);
    this.next += count;
  }
  /** Done whenever `path` is about to be read. */
  onRead(path: string, change: () => void): void {
    this.when.set(path, change);
  }
  get(path: string): Uint8Array | null {
    this.advance(this.pace);
    this.when.get(path)?.();
    return this.files.get(path) ?? null;
  }
  *list(under = ''): Generator<string> {
    const prefix = under === '' ? '' : `${under}/`;
    for (const path of [...this.files.keys()].sort()) {
      if (!path.startsWith(prefix)) continue;
      this.advance(this.pace);
      yield path;
    }
  }
}

function firstSource(live: Live): LogSource {
  return {
    get: async (path) => live.get(path),
    async *list(under) {
      yield* live.list(under);
    },
  };
}

async function judgeBoth(make: () => Live): Promise<readonly VerifyReport[]> {
  const vkeys = [signer.vkey];
  return [
    await verifyLog(firstSource(make()), { vkeys, verifySignature: fastVerify }),
    second.verifyLog(make(), { vkeys }),
  ];
}

describe('a log that is published while it is verified', async () => {
  const sizes = [3, 5, 255, 256, 257, 513, 700, 701];
  const { changes, from } = await publications(sizes);

  it.each([0.1, 0.7, 2, 9])('is verified, with %s changes between two reads', async (pace) => {
    for (let start = from; start < changes.length; start++) {
      for (const { verdict, findings } of await judgeBoth(() => new Live(changes, start, pace))) {
        // `pending` may be gone by the time it is read, where nothing larger came after it: told, and looked at again.
        const rest = findings.filter(({ path }) => path !== 'pending');
        expect([start, rest]).toEqual([start, []]);
        if (start + 20 < changes.length && pace >= 1) expect([start, verdict]).toEqual([start, 'verified']);
      }
    }
  });

  it('says that it grew, and how much was judged', async () => {
    for (const { warnings, size } of await judgeBoth(() => new Live(changes, from, 2)))
      expect([size, warnings.join()]).toEqual(['3', expect.stringContaining('only 3 entries were judged')]);
  });

  it('is not excused for a checkpoint that was given: that one is judged', async () => {
    const old = new TextDecoder().decode(
      new Live(changes, changes.length, 0).files.get(`checkpoints/${'5'.padStart(20, '0')}`),
    );
    const vkeys = [signer.vkey];
    const live = (): Live => new Live(changes, from, 2);
    const report = await verifyLog(firstSource(live()), { vkeys, old: [old], verifySignature: fastVerify });
    expect([report.verdict, report.size]).toEqual(['rollback', '3']);
    expect(second.verifyLog(live(), { vkeys, old: [Buffer.from(old)] }).verdict).toBe('rollback');
  });

  it('is not excused for files beyond what any signed checkpoint reaches', async () => {
    const beyond = (path: string) => (): Live => {
      const live = new Live(changes, from, 2);
      live.files.set(path, new Uint8Array(32));
      return live;
    };
    for (const { verdict } of await judgeBoth(beyond('tile/0/002.p/255'))) expect(verdict).toBe('extra');
    for (const { verdict } of await judgeBoth(beyond('tile/1/000.p/3'))) expect(verdict).toBe('extra');
    for (const { verdict } of await judgeBoth(beyond('stray'))) expect(verdict).toBe('extra');
  });

  it('hides no damage in what is judged', async () => {
    for (const path of ['tile/entries/000.p/3', 'tile/0/000.p/3', `checkpoints/${'3'.padStart(20, '0')}`]) {
      const damaged = (): Live => {
        const live = new Live(changes, from, 2);
        const bytes = live.files.get(path)?.slice() ?? new Uint8Array();
        bytes[40] = (bytes[40] ?? 0) ^ 1;
        live.files.set(path, bytes);
        return live;
      };
      for (const report of await judgeBoth(damaged)) expect([path, report.ok]).toEqual([path, false]);
    }
  });

  it('is a fork when a copy has another root than the checkpoint that is published by now', async () => {
    const forged = (): Live => {
      const live = new Live(changes, from, 0);
      const now = new Live(changes, changes.length, 0).files.get('checkpoint') ?? new Uint8Array();
      const other = signCheckpoint(signer.vkey, 701n, new Uint8Array(32), (message) => signer.sign(message));
      live.files.set(`checkpoints/${'701'.padStart(20, '0')}`, Buffer.from(other));
      live.onRead('tile/0/000.p/3', () => live.files.set('checkpoint', now));
      return live;
    };
    for (const { verdict } of await judgeBoth(forged)) expect(verdict).toBe('fork');
  });

  it('was rolled back when its checkpoint stays below a copy that it kept', async () => {
    const rolledBack = (): Live => {
      const live = new Live(changes, from, 0);
      const end = new Live(changes, changes.length, 0);
      for (const [path, bytes] of end.files) if (path.startsWith('checkpoints/')) live.files.set(path, bytes);
      return live;
    };
    for (const { verdict } of await judgeBoth(rolledBack)) expect(verdict).toBe('rollback');
  });
});
