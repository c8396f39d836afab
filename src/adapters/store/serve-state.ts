// What `writ serve` remembers, in one SQLite file: how far each channel has been told, which deliveries are due, and
// the hashes of callback tokens. The events themselves are in the log; losing this file tells channels twice and makes
// links useless, nothing else. Every call is one transaction, durable when it returns.
import { resolve } from 'node:path';
import type Database from 'better-sqlite3';
import { openOwnFile } from './own-file.js';
import { storeError } from './sqlite/driver-error.js';

/** "WrtS" in ASCII. */
const APPLICATION_ID = 0x57727453;

const TABLES = `
CREATE TABLE IF NOT EXISTS place ( -- how far a channel has been told, as an index of the log
  channel TEXT PRIMARY KEY,
  next INTEGER NOT NULL,
  gone_url TEXT -- answered 410: nothing is sent to this URL any more
) STRICT;
CREATE TABLE IF NOT EXISTS delivery (
  channel TEXT NOT NULL,
  event INTEGER NOT NULL,    -- index of its entry
  attempts INTEGER NOT NULL, -- begun
  due_ms INTEGER,            -- NULL = over
  until_ms INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  PRIMARY KEY (channel, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due_ms) WHERE due_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS callback (
  hash TEXT PRIMARY KEY, -- SHA-256 of the token; the token itself is nowhere
  approval TEXT NOT NULL,
  subject_digest TEXT NOT NULL,
  decision TEXT NOT NULL,
  approver TEXT NOT NULL,
  until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS callback_until ON callback (until_ms);
`;

const SQL = {
  place: 'SELECT next, gone_url FROM place WHERE channel = ?',
  setPlace: `INSERT INTO place (channel, next) VALUES (@channel, @next)
    ON CONFLICT (channel) DO UPDATE SET next = MAX(next, excluded.next)`,
  gone: 'UPDATE place SET gone_url = @url WHERE channel = @channel',
  add: `INSERT INTO delivery VALUES (@channel, @event, 0, @dueMs, @untilMs, '') ON CONFLICT DO NOTHING`,
  due: `SELECT channel, event, attempts, until_ms FROM delivery
    WHERE due_ms <= @nowMs AND channel IN (SELECT value FROM json_each(@channels)) ORDER BY due_ms LIMIT @limit`,
  settle: `UPDATE delivery SET attempts = @attempts, due_ms = @dueMs, outcome = @outcome
    WHERE channel = @channel AND event = @event`,
  // Those that are over are kept for a look, for a time.
  forget: 'DELETE FROM delivery WHERE due_ms IS NULL AND until_ms < @beforeMs',
  all: 'SELECT channel, event, attempts, due_ms, outcome FROM delivery ORDER BY event DESC, channel LIMIT ?',
  addCallback:
    'INSERT INTO callback VALUES (@hash, @approval, @subjectDigest, @decision, @approver, @untilMs)',
  callback: 'SELECT * FROM callback WHERE hash = ?',
  forgetCallbacks: 'DELETE FROM callback WHERE until_ms <= ?',
} as const;

/** A callback token by its hash: what it decides, for whom, until when. */
export interface CallbackToken {
  /** SHA-256, 64 hex digits. */
  readonly hash: string;
  readonly approval: string;
  readonly subjectDigest: string;
  readonly decision: 'approve' | 'deny';
  readonly approver: string;
  readonly untilMs: number;
}

export interface Delivery {
  readonly channel: string;
  readonly event: bigint;
  readonly attempts: number;
  readonly untilMs: number;
}

export interface DeliveryRow {
  readonly channel: string;
  readonly event: string;
  readonly attempts: number;
  /** Null = over. */
  readonly dueMs: number | null;
  readonly outcome: string;
}

export interface ServeState {
  /** Where the channel goes on in the log; null = it was never told anything. */
  place(channel: string): { readonly next: bigint; readonly goneUrl: string | null } | null;
  /** Events become due, and the channel's place goes on, or neither. An event that is there already stays as it is. */
  enqueue(
    channel: string,
    next: bigint,
    events: readonly { readonly event: bigint; readonly dueMs: number; readonly untilMs: number }[],
  ): void;
  due(channels: readonly string[], nowMs: number, limit: number): readonly Delivery[];
  /** Null = over. */
  settle(
    delivery: Delivery,
    change: { readonly attempts: number; readonly dueMs: number | null; readonly outcome: string },
  ): void;
  /** The channel's URL answered that it is gone for good. */
  markGone(channel: string, url: string): void;
  /** Newest events first. */
  deliveries(limit: number): readonly DeliveryRow[];
  addCallback(token: CallbackToken): void;
  callback(hash: string): CallbackToken | null;
  /** Forgets what nobody needs any more. */
  tidy(nowMs: number): void;
  close(): void;
}

