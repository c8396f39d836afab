// A log in memory for tests: the log part of the store behind its port, a directory, a key and locks. Entries come
// from extendLog and files from publish, so what is verified is what the product writes.
import { ed25519 } from '@noble/curves/ed25519.js';
import { createPublicKey, verify as nodeVerify } from 'node:crypto';
import { formatVkey, type LogSource, type VerifySignature } from '../../src/audit/index.js';
import { WritError } from '../../src/errors.js';
import type { Commitment, JsonObject } from '../../src/json.js';
import { extendLog } from '../../src/runtime/log/log.js';
import type {
  ChainTail,
  CheckpointRow,
  EntryDraft,
  Locks,
  LogDirectory,
  LogRow,
  LogState,
  Signer,
  TrustStore,
} from '../../src/runtime/ports.js';
import { publish, type PublishedStore } from '../../src/runtime/log/publisher.js';

export const ORIGIN = 'log.example/test';
export const START_MS = Date.parse('2026-03-01T09:30:00.000Z');

export function testSigner(origin = ORIGIN, seed = 7): Signer {
  const secret = new Uint8Array(32).fill(seed);
  const vkey = formatVkey(origin, 1, ed25519.getPublicKey(secret));
  return { vkey, sign: (message) => ed25519.sign(message, secret) };
}

/** The platform's Ed25519: tests verify many logs. */
export const fastVerify: VerifySignature = (publicKey, message, signature) => {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
  return nodeVerify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
};

export class MemoryStore implements PublishedStore {
  state: LogState = { size: 0n, compactRange: [], lastTimeMs: 0, publishedSize: 0n };
  rows: LogRow[] = [];
  subtrees = new Map<string, Uint8Array>();
  checkpoints: CheckpointRow[] = [];
  private tails = new Map<string, ChainTail>();

  /** Appends; returns the rows. */
  append(drafts: readonly EntryDraft[], nowMs = START_MS + this.rows.length): readonly LogRow[] {
    const { log, rows, subtrees } = extendLog(this.state, this.tails, drafts, nowMs);
    this.state = log;
    this.rows.push(...rows);
    for (const { level, index, hash } of subtrees) this.subtrees.set(`${level}/${index}`, hash);
    for (const { run, seq, leafHash } of rows) this.tails.set(run, { seq, leafHash });
    return rows;
  }

  async log(): Promise<LogState> {
    return this.state;
  }
  async entries(first: bigint, end: bigint, limit: number): Promise<readonly LogRow[]> {
    return this.rows.slice(Number(first), Math.min(Number(end), Number(first) + limit));
  }
  async entryBytes(first: bigint, count: number): Promise<readonly Uint8Array[]> {
    const rows = this.rows.slice(Number(first), Number(first) + count);
    if (rows.length !== count) throw new WritError('STORE_IO', `no entry in ${count} from ${first} on`);
    return rows.map((row) => row.bytes);
  }
  async ownEntries(type: string, limit: number): Promise<readonly LogRow[]> {
    return this.rows
      .filter((row) => row.run === '' && row.type === type)
      .toReversed()
      .slice(0, limit);
  }
  async hashes(level: number, first: bigint, count: number): Promise<readonly Uint8Array[]> {
    return Array.from({ length: count }, (_, i) => {
      const at = first + BigInt(i);
      const hash = level === 0 ? this.rows[Number(at)]?.leafHash : this.subtrees.get(`${level}/${at}`);
      if (hash === undefined) throw new WritError('STORE_IO', `no hash at ${level}/${at}`);
      return hash;
    });
  }
  async putCheckpoint(row: CheckpointRow): Promise<CheckpointRow> {
    const known = this.checkpoints.find((checkpoint) => checkpoint.size === row.size);
    if (known !== undefined) return known;
    this.checkpoints.push(row);
    return row;
  }
  async lastCheckpoint(): Promise<CheckpointRow | null> {
    return this.checkpoints.toSorted((a, b) => (a.size < b.size ? 1 : -1))[0] ?? null;
  }
  async markPublished(size: bigint): Promise<void> {
    this.state = { ...this.state, publishedSize: size };
  }
}

export class MemoryDirectory implements LogDirectory, LogSource {
  readonly files = new Map<string, Uint8Array>();
  /** Paths in the order they were written. */
  readonly written: string[] = [];
  /** Writes that still succeed; then every `put` throws. */
  budget = Number.POSITIVE_INFINITY;

