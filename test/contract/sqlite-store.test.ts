// The embedded store: the port's contract, then what only SQLite can get wrong: settings, foreign files, a writer
// that doesn't let go, a disk that fails.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WritError } from '../../src/errors.js';
import { openSqliteStore, type SqliteStoreOptions } from '../../src/adapters/store/sqlite/store.js';
import { extendLog } from '../../src/runtime/log/log.js';
import type { Change, Store } from '../../src/runtime/ports.js';
import {
  approvalRecord,
  codeOf,
  draft,
  fixedClock,
  hex,
  payload,
  runRecord,
  storeContract,
  taskRecord,
  wholeLog,
} from './store.js';

const WRITER = fileURLToPath(new URL('store-writer.mjs', import.meta.url));
const BUILT = fileURLToPath(new URL('../../dist/adapters/store/sqlite/store.js', import.meta.url));

function startWriter(file: string, run: string, commits: number, room?: number): ChildProcess {
  if (!existsSync(BUILT)) throw new Error(`${BUILT} is missing: build first (npx tsc -p .)`);
  const args = [run, String(commits), ...(room === undefined ? [] : [String(room)])];
  return spawn(process.execPath, [WRITER, file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

storeContract('SQLite', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'writ-store-'));
  const file = join(directory, 'data', 'writ.db');
  return {
    open: (options = {}) => openSqliteStore({ file, extendLog, clock: options.clock ?? fixedClock() }),
    startWriter: (run, commits, room) => startWriter(file, run, commits, room),
    remove: async () => {
      rmSync(directory, { recursive: true, force: true });
    },
  };
});

