// The disk fails while the log is published: tiles, checkpoints, the marks between them. Whatever was or was not
// written, nothing had run without a durable intent, nothing runs in the process that saw it, whoever opens the data
// next heals it, and every checkpoint that was ever signed is a prefix of the log.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCheckpoint, parseNote } from '../../src/audit/index.js';
import { verifyData } from '../../src/open.js';
import {
  DIRECTORY_PLACES,
  Fault,
  STORE_PLACES,
  type DirectoryFault,
  type FaultCode,
  type StoreFault,
} from '../contract/fault-store.js';
import { refusalOf, steps, useTeam, type Team } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const OUTCOMES = ['AndNotPersist', 'ButPersist'] as const;
const CODES: readonly FaultCode[] = ['STORE_IO', 'STORE_FULL'];

const DIRECTORY_FAULTS = DIRECTORY_PLACES.flatMap((place) =>
  OUTCOMES.map((outcome): DirectoryFault => `fail${place}${outcome}`),
);
const STORE_FAULTS = STORE_PLACES.filter((place) => place !== 'Append').flatMap((place) =>
  OUTCOMES.map((outcome): StoreFault => `fail${place}${outcome}`),
);

const checkpointOf = (team: Team): string =>
  readFileSync(path.join(team.data, 'audit', 'checkpoint'), 'utf8');
const sizeOf = (note: string): bigint => parseCheckpoint(parseNote(note).text).size;

/** The files as they lie there, the payloads too; against a checkpoint that was seen before. */
async function verdictOf(team: Team, seen?: string): Promise<unknown> {
  const dir = path.join(team.data, 'audit');
  const trust = team.trustFile;
  const report = await verifyData({
    dir,
    vkeys: [],
    old: seen === undefined ? [] : [seen],
    trust,
    run: null,
    payloads: true,
  });
  return report.verdict;
}

/** Every call that was made has its intent in the store. */
async function expectIntended(team: Team, runs: readonly string[]): Promise<void> {
  const intents = (await Promise.all(runs.map((run) => team.facts(run, 'step.intended')))).flat();
  const keys = new Set(intents.map((data) => data['idempotencyKey']));
  for (const call of team.functions.calls) expect(keys).toContain(call.idempotencyKey);
}

async function expectSurvived(fault: Fault): Promise<void> {
  const { team } = here;
  const ok = await team.open();
  const before = await team.run(ok, steps([ONE]));
  await ok.publish();
  const seen = path.join(team.home, 'seen');
  writeFileSync(seen, checkpointOf(team));
  const waiting = await team.run(ok, steps([`${ONE}, approval: sync`]));
  const approval = await team.pending(ok, waiting.id);
  await ok.publish();
  // Written only when it is not what it must be.
  if (fault.name.startsWith('failVkey')) rmSync(path.join(team.data, 'audit', 'vkey'));

  const broken = await team.open({
    store: (inner) => fault.store(inner),
    directory: (inner) => fault.directory(inner),
  });
  const alice = await team.as(broken, 'alice');
  const bob = await team.as(broken, 'bob');
  const runId = await team.start(broken, steps([ONE]));
  expect(await refusalOf(team.drive(broken, runId))).toMatchObject({
    code: fault.code,
    kind: 'fatal',
    exitCode: 6,
  });
  expect(fault.fired).toBe(true);

  // The disk works again by now. This process does not.
  const calls = team.functions.calls.length;
  const vote = { decision: 'approve', digest: approval.subjectDigest, reason: null } as const;
  for (const act of [
    () => broken.publish(),
    () => team.start(broken, steps([ONE])),
    () => broken.decide(approval.id, vote, bob),
    () => broken.cancel(waiting.id, alice),
    () => team.run(broken, steps([ONE])),
  ]) {
    expect(await refusalOf(act())).toMatchObject({ code: fault.code });
  }
  expect(team.functions.calls).toHaveLength(calls);
  await expectIntended(team, [before.id, waiting.id, runId]);

  // What it left is whole up to its checkpoint, which is no older than the one before.
  if (!fault.name.startsWith('failVkey')) expect(await verdictOf(team, seen)).toBe('verified');
  const left = checkpointOf(team);
  expect(sizeOf(left)).toBeGreaterThanOrEqual(sizeOf(readFileSync(seen, 'utf8')));

  const healed = await team.open();
  expect((await healed.status(runId)).status).toBe('completed');
  expect((await healed.approval(approval.id)).record.state).toBe('pending');
  await team.approve(healed, approval);
  expect((await team.drive(healed, waiting.id)).status).toBe('completed');
  await healed.publish();
  writeFileSync(seen, left);
  expect(await verdictOf(team, seen)).toBe('verified');
  expect(team.functions.calls).toHaveLength(calls + 1);
}

describe('a fault in the directory', () => {
  it.each(DIRECTORY_FAULTS)('%s: this process is over, the next one heals it', async (name) => {
    await expectSurvived(new Fault(name));
  });
  it.each(['failTileAndNotPersist', 'failCheckpointButPersist'] as const)(
    '%s for want of space: the same',
    async (name) => {
      await expectSurvived(new Fault(name, 'STORE_FULL'));
    },
  );
});

describe('a fault in the store while it publishes', () => {
  for (const code of CODES) {
    it.each(STORE_FAULTS)(`%s (${code}): this process is over, the next one heals it`, async (name) => {
      await expectSurvived(new Fault(name, code));
    });
  }
});

describe('faults one after another', () => {
  it('at every place, each in a process of its own, leave one log', async () => {
    const { team } = here;
    const seen = path.join(team.home, 'seen');
    const runs: string[] = [];
    const faults = [...DIRECTORY_FAULTS, ...STORE_FAULTS].filter((name) => !name.startsWith('failVkey'));
    for (const name of faults) {
      const fault = new Fault(name);
      const broken = await team.open({
        store: (inner) => fault.store(inner),
        directory: (inner) => fault.directory(inner),
      });
      writeFileSync(seen, checkpointOf(team));
      runs.push(await team.start(broken, steps([ONE])));
      await refusalOf(team.drive(broken, runs.at(-1) ?? ''));
      expect(fault.fired, name).toBe(true);
      expect(await verdictOf(team, seen), name).toBe('verified');
    }
    const writ = await team.open();
    await writ.publish();
    expect(await verdictOf(team, seen)).toBe('verified');
    for (const run of runs) expect((await writ.status(run)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(runs.length);
    await expectIntended(team, runs);
  });
});
