// A claims desk on disk, as `writ init` and three edits of the policies make it: alice the adjuster and bob the
// reviewer with their keys, the shipped example, one input per kind of claim. Made once per test file; a test that
// damages something takes a copy.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { execa } from 'execa';
import { expect } from 'vitest';
import { parseDocument, type Document } from 'yaml';
import {
  environmentOf,
  MAIN,
  newPlace,
  placeAt,
  type Carrier,
  type Place,
  type Ran,
  type RunOptions,
} from './writ.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/claims-review', import.meta.url));

/** Claims of the example by what becomes of them. */
const CLAIMS = { low: 'clean-collision', high: 'high-amount-fire', malformed: 'malformed-amount-as-text' };

export const FLOW = 'example/workflow.yaml';
export const STEPS = 'example/steps.yaml';
export const LOW = '@low.json';
export const HIGH = '@high.json';
export const MALFORMED = '@malformed.json';
export const BOB = { env: { WRIT_KEY: 'bob.key' } };

export interface Desk extends Place {
  /** Absolute path of a file of the desk. */
  at(...parts: string[]): string;
  /** Changes a file of its policies. */
  changePolicy(file: string, change: (document: Document) => void): void;
  /** Makes a key for this person, `NAME.key`, that the policies know as theirs. */
  enrol(person: string): Promise<void>;
  /** Another desk, the same to the byte; nothing of this one is open meanwhile. */
  copy(): Desk;
  /** The same desk, each of its commands in a process of its own: for what has to happen at the same time. */
  apart(): Desk;
  /** Starts a command and lets it run. */
  start(words: readonly string[], options?: RunOptions): Started;
  remove(): void;
}

export interface Started {
  readonly pid: number;
  /** Resolves when stderr holds `text`; rejects when the command ends without it. */
  says(text: string): Promise<void>;
  /** As `says`, of stdout. */
  shows(text: string): Promise<void>;
  /** What stdout holds so far. */
  shown(): string;
  /** The first group of a pattern in what stderr holds so far. */
  said(pattern: RegExp): string;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<Ran & { readonly signal: string | undefined }>;
}

/** Commands run as alice unless `env` names another key. */
export async function newDesk(carry?: Carrier): Promise<Desk> {
  const desk = deskAt(newPlace(carry), carry);
  expect(await desk.run(['init'])).toMatchObject({ code: 0 });
  for (const person of ['alice', 'bob']) await desk.enrol(person);
  // A key that the policies do not know.
  await desk.run(['keys', 'create', 'eve', '--out', 'eve.key']);
  cpSync(EXAMPLE, desk.at('example'), { recursive: true });
  // Registered once: its packages are in the store, and the policies in the log.
  expect(await desk.run(['workflow', 'create', FLOW])).toMatchObject({ code: 0 });
  for (const [kind, claim] of Object.entries(CLAIMS)) {
    const text = readFileSync(join(EXAMPLE, 'claims', `${claim}.json`), 'utf8');
    writeFileSync(desk.at(`${kind}.json`), `{"claim": ${text}}`);
  }
  return desk;
}

function deskAt(place: Place, carry?: Carrier): Desk {
  const asAlice = (options: RunOptions = {}): RunOptions => ({
    ...options,
    env: { WRIT_KEY: 'alice.key', ...options.env },
  });
  const at = (...parts: string[]): string => join(place.folder, ...parts);
  const changePolicy: Desk['changePolicy'] = (file, change) => {
    const document = parseDocument(readFileSync(at('policies', file), 'utf8'));
    change(document);
    writeFileSync(at('policies', file), document.toString());
  };
  return {
    folder: place.folder,
    run: (words, options) => place.run(words, asAlice(options)),
    json: (words, options) => place.json(words, asAlice(options)),
    at,
    changePolicy,
    async enrol(person) {
      await place.run(['keys', 'create', person, '--out', `${person}.key`]);
      const { publicKey } = JSON.parse(readFileSync(at(`${person}.key`), 'utf8')) as { publicKey: string };
      changePolicy('approvers.yaml', (approvers) => {
        const { people } = approvers.toJS() as { people: { id: string }[] };
        const index = people.findIndex(({ id }) => id === `user:${person}`);
        approvers.setIn(['people', index, 'keys'], [publicKey]);
      });
    },
    copy() {
      const other = newPlace(carry);
      cpSync(place.folder, other.folder, { recursive: true });
      return deskAt(other, carry);
    },
    apart: () => deskAt(placeAt(place.folder)),
    start: (words, options) => startAt(place.folder, words, asAlice(options)),
    remove() {
      rmSync(place.folder, { recursive: true, force: true });
    },
  };
}

function startAt(folder: string, words: readonly string[], options: RunOptions): Started {
  const child = execa(process.execPath, [MAIN, ...words], {
    cwd: folder,
    extendEnv: false,
    env: { ...environmentOf(folder), ...options.env },
    stdin: 'ignore',
    reject: false,
  });
  if (child.pid === undefined) throw new Error('writ did not start');
  const stderr = readOf(child.stderr);
  const stdout = readOf(child.stdout);
  return {
    pid: child.pid,
    says: stderr.holds,
    shows: stdout.holds,
    shown: stdout.soFar,
    said: (pattern) => pattern.exec(stderr.soFar())?.[1] ?? '',
    kill: (signal) => void child.kill(signal),
    ended: child.then(({ exitCode, signal, stdout, stderr }) => ({ code: exitCode, signal, stdout, stderr })),
  };
}