  async put(path: string, bytes: Uint8Array): Promise<void> {
    if (this.budget <= 0) throw new WritError('STORE_FULL', 'the test disk is full');
    this.budget -= 1;
    this.files.set(path, bytes);
    this.written.push(path);
  }
  async remove(path: string): Promise<void> {
    if (this.budget <= 0) throw new WritError('STORE_FULL', 'the test disk is full');
    this.files.delete(path);
  }
  async get(path: string): Promise<Uint8Array | null> {
    return this.files.get(path) ?? null;
  }
  async *list(under?: string): AsyncGenerator<string> {
    const prefix = under === undefined ? '' : `${under}/`;
    for (const path of [...this.files.keys()].sort()) if (path.startsWith(prefix)) yield path;
  }
  copy(): MemoryDirectory {
    const copy = new MemoryDirectory();
    for (const [path, bytes] of this.files) copy.files.set(path, bytes);
    return copy;
  }
  text(path: string): string {
    return new TextDecoder().decode(this.files.get(path));
  }
}

export class MemoryTrust implements TrustStore {
  records = new Map<string, { vkey: string; checkpoint: string | null }>();
  async read(origin: string): Promise<{ vkey: string; checkpoint: string | null } | null> {
    return this.records.get(origin) ?? null;
  }
  async write(origin: string, record: { vkey: string; checkpoint: string | null }): Promise<void> {
    this.records.set(origin, record);
  }
  async replaceKey(
    origin: string,
    { from, vkey, checkpoint }: { from: string; vkey: string; checkpoint: string | null },
  ): Promise<void> {
    const known = this.records.get(origin);
    if (known !== undefined && known.vkey !== from && known.vkey !== vkey)
      throw new WritError('AUDIT_KEY_INVALID', `another key is trusted for ${origin}`);
    this.records.set(origin, { vkey, checkpoint });
  }
}

/** Locks within this test; `held` shows that nothing keeps one. */
export function testLocks(): Locks & { held: string[] } {
  const held: string[] = [];
  const take = (name: string) => {
    held.push(name);
    return { name, release: () => void held.splice(held.indexOf(name), 1) };
  };
  return {
    held,
    tryHold: (name) => (held.includes(name) ? null : take(name)),
    names: () => held,
    async hold(name) {
      if (held.includes(name)) throw new WritError('STORE_BUSY', `${name} is held`);
      return take(name);
    },
  };
}

/** A draft with plain values; `over` replaces any of them. */
export function draftOf(type: string, data: JsonObject = {}, over: Partial<EntryDraft> = {}): EntryDraft {
  return {
    type,
    run: 'run-1',
    tenant: 'default',
    actor: { id: 'user:alice', via: 'cli' },
    workflow: null,
    policy: null,
    data,
    commit: {},
    ...over,
  };
}

export function opened(origin = ORIGIN, vkey = testSigner(origin).vkey): EntryDraft {
  return draftOf('log.opened', { origin, vkey, softwareVersion: '0' }, { run: null });
}

/** A data entry that means nothing to rule 7. */
export function note(i: number, run = `run-${i % 3}`): EntryDraft {
  return draftOf('secret.used', { name: `s${i}`, host: 'h', stepPath: 'a' }, { run });
}

export interface TestLog {
  readonly store: MemoryStore;
  readonly directory: MemoryDirectory;
  readonly signer: Signer;
}

/** A log that published each time its size reached one of `sizes` (ascending). */
export async function logOfSizes(...sizes: number[]): Promise<TestLog> {
  const log: TestLog = { store: new MemoryStore(), directory: new MemoryDirectory(), signer: testSigner() };
  for (const size of sizes) {
    for (let i = log.store.rows.length; i < size; i++) log.store.append([i === 0 ? opened() : note(i)]);
    await publish({ ...log, locks: testLocks() });
  }
  return log;
}

/** A published log of the given entries after `log.opened`. */
export async function logOf(drafts: readonly EntryDraft[], nowMs?: number): Promise<TestLog> {
  const log: TestLog = { store: new MemoryStore(), directory: new MemoryDirectory(), signer: testSigner() };
  log.store.append([opened()]);
  for (const draft of drafts) log.store.append([draft], nowMs);
  await publish({ ...log, locks: testLocks() });
  return log;
}

export function commitmentOf(letter: string): Commitment {
  return letter.repeat(64) as Commitment;
}