/** How long a delivery that is over is kept for a look. */
const KEPT_MS = 7 * 86_400_000;

/** Opens `file`, made with mode 0600 when absent. Throws STORE_*. */
export function openServeState(file: string): ServeState {
  const path = resolve(file);
  const db = openOwnFile(path, {
    applicationId: APPLICATION_ID,
    tables: TABLES,
    journal: 'WAL',
    synchronous: 'FULL',
    what: 'the state of writ serve',
    hint: 'move it away; a new one is made',
  });
  return new ServeFile(db, path);
}

/** Rows of our own STRICT tables, by statement; integers are BigInt. */
interface Rows {
  readonly place: { readonly next: bigint; readonly gone_url: string | null };
  readonly due: {
    readonly channel: string;
    readonly event: bigint;
    readonly attempts: bigint;
    readonly until_ms: bigint;
  };
  readonly all: {
    readonly channel: string;
    readonly event: bigint;
    readonly attempts: bigint;
    readonly due_ms: bigint | null;
    readonly outcome: string;
  };
  readonly callback: {
    readonly approval: string;
    readonly subject_digest: string;
    readonly decision: string;
    readonly approver: string;
    readonly until_ms: bigint;
  };
}

class ServeFile implements ServeState {
  readonly #statements = new Map<string, Database.Statement<unknown[], unknown>>();

  constructor(
    private readonly db: Database.Database,
    private readonly path: string,
  ) {}

  place(channel: string): ReturnType<ServeState['place']> {
    const [row] = this.#rows('place', channel);
    return row === undefined ? null : { next: row.next, goneUrl: row.gone_url };
  }

  enqueue(channel: string, next: bigint, events: Parameters<ServeState['enqueue']>[2]): void {
    const work = this.db.transaction(() => {
      this.#statement('setPlace').run({ channel, next });
      const add = this.#statement('add');
      for (const { event, dueMs, untilMs } of events) add.run({ channel, event, dueMs, untilMs });
    });
    this.#guarded('write to', () => {
      work.immediate();
    });
  }

  due(channels: readonly string[], nowMs: number, limit: number): readonly Delivery[] {
    const rows = this.#rows('due', { channels: JSON.stringify(channels), nowMs, limit });
    return rows.map(({ channel, event, attempts, until_ms }) => {
      return { channel, event, attempts: Number(attempts), untilMs: Number(until_ms) };
    });
  }

  settle(
    { channel, event }: Delivery,
    { attempts, dueMs, outcome }: Parameters<ServeState['settle']>[1],
  ): void {
    this.#write('settle', { channel, event, attempts, dueMs, outcome });
  }

  markGone(channel: string, url: string): void {
    this.#write('gone', { channel, url });
  }

  deliveries(limit: number): readonly DeliveryRow[] {
    return this.#rows('all', limit).map(({ channel, event, attempts, due_ms, outcome }) => {
      const dueMs = due_ms === null ? null : Number(due_ms);
      return { channel, event: event.toString(), attempts: Number(attempts), dueMs, outcome };
    });
  }

  addCallback(token: CallbackToken): void {
    this.#write('addCallback', token);
  }

  callback(hash: string): CallbackToken | null {
    const [row] = this.#rows('callback', hash);
    if (row === undefined) return null;
    const { approval, subject_digest: subjectDigest, approver, until_ms } = row;
    const decision = row.decision === 'approve' ? 'approve' : 'deny';
    return { hash, approval, subjectDigest, decision, approver, untilMs: Number(until_ms) };
  }

  tidy(nowMs: number): void {
    this.#write('forget', { beforeMs: nowMs - KEPT_MS });
    this.#write('forgetCallbacks', nowMs);
  }

  close(): void {
    this.db.close();
  }

  #rows<Name extends keyof Rows>(name: Name, bound: unknown): readonly Rows[Name][] {
    return this.#guarded('read', () => this.#statement<Rows[Name]>(name).all(bound));
  }

  #write(name: keyof typeof SQL, bound: unknown): void {
    this.#guarded('write to', () => this.#statement(name).run(bound));
  }

  #statement<Row = unknown>(name: keyof typeof SQL): Database.Statement<unknown[], Row> {
    const known = this.#statements.get(name) ?? this.db.prepare<unknown[]>(SQL[name]);
    this.#statements.set(name, known);
    return known as Database.Statement<unknown[], Row>;
  }

  #guarded<T>(what: 'read' | 'write to', act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw storeError(error, this.path, what);
    }
  }
}