interface Read {
  soFar(): string;
  holds(text: string): Promise<void>;
}

function readOf(stream: NodeJS.ReadableStream): Read {
  let read = '';
  stream.on('data', (chunk: Buffer) => (read += chunk.toString()));
  return {
    soFar: () => read,
    holds: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (read.includes(text)) resolve();
        };
        stream.on('data', look);
        stream.on('end', () => reject(new Error(`it never said ${JSON.stringify(text)}: ${read}`)));
        look();
      }),
  };
}

export interface Counts {
  readonly runs: number;
  readonly intents: number;
  readonly entries: number;
}

/** What the store holds, read past `writ`. */
export function countsOf(desk: Desk, data = '.writ'): Counts {
  return reading(desk, data, (db) => {
    const count = (sql: string): number => Number(db.prepare(sql).pluck().get());
    return {
      runs: count('SELECT COUNT(*) FROM run'),
      intents: count("SELECT COUNT(*) FROM log_entry WHERE type = 'step.intended'"),
      entries: count('SELECT COUNT(*) FROM log_entry'),
    };
  });
}

export interface LogEntry {
  readonly type: string;
  readonly run?: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The log's entries in order, of one run or of all. */
export function entriesOf(desk: Desk, run: string | null = null, data = '.writ'): LogEntry[] {
  return reading(desk, data, (db) => {
    const rows = db.prepare('SELECT bytes FROM log_entry WHERE ? IS NULL OR run = ? ORDER BY idx').pluck();
    return rows.all(run, run).map((bytes) => JSON.parse(String(bytes)) as LogEntry);
  });
}

/** Of this run and of no run at all: for where others, decided before, may still be gone on with. */
export function entriesAbout(desk: Desk, run: string): LogEntry[] {
  return entriesOf(desk).filter((entry) => (entry.run ?? run) === run);
}

// Not opened read-only: such a connection would leave the write-ahead log's files behind.
function reading<T>(desk: Desk, data: string, read: (db: Database.Database) => T): T {
  const db = new Database(desk.at(data, 'writ.db'), { fileMustExist: true });
  try {
    return read(db);
  } finally {
    db.close();
  }
}

/** `writ audit verify` says verified, exit 0. */
export async function expectVerified(desk: Desk, data = '.writ'): Promise<void> {
  const { code, value } = await desk.json(['audit', 'verify', '--data', data]);
  expect([code, value]).toMatchObject([0, { verdict: 'verified', ok: true, openIntents: [] }]);
}

export interface Waiting {
  readonly run: string;
  readonly approval: string;
  readonly digest: string;
}

/** Starts a run that stops at its approval. */
export async function startWaiting(desk: Desk, workflow = FLOW, input = HIGH): Promise<Waiting> {
  const { code, value } = await desk.json(['workflow', 'run', workflow, '--input', input]);
  expect([code, value]).toMatchObject([10, { status: 'waiting', waitingFor: { kind: 'approval' } }]);
  const { id, waitingFor } = value as { id: string; waitingFor: { approvalId: string } };
  const shown = await desk.json(['approvals', 'show', waitingFor.approvalId]);
  const { subjectDigest } = shown.value as { subjectDigest: string };
  return { run: id, approval: waitingFor.approvalId, digest: subjectDigest };
}

/** A request for each of `input.claims`. */
export const EACH = `id: claims-each
agents: [claims-triage]
steps:
  - name: Triage
    functionId: tool::wasm
    mode: fanout
    items: input.claims
    agent: claims-triage
    sandbox: wasm
    approval: async
    errorMode: skip
    config: { module: claims-triage, input: '{{item}}' }
`;

export interface Asked {
  readonly id: string;
  readonly run: string;
  readonly subjectDigest: string;
  readonly stepPath: string;
  readonly state: string;
  readonly expiresAtMs: number;
}

/** Starts a run of one step that asks for each of these claims by itself; the requests as they are listed. */
export async function startWaitingForEach(
  desk: Desk,
  claims: readonly object[],
): Promise<{ readonly run: string; readonly asked: readonly Asked[] }> {
  writeFileSync(desk.at('each.yaml'), EACH);
  const input = JSON.stringify({ claims });
  const started = await desk.json(['workflow', 'run', 'each.yaml', '--input', input]);
  expect(started).toMatchObject({ code: 10 });
  const run = (started.value as { id: string }).id;
  const { value } = await desk.json(['approvals', 'list', '--run', run]);
  const asked = (value as { approvals: readonly Asked[] }).approvals;
  expect(new Set(asked.map(({ id }) => id)).size).toBe(claims.length);
  return { run, asked };
}

/** The failure of a command under --json. */
export function errorOf(ran: Ran & { readonly value: unknown }): {
  code: string;
  message: string;
  hint?: string;
} {
  expect(ran.value).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } });
  return (ran.value as { error: { code: string; message: string; hint?: string } }).error;
}

/** Writes a changed copy of a file beside it; `from` must stand in it exactly once. */
export function changed(desk: Desk, file: string, from: string, to: string, name = file): string {
  const text = readFileSync(desk.at(file), 'utf8');
  expect(text.split(from), `${file} holds ${JSON.stringify(from)} once`).toHaveLength(2);
  mkdirSync(join(desk.at(name), '..'), { recursive: true });
  writeFileSync(
    desk.at(name),
    text.replace(from, () => to),
  );
  return name;
}
