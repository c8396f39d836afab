// kill -9 at random moments, over and over, while two processes work on one data directory: one runs workflows, the
// other approves, or appends as fast as it can. Nothing acknowledged is lost, no effect happens twice that was not declared idempotent,
// every life goes on where the last one ended, no size ever gets two roots, and the log verifies all the time.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { systemClock } from '../../src/adapters/clock.js';
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.js';
import { openTileDirectory } from '../../src/adapters/store/tile-directory.js';
import { parseCheckpoint, parseEntry, parseNote } from '../../src/audit/index.js';
import { createPersonKey, initWrit, openWrit, verifyData } from '../../src/open.js';
import { extendLog } from '../../src/runtime/log/log.js';

/** Kills of each of the two, at least. */
const KILLS = [75, 125] as const;
/** A verification beside the two living processes, each time this many have died. */
const VERIFY_EVERY = 20;
const SEED = Number(process.env['WRIT_CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32));

const root = path.resolve(import.meta.dirname, '..', '..');
const home = mkdtempSync(path.join(tmpdir(), 'writ-crash-'));
const data = path.join(home, 'data');
const audit = path.join(data, 'audit');
const trustFile = path.join(home, 'trust.json');

type Role = 'runner' | 'clerk' | 'appender';

/** How much one says at most before its end. A run is about 25 lines. */
const LINES: Readonly<Record<Role, number>> = { runner: 45, clerk: 8, appender: 60 };
const START_MS = 400;
const PATIENCE_MS = 1_000;

const PROGRAMS: Readonly<Record<Role, string>> = {
  runner: path.join(import.meta.dirname, 'worker.mjs'),
  clerk: path.join(import.meta.dirname, 'worker.mjs'),
  appender: path.join(import.meta.dirname, 'appender.mjs'),
};

/** mulberry32: the moments of a seed are the same each time, what the processes do until then is not. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Life {
  readonly role: Role;
  readonly lines: string[];
  readonly child: ChildProcess;
  /** Ends with the process; rejects when it ended by itself though it should not, or complained. */
  readonly ended: Promise<void>;
  /** Resolves when it has opened the data directory, and when it is dead. */
  readonly opened: Promise<void>;
  /** Called with the number of lines so far whenever there are more. */
  onLines(listener: (count: number) => void): void;
}

/** One life of a process. Named `drain` it may end by itself. */
function begin(role: Role, name: string): Life {
  const child = spawn(process.execPath, [PROGRAMS[role], home, role, name], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  let listener = (_: number): void => undefined;
  let rest = '';
  let errors = '';
  const opened = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      // What a kill cut off was not said.
      const parts = (rest + chunk.toString()).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
      resolve();
      listener(lines.length);
    });
    child.on('close', resolve);
  });
  child.stdin.on('error', () => undefined);
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const asMeant = errors === '' && (signal === 'SIGKILL' || (name === 'drain' && code === 0));
      if (asMeant) resolve();
      else reject(new Error(`${role} ${name} ended with ${code ?? signal}: ${errors}`));
    });
  });
  return { role, lines, child, ended, opened, onLines: (told) => void (listener = told) };
}

/** Everything that a process said it had made durable, and the checkpoints that were ever published. */
class Witness {
  readonly entries = new Map<string, number>();
  readonly started = new Set<string>();
  readonly finished = new Map<string, string>();
  readonly approved = new Set<string>();
  readonly refused = new Set<string>();
  /** size -> root and note; a second root of a size is the end of the test. */
  readonly checkpoints = new Map<bigint, { readonly root: string; readonly note: string }>();

  hear(lines: readonly string[]): void {
    for (const line of lines) {
      const [word, id = '', status = ''] = line.split(' ');
      if (word === 'entry') this.entries.set(line, (this.entries.get(line) ?? 0) + 1);
      if (word === 'started') this.started.add(id);
      if (word === 'approved') this.approved.add(id);
      if (word === 'refused') this.refused.add(id);
      if (word !== 'finished') continue;
      // A run that was said to be over stays over.
      expect(this.finished.has(id), line).toBe(false);
      this.finished.set(id, status);
    }
  }

