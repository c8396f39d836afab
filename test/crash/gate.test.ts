// A thousand kills (kill -9) around deciding, consuming and starting, by several processes at once on one data directory:
// no acknowledged decision is lost, no approval is used twice, and nothing runs that is not exactly what was approved.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { systemClock } from '../../src/adapters/clock.js';
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.js';
import { digestOfSubjectBytes } from '../../src/approval/subject.js';
import { parseEntry, type Entry } from '../../src/audit/entry.js';
import { canonicalJson } from '../../src/canonical-json.js';
import type { Json } from '../../src/json.js';
import { createPersonKey, initWrit, verifyData } from '../../src/open.js';
import { extendLog } from '../../src/runtime/log/log.js';
import { openJson } from '../../src/runtime/log/payload.js';

const KILLS = 1_000;
/** Lives at a time: more than there are processors, so that they meet at every point of each other's work. */
const LANES = 3;
const SEED = Number(process.env['WRIT_CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32));

const root = path.resolve(import.meta.dirname, '..', '..');
const home = mkdtempSync(path.join(tmpdir(), 'writ-gate-'));
const at = (...names: string[]): string => path.join(home, ...names);
const data = at('data');

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function policies(): void {
  cpSync(path.join(root, 'policies'), at('policies'), { recursive: true });
  const edit = (file: string, change: (document: ReturnType<typeof parseDocument>) => void): void => {
    const document = parseDocument(readFileSync(file, 'utf8'));
    change(document);
    writeFileSync(file, document.toString());
  };
  edit(at('policies', 'approvers.yaml'), (document) => {
    const { people } = document.toJS() as { people: { id: string }[] };
    for (const [index, { id }] of people.entries()) {
      const name = id.slice('user:'.length);
      document.setIn(['people', index, 'keys'], [createPersonKey(at(`${name}.key`), name).publicKey]);
    }
  });
  // The function of this test runs in the worker itself, which the shipped ceiling allows to none.
  edit(at('policies', 'ceilings', 'org.yaml'), (document) => {
    document.deleteIn(['spec', 'sandbox']);
  });
  const rules = [
    ['adjuster', 'function.invoke', 'tool::test_*'],
    ['claims-agent', 'function.invoke', 'tool::test_*'],
    ['reviewer', 'approval.decide', 'tool::test_*'],
    ['adjuster', 'workflow.run', 'test-*'],
    ['adjuster', 'run.resume', 'test-*'],
  ].map(
    ([role, action, resource], index) =>
      `  - { id: CRASH-${index}, effect: allow, subject: "role:${role}", domain: default, action: ${action}, ` +
      `resource: "${resource}", reason: "crash test" }\n`,
  );
  writeFileSync(
    at('policies', 'rbac', 'crash.yaml'),
    `apiVersion: writ/v1\nkind: Rules\nrules:\n${rules.join('')}`,
  );
}

/** What Node gets, to begin a life: a start-up snapshot with the worker in it, else the worker in one file. */
async function build(): Promise<readonly string[]> {
  const bundle = await rolldown({
    input: path.join(import.meta.dirname, 'gate-worker.mjs'),
    platform: 'node',
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    logLevel: 'silent',
    plugins: [
      {
        name: 'late',
        resolveId: (id) => (id === 'better-sqlite3' ? '\0late' : null),
        // A native module can't be part of a snapshot: it is loaded when the first database is opened.
        load: (id) => (id === '\0late' ? LATE_SQLITE : null),
      },
    ],
  });
  const file = at('worker.cjs');
  await bundle.write({ file, format: 'cjs', codeSplitting: false, minify: true, banner: LATER_METHODS });
  await bundle.close();
  const blob = at('worker.blob');
  const env = { ...process.env, WRIT_CRASH_HOME: home };
  const building = ['--no-warnings', ...SHORT_LIFE, '--snapshot-blob', blob, '--build-snapshot', file];
  const made = spawnSync(process.execPath, building, { env });
  if (made.status === 0) return [...SHORT_LIFE, '--snapshot-blob', blob];
  console.log(`crash: no start-up snapshot here, so lives begin slowly: ${made.stderr.toString()}`);
  return [file];
}

/** It is over before optimised code would have been worth its making, and a snapshot is read under its own flags only. */
const SHORT_LIFE = ['--no-opt'];

/** `new` and `SqliteError` are all that the store asks of the module. */
const LATE_SQLITE = `
  import { createRequire } from 'node:module';
  let real;
  const load = () => (real ??= createRequire(${JSON.stringify(path.join(root, 'package.json'))})('better-sqlite3'));
  export default function Late(...given) { return new (load())(...given); }
  Object.defineProperty(Late, 'SqliteError', { get: () => load().SqliteError });
`;

/** V8 gives these to a program only after the snapshot was read: while it is made they are lent, and taken back. */
const LATER_METHODS = `
  if (require('node:v8').startupSnapshot.isBuildingSnapshot()) {
    const lent = Object.entries({
      toSorted(by) { return [...this].sort(by); },
      toReversed() { return [...this].reverse(); },
    }).filter(([name]) => !(name in Array.prototype));
    for (const [name, value] of lent) Object.defineProperty(Array.prototype, name, { value, configurable: true });
    require('node:v8').startupSnapshot.addSerializeCallback(() => {
      for (const [name] of lent) delete Array.prototype[name];
    });
  }
`;

interface Life {
  /** Everything that was said whole. */
  readonly lines: readonly string[];
}

/** One life. `strike` is asked after each line how many milliseconds later it ends; null = not yet. */
function live(
  node: readonly string[],
  seed: number,
  strike: ((lines: number) => number | null) | null,
): Promise<Life> {
  return new Promise((resolve, reject) => {
    const mode = strike === null ? 'drain' : 'work';
    const child = spawn(process.execPath, [...node, home, String(seed), mode], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines: string[] = [];
    let rest = '';
    let errors = '';
    let isDoomed = strike === null;
    const look = (): void => {
      const delayMs = isDoomed ? null : (strike?.(lines.length) ?? null);
      if (delayMs === null) return;
      isDoomed = true;
      setTimeout(() => child.kill('SIGKILL'), delayMs);
    };
    child.stdout.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
      look();
    });
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const asMeant = errors === '' && (strike === null ? code === 0 : signal === 'SIGKILL');
      if (asMeant) resolve({ lines });
      else reject(new Error(`a life (seed ${seed}) ended with ${code ?? signal}: ${errors}`));
    });
    look();
  });
}

