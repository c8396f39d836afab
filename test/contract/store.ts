// The contract of the Store port: every adapter passes it. What counts most is said in the titles: all or nothing,
// durable when acknowledged, one gapless log whoever writes.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WritError } from '../../src/errors.js';
import { type Commitment, type Hex, isHex64, type Json, type SubjectDigest } from '../../src/json.js';
import {
  VERSION_JUMP,
  type ApprovalRecord,
  type AttemptRecord,
  type Change,
  type Charge,
  type Clock,
  type EntryDraft,
  type LogRow,
  type Payload,
  type Receipt,
  type RunRecord,
  type Store,
  type TaskRecord,
  type WorkflowRecord,
} from '../../src/runtime/ports.js';

/** One set of data that several handles and processes can open. */
export interface StoreFixture {
  /** Another handle on the same data. */
  open(options?: { readonly clock?: Clock }): Promise<Store>;
  /**
   * Another process: commits one entry of `run` after the other, prints `ready`, then the index of each
   * acknowledged entry on a line. With `room` each commit is charged one to the meter of the suite, `room` at most, and
   * it ends when there is none.
   */
  startWriter(run: string, commits: number, room?: number): ChildProcess;
  remove(): Promise<void>;
}

const T0 = Date.UTC(2026, 2, 1, 9, 30);

/** A clock that a test sets. */
export function fixedClock(startMs = T0): Clock & { set(timeMs: number): void } {
  let now = startMs;
  const never = async (): Promise<never> => {
    throw new Error('the store does not sleep by the clock');
  };
  return {
    nowMs: () => now,
    sleepUntil: never,
    sleep: never,
    set: (timeMs) => {
      now = timeMs;
    },
  };
}

/** The meter that a writer process charges. */
export const METER = { layer: 'org', name: 'org-default', scope: '2026-03-01', budget: 'calls' } as const;

/** 64 hex digits that begin with `seed` in hex. */
export function hex(seed: number): Hex & SubjectDigest & Commitment {
  const text = seed.toString(16).padStart(64, '0');
  if (!isHex64(text)) throw new Error('not hex');
  return text;
}

export function draft(run: string | null, type = 'authz.decided', data: EntryDraft['data'] = {}): EntryDraft {
  return {
    type,
    run,
    tenant: 'default',
    actor: { id: 'user:alice', via: 'cli' },
    workflow: null,
    policy: null,
    data,
    commit: {},
  };
}

export function runRecord(id: string, over: Partial<RunRecord> = {}): RunRecord {
  return {
    id,
    tenant: 'default',
    workflowId: 'claims-review',
    workflowHash: hex(1),
    policyHash: hex(2),
    initiator: 'user:alice',
    status: 'running',
    plan: { start: 'Triage' },
    state: { at: 'Triage', data: { ümlaut: ['✓', 0.1, -1e21, null, true, ''], __proto__: {} } },
    waitingFor: null,
    wakeAtMs: null,
    agents: { reviewer: 'agent:reviewer-1' },
    createdAtMs: T0,
    updatedAtMs: T0,
    exitCode: null,
    version: 1,
    ...over,
  };
}

export function attemptRecord(
  run: string,
  stepPath: string,
  over: Partial<AttemptRecord> = {},
): AttemptRecord {
  return {
    run,
    stepPath,
    attempt: 1,
    status: 'intended',
    functionId: 'tool::shell_exec',
    principal: 'agent:reviewer-1',
    idempotencyKey: `${run}/${stepPath}/1`,
    input: hex(3),
    output: null,
    approvalId: null,
    error: null,
    startedAtMs: T0,
    finishedAtMs: null,
    intentIndex: null,
    iteration: null,
    item: null,
    turn: null,
    converged: null,
    ...over,
  };
}

export function approvalRecord(id: string, run: string, over: Partial<ApprovalRecord> = {}): ApprovalRecord {
  return {
    id,
    tenant: 'default',
    run,
    stepPath: 'Pay',
    attempt: 1,
    subjectDigest: hex(10),
    subject: hex(11),
    mode: 'two-person',
    quorum: [{ role: 'claims-lead', n: 2 }],
    separationOfDuties: true,
    reasonRequired: false,
    requester: 'agent:payer',
    initiator: 'user:alice',
    functionId: 'tool::shell_exec',
    demandedBy: ['ceiling org-prod: rule 2'],
    policyHash: hex(2),
    createdAtMs: T0,
    expiresAtMs: T0 + 3_600_000,
    state: 'pending',
    votes: [],
    version: 1,
    ...over,
  };
}

export function taskRecord(id: string, run: string, over: Partial<TaskRecord> = {}): TaskRecord {
  return {
    id,
    tenant: 'default',
    run,
    stepPath: id,
    attempt: 1,
    kind: 'token',
    tokenHash: null,
    functionId: 'tool::order',
    initiator: 'user:alice',
    roles: ['role:reviewer'],
    separationOfDuties: true,
    outputBytes: 1000,
    createdAtMs: T0,
    expiresAtMs: T0 + 1000,
    heartbeatMs: 10,
    aliveAtMs: T0,
    state: 'open',
    answer: null,
    version: 0,
    ...over,
  };
}

export function payload(seed: number, run: string, over: Partial<Payload> = {}): Payload {
  return {
    commitment: hex(seed),
    label: 'input',
    salt: new Uint8Array(32).fill(seed % 256),
    bytes: Uint8Array.of(0, 255, seed % 256),
    mediaType: 'application/json',
    run,
    ...over,
  };
}

export function workflowRecord(
  hash: Hex,
  version: number,
  over: Partial<WorkflowRecord> = {},
): WorkflowRecord {
  return {
    id: 'claims-review',
    hash,
    version,
    name: 'Claims review',
    source: 'id: claims-review\n',
    file: null,
    createdAtMs: T0,
    author: 'user:alice',
    ...over,
  };
}

/** The code a promise rejects with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    () => 'resolved',
    (error: WritError) => error.code,
  );
  return outcome;
}

/** The whole log, after checking that it has no gap: indices from 0, and each run's seq from 0. */
export async function wholeLog(store: Store): Promise<readonly LogRow[]> {
  const { size } = await store.log();
  const rows = await store.entries(0n, size, Number(size));
  const next = new Map<string, number>();
  for (const [i, row] of rows.entries()) {
    expect(row.index).toBe(BigInt(i));
    expect(row.seq).toBe(next.get(row.run) ?? 0);
    next.set(row.run, row.seq + 1);
  }
  expect(rows).toHaveLength(Number(size));
  return rows;
}

/** Indices a writer process has acknowledged so far; `ready` resolves once it has the store open. */
export function acknowledgements(child: ChildProcess): { ready: Promise<void>; indices: bigint[] } {
  const indices: bigint[] = [];
  if (child.stdout === null) throw new Error('the writer needs a pipe');
  const ready = new Promise<void>((resolve, reject) => {
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') resolve();
      else indices.push(BigInt(line));
    });
    child.on('exit', (code) => {
      reject(new Error(`the writer ended with ${code} before it was ready`));
    });
  });
  return { ready, indices };
}