  async look(): Promise<void> {
    const bytes = await openTileDirectory(audit).get('checkpoint');
    const note = new TextDecoder().decode(bytes ?? new Uint8Array());
    const { size, root: hash } = parseCheckpoint(parseNote(note).text);
    const seen = { root: Buffer.from(hash).toString('hex'), note };
    const before = this.checkpoints.get(size);
    if (before === undefined) this.checkpoints.set(size, seen);
    else expect(seen.root, `second root of size ${size}`).toBe(before.root);
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

async function verify(old: readonly string[] = []) {
  const files = old.map((note, i) => {
    const file = path.join(home, `old-${i}`);
    writeFileSync(file, note);
    return file;
  });
  return verifyData({ dir: audit, vkeys: [], old: files, trust: trustFile, run: null, payloads: true });
}

beforeAll(async () => {
  cpSync(path.join(root, 'policies'), path.join(home, 'policies'), { recursive: true });
  const file = path.join(home, 'policies', 'approvers.yaml');
  const document = parseDocument(readFileSync(file, 'utf8'));
  const { people } = document.toJS() as { people: { id: string }[] };
  for (const [index, { id }] of people.entries()) {
    const name = id.slice('user:'.length);
    document.setIn(
      ['people', index, 'keys'],
      [createPersonKey(path.join(home, `${name}.key`), name).publicKey],
    );
  }
  writeFileSync(file, document.toString());
  // The function of this test runs in the worker itself, which the shipped ceiling allows to none.
  const ceiling = path.join(home, 'policies', 'ceilings', 'org.yaml');
  const org = parseDocument(readFileSync(ceiling, 'utf8'));
  org.deleteIn(['spec', 'sandbox']);
  writeFileSync(ceiling, org.toString());
  const rule = (id: string, subject: string, action: string, resource: string) =>
    `  - { id: ${id}, effect: allow, subject: "${subject}", domain: default, action: ${action}, resource: "${resource}", reason: "crash test" }\n`;
  writeFileSync(
    path.join(home, 'policies', 'rbac', 'crash.yaml'),
    'apiVersion: writ/v1\nkind: Rules\nrules:\n' +
      rule('CRASH-1', 'role:adjuster', 'function.invoke', 'tool::test_*') +
      rule('CRASH-2', 'role:claims-agent', 'function.invoke', 'tool::test_*') +
      rule('CRASH-3', 'role:reviewer', 'approval.decide', 'tool::test_*') +
      rule('CRASH-4', 'role:adjuster', 'workflow.run', 'test-*') +
      rule('CRASH-5', 'role:adjuster', 'run.resume', 'test-*'),
  );
  await initWrit({ data, origin: null, tenant: 'default', trustFile });
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

describe(`two processes on one data directory, killed ${KILLS.join(' and ')} times (seed ${SEED})`, () => {
  const witness = new Witness();
  const alive: [Life | null, Life | null] = [null, null];
  const kills: [number, number] = [0, 0];
  /** One of the two lanes has failed: nothing is begun any more. */
  let isOver = false;

  /** When this life ends: at a moment of its start, or a moment after it has said so much. The load changes neither. */
  function doom(life: Life, kill: number, at: 0 | 1, random: () => number): void {
    let hasEnded = false;
    void life.ended.finally(() => (hasEnded = true)).catch(() => undefined);
    const strike = (): void => {
      if (hasEnded) return;
      hasEnded = true;
      life.child.kill('SIGKILL');
      // As when the power fails.
      if (kill % 5 === 2) alive[at === 0 ? 1 : 0]?.child.kill('SIGKILL');
    };
    if (kill % 5 === 0) {
      setTimeout(strike, random() * START_MS);
      return;
    }
    const enough = 1 + Math.floor(random() * LINES[life.role]);
    const delayMs = random() * 10;
    life.onLines((count) => {
      if (count >= enough) setTimeout(strike, delayMs);
    });
    // One that waits for the other, which is dead just now, has no more to say.
    void life.opened.then(() => setTimeout(strike, PATIENCE_MS));
  }

  /** Lives of one process, one after another, until both were killed often enough. */
  async function lane(at: 0 | 1, random: () => number): Promise<void> {
    for (let kill = 0; !isOver && (kills[0] < KILLS[0] || kills[1] < KILLS[1]); kill++) {
      const role = at === 0 ? 'runner' : kill % 2 === 0 ? 'clerk' : 'appender';
      const life = begin(role, `${role}-${kill}`);
      alive[at] = life;
      doom(life, kill, at, random);
      await life.ended;
      witness.hear(life.lines);
      await witness.look();
      kills[at] += 1;
      if ((kills[0] + kills[1]) % VERIFY_EVERY !== 0) continue;
      const old = [...witness.checkpoints.values()].slice(-VERIFY_EVERY).map(({ note }) => note);
      expect((await verify(old)).findings, `after ${kills.join(' + ')} kills`).toEqual([]);
    }
  }

  // The limit is a net for one that hangs: a loaded machine takes several times as long as an idle one.
  it(
    'lose nothing they acknowledged, double nothing, and leave one log that verifies each time',
    { timeout: 3_600_000 },
    async () => {
      console.log(`crash: seed ${SEED}`);
      const lanes = [lane(0, randomOf(SEED)), lane(1, randomOf(SEED ^ 0x5bd1e995))];
      try {
        await Promise.all(lanes);
      } finally {
        isOver = true;
        await Promise.allSettled(lanes);
      }
      expect(kills[0] + kills[1]).toBeGreaterThanOrEqual(200);

      const clerk = begin('clerk', 'drain');
      const runner = begin('runner', 'drain');
      await runner.ended;
      clerk.child.stdin?.end();
      await clerk.ended;
      witness.hear([...runner.lines, ...clerk.lines]);
      await witness.look();
    },
  );

  it('lost no acknowledged entry, and the log has no gap', async () => {
    const file = path.join(data, 'writ.db');
    const store = await openSqliteStore({ file, extendLog, clock: systemClock, readOnly: true });
    try {
      const { size } = await store.log();
      const stored = new Map<string, number>();
      const seqs = new Map<string, number>();
      for (let first = 0n; first < size; first += 1000n) {
        for (const [i, row] of (await store.entries(first, size, 1000)).entries()) {
          expect(row.index).toBe(first + BigInt(i));
          expect(row.seq).toBe((seqs.get(row.run) ?? -1) + 1);
          seqs.set(row.run, row.seq);
          const line = `entry ${row.type} ${row.run === '' ? '-' : row.run} ${parseEntry(row.bytes).timeMs}`;
          stored.set(line, (stored.get(line) ?? 0) + 1);
          const { data: facts } = parseEntry(row.bytes);
          if (facts['verdict'] === 'deny') witness.refused.delete(textOf(facts['resource']));
          if (row.type === 'approval.decided') witness.approved.delete(textOf(facts['approvalId']));
        }
      }
      const lost = [...witness.entries].filter(([line, count]) => (stored.get(line) ?? 0) < count);
      expect(lost).toEqual([]);
      expect([...witness.refused, ...witness.approved]).toEqual([]);
      console.log(
        `crash: ${kills.join(' + ')} kills, ${size} entries, ${[...witness.entries.values()].reduce((a, b) => a + b, 0)} heard of, ` +
          `${witness.started.size} runs, ${witness.checkpoints.size} checkpoints seen`,
      );
    } finally {
      await store.close();
    }
  });

  it('left every run ended, every effect once, and every success with its effect', async () => {
    const policies = path.join(home, 'policies');
    const writ = await openWrit({ data, policies, trustFile, wasmPool: 0 });
    const runs = await writ.runs();
    const known = new Set(runs.map((run) => run.id));
    expect([...witness.started].filter((id) => !known.has(id))).toEqual([]);
    for (const [id, status] of witness.finished) {
      expect(runs.find((run) => run.id === id)?.status).toBe(status);
    }
    expect(runs.filter((run) => run.status !== 'completed' && run.status !== 'failed')).toEqual([]);

    const effects = new Map<string, number>();
    for (const line of readFileSync(path.join(home, 'effects.txt'), 'utf8').trim().split('\n')) {
      effects.set(line, (effects.get(line) ?? 0) + 1);
    }
    const doubled = [...effects].filter(
      ([line, count]) => count > 1 && !line.toLowerCase().endsWith('again'),
    );
    expect(doubled).toEqual([]);
    let lost = 0;
    for (const run of runs) {
      for (const step of (await writ.status(run.id)).steps) {
        if (step.status === 'indeterminate') lost += 1;
        if (step.status !== 'succeeded') continue;
        // A recorded success has its effect.
        const happened = [...effects.keys()].some((line) => line.startsWith(`${run.id}/${step.stepPath}/`));
        expect(happened, `${run.id} ${step.stepPath}`).toBe(true);
      }
    }
    console.log(`crash: ${lost} lost outcomes shown as indeterminate`);
    await writ.publish();
    await writ.close();
  });

  it('left a log that both verifiers verify against every checkpoint that was ever seen', async () => {
    const old = [...witness.checkpoints.values()].map(({ note }) => note);
    expect(await verify(old)).toMatchObject({ verdict: 'verified', openIntents: [] });
    const vkey = readFileSync(path.join(audit, 'vkey'), 'utf8').trim();
    const flags = old.flatMap((_, i) => ['--old', path.join(home, `old-${i}`)]);
    const second = path.join(root, 'audit', 'verify.mjs');
    const words = [second, audit, '--vkey', vkey, ...flags, '--json'];
    const { status, stdout } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { verdict: 'verified', openIntents: [] }]);
  });

  it('left files that are made again, the same to the byte, when they are lost', async () => {
    const before = openTileDirectory(audit);
    const checkpoint = await before.get('checkpoint');
    const lost = `${audit}.lost`;
    cpSync(audit, lost, { recursive: true });
    rmSync(audit, { recursive: true });
    const writ = await openWrit({ data, policies: path.join(home, 'policies'), trustFile, wasmPool: 0 });
    await writ.publish();
    await writ.close();
    expect(await before.get('checkpoint')).toEqual(checkpoint);
    for await (const name of before.list()) {
      expect(await before.get(name), name).toEqual(await openTileDirectory(lost).get(name));
    }
    expect(await verify()).toMatchObject({ verdict: 'verified' });
  });
});