const readStore = () =>
  openSqliteStore({ file: path.join(data, 'writ.db'), extendLog, clock: systemClock, readOnly: true });

describe(`a gate whose processes are killed ${KILLS} times (seed ${SEED})`, () => {
  const said: string[] = [];
  let node: readonly string[] = [];
  let entries: Entry[] = [];

  beforeAll(async () => {
    policies();
    await initWrit({ data, origin: null, tenant: 'default', trustFile: at('trust.json') });
    node = await build();
  });

  afterAll(() => {
    rmSync(home, { recursive: true, force: true });
  });

  // The limit is a net for one that hangs: a loaded machine takes several times as long as an idle one.
  it('goes on after each kill, and comes to an end', { timeout: 3_600_000 }, async () => {
    let begun = 0;
    let kills = 0;
    const lane = async (random: () => number): Promise<void> => {
      while (begun < KILLS) {
        begun += 1;
        // A line is a moment at which something has just become durable. Not before the first: opening is not the gate.
        const enough = 1 + Math.floor(random() * 3);
        const delayMs = random() * 12;
        const strike = (count: number): number | null => (count >= enough ? delayMs : null);
        const { lines } = await live(node, Math.floor(random() * 2 ** 32), strike).catch((error: unknown) => {
          begun = KILLS;
          throw error;
        });
        kills += 1;
        said.push(...lines);
      }
    };
    // All of them, also when one fails: what is left running would write into a folder that is being removed.
    const ends = await Promise.allSettled(
      Array.from({ length: LANES }, (_, at) => lane(randomOf(SEED + at))),
    );
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    said.push(...(await live(node, SEED, null)).lines);
    expect(kills).toBeGreaterThanOrEqual(KILLS);
  });

  it('lost no decision that was acknowledged, and no run', async () => {
    const store = await readStore();
    const { size } = await store.log();
    const found: Entry[] = [];
    for (let first = 0n; first < size; first += 1000n)
      found.push(...(await store.entries(first, size, 1000)).map((row) => parseEntry(row.bytes)));
    await store.close();
    entries = found;
    const decided = new Set(
      found
        .filter(({ type }) => type === 'approval.decided')
        .map(({ data: facts }) =>
          [facts['approvalId'], facts['decision'], facts['approver']].map(String).join(' '),
        ),
    );
    const started = new Set(found.filter(({ type }) => type === 'run.started').map(({ run }) => run));
    const lost = said.filter((line) => {
      const [word = '', id = '', ...rest] = line.split(' ');
      if (word === 'decided') return !decided.has([id, ...rest].join(' '));
      return word === 'started' && !started.has(id);
    });
    expect(lost).toEqual([]);
    expect(decided.size).toBeGreaterThan(KILLS / 10);
  });

  it('used no approval twice, and none that was denied, replaced or taken back', () => {
    const ofApproval = new Map<string, string[]>();
    for (const { type, data: facts } of entries) {
      const id = facts['approvalId'];
      if (typeof id !== 'string' || !type.startsWith('approval.')) continue;
      const { decision } = facts;
      const what = type === 'approval.decided' && typeof decision === 'string' ? decision : type;
      ofApproval.set(id, [...(ofApproval.get(id) ?? []), what]);
    }
    let consumed = 0;
    for (const [id, events] of ofApproval) {
      const uses = events.filter((event) => event === 'approval.consumed').length;
      expect(uses, `${id}: ${events.join(', ')}`).toBeLessThanOrEqual(1);
      consumed += uses;
      if (uses === 1) expect(events, id).toEqual(['approval.requested', 'approve', 'approval.consumed']);
    }
    expect(consumed).toBeGreaterThan(KILLS / 10);
    // Consumption and intent are one: neither is there without the other.
    expect(entries.filter(({ type }) => type === 'step.intended')).toHaveLength(consumed);
  });

  it('ran nothing but what was approved, each once, under its own digest', async () => {
    const store = await readStore();
    try {
      const effects = readFileSync(at('effects.txt'), 'utf8').trim().split('\n');
      expect(new Set(effects.map((line) => line.split(' ')[0])).size).toBe(effects.length);
      const approvals = new Map((await store.approvals()).map((record) => [record.id, record]));
      const byKey = new Map(
        (
          await Promise.all(
            [...new Set([...approvals.values()].map(({ run }) => run))].map((run) => store.attempts(run)),
          )
        )
          .flat()
          .map((attempt) => [attempt.idempotencyKey, attempt]),
      );
      for (const line of effects) {
        const space = line.indexOf(' ');
        const [key, input] = [line.slice(0, space), line.slice(space + 1)];
        const approval = approvals.get(byKey.get(key)?.approvalId ?? '');
        expect(approval?.state, line).toBe('consumed');
        if (approval === undefined) continue;
        const payload = await store.payload(approval.subject);
        expect(digestOfSubjectBytes(payload?.bytes ?? new Uint8Array()), line).toBe(approval.subjectDigest);
        const subject = openJson(payload) as { readonly input: Json };
        expect(canonicalJson(subject.input)).toBe(input);
      }
      const words = said.map((line) => line.split(' ')[0]);
      const count = (word: string): number => words.filter((one) => one === word).length;
      console.log(
        `crash: ${KILLS} kills, ${entries.length} entries; said: ${count('started')} started, ` +
          `${count('decided')} decided, ${count('changed')} changed; ${effects.length} effects`,
      );
    } finally {
      await store.close();
    }
  });

  it('left a log that verifies, with every run ended', async () => {
    const report = await verifyData({
      ...{ dir: path.join(data, 'audit'), trust: at('trust.json') },
      ...{ vkeys: [], old: [], run: null, payloads: true },
    });
    expect(report).toMatchObject({ verdict: 'verified', openIntents: [], findings: [] });
  });
});