describe('the SQLite file', () => {
  let directory: string;
  let file: string;
  const opened: Store[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'writ-sqlite-'));
    file = join(directory, 'data', 'writ.db');
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function open(options: Partial<SqliteStoreOptions> = {}): Promise<Store> {
    const store = await openSqliteStore({ file, extendLog, clock: fixedClock(), ...options });
    opened.push(store);
    return store;
  }

  async function failure(work: Promise<unknown>): Promise<WritError> {
    const error: unknown = await work.then(
      () => null,
      (reason: unknown) => reason,
    );
    if (error instanceof WritError) return error;
    throw new Error(`expected a WritError, got ${String(error)}`);
  }

  describe('settings', () => {
    it('is made with mode 0600 in a directory of mode 0700, its side files too', async () => {
      const store = await open();
      await store.commit({ entries: [draft('r')] });
      expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
      for (const name of readdirSync(dirname(file))) {
        expect(statSync(join(dirname(file), name)).mode & 0o777, name).toBe(0o600);
      }
      expect(readdirSync(dirname(file)).sort()).toEqual(['writ.db', 'writ.db-shm', 'writ.db-wal']);
    });

    it('leaves one file when it is closed, in WAL mode', async () => {
      const store = await open();
      await store.commit({ entries: [draft('r')] });
      await store.close();
      expect(readdirSync(dirname(file))).toEqual(['writ.db']);
      const db = new Database(file, { readonly: true });
      expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
      db.close();
    });

    it('has only STRICT tables', async () => {
      await open();
      const db = new Database(file, { readonly: true });
      const tables = db
        .prepare(
          "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%'",
        )
        .all();
      db.close();
      expect(tables).toHaveLength(16);
      for (const table of tables) expect(table).toMatchObject({ strict: 1 });
    });

    it('does not keep the bytes of a state that was replaced', async () => {
      const marker = 'MARKER-4f1c9a';
      const store = await open();
      await store.commit({
        runs: [{ op: 'insert', record: runRecord('r', { state: { text: marker.repeat(500) } }) }],
        entries: [draft('r')],
      });
      await store.commit({
        runs: [{ op: 'update', record: runRecord('r', { state: null }) }],
        entries: [draft('r')],
      });
      await store.close();
      expect(readFileSync(file).includes(marker)).toBe(false);
    });

    it('opens a fresh file from many handles at once', async () => {
      const stores = await Promise.all(Array.from({ length: 8 }, () => open()));
      await Promise.all(stores.map((store) => store.commit({ entries: [draft('r')] })));
      expect(await wholeLog(stores[0]!)).toHaveLength(8);
    });
  });

  describe('scrubbing', () => {
    const MARK = 'personal-data-';
    const marks = (): number =>
      readdirSync(dirname(file))
        .map((name) => readFileSync(join(dirname(file), name), 'latin1').split(MARK).length - 1)
        .reduce((sum, count) => sum + count, 0);

    /** Runs whose state grows and shrinks: SQLite moves such rows between pages. */
    async function fill(store: Store): Promise<void> {
      const ids = Array.from({ length: 60 }, (_, i) => `run-${(i * 37) % 60}`);
      for (const id of ids) {
        await store.commit({
          runs: [{ op: 'insert', record: runRecord(id, { version: 0 }) }],
          payloads: [
            {
              payload: payload(100 + ids.indexOf(id), id, { bytes: Buffer.from(MARK.repeat(50)) }),
              entry: 0,
            },
          ],
          entries: [draft(id)],
        });
      }
      for (let round = 0; round < 6; round++) {
        const state = round === 5 ? null : MARK.repeat(30 * ((round * 3) % 5));
        const runs = ids.map((id) => ({ op: 'update', record: runRecord(id, { state, version: round }) }));
        await store.commit({ runs: runs as Change['runs'] & object, entries: [] });
      }
      await store.commit({
        erasures: ids.map((_, i) => ({ commitment: hex(100 + i), entry: 0 })),
        entries: [draft('r', 'payload.erased')],
      });
    }

    it('leaves no byte of an erased payload or of an emptied run state in any file', async () => {
      const store = await open();
      await fill(store);
      expect(marks()).toBeGreaterThan(0);
      expect(await store.scrub(5_000)).toBe('done');
      expect(marks()).toBe(0);
      expect(await store.run('run-5')).toMatchObject({ state: null });
    });

    it('says so when somebody still reads an old state, and finishes once they have let go', async () => {
      const store = await open({ busyTimeoutMs: 100 });
      await store.commit({
        payloads: [{ payload: payload(1, 'r', { bytes: Buffer.from(MARK) }), entry: 0 }],
        entries: [draft('r')],
      });
      const reader = new Database(file, { readonly: true });
      reader.exec('BEGIN');
      reader.prepare('SELECT count(*) FROM payload').get();
      await store.commit({
        erasures: [{ commitment: hex(1), entry: 0 }],
        entries: [draft('r', 'payload.erased')],
      });
      expect(await store.scrub(100)).toBe('busy');
      expect(marks()).toBeGreaterThan(0);
      expect(await store.unscrubbed()).toEqual([hex(1)]);
      reader.exec('COMMIT');
      reader.close();
      expect(await store.scrub(5_000)).toBe('done');
      expect(marks()).toBe(0);
      await store.commit({ entries: [draft('r')] });
    });
  });

  describe('a file of an older schema', () => {
    /** As version 1 left it: without what later versions added. */
    async function versionOne(): Promise<void> {
      const store = await open();
      await store.commit({ entries: [draft('r')] });
      await store.close();
      opened.pop();
      const db = new Database(file);
      db.exec(
        'DROP TABLE handed_out; DROP TABLE unscrubbed; DROP INDEX log_entry_own; DROP TABLE run_part; DROP TABLE meter',
      );
      for (const name of ['iteration', 'item', 'turn', 'converged'])
        db.exec(`ALTER TABLE attempt DROP COLUMN ${name}`);
      db.exec('ALTER TABLE approval DROP COLUMN more; DROP TABLE receipt; DROP TABLE task');
      db.exec('ALTER TABLE workflow DROP COLUMN author; DROP TABLE policy_files');
      db.exec('DROP INDEX log_entry_approval; DROP INDEX log_entry_task');
      db.exec('DROP INDEX run_wake');
      db.pragma('user_version = 1');
      db.close();
    }

    function pageBytes(): unknown {
      const db = new Database(file, { readonly: true });
      try {
        return db.pragma('page_size', { simple: true });
      } finally {
        db.close();
      }
    }

    it('gets the new tables when it is opened for writing, twice at once too', async () => {
      await versionOne();
      const stores = await Promise.all([open(), open()]);
      for (const store of stores) {
        expect(await store.copies()).toEqual([]);
        expect((await store.parts('r')).size).toBe(0);
        expect(await store.attempts('r')).toEqual([]);
        expect(await store.tasks()).toEqual([]);
        expect(await store.policyFiles(hex(1))).toBeNull();
      }
      expect(await wholeLog(stores[0])).toHaveLength(1);
    });

    it('keeps the size of its pages, and its log', async () => {
      const made = await open();
      await made.commit({ entries: [draft('r')] });
      await made.close();
      opened.pop();
      expect(pageBytes()).toBe(8_192);
      const db = new Database(file);
      for (const pragma of ['journal_mode = DELETE', 'page_size = 4096']) db.pragma(pragma);
      db.exec('VACUUM');
      db.close();
      const store = await open();
      await store.commit({ entries: [draft('r')] });
      expect(await wholeLog(store)).toHaveLength(2);
      await store.close();
      expect(pageBytes()).toBe(4_096);
    });

    it('says of a run that went on when its approvals and tasks end, whoever went on with it', async () => {
      const store = await open();
      const ids = ['asks', 'calls', 'waits', 'alone', 'lost'];
      const status = { waits: 'waiting', lost: 'indeterminate' } as const;
      const runs = ids.map((id) =>
        runRecord(id, id in status ? { status: status[id as keyof typeof status] } : {}),
      );
      await store.commit({
        runs: runs.map((record) => ({ op: 'insert', record })),
        approvals: ['asks', 'waits', 'lost'].map((run, at) => ({
          op: 'insert',
          record: approvalRecord(`apr_${run}`, run, { expiresAtMs: 500 + at }),
        })),
        tasks: ['asks', 'calls'].map((run, at) => ({
          op: 'insert',
          record: taskRecord(`tsk_${run}`, run, { expiresAtMs: 400 + at, heartbeatMs: null }),
        })),
        entries: [],
      });
      await store.close();
      opened.pop();
      const db = new Database(file);
      db.exec('DROP INDEX run_wake; DROP INDEX task_silence');
      db.pragma('user_version = 9');
      db.close();
      expect(await (await open()).wakeUps(9)).toEqual([
        { run: 'asks', atMs: 400 },
        { run: 'calls', atMs: 401 },
        { run: 'waits', atMs: 501 },
      ]);
    });

    it('is refused for reading, with what to do', async () => {
      await versionOne();
      const error = await failure(open({ readOnly: true }));
      expect([error.code, error.hint]).toEqual([
        'STORE_UNAVAILABLE',
        expect.stringContaining('open it once'),
      ]);
    });
  });

  describe('what it refuses to open', () => {
    it('refuses a newer schema and leaves it alone', async () => {
      await (await open()).close();
      const db = new Database(file);
      db.pragma('user_version = 11');
      db.close();
      for (const readOnly of [false, true]) {
        const error = await failure(open({ readOnly }));
        expect(error.code).toBe('STORE_UNAVAILABLE');
        expect(error.message).toContain('this writ knows version 10');
        expect(error.hint).toContain('newer writ');
      }
    });

    it('refuses another SQLite file and leaves it alone', async () => {
      mkdirSync(dirname(file));
      const db = new Database(file);
      db.exec('CREATE TABLE theirs (x)');
      db.close();
      expect((await failure(open())).code).toBe('STORE_UNAVAILABLE');
      const again = new Database(file, { readonly: true });
      expect(again.prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual(['theirs']);
      again.close();
    });

    it('refuses a file that is no database, a directory, and a path through a file', async () => {
      mkdirSync(dirname(file));
      writeFileSync(file, 'not a database, but long enough to have a header '.repeat(100));
      expect((await failure(open())).code).toBe('STORE_UNAVAILABLE');
      expect((await failure(open({ file: dirname(file) }))).code).toBe('STORE_UNAVAILABLE');
      const error = await failure(open({ file: join(file, 'writ.db') }));
      expect(error.code).toBe('STORE_UNAVAILABLE');
      expect(error.message).toContain(file);
      expect(error.cause).toBeInstanceOf(Error);
    });

    it('does not make a file when it is opened for reading', async () => {
      const error = await failure(open({ readOnly: true }));
      expect(error.code).toBe('STORE_UNAVAILABLE');
      expect(error.hint).toContain('writ init');
      expect(existsSync(dirname(file))).toBe(false);
    });

    it('reads beside a writer when opened for reading, and writes nothing', async () => {
      const writer = await open();
      const reader = await open({ readOnly: true });
      const counter = reader.changeCounter();
      await writer.commit({ entries: [draft('r')] });
      expect(await wholeLog(reader)).toHaveLength(1);
      expect(reader.changeCounter()).not.toBe(counter);
      expect(await codeOf(reader.commit({ entries: [] }))).toBe('STORE_READ_ONLY');
      expect(await codeOf(reader.markPublished(0n))).toBe('STORE_READ_ONLY');
      const row = { size: 1n, root: new Uint8Array(32), note: '' };
      expect(await codeOf(reader.putCheckpoint(row))).toBe('STORE_READ_ONLY');
    });

    it('says so when a value in the file is not what it must be', async () => {
      const store = await open();
      await store.commit({ runs: [{ op: 'insert', record: runRecord('r') }], entries: [] });
      const db = new Database(file);
      for (const [column, value] of [
        ['status', 'sleeping'],
        ['state', '{'],
        ['agents', '[]'],
        ['workflow_hash', 'AB'],
      ] as const) {
        db.exec('SAVEPOINT s');
        db.prepare(`UPDATE run SET ${column} = ?`).run(value);
        db.exec('RELEASE s');
        const error = await failure(store.run('r'));
        expect([error.code, error.message]).toEqual(['STORE_IO', expect.stringContaining(column)]);
        expect(error.message).not.toContain(value);
        db.prepare('UPDATE run SET status = ?, state = ?, agents = ?, workflow_hash = ?').run(
          'running',
          'null',
          '{}',
          hex(1),
        );
      }
      db.close();
      expect((await store.run('r'))?.state).toBeNull();
    });
  });

  describe('a writer that does not let go', () => {
    it('gives up after the busy timeout without blocking this process, and works again after', async () => {
      const store = await open({ busyTimeoutMs: 200 });
      await store.commit({ entries: [draft('r')] });
      // Another process: inside this one SQLite would see its own lock.
      const holder = spawn(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `import Database from 'better-sqlite3';
           const db = new Database(process.argv[1]);
           db.exec('BEGIN IMMEDIATE');
           process.stdout.write('held');
           process.stdin.resume().on('end', () => process.exit(0));`,
          file,
        ],
        { stdio: ['pipe', 'pipe', 'inherit'] },
      );
      const exit = once(holder, 'exit');
      await once(holder.stdout, 'data');
      let turns = 0;
      const ticking = setInterval(() => turns++, 5);
      const start = performance.now();
      const error = await failure(store.commit({ entries: [draft('r')] }));
      const waitedMs = performance.now() - start;
      clearInterval(ticking);
      expect(error.code).toBe('STORE_BUSY');
      expect(error.message).toContain(file);
      expect(waitedMs).toBeGreaterThanOrEqual(199);
      expect(waitedMs).toBeLessThan(5_000);
      expect(turns).toBeGreaterThan(3);
      expect((await store.log()).size).toBe(1n);

      const patient = store.commit({ entries: [draft('r')] });
      holder.stdin.end();
      await patient;
      await exit;
      expect(await wholeLog(store)).toHaveLength(2);
    });

    it('does not give up for having stood still itself: nobody else may have had time to let go', async () => {
      const busyTimeoutMs = 200;
      const store = await open({ busyTimeoutMs });
      const other = new Database(file);
      other.exec('BEGIN IMMEDIATE');
      const waiting = store.commit({ entries: [draft('r')] });
      await pause(5);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * busyTimeoutMs);
      await pause(5);
      other.close();
      await waiting;
      expect((await store.log()).size).toBe(1n);
    });

    it('lets another process in while this one commits in a tight loop', async () => {
      const store = await open();
      const other = startWriter(file, 'theirs', 40);
      let over = false;
      other.on('exit', () => {
        over = true;
      });
      let ours = 0;
      while (!over) {
        await store.commit({ entries: [draft('ours')] });
        ours++;
      }
      const theirs = await store.entriesOfRun('theirs');
      expect(theirs).toHaveLength(40);
      expect(ours).toBeGreaterThan(40);
    });
  });

  describe('a disk that fails', () => {
    const large = (i: number): Change => ({
      payloads: [{ payload: payload(1_000 + i, 'r', { bytes: new Uint8Array(40_000).fill(i) }), entry: 0 }],
      entries: [draft('r')],
    });

    it('fails with STORE_FULL, loses nothing it acknowledged, and refuses everything after', async () => {
      const store = await open({ maxBytes: 120 * 4_096 });
      let acknowledged = 0;
      let error: WritError | null = null;
      for (let i = 0; i < 50 && error === null; i++) {
        const outcome = await store.commit(large(i)).catch((reason: unknown) => reason);
        if (outcome instanceof WritError) error = outcome;
        else acknowledged++;
      }
      expect(error?.code).toBe('STORE_FULL');
      expect(error?.message).toContain(file);
      expect(error?.message).not.toContain('SQLITE_FULL: ');
      expect(error?.cause).toBeInstanceOf(Error);
      expect(acknowledged).toBeGreaterThan(2);
      // A small change would fit; nothing runs after a failed append all the same.
      const outcomes = await Promise.all([
        codeOf(store.commit({ entries: [draft('r')] })),
        codeOf(store.commit({ entries: [] })),
        codeOf(store.markPublished(1n)),
      ]);
      expect(outcomes).toEqual(['STORE_FULL', 'STORE_FULL', 'STORE_FULL']);
      expect(await wholeLog(store)).toHaveLength(acknowledged);
      await store.close();
      const again = await open();
      expect(await wholeLog(again)).toHaveLength(acknowledged);
      await again.commit({ entries: [draft('r')] });
    });

    it('rejects every commit of the group under which the disk fails, and all behind it', async () => {
      const store = await open({ maxBytes: 120 * 4_096 });
      await store.commit({ entries: [draft('r')] });
      const commits = [
        store.commit({ entries: [draft('r')] }),
        ...Array.from({ length: 50 }, (_, i) => store.commit(large(i))),
        store.commit({ entries: [draft('r')] }),
      ];
      const outcomes = await Promise.all(commits.map(codeOf));
      // A slow machine makes several groups of them: those before the failing one are durable.
      const durable = outcomes.indexOf('STORE_FULL');
      expect(new Set(outcomes.slice(durable))).toEqual(new Set(['STORE_FULL']));
      expect(outcomes.length - durable).toBeGreaterThan(1);
      expect(await wholeLog(store)).toHaveLength(1 + durable);
    });

    it('fails with STORE_IO when a write is cut off by the system, and keeps what it acknowledged', async () => {
      // A file size limit of the shell makes write(2) fail with EFBIG in the middle of a commit.
      const script = `
        const { openSqliteStore } = await import(process.argv[1]);
        const { systemClock } = await import(process.argv[2]);
        const { extendLog } = await import(process.argv[3]);
        const store = await openSqliteStore({ file: process.argv[4], extendLog, clock: systemClock });
        const draft = { type: 'authz.decided', run: 'r', tenant: 'default', actor: { id: 'user:u', via: 'cli' }, workflow: null,
          policy: null, data: { fill: 'x'.repeat(8000) }, commit: {} };
        let done = 0;
        for (;;) {
          try { await store.commit({ entries: [draft] }); done++; }
          catch (error) {
            const again = await store.commit({ entries: [] }).catch((reason) => reason.code);
            console.log(JSON.stringify({ done, code: error.code, again }));
            break;
          }
        }
        await store.close();`;
      const here = (path: string): string => new URL(path, import.meta.url).href;
      const child = spawn(
        'sh',
        [
          '-c',
          'ulimit -f 1200 && exec "$0" --input-type=module -e "$@"',
          process.execPath,
          script,
          here('../../dist/adapters/store/sqlite/store.js'),
          here('../../dist/adapters/clock.js'),
          here('../../dist/runtime/log/log.js'),
          file,
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString();
      });
      await once(child, 'close');
      const { done, code, again } = JSON.parse(out);
      expect([code, again]).toEqual(['STORE_IO', 'STORE_IO']);
      expect(done).toBeGreaterThan(5);
      const rows = await wholeLog(await open());
      // The failed commit itself may or may not have reached the disk; nothing acknowledged is missing.
      expect(rows.length).toBeGreaterThanOrEqual(done);
      expect(rows.length).toBeLessThanOrEqual(done + 1);
    });

    const root = process.getuid?.() === 0;
    it.skipIf(!root && process.platform === 'win32')(
      'is STORE_READ_ONLY in a directory this user may not write',
      async () => {
        await (await open()).close();
        chmodSync(directory, 0o755);
        chmodSync(dirname(file), 0o555);
        chmodSync(file, 0o444);
        // The superuser may write everywhere, so it steps down for the attempt.
        if (root) process.seteuid?.(65_534);
        try {
          const error = await failure(open());
          expect(error.code).toBe('STORE_READ_ONLY');
          expect(error.hint).toContain('write access');
          expect((await failure(open({ file: join(dirname(file), 'new', 'writ.db') }))).code).toBe(
            'STORE_READ_ONLY',
          );
        } finally {
          if (root) process.seteuid?.(0);
          chmodSync(dirname(file), 0o755);
        }
      },
    );
  });
});