/** Runs the contract against what `makeFixture` makes; each test gets data of its own. */
export function storeContract(name: string, makeFixture: () => Promise<StoreFixture>): void {
  describe(`${name} as a Store`, () => {
    let fixture: StoreFixture;
    let store: Store;
    const opened: Store[] = [];

    async function open(options?: { readonly clock?: Clock }): Promise<Store> {
      const made = await fixture.open(options);
      opened.push(made);
      return made;
    }

    beforeEach(async () => {
      fixture = await makeFixture();
      store = await open();
    });
    afterEach(async () => {
      for (const each of opened.splice(0)) await each.close();
      await fixture.remove();
    });

    describe('atomicity', () => {
      it('starts empty', async () => {
        expect(await store.log()).toEqual({ size: 0n, compactRange: [], lastTimeMs: 0, publishedSize: 0n });
        expect(await store.runs()).toEqual([]);
        expect(await store.workflows()).toEqual([]);
        expect(await store.approvals()).toEqual([]);
        expect(await store.lastCheckpoint()).toBeNull();
        expect([
          await store.run('r'),
          await store.workflow('w'),
          await store.approval('a'),
          await store.payload(hex(9)),
        ]).toEqual([null, null, null, null]);
      });

      it('writes all parts of a change or none', async () => {
        await store.commit({
          runs: [{ op: 'insert', record: runRecord('r1') }],
          entries: [draft('r1', 'run.started')],
        });
        const before = await store.log();
        const change: Change = {
          workflows: [workflowRecord(hex(50), 1)],
          runs: [
            { op: 'insert', record: runRecord('r2') },
            { op: 'update', record: runRecord('r1', { version: 7, status: 'failed' }) },
          ],
          attempts: [{ record: attemptRecord('r1', 'Triage') }],
          approvals: [{ op: 'insert', record: approvalRecord('apr_1', 'r1') }],
          payloads: [{ payload: payload(60, 'r1'), entry: 0 }],
          entries: [draft('r1'), draft('r2', 'run.started')],
        };
        expect(await codeOf(store.commit(change))).toBe('STORE_CONFLICT');
        expect(await store.log()).toEqual(before);
        expect(await store.run('r2')).toBeNull();
        expect((await store.run('r1'))?.status).toBe('running');
        expect(await store.attempts('r1')).toEqual([]);
        expect(await store.approvals()).toEqual([]);
        expect(await store.workflows()).toEqual([]);
        expect(await store.payload(hex(60))).toBeNull();
        expect(await wholeLog(store)).toHaveLength(1);
      });

      it('rejects only the change that conflicts when several commit at once', async () => {
        await store.commit({ runs: [{ op: 'insert', record: runRecord('r') }], entries: [] });
        const outcomes = await Promise.allSettled(
          Array.from({ length: 20 }, (_, i) =>
            store.commit({
              runs: i % 2 === 0 ? [] : [{ op: 'insert', record: runRecord('r') }],
              entries: [draft('r', 'authz.decided', { i })],
            }),
          ),
        );
        expect(outcomes.map((outcome) => outcome.status)).toEqual(
          Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'fulfilled' : 'rejected')),
        );
        expect(await wholeLog(store)).toHaveLength(10);
      });

      it('undoes a change that names an entry it does not have', async () => {
        const change: Change = {
          runs: [{ op: 'insert', record: runRecord('r') }],
          payloads: [{ payload: payload(1, 'r'), entry: 1 }],
          entries: [draft('r')],
        };
        expect(await codeOf(store.commit(change))).toBe('INTERNAL');
        expect(await store.run('r')).toBeNull();
        expect((await store.log()).size).toBe(0n);
      });

      it('undoes only the change whose entry the log refuses, here one that is too large', async () => {
        const large = draft('r', 'authz.decided', { text: 'x'.repeat(65_536) });
        const outcomes = await Promise.all(
          [[draft('r')], [draft('r'), large], [draft('r')]].map((entries) =>
            codeOf(store.commit({ entries })),
          ),
        );
        expect(outcomes).toEqual(['resolved', 'AUDIT_ENTRY_INVALID', 'resolved']);
        expect(await wholeLog(store)).toHaveLength(2);
      });

      it('takes an empty change', async () => {
        expect(await store.commit({ entries: [] })).toEqual({ entries: [] });
        expect((await store.log()).size).toBe(0n);
      });
    });

    describe('the log', () => {
      it('gives entries gapless indices, and a seq from 0 for each run and for the log itself', async () => {
        const first = await store.commit({ entries: [draft(null, 'log.opened'), draft('a'), draft('b')] });
        const second = await store.commit({ entries: [draft('b'), draft('a'), draft(null), draft('a')] });
        expect([...first.entries, ...second.entries].map((entry) => entry.index)).toEqual([
          0n,
          1n,
          2n,
          3n,
          4n,
          5n,
          6n,
        ]);
        const rows = await wholeLog(store);
        expect(rows.map((row) => [row.run, row.seq])).toEqual([
          ['', 0],
          ['a', 0],
          ['b', 0],
          ['b', 1],
          ['a', 1],
          ['', 1],
          ['a', 2],
        ]);
        expect(rows[0]?.type).toBe('log.opened');
        expect((await store.entriesOfRun('a')).map((row) => row.index)).toEqual([1n, 4n, 6n]);
        expect((await store.entriesOfRun('')).map((row) => row.index)).toEqual([0n, 5n]);
        expect(await store.entriesOfRun('c')).toEqual([]);
        const part = await store.entriesOfRun('a', { from: 1, limit: 1 });
        expect(part.map(({ seq, index }) => [seq, index])).toEqual([[1, 4n]]);
        expect(await store.entriesOfRun('a', { from: 3, limit: 10 })).toEqual([]);
        expect(await store.entriesOfRun('a', { from: 0, limit: 0 })).toEqual([]);
        // As many as there are, in pages of any size, byte for byte.
        const whole = (await store.entriesOfRun('a')).map((row) => ({ ...row, bytes: [...row.bytes] }));
        for (const limit of [1, 2, 3, 100, 5_000]) {
          const pages = [];
          for (let from = 0; from < whole.length; from += limit)
            pages.push(...(await store.entriesOfRun('a', { from, limit })));
          expect(pages.map((row) => ({ ...row, bytes: [...row.bytes] }))).toEqual(
            whole.map((row) => ({ ...row, leafHash: expect.anything() as Uint8Array })),
          );
          expect(pages.map((row) => [...row.leafHash])).toEqual(whole.map((row) => [...row.leafHash]));
        }
        // The newest of a kind, by the chain of the run alone.
        const newest = async (...types: string[]) => (await store.lastOfRun('a', types))?.index ?? null;
        const typeOf = (await store.entriesOfRun('a'))[0]?.type ?? '';
        expect([await newest(typeOf), await newest('no.such', typeOf)]).toEqual([6n, 6n]);
        expect([await newest('no.such'), await newest()]).toEqual([null, null]);
        expect(await store.lastOfRun('c', [typeOf])).toBeNull();
        const about = (approvalId: string) => draft('a', 'approval.decided', { approvalId });
        await store.commit({ entries: [about('apr_1'), about('apr_2'), about('apr_1'), draft('a')] });
        expect((await store.entriesOfApproval('apr_1')).map((row) => row.index)).toEqual([7n, 9n]);
        expect(await store.entriesOfApproval('apr_3')).toEqual([]);
        const of = (taskId: string) => draft('b', 'task.opened', { taskId, approvalId: 'apr_1' });
        await store.commit({ entries: [of('tsk_1'), of('tsk_2'), of('tsk_1')] });
        expect((await store.entriesOfTask('tsk_1')).map((row) => row.index)).toEqual([11n, 13n]);
        expect(await store.entriesOfTask('apr_1')).toEqual([]);
        expect(await store.entriesOfApproval('apr_1')).toHaveLength(2);
        // Of steps: what names one of those asked for, or none at all.
        const named = (stepPath: string) => draft('b', 'step.intended', { stepPath });
        const both = draft('b', 'approval.requested', { stepPath: 'é "s"[1]', approvalId: 'apr_4' });
        const alone = draft('b', 'approval.decided', { approvalId: 'apr_4' });
        await store.commit({ entries: [named('s[0]'), both, alone, named('s[10]'), named('s[1]')] });
        const others = [2n, 3n, 11n, 12n, 13n];
        const ofSteps = async (...steps: string[]) =>
          (await store.entriesOfSteps('b', steps)).map(({ index }) => index);
        expect(await ofSteps('é "s"[1]', 's[1]')).toEqual([...others, 15n, 16n, 18n]);
        expect(await ofSteps()).toEqual([...others, 16n]);
        expect(await store.entriesOfSteps('none', ['s[0]'])).toEqual([]);
        expect((await store.ownEntries('log.opened', 9)).map((row) => row.index)).toEqual([0n]);
        expect(await store.ownEntries('log.opened', 0)).toEqual([]);
        expect(await store.ownEntries('key.rotated', 9)).toEqual([]);
      });

      it('returns the leaf hash and time that it stored', async () => {
        const { entries } = await store.commit({ entries: [draft('a'), draft('a')] });
        const rows = await wholeLog(store);
        expect(entries.map((entry) => entry.leafHash)).toEqual(rows.map((row) => row.leafHash));
        expect(entries.map((entry) => entry.timeMs)).toEqual([T0, T0]);
        for (const [i, row] of rows.entries()) {
          const entry = JSON.parse(new TextDecoder().decode(row.bytes));
          expect(entry.time).toBe('2026-03-01T09:30:00.000Z');
          expect(entry.seq).toBe(i);
          expect(entry.prev).toBe(i === 0 ? null : Buffer.from(rows[i - 1]!.leafHash).toString('hex'));
        }
      });

      it('never lets time go backwards, also after the clock was set back', async () => {
        const clock = fixedClock();
        const clocked = await open({ clock });
        const times: (number | undefined)[] = [];
        for (const at of [T0 + 5, T0 + 3, T0 + 6]) {
          clock.set(at);
          times.push((await clocked.commit({ entries: [draft('a')] })).entries[0]?.timeMs);
        }
        expect(times).toEqual([T0 + 5, T0 + 5, T0 + 6]);
        expect((await clocked.log()).lastTimeMs).toBe(T0 + 6);
      });

      it('keeps the order of calls when commits share a transaction', async () => {
        const commits = Array.from({ length: 300 }, (_, i) =>
          store.commit({ entries: [draft(`run-${i % 7}`, 'authz.decided', { i })] }),
        );
        const indices = (await Promise.all(commits)).map((committed) => committed.entries[0]?.index);
        expect(indices).toEqual(Array.from({ length: 300 }, (_, i) => BigInt(i)));
        const rows = await wholeLog(store);
        expect(rows.map((row) => JSON.parse(new TextDecoder().decode(row.bytes)).data.i)).toEqual(
          Array.from({ length: 300 }, (_, i) => i),
        );
      });

      it('reads a range of entries, at most as many as asked for', async () => {
        await store.commit({ entries: Array.from({ length: 10 }, () => draft('a')) });
        const indices = async (first: bigint, end: bigint, limit: number) =>
          (await store.entries(first, end, limit)).map((row) => Number(row.index));
        expect(await indices(3n, 6n, 100)).toEqual([3, 4, 5]);
        expect(await indices(3n, 6n, 2)).toEqual([3, 4]);
        expect(await indices(8n, 100n, 100)).toEqual([8, 9]);
        expect(await indices(5n, 5n, 100)).toEqual([]);
        expect(await indices(10n, 11n, 100)).toEqual([]);
      });

      it('gives leaf hashes and roots of full tiles, and refuses to give fewer than asked for', async () => {
        await store.commit({ entries: Array.from({ length: 513 }, () => draft('a')) });
        const rows = await wholeLog(store);
        expect(await store.hashes(0, 250n, 10)).toEqual(rows.slice(250, 260).map((row) => row.leafHash));
        const tiles = await store.hashes(1, 0n, 2);
        expect(tiles.map((hash) => hash.length)).toEqual([32, 32]);
        expect(tiles[0]).not.toEqual(tiles[1]);
        expect((await store.log()).compactRange).toHaveLength(2);
        expect(await store.hashes(0, 0n, 0)).toEqual([]);
        for (const [level, first, count] of [
          [0, 513n, 1],
          [0, 512n, 2],
          [1, 2n, 1],
          [2, 0n, 1],
        ] as const) {
          expect(await codeOf(store.hashes(level, first, count))).toBe('STORE_IO');
        }
      });

      it('gives the bytes of entries as they are, and refuses to give fewer than asked for', async () => {
        const texts = ['', 'é', '\0"\\', '\u{1f600}', '\n,', 'x'.repeat(60_000)];
        await store.commit({ entries: texts.map((text) => draft('a', 'authz.decided', { text })) });
        await store.commit({ entries: Array.from({ length: 300 }, () => draft('b')) });
        const all = (await wholeLog(store)).map((row) => row.bytes);
        expect(await store.entryBytes(0n, 306)).toEqual(all);
        expect(await store.entryBytes(5n, 2)).toEqual(all.slice(5, 7));
        expect(await store.entryBytes(306n, 0)).toEqual([]);
        expect(await codeOf(store.entryBytes(306n, 1))).toBe('STORE_IO');
        expect(await codeOf(store.entryBytes(300n, 7))).toBe('STORE_IO');
      });

      it('keeps the first checkpoint stored for a size, and finds the largest', async () => {
        const row = { size: 3n, root: new Uint8Array(32).fill(1), note: 'origin\n3\n…\n' };
        expect(await store.putCheckpoint(row)).toEqual(row);
        expect(await store.putCheckpoint({ ...row, note: 'other' })).toEqual(row);
        const later = { ...row, size: 2n ** 53n + 1n };
        await store.putCheckpoint(later);
        await store.putCheckpoint({ ...row, size: 4n });
        expect(await store.lastCheckpoint()).toEqual(later);
      });

      it('replaces the note of a checkpoint only where it is the one expected, and lists what is anchored', async () => {
        const row = { size: 5n, root: new Uint8Array(32).fill(1), note: 'note' };
        for (const size of [4n, 5n, 6n]) await store.putCheckpoint({ ...row, size });
        expect(await store.anchoredCheckpoints(10)).toEqual([]);
        expect(await store.anchorCheckpoint(5n, 'other', 'note + a', T0)).toBe(false);
        expect(await store.anchorCheckpoint(7n, 'note', 'note + a', T0)).toBe(false);
        expect(await store.anchorCheckpoint(5n, 'note', 'note + a', T0)).toBe(true);
        expect(await store.anchorCheckpoint(5n, 'note', 'note + b', T0)).toBe(false);
        // Stamped, with no signature more.
        expect(await store.anchorCheckpoint(4n, 'note', 'note', T0 + 1)).toBe(true);
        const four = { ...row, size: 4n, anchoredAtMs: T0 + 1 };
        const five = { ...row, note: 'note + a', anchoredAtMs: T0 };
        expect(await store.anchoredCheckpoints(10)).toEqual([five, four]);
        expect(await store.anchoredCheckpoints(1)).toEqual([five]);
        // Published again, it keeps what was added.
        expect(await store.putCheckpoint(row)).toEqual({ ...row, note: 'note + a' });
      });

      it('remembers the published size, never lowers it, and never exceeds the log', async () => {
        await store.commit({ entries: [draft('a'), draft('a')] });
        await store.markPublished(2n);
        await store.markPublished(1n);
        expect((await store.log()).publishedSize).toBe(2n);
        expect(await codeOf(store.markPublished(3n))).toBe('INTERNAL');
        await store.commit({ entries: [draft('a')] });
        expect((await store.log()).publishedSize).toBe(2n);
      });
    });

    describe('records', () => {
      it('gives a run back as it was stored, and counts its version', async () => {
        const record = runRecord('r', { waitingFor: { kind: 'timer' }, wakeAtMs: T0 + 1, version: 1 });
        await store.commit({ runs: [{ op: 'insert', record }], entries: [] });
        expect(await store.run('r')).toEqual(record);
        const done: RunRecord = {
          ...record,
          status: 'completed',
          state: null,
          waitingFor: null,
          wakeAtMs: null,
          exitCode: 0,
          updatedAtMs: T0 + 9,
        };
        await store.commit({ runs: [{ op: 'update', record: done }], entries: [] });
        expect(await store.run('r')).toEqual({ ...done, version: 2 });
        expect(await store.runVersion('r')).toBe(2);
        expect(await store.runVersion('nobody')).toBeNull();
      });

      it('lets exactly one of many updates of the same version win', async () => {
        const other = await open();
        await store.commit({ runs: [{ op: 'insert', record: runRecord('r') }], entries: [] });
        const updates = Array.from({ length: 30 }, (_, i) =>
          codeOf(
            (i % 2 === 0 ? store : other).commit({
              runs: [{ op: 'update', record: runRecord('r', { exitCode: i }) }],
              entries: [draft('r', 'authz.decided', { i })],
            }),
          ),
        );
        const outcomes = await Promise.all(updates);
        expect(outcomes.filter((outcome) => outcome === 'resolved')).toHaveLength(1);
        expect(outcomes.filter((outcome) => outcome === 'STORE_CONFLICT')).toHaveLength(29);
        const rows = await wholeLog(store);
        expect(rows).toHaveLength(1);
        const winner = JSON.parse(new TextDecoder().decode(rows[0]!.bytes)).data.i;
        expect(await store.run('r')).toMatchObject({ exitCode: winner, version: 2 });
      });

      it('raises the version of a run that is taken over above all that may be on its way', async () => {
        await store.commit({ runs: [{ op: 'insert', record: runRecord('r') }], entries: [] });
        await store.commit({ runs: [{ op: 'update', record: runRecord('r'), jump: true }], entries: [] });
        expect(await store.run('r')).toMatchObject({ version: 1 + VERSION_JUMP });
      });

      it('takes an interrupt of an unfinished run whatever its version, and of no other', async () => {
        const other = await open();
        await store.commit({
          runs: [
            { op: 'insert', record: runRecord('r', { waitingFor: { kind: 'timer' } }) },
            { op: 'insert', record: runRecord('over', { status: 'failed' }) },
          ],
          entries: [],
        });
        const update = (version: number, waitingFor: Json = null) =>
          store.commit({
            runs: [{ op: 'update', record: runRecord('r', { version, waitingFor }) }],
            entries: [],
          });
        const waitingFor = { kind: 'cancel', by: 'user:bob' };
        // Two are on their way, each with the version that the one before will have written.
        const [first, interrupt, second] = await Promise.all([
          codeOf(update(1)),
          codeOf(other.commit({ interrupts: [{ run: 'r', waitingFor }], entries: [] })),
          codeOf(update(2)),
        ]);
        expect(interrupt).toBe('resolved');
        const run = await store.run('r');
        if (second === 'STORE_CONFLICT') expect(run?.waitingFor).toEqual(waitingFor);
        expect([first, second]).toContain(second);
        expect(run?.version).toBeGreaterThan(VERSION_JUMP);
        // Should whoever asked for it not see to it, it is due.
        expect(await store.wakeUps(9)).toMatchObject([{ run: 'r' }]);
        expect(await codeOf(update(3))).toBe('STORE_CONFLICT');
        for (const id of ['over', 'none']) {
          const change = { interrupts: [{ run: id, waitingFor }], entries: [draft(id)] };
          expect(await codeOf(store.commit(change))).toBe('STORE_CONFLICT');
        }
        expect(await wholeLog(store)).toEqual([]);
      });

      it('keeps the parts of a run with its record: put, replaced, removed, and all gone at its end', async () => {
        const other = await open();
        const parts = (put: Record<string, Json>, removed: string[] = [], ended = false, run = 'r') => ({
          parts: [{ run, put: new Map(Object.entries(put)), removed, ended }],
          entries: [],
        });
        const runs = ['r', 's'].map((id) => ({ op: 'insert', record: runRecord(id) }) as const);
        await store.commit({ ...parts({ input: { ü: ['✓', 0.1] }, 'frame/': null, 'frame/a': [1] }), runs });
        await store.commit(parts({ input: 'of another run' }, [], false, 's'));
        expect(Object.fromEntries(await other.parts('r'))).toEqual({
          input: { ü: ['✓', 0.1] },
          'frame/': null,
          'frame/a': [1],
        });
        expect([...(await other.parts('r', 'frame/')).keys()].sort()).toEqual(['frame/', 'frame/a']);
        expect((await other.parts('r', 'frame_')).size).toBe(0);
        await store.commit(parts({ 'frame/a': [2], 'frame/b': 3 }, ['frame/', 'never there']));
        expect(Object.fromEntries(await other.parts('r', 'frame/'))).toEqual({
          'frame/a': [2],
          'frame/b': 3,
        });
        await store.commit(parts({}, [], true));
        expect((await other.parts('r')).size).toBe(0);
        expect((await other.parts('s')).size).toBe(1);
      });

      it('writes no part with a change that loses, and none without its run', async () => {
        await store.commit({ runs: [{ op: 'insert', record: runRecord('r') }], entries: [] });
        const put = new Map<string, Json>([['frame/', 1]]);
        const parts = [{ run: 'r', put, removed: [], ended: false }];
        const stale = { op: 'update', record: runRecord('r', { version: 7 }) } as const;
        expect(await codeOf(store.commit({ runs: [stale], parts, entries: [draft('r')] }))).toBe(
          'STORE_CONFLICT',
        );
        expect((await store.parts('r')).size).toBe(0);
        const orphan = [{ run: 'none', put, removed: [], ended: false }];
        expect(await codeOf(store.commit({ parts: orphan, entries: [] }))).toBe('INTERNAL');
        await store.commit({ runs: [{ op: 'update', record: runRecord('r') }], parts, entries: [] });
        const gone = [{ run: 'r', put: new Map<string, Json>(), removed: [], ended: true }];
        expect(await codeOf(store.commit({ runs: [stale], parts: gone, entries: [] }))).toBe(
          'STORE_CONFLICT',
        );
        expect((await store.parts('r')).size).toBe(1);
      });

      it('charges a meter with a change: up to its limit, never above, and back when less was used', async () => {
        const other = await open();
        const charge = (add: number, atMost: number | null, over: Partial<Charge> = {}) =>
          store.commit({ charges: [{ ...METER, add, atMost, ...over }], entries: [draft('r')] });
        expect(await other.used([METER])).toEqual([0]);
        await charge(4, 10);
        await charge(6, 10);
        expect(await codeOf(charge(1, 10))).toBe('STORE_CONFLICT');
        expect(await other.used([METER])).toEqual([10]);
        // What has happened is charged whatever there is room for.
        await charge(5, null);
        expect(await codeOf(charge(0, 10))).toBe('STORE_CONFLICT');
        await charge(-13, null);
        await charge(-1_000, null, { budget: 'tokens' });
        await charge(7, null, { scope: '2026-03-02' });
        const meters = [METER, { ...METER, budget: 'tokens' }, { ...METER, scope: '2026-03-02' }];
        expect(await other.used([...meters, { ...METER, name: 'unknown' }])).toEqual([2, 0, 7, 0]);
        expect(await wholeLog(store)).toHaveLength(6);
      });

      it('counts a meter as what it stood at least at, before a charge: a bucket that has filled up holds no more', async () => {
        const bucket = { ...METER, scope: 'rate' };
        const take = (from: number) =>
          codeOf(store.commit({ charges: [{ ...bucket, from, add: 10, atMost: from + 20 }], entries: [] }));
        for (const from of [100, 100]) expect(await take(from)).toBe('resolved');
        expect(await take(100)).toBe('STORE_CONFLICT');
        expect(await take(109)).toBe('STORE_CONFLICT');
        expect(await take(110)).toBe('resolved');
        expect(await store.used([bucket])).toEqual([130]);
        expect(await take(1_000)).toBe('resolved');
        expect(await store.used([bucket])).toEqual([1_010]);
      });

      it('charges several meters or none, and nothing with a change that loses', async () => {
        const calls = { ...METER, scope: 'r', add: 1, atMost: 5 };
        const tokens = { ...METER, scope: 'r', budget: 'tokens', add: 3, atMost: 2 };
        expect(await codeOf(store.commit({ charges: [calls, tokens], entries: [draft('r')] }))).toBe(
          'STORE_CONFLICT',
        );
        const stale = { op: 'update', record: runRecord('r', { version: 7 }) } as const;
        expect(await codeOf(store.commit({ runs: [stale], charges: [calls], entries: [] }))).toBe(
          'STORE_CONFLICT',
        );
        expect(await store.used([calls, tokens])).toEqual([0, 0]);
        // Of one change every charge counts, those before it too.
        const often = Array.from({ length: 5 }, () => calls);
        expect(await codeOf(store.commit({ charges: [...often, calls], entries: [] }))).toBe(
          'STORE_CONFLICT',
        );
        await store.commit({ charges: often, entries: [] });
        expect(await store.used([calls])).toEqual([5]);
        expect(await wholeLog(store)).toEqual([]);
      });

      it('keeps the meters of a run until its parts end, those of a day for longer', async () => {
        const add = { add: 1, atMost: null };
        await store.commit({
          runs: [{ op: 'insert', record: runRecord('r') }],
          charges: [
            { ...METER, scope: 'r', ...add },
            { ...METER, ...add },
          ],
          entries: [],
        });
        expect(await store.used([{ ...METER, scope: 'r' }, METER])).toEqual([1, 1]);
        const parts = [{ run: 'r', put: new Map<string, Json>(), removed: [], ended: true }];
        await store.commit({
          parts,
          charges: [
            { ...METER, scope: 'r', ...add },
            { ...METER, ...add },
          ],
          entries: [],
        });
        expect(await store.used([{ ...METER, scope: 'r' }, METER])).toEqual([0, 2]);
      });

      it('refuses to insert a run or an approval twice, and to update one that is not there', async () => {
        const entries: EntryDraft[] = [];
        await store.commit({ runs: [{ op: 'insert', record: runRecord('r') }], entries });
        await store.commit({ approvals: [{ op: 'insert', record: approvalRecord('a', 'r') }], entries });
        for (const change of [
          { runs: [{ op: 'insert', record: runRecord('r') }], entries },
          { runs: [{ op: 'update', record: runRecord('none') }], entries },
          { approvals: [{ op: 'insert', record: approvalRecord('a', 'r') }], entries },
          { approvals: [{ op: 'update', record: approvalRecord('none', 'r') }], entries },
          { approvals: [{ op: 'update', record: approvalRecord('a', 'r', { version: 2 }) }], entries },
        ] satisfies Change[]) {
          expect(await codeOf(store.commit(change))).toBe('STORE_CONFLICT');
        }
      });

      it('lists runs by age, the unfinished ones and those of a workflow', async () => {
        const records = [
          runRecord('c', { createdAtMs: 1, status: 'completed' }),
          runRecord('b', { createdAtMs: 2, status: 'waiting', workflowId: 'other' }),
          runRecord('a', { createdAtMs: 3, status: 'indeterminate' }),
          runRecord('d', { createdAtMs: 3, status: 'failed' }),
          runRecord('e', { createdAtMs: 4, status: 'cancelled', workflowId: 'other' }),
          runRecord('f', { createdAtMs: 5, status: 'pending' }),
        ];
        const insert = [...records].reverse().map((record) => ({ op: 'insert', record }) as const);
        await store.commit({ runs: insert, entries: [] });
        const ids = async (filter?: Parameters<Store['runs']>[0]) =>
          (await store.runs(filter)).map((run) => run.id).join('');
        expect(await ids()).toBe('cbadef');
        expect(await ids({ unfinished: true })).toBe('baf');
        const { id, tenant, workflowId, workflowHash, policyHash, initiator, status } = runRecord('b', {
          status: 'waiting',
          workflowId: 'other',
        });
        const heads = await store.unfinishedRuns();
        expect(heads.map((run) => run.id).join('')).toBe('baf');
        expect(heads[0]).toEqual({ id, tenant, workflowId, workflowHash, policyHash, initiator, status });
        expect(await ids({ unfinished: false })).toBe('cbadef');
        expect(await ids({ workflowId: 'other' })).toBe('be');
        expect(await ids({ workflowId: 'other', unfinished: true })).toBe('b');
        expect(await ids({ workflowId: 'none' })).toBe('');
      });

      it('gives runs by the page, newest first, with the number of all', async () => {
        const one = (id: string, createdAtMs: number, workflowId: string) =>
          ({ op: 'insert', record: runRecord(id, { createdAtMs, workflowId }) }) as const;
        const runs = [
          one('a', 1, 'w'),
          one('b', 2, 'other'),
          one('c', 3, 'w'),
          one('d', 3, 'w'),
          one('e', 2, 'w'),
        ];
        await store.commit({ runs, entries: [] });
        const page = async (filter: Parameters<Store['runsPage']>[0]) => {
          const found = await store.runsPage(filter);
          return [found.runs.map((run) => run.id).join(''), found.total];
        };
        expect(await page({ limit: 10, offset: 0 })).toEqual(['dceba', 5]);
        expect(await page({ limit: 2, offset: 0 })).toEqual(['dc', 5]);
        expect(await page({ limit: 2, offset: 4 })).toEqual(['a', 5]);
        expect(await page({ limit: 2, offset: 5 })).toEqual(['', 5]);
        expect(await page({ limit: 2, offset: 1, workflowId: 'w' })).toEqual(['ce', 4]);
        expect(await page({ limit: 2, offset: 0, workflowId: 'none' })).toEqual(['', 0]);
      });

      it('gives workflows by the page, each in its newest version', async () => {
        const version = (id: string, hash: number, number: number) => ({
          ...workflowRecord(hex(hash), number),
          id,
        });
        const all = [version('b', 31, 1), version('b', 32, 2), version('a', 33, 1), version('c', 34, 1)];
        await store.commit({ workflows: all, entries: [] });
        const page = async (limit: number, offset: number) => {
          const found = await store.workflowsPage({ limit, offset });
          return [found.workflows.map((one) => `${one.id}${one.version}`).join(' '), found.total];
        };
        expect(await page(10, 0)).toEqual(['a1 b2 c1', 3]);
        expect(await page(1, 1)).toEqual(['b2', 3]);
        expect(await page(2, 3)).toEqual(['', 3]);
      });

      it('keeps versions of a workflow; the same content again changes nothing', async () => {
        const one = workflowRecord(hex(21), 1);
        const two = workflowRecord(hex(22), 2, { source: 'id: claims-review # 2\n', file: 'claims.yaml' });
        await store.commit({ workflows: [one], entries: [] });
        await store.commit({ workflows: [two], entries: [] });
        await store.commit({ workflows: [{ ...one, source: 'reformatted' }], entries: [] });
        expect(await store.workflow('claims-review')).toEqual(two);
        expect(await store.workflow('claims-review', one.hash)).toEqual(one);
        expect(await store.workflow('claims-review', hex(23))).toBeNull();
        expect(await store.workflows()).toEqual([one, two]);
        for (const clash of [workflowRecord(hex(23), 2), workflowRecord(hex(21), 3)]) {
          expect(await codeOf(store.commit({ workflows: [clash], entries: [] }))).toBe('STORE_CONFLICT');
        }
      });

      it('keeps an attempt by run, step and number, with the index of its intent', async () => {
        await store.commit({ runs: [{ op: 'insert', record: runRecord('r') }], entries: [draft('r')] });
        const intended = attemptRecord('r', 'Triage');
        const committed = await store.commit({
          attempts: [{ record: intended, intentEntry: 1 }],
          entries: [draft('r', 'approval.consumed'), draft('r', 'step.intended')],
        });
        expect(await store.attempts('r')).toEqual([
          { ...intended, intentIndex: committed.entries[1]?.index },
        ]);
        const done: AttemptRecord = {
          ...intended,
          status: 'failed',
          output: hex(30),
          approvalId: 'apr_1',
          error: { code: 'SANDBOX_EXIT', name: 'Tool.Failed', message: 'exit code 3' },
          finishedAtMs: T0 + 20,
        };
        await store.commit({ attempts: [{ record: done }], entries: [] });
        expect(await store.attempts('r')).toEqual([{ ...done, intentIndex: 2n }]);
      });

      it('lists attempts in the order in which their steps started', async () => {
        await store.commit({ runs: [{ op: 'insert', record: runRecord('r') }], entries: [] });
        const attempts = [
          attemptRecord('r', 'Waits', { status: 'waiting', startedAtMs: null }),
          attemptRecord('r', 'Second', { startedAtMs: T0 + 2 }),
          attemptRecord('r', 'First', { attempt: 2, startedAtMs: T0 + 9 }),
          attemptRecord('r', 'First', { startedAtMs: T0 + 1 }),
        ];
        for (const record of attempts) await store.commit({ attempts: [{ record }], entries: [] });
        expect((await store.attempts('r')).map((each) => `${each.stepPath} ${each.attempt}`)).toEqual([
          'First 1',
          'First 2',
          'Second 1',
          'Waits 1',
        ]);
      });

      it('refuses an attempt or an approval of a run that is not there', async () => {
        for (const change of [
          { attempts: [{ record: attemptRecord('none', 'Triage') }], entries: [draft('none')] },
          { approvals: [{ op: 'insert', record: approvalRecord('a', 'none') }], entries: [draft('none')] },
        ] satisfies Change[]) {
          expect(await codeOf(store.commit(change))).toBe('INTERNAL');
        }
        expect((await store.log()).size).toBe(0n);
        await store.commit({ entries: [draft('a')] });
      });

      it('finds a task by id, by the hash of its token, by its attempt, and lists tasks by age, run and state', async () => {
        const runs = ['r', 's'].map((id) => ({ op: 'insert' as const, record: runRecord(id) }));
        const answer = {
          kind: 'failure',
          by: 'user:bob',
          assurance: 'oidc',
          keyId: null,
          signature: null,
          atMs: T0 + 2,
          payload: hex(9),
        } as const;
        const made = [
          taskRecord('tsk_b', 'r', { tokenHash: hex(21), createdAtMs: T0 + 1 }),
          taskRecord('tsk_a', 's', { kind: 'person', heartbeatMs: null }),
          taskRecord('tsk_c', 'r', { createdAtMs: T0 + 2, state: 'answered', answer }),
        ];
        await store.commit({ runs, tasks: made.map((record) => ({ op: 'insert', record })), entries: [] });
        expect(await store.task('tsk_b')).toEqual(made[0]);
        expect(await store.taskOfToken(hex(21))).toEqual(made[0]);
        expect(await store.taskOfAttempt('r', 'tsk_c', 1)).toEqual(made[2]);
        expect(await store.task('tsk_d')).toBeNull();
        expect(await store.taskOfToken(hex(22))).toBeNull();
        expect(await store.taskOfAttempt('r', 'tsk_c', 2)).toBeNull();
        const ids = async (filter?: Parameters<Store['tasks']>[0]): Promise<string> =>
          (await store.tasks(filter)).map(({ id }) => id.slice(4)).join('');
        expect(await ids()).toBe('abc');
        expect(await ids({ run: 'r' })).toBe('bc');
        expect(await ids({ states: ['open'] })).toBe('ab');
        expect(await ids({ run: 'r', states: ['answered', 'used'] })).toBe('c');
        // A part of the list, behind one that was given: those of one moment by their ids.
        expect(await ids({ limit: 2 })).toBe('ab');
        expect(await ids({ after: { createdAtMs: T0, id: 'tsk_a' }, limit: 1 })).toBe('b');
        expect(await ids({ after: { createdAtMs: T0 + 1, id: 'tsk_a' } })).toBe('bc');
        expect(await ids({ after: { createdAtMs: T0 + 1, id: 'tsk_b' }, run: 'r' })).toBe('c');
        expect(await ids({ after: { createdAtMs: T0, id: 'tsk_a' }, states: ['open'] })).toBe('b');
        expect(await ids({ after: { createdAtMs: T0 + 2, id: 'tsk_c' } })).toBe('');
      });

      it('names the runs that have to be looked at without anything happening, the first one first', async () => {
        const runs = [
          runRecord('timer', { status: 'waiting', wakeAtMs: T0 + 30 }),
          runRecord('goes-on', { wakeAtMs: T0 + 40 }),
          runRecord('for-ever', { status: 'waiting' }),
          runRecord('over', { status: 'completed', wakeAtMs: null }),
          ...['silent', 'alive', 'answered', 'closed'].map((id) => runRecord(id, { status: 'waiting' })),
        ];
        await store.commit({ runs: runs.map((record) => ({ op: 'insert' as const, record })), entries: [] });
        expect(await store.wakeUps(9)).toEqual([
          { run: 'timer', atMs: T0 + 30 },
          { run: 'goes-on', atMs: T0 + 40 },
        ]);
        const task = (id: string, run: string, over: Partial<TaskRecord> = {}) =>
          taskRecord(`tsk_${id}`, run, { heartbeatMs: 10, ...over });
        const answer = {
          kind: 'success',
          by: 'user:bob',
          assurance: 'os',
          keyId: null,
          signature: null,
          atMs: T0,
          payload: hex(9),
        } as const;
        const tasks = [
          task('a', 'silent', { aliveAtMs: T0 + 9 }),
          task('b', 'silent', { aliveAtMs: T0 + 1 }),
          task('c', 'alive', { aliveAtMs: T0 + 25 }),
          // Its end is in the run, as of one that is asked for no sign of life.
          task('d', 'for-ever', { heartbeatMs: null, expiresAtMs: T0 + 1 }),
          task('e', 'answered', { state: 'answered', answer }),
          task('f', 'answered', { state: 'answered', answer }),
          task('g', 'closed', { state: 'expired' }),
        ];
        await store.commit({
          tasks: tasks.map((record) => ({ op: 'insert' as const, record })),
          entries: [],
        });
        // However many of its tasks are due, a run takes nobody else's place.
        const inTime = [
          { run: 'answered', atMs: 0 },
          { run: 'silent', atMs: T0 + 11 },
          { run: 'timer', atMs: T0 + 30 },
          { run: 'alive', atMs: T0 + 35 },
          { run: 'goes-on', atMs: T0 + 40 },
        ];
        expect(await store.wakeUps(9)).toEqual(inTime);
        expect(await store.wakeUps(2)).toEqual(inTime.slice(0, 2));
        const [silent] = tasks.slice(1);
        if (silent === undefined) throw new Error('no task');
        const alive = { ...silent, aliveAtMs: T0 + 50 };
        const [timer] = runs;
        const done = { ...(timer ?? runRecord('timer')), status: 'failed', wakeAtMs: null } as const;
        await store.commit({
          runs: [{ op: 'update', record: done }],
          tasks: [
            { op: 'update', record: alive },
            { op: 'close', id: 'tsk_e', state: 'used' },
            { op: 'close', id: 'tsk_f', state: 'used' },
          ],
          entries: [],
        });
        expect(await store.wakeUps(9)).toEqual([
          { run: 'silent', atMs: T0 + 19 },
          { run: 'alive', atMs: T0 + 35 },
          { run: 'goes-on', atMs: T0 + 40 },
        ]);
      });

      it('refuses a task that is there, has the token or attempt of another one, or was changed meanwhile', async () => {
        await store.commit({ runs: [{ op: 'insert', record: runRecord('r') }], entries: [] });
        const task = taskRecord('tsk_a', 'r', { tokenHash: hex(21) });
        await store.commit({ tasks: [{ op: 'insert', record: task }], entries: [] });
        for (const tasks of [
          [{ op: 'insert', record: task }],
          [{ op: 'insert', record: taskRecord('tsk_b', 'r', { tokenHash: hex(21) }) }],
          [{ op: 'insert', record: taskRecord('tsk_b', 'r', { stepPath: 'tsk_a' }) }],
          [{ op: 'update', record: { ...task, version: 1 } }],
          [{ op: 'update', record: taskRecord('tsk_b', 'r') }],
        ] satisfies Change['tasks'][]) {
          expect(await codeOf(store.commit({ tasks, entries: [draft('r')] }))).toBe('STORE_CONFLICT');
        }
        expect((await store.log()).size).toBe(0n);
        await store.commit({ entries: [draft('r')] });
      });

      it('changes of a task its state, its sign of life and its answer, until it is over', async () => {
        await store.commit({ runs: [{ op: 'insert', record: runRecord('r') }], entries: [] });
        const task = taskRecord('tsk_a', 'r');
        await store.commit({ tasks: [{ op: 'insert', record: task }], entries: [] });
        const answer = {
          kind: 'success',
          by: 'user:bob',
          assurance: 'key',
          keyId: 'ed25519:a2V5',
          signature: 'c2ln',
          atMs: T0 + 2,
          payload: hex(9),
        } as const;
        const answered = { ...task, state: 'answered', aliveAtMs: T0 + 1, answer } as const;
        const swapped = { ...answered, functionId: 'tool::other', expiresAtMs: T0 * 2, tokenHash: hex(22) };
        await store.commit({ tasks: [{ op: 'update', record: swapped }], entries: [] });
        expect(await store.task('tsk_a')).toEqual({ ...answered, version: 1 });
        await store.commit({ tasks: [{ op: 'close', id: 'tsk_a', state: 'used' }], entries: [] });
        expect((await store.task('tsk_a'))?.state).toBe('used');
        await store.commit({ tasks: [{ op: 'close', id: 'tsk_a', state: 'withdrawn' }], entries: [] });
        const again = { ...answered, version: 2, state: 'open' } as const;
        expect(await codeOf(store.commit({ tasks: [{ op: 'update', record: again }], entries: [] }))).toBe(
          'STORE_CONFLICT',
        );
        expect(await store.task('tsk_a')).toMatchObject({ state: 'used', version: 2 });
        await store.commit({ entries: [draft('r')] });
      });

      it('lists approvals in parts, oldest first, and their names by when they end', async () => {
        await store.commit({
          runs: [
            { op: 'insert', record: runRecord('r') },
            { op: 'insert', record: runRecord('s') },
          ],
          entries: [],
        });
        // Two of one moment: the id says which is first.
        const asked = [
          approvalRecord('apr_c', 'r', { createdAtMs: T0, expiresAtMs: T0 + 30 }),
          approvalRecord('apr_b', 's', { createdAtMs: T0, expiresAtMs: T0 + 10 }),
          approvalRecord('apr_a', 'r', { createdAtMs: T0 + 1, expiresAtMs: T0 + 10 }),
          approvalRecord('apr_d', 'r', { createdAtMs: T0 + 2, expiresAtMs: T0 + 20, state: 'denied' }),
        ];
        await store.commit({
          approvals: asked.map((record) => ({ op: 'insert' as const, record })),
          entries: [],
        });
        const ids = async (filter?: Parameters<Store['approvals']>[0]): Promise<readonly string[]> =>
          (await store.approvals(filter)).map(({ id }) => id);
        expect(await ids()).toEqual(['apr_b', 'apr_c', 'apr_a', 'apr_d']);
        expect(await ids({ limit: 2 })).toEqual(['apr_b', 'apr_c']);
        const after = { createdAtMs: T0, id: 'apr_b' };
        expect(await ids({ after, limit: 2 })).toEqual(['apr_c', 'apr_a']);
        expect(await ids({ after, states: ['pending'] })).toEqual(['apr_c', 'apr_a']);
        expect(await ids({ after, run: 'r', states: ['denied'] })).toEqual(['apr_d']);
        expect(await ids({ after: { createdAtMs: T0 + 2, id: 'apr_d' } })).toEqual([]);
        const keys = await store.approvalKeys({ states: ['pending'] });
        // Not by id, which is random: items of a map, which expire at one moment, keep their order.
        expect(keys.map(({ id }) => id)).toEqual(['apr_b', 'apr_a', 'apr_c']);
        const [first] = asked.filter(({ id }) => id === keys[0]?.id);
        const { id, run, stepPath, functionId, expiresAtMs } = first ?? approvalRecord('none', 'r');
        expect(keys[0]).toEqual({ id, run, stepPath, functionId, expiresAtMs });
        const all = { states: ['pending', 'denied'], limit: 2 } as const;
        expect((await store.approvalKeys(all)).map((key) => key.id)).toEqual(['apr_b', 'apr_a']);
        expect(await store.approvalKeys({ states: ['expired'] })).toEqual([]);
      });

      it('names the waiting runs of which a request was decided or has expired, and no others', async () => {
        const states = [
          'approved',
          'denied',
          'expired',
          'revoked',
          'pending',
          'consumed',
          'withdrawn',
        ] as const;
        const runs = [
          ...states.map((state, at) => runRecord(state, { status: 'waiting', createdAtMs: T0 - at })),
          runRecord('running', { status: 'running' }),
          runRecord('over', { status: 'failed' }),
          runRecord('asks-nobody', { status: 'waiting' }),
        ];
        await store.commit({ runs: runs.map((record) => ({ op: 'insert' as const, record })), entries: [] });
        const asked = [
          ...states.map((state) => approvalRecord(`apr_${state}`, state, { state })),
          approvalRecord('apr_run', 'running', { state: 'approved' }),
          approvalRecord('apr_over', 'over', { state: 'denied' }),
          approvalRecord('apr_more', 'denied', { state: 'pending' }),
        ];
        await store.commit({
          approvals: asked.map((record) => ({ op: 'insert' as const, record })),
          entries: [],
        });
        expect(await store.decidedRuns()).toEqual(['revoked', 'expired', 'denied', 'approved']);
      });

      it('gives an approval back with its votes, and changes nothing but the decision', async () => {
        await store.commit({ runs: [{ op: 'insert', record: runRecord('r') }], entries: [] });
        const asked = approvalRecord('apr_1', 'r');
        await store.commit({ approvals: [{ op: 'insert', record: asked }], entries: [] });
        expect(await store.approval('apr_1')).toEqual(asked);
        const votes: ApprovalRecord['votes'] = [
          {
            seq: 0,
            approver: 'user:bob',
            keyId: 'k1',
            assurance: 'key',
            decision: 'approve',
            reason: hex(12),
            atMs: T0 + 1,
            signature: 'AAAA',
          },
          {
            seq: 1,
            approver: 'user:eve',
            keyId: null,
            assurance: 'os',
            decision: 'deny',
            reason: null,
            atMs: T0 + 2,
            signature: null,
          },
        ];
        const decided = { ...asked, state: 'denied', votes } as const;
        const tampered = { ...decided, expiresAtMs: T0 * 2, quorum: [], policyHash: hex(99) };
        await store.commit({ approvals: [{ op: 'update', record: tampered }], entries: [] });
        expect(await store.approval('apr_1')).toEqual({ ...decided, version: 2 });
        const swapped = { ...decided, version: 2, subjectDigest: hex(77) };
        expect(
          await codeOf(store.commit({ approvals: [{ op: 'update', record: swapped }], entries: [] })),
        ).toBe('STORE_CONFLICT');
      });

      it('lists approvals by age, run and state', async () => {
        const runs = ['r', 's'].map((id) => ({ op: 'insert', record: runRecord(id) }) as const);
        const approvals = [
          approvalRecord('c', 'r', { createdAtMs: 1 }),
          approvalRecord('b', 's', { createdAtMs: 2, state: 'approved' }),
          approvalRecord('a', 'r', { createdAtMs: 2, state: 'denied' }),
        ].map((record) => ({ op: 'insert', record }) as const);
        await store.commit({ runs, approvals, entries: [] });
        const ids = async (filter?: Parameters<Store['approvals']>[0]) =>
          (await store.approvals(filter)).map((approval) => approval.id).join('');
        expect(await ids()).toBe('cab');
        expect(await ids({ run: 'r' })).toBe('ca');
        expect(await ids({ states: ['pending', 'approved'] })).toBe('cb');
        expect(await ids({ run: 'r', states: ['denied'] })).toBe('a');
        expect(await ids({ states: [] })).toBe('');
      });

      it('gives a payload back byte for byte, with the entry that commits to it', async () => {
        await store.commit({ entries: [draft('r')] });
        const one = payload(40, 'r');
        const empty = payload(41, '', { bytes: new Uint8Array(0), label: 'reason' });
        await store.commit({
          payloads: [
            { payload: one, entry: 1 },
            { payload: empty, entry: 0 },
          ],
          entries: [draft('r'), draft('r')],
        });
        expect(await store.payload(hex(40))).toEqual({ ...one, entryIndex: 2n, erasedBy: null });
        expect(await store.payload(hex(41))).toEqual({ ...empty, entryIndex: 1n, erasedBy: null });
        expect(
          await codeOf(store.commit({ payloads: [{ payload: one, entry: 0 }], entries: [draft('r')] })),
        ).toBe('STORE_CONFLICT');
      });
    });

    describe('erasure', () => {
      const erased = (...seeds: readonly number[]): Change => ({
        erasures: seeds.map((seed) => ({ commitment: hex(seed), entry: 1 })),
        entries: [draft('r'), draft('r', 'payload.erased')],
      });

      beforeEach(async () => {
        await store.commit({
          payloads: [40, 41].map((seed) => ({ payload: payload(seed, 'r'), entry: 0 })),
          entries: [draft('r')],
        });
      });

      it('takes salt and bytes away together with the entry that says so, and nothing else', async () => {
        await store.commit(erased(40));
        const { label, mediaType, run } = payload(40, 'r');
        const facts = { commitment: hex(40), label, mediaType, run, entryIndex: 0n };
        expect(await store.payload(hex(40))).toEqual({ ...facts, salt: null, bytes: null, erasedBy: 2n });
        expect(await store.payload(hex(41))).toEqual({
          ...payload(41, 'r'),
          entryIndex: 0n,
          erasedBy: null,
        });
        expect(await store.unscrubbed()).toEqual([hex(40)]);
      });

      it('refuses to erase twice, or what is not there, and then writes nothing at all', async () => {
        await store.commit(erased(40));
        const before = await store.log();
        for (const change of [erased(40), erased(99), erased(41, 99), erased(41, 41)]) {
          expect(await codeOf(store.commit(change))).toBe('STORE_CONFLICT');
        }
        expect(await store.log()).toEqual(before);
        expect((await store.payload(hex(41)))?.bytes).not.toBeNull();
      });

      it('remembers that scrubbing is due until somebody says it is done, in another handle too', async () => {
        await store.commit(erased(40, 41));
        const other = await open();
        expect(await other.unscrubbed()).toEqual([hex(40), hex(41)]);
        expect(await other.scrub(5_000)).toBe('done');
        expect(await store.unscrubbed()).toHaveLength(2);
        await other.markScrubbed([hex(40)]);
        expect(await store.unscrubbed()).toEqual([hex(41)]);
        await store.markScrubbed([hex(41), hex(42)]);
        expect(await store.unscrubbed()).toEqual([]);
      });

      it('keeps everything else through a scrub, beside commits of this and another handle', async () => {
        const other = await open();
        await store.commit(erased(40));
        const before = await wholeLog(store);
        const commits = Array.from({ length: 40 }, (_, i) =>
          (i % 2 === 0 ? store : other).commit({ entries: [draft(`r${i}`)] }),
        );
        const [scrubbed] = await Promise.all([store.scrub(5_000), ...commits]);
        expect(scrubbed).toBe('done');
        const after = await wholeLog(store);
        expect(after.slice(0, before.length)).toEqual(before);
        expect(after).toHaveLength(before.length + 40);
        expect((await other.payload(hex(41)))?.bytes).toEqual(payload(41, 'r').bytes);
      });
    });

    describe('copies handed out', () => {
      it('are listed by age, replaced by path, and forgotten', async () => {
        expect(await store.copies()).toEqual([]);
        const one = { path: '/tmp/b.html', run: 'r', madeAtMs: 2 };
        const two = { path: '/tmp/a.jsonl', run: null, madeAtMs: 1 };
        await store.recordCopy(one);
        await store.recordCopy(two);
        expect(await store.copies()).toEqual([two, one]);
        await store.recordCopy({ ...two, madeAtMs: 3 });
        expect(await (await open()).copies()).toEqual([one, { ...two, madeAtMs: 3 }]);
        await store.forgetCopy(one.path);
        await store.forgetCopy('/tmp/none');
        expect(await store.copies()).toEqual([{ ...two, madeAtMs: 3 }]);
      });
    });

    describe('policies that runs were started under', () => {
      const files = (word: string): ReadonlyMap<string, string> =>
        new Map([
          ['model.conf', 'm = r.sub == p.sub\n'],
          ['rbac/ü.yaml', `\u2028 "${word}"\n`],
        ]);
      const begin = (id: string, seed: number, word = `of ${seed}`): Change => ({
        runs: [{ op: 'insert', record: runRecord(id, { policyHash: hex(seed) }) }],
        policies: [{ policyHash: hex(seed), files: files(word) }],
        entries: [draft(id, 'run.started')],
      });
      const end = async (id: string): Promise<void> => {
        const run = await store.run(id);
        if (run === null) throw new Error(`no run ${id}`);
        await store.commit({ runs: [{ op: 'update', record: { ...run, status: 'failed' } }], entries: [] });
      };

      it('are given back as they were, to every handle, and in the order of their files', async () => {
        expect(await store.policyFiles(hex(1))).toBeNull();
        await store.commit(begin('a', 1));
        const found = await (await open()).policyFiles(hex(1));
        expect([...(found ?? [])]).toEqual([...files('of 1')]);
      });

      it('are written once for each hash: what comes later under it changes nothing', async () => {
        await store.commit(begin('a', 1));
        await store.commit(begin('b', 1, 'something else'));
        expect(await store.policyFiles(hex(1))).toEqual(files('of 1'));
      });

      it('are not kept by a change that is refused', async () => {
        await store.commit({ runs: [{ op: 'insert', record: runRecord('a') }], entries: [] });
        expect(await codeOf(store.commit(begin('a', 1)))).toBe('STORE_CONFLICT');
        expect(await store.policyFiles(hex(1))).toBeNull();
      });

      it('stay while an unfinished run was started under them, and may go when others come', async () => {
        await store.commit(begin('a', 1));
        await store.commit(begin('b', 2));
        await end('a');
        await store.commit(begin('c', 2));
        expect(await store.policyFiles(hex(1))).not.toBeNull();
        await store.commit(begin('d', 3));
        expect(await store.policyFiles(hex(1))).toBeNull();
        expect(await store.policyFiles(hex(2))).toEqual(files('of 2'));
        // Who starts a run brings them: they are there again, whoever has let them go.
        await store.commit(begin('e', 1));
        expect(await store.policyFiles(hex(1))).toEqual(files('of 1'));
      });

      it('are there for every unfinished run, whoever starts and ends others at the same time', async () => {
        const others = await Promise.all([open(), open(), open()]);
        await Promise.all(
          Array.from({ length: 40 }, async (_, i) => {
            const handle = others[i % 3] ?? store;
            await handle.commit(begin(`r${i}`, 1 + (i % 7)));
            if (i % 2 === 0) await end(`r${i}`);
          }),
        );
        for (const run of await store.runs({ unfinished: true })) {
          expect(await store.policyFiles(run.policyHash)).not.toBeNull();
        }
      });
    });

    describe('receipts', () => {
      const receipt = (over: Partial<Receipt> = {}): Receipt => ({
        source: 'webhook:relay',
        id: 'msg_1',
        digest: hex(1),
        answer: { state: 'approved' },
        untilMs: Number.MAX_SAFE_INTEGER,
        ...over,
      });

      it('are kept with what they brought, and the same message again changes nothing', async () => {
        expect(await store.receipt('webhook:relay', 'msg_1')).toBeNull();
        await store.commit({ receipts: [receipt()], entries: [draft('r')] });
        expect(await (await open()).receipt('webhook:relay', 'msg_1')).toEqual(receipt());
        const again = store.commit({ receipts: [receipt({ digest: hex(2) })], entries: [draft('r')] });
        await expect(again).rejects.toMatchObject({ code: 'STORE_CONFLICT' });
        expect(await wholeLog(store)).toHaveLength(1);
        expect((await store.receipt('webhook:relay', 'msg_1'))?.digest).toBe(hex(1));
      });

      it('of one source do not meet those of another', async () => {
        await store.commit({ receipts: [receipt(), receipt({ source: 'http:user:alice' })], entries: [] });
        await store.commit({ receipts: [receipt({ id: 'msg_2' })], entries: [] });
        expect(await store.receipt('webhook:other', 'msg_1')).toBeNull();
      });

      it('are forgotten from the time they name on, and not before', async () => {
        await store.commit({ receipts: [receipt({ untilMs: T0 - 1 })], entries: [] });
        await store.commit({ receipts: [receipt({ untilMs: T0 + 3_600_000 })], entries: [] });
        const again = store.commit({ receipts: [receipt()], entries: [] });
        await expect(again).rejects.toMatchObject({ code: 'STORE_CONFLICT' });
      });

      it('that many processes write at once are written by one', async () => {
        const others = await Promise.all(Array.from({ length: 4 }, () => open()));
        const results = await Promise.allSettled(
          Array.from({ length: 100 }, (_, i) =>
            (others[i % 4] ?? store).commit({ receipts: [receipt()], entries: [draft('r')] }),
          ),
        );
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        expect(await wholeLog(store)).toHaveLength(1);
      });
    });

    describe('several handles and processes', () => {
      it('lets two handles write one gapless log', async () => {
        const other = await open();
        const commits = Array.from({ length: 60 }, (_, i) =>
          (i % 3 === 0 ? other : store).commit({ entries: [draft(`r${i % 4}`), draft(null)] }),
        );
        await Promise.all(commits);
        expect(await wholeLog(store)).toHaveLength(120);
        expect(await other.log()).toEqual(await store.log());
      });

      it('tells every handle that something was committed, and only then', async () => {
        const other = await open();
        const counters = (): [number, number] => [store.changeCounter(), other.changeCounter()];
        const before = counters();
        expect(counters()).toEqual(before);
        await store.commit({ entries: [draft('r')] });
        const after = counters();
        expect(after[0]).not.toBe(before[0]);
        expect(after[1]).not.toBe(before[1]);
        expect(counters()).toEqual(after);
      });

      it('lets a second process write into the same gapless log, and neither waits long', async () => {
        const child = fixture.startWriter('theirs', 150);
        const { ready, indices } = acknowledgements(child);
        const exit = once(child, 'exit');
        await ready;
        const waits: number[] = [];
        for (let i = 0; i < 150; i++) {
          const start = performance.now();
          await store.commit({ entries: [draft('ours')] });
          waits.push(performance.now() - start);
        }
        expect((await exit)[0]).toBe(0);
        const rows = await wholeLog(store);
        expect(rows).toHaveLength(300);
        expect(rows.filter((row) => row.run === 'theirs').map((row) => row.index)).toEqual(indices);
        expect(Math.max(...waits)).toBeLessThan(2_500);
      });

      it('two processes that charge one meter at once fill it exactly', async () => {
        const room = 120;
        const child = fixture.startWriter('theirs', 1_000, room);
        const { ready, indices } = acknowledgements(child);
        const exit = once(child, 'exit');
        await ready;
        const charges = [{ ...METER, add: 1, atMost: room }];
        let ours = 0;
        while ((await codeOf(store.commit({ charges, entries: [draft('ours')] }))) === 'resolved') ours += 1;
        expect((await exit)[0]).toBe(0);
        expect(ours + indices.length).toBe(room);
        expect(await store.used([METER])).toEqual([room]);
        expect(await wholeLog(store)).toHaveLength(room);
      });

      it('keeps everything it acknowledged before it was killed', async () => {
        for (const killAfter of [1, 20, 57]) {
          const child = fixture.startWriter(`killed-${killAfter}`, 1_000_000);
          const { ready, indices } = acknowledgements(child);
          const exit = once(child, 'exit');
          await ready;
          while (indices.length < killAfter) await store.commit({ entries: [draft('ours')] });
          child.kill('SIGKILL');
          await exit;
          const reopened = await open();
          const rows = await wholeLog(reopened);
          for (const index of indices) expect(rows[Number(index)]?.run).toBe(`killed-${killAfter}`);
          await reopened.commit({ entries: [draft('after')] });
        }
      });
    });

    describe('life', () => {
      it('keeps everything when closed and opened again', async () => {
        const record = runRecord('r');
        await store.commit({
          workflows: [workflowRecord(hex(1), 1)],
          runs: [{ op: 'insert', record }],
          payloads: [{ payload: payload(5, 'r'), entry: 0 }],
          entries: Array.from({ length: 257 }, () => draft('r')),
        });
        const before = await store.log();
        const rows = await wholeLog(store);
        await store.close();
        const again = await open();
        expect(await again.log()).toEqual(before);
        expect(await wholeLog(again)).toEqual(rows);
        expect(await again.run('r')).toEqual(record);
        expect((await again.payload(hex(5)))?.entryIndex).toBe(0n);
        expect(await again.hashes(1, 0n, 1)).toHaveLength(1);
        const { entries } = await again.commit({ entries: [draft('r')] });
        expect(entries[0]?.index).toBe(257n);
      });

      it('finishes what was queued when it is closed, and takes nothing after', async () => {
        const commits = Array.from({ length: 20 }, () => store.commit({ entries: [draft('r')] }));
        const closing = store.close();
        expect(await codeOf(store.commit({ entries: [draft('r')] }))).toBe('STORE_UNAVAILABLE');
        await closing;
        await Promise.all(commits);
        expect(await codeOf(store.log())).toBe('STORE_UNAVAILABLE');
        await store.close();
        expect(await wholeLog(await open())).toHaveLength(20);
      });
    });
  });
}
