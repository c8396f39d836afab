// A disk that is really full: the data directory on a file system of a few MiB in memory. Whatever the append that
// failed, nothing ran without a durable intent, nothing runs after it, and with room again the log goes on whole.
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.js';
import { WritError } from '../../src/errors.js';
import { extendLog } from '../../src/runtime/log/log.js';
import { refusalOf, steps, useTeam, type Team } from './fixture.js';

const here = useTeam();
const ECHO = steps([`functionId: "tool::test_one", config: { text: "{{input.text}}" }`]);

const mount = (...words: string[]): boolean => spawnSync('mount', words, { stdio: 'ignore' }).status === 0;
const CAN_MOUNT = ((): boolean => {
  if (process.getuid?.() !== 0) return false;
  const probe = mkdtempSync(path.join(tmpdir(), 'writ-mount-'));
  const isMounted = mount('-t', 'tmpfs', '-o', 'size=1m', 'none', probe);
  if (isMounted) execFileSync('umount', [probe]);
  rmSync(probe, { recursive: true });
  return isMounted;
})();

/** Moves the data of the team onto a file system of this size while `work` runs; `grow` gives it room. */
async function onSmallDisk(
  team: Team,
  sizeMiB: number,
  work: (grow: () => void) => Promise<void>,
): Promise<void> {
  const aside = path.join(team.home, 'aside');
  cpSync(team.data, aside, { recursive: true });
  mount('-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=700`, 'none', team.data);
  cpSync(aside, team.data, { recursive: true });
  try {
    await work(() => mount('-o', 'remount,size=256m', team.data));
  } finally {
    rmSync(aside, { recursive: true });
    cpSync(team.data, aside, { recursive: true });
    // Handles of the test are open below it.
    execFileSync('umount', ['--lazy', team.data]);
    rmSync(team.data, { recursive: true });
    mkdirSync(team.data, { mode: 0o700 });
    cpSync(aside, team.data, { recursive: true });
  }
}

/** Takes every byte that is left. */
function fill(team: Team): string {
  const file = path.join(team.data, 'ballast');
  const ballast = openSync(file, 'w');
  for (let size = 1 << 16; size > 0; size = size >> 1) {
    try {
      for (;;) writeSync(ballast, new Uint8Array(size).fill(1));
    } catch {
      // No room for that many; half as many may fit.
    }
  }
  closeSync(ballast);
  return file;
}

async function expectIntended(team: Team, runs: readonly string[]): Promise<void> {
  const intents = (await Promise.all(runs.map((run) => team.facts(run, 'step.intended')))).flat();
  const keys = new Set(intents.map((data) => data['idempotencyKey']));
  for (const call of team.functions.calls) expect(keys).toContain(call.idempotencyKey);
}

describe.skipIf(!CAN_MOUNT)(`a full disk${CAN_MOUNT ? '' : ' (skipped: needs root and mount)'}`, () => {
  it('stops the process where it filled up, and nothing had run that was not intended', async () => {
    const { team } = here;
    await onSmallDisk(team, 4, async (grow) => {
      const writ = await team.open();
      const runs: string[] = [];
      const acknowledged: string[] = [];
      let stopped: unknown = null;
      while (stopped === null) {
        try {
          runs.push(await team.start(writ, ECHO, { text: 'x'.repeat(40_000) }));
          const { id, status } = await team.drive(writ, runs.at(-1) ?? '');
          expect(status).toBe('completed');
          acknowledged.push(id);
        } catch (error) {
          stopped = error;
        }
      }
      expect(stopped).toMatchObject({ code: 'STORE_FULL', kind: 'fatal', exitCode: 6 });
      expect((stopped as WritError).hint).toContain('space');
      expect(acknowledged.length).toBeGreaterThan(2);
      const calls = team.functions.calls.length;
      expect((await refusalOf(team.start(writ, ECHO, { text: '' }))).code).toBe('STORE_FULL');
      expect((await refusalOf(writ.publish())).code).toBe('STORE_FULL');
      expect(team.functions.calls).toHaveLength(calls);
      await expectIntended(team, runs);
      expect((await team.verify()).verdict).toBe('verified');

      grow();
      const healed = await team.open();
      for (const id of acknowledged) expect((await healed.status(id)).status).toBe('completed');
      expect((await team.run(healed, ECHO, { text: 'y' })).status).toBe('completed');
      await healed.publish();
      expect(await team.verify()).toMatchObject({ verdict: 'verified' });
    });
  });

  it('before the first append: nothing ran at all', async () => {
    const { team } = here;
    await onSmallDisk(team, 4, async () => {
      const writ = await team.open();
      const alice = await team.as(writ, 'alice');
      const ballast = fill(team);
      const workflow = { text: ECHO, file: null };
      // The write-ahead log may have room for the beginning; sooner or later it has not.
      let stopped: WritError | null = null;
      for (let i = 0; stopped === null; i++) {
        const started = await writ
          .start({ workflow, input: { text: `${i}`.repeat(10_000) } }, alice)
          .catch((error: unknown) => error);
        if (started instanceof WritError) stopped = started;
        else if (started instanceof Error) throw started;
      }
      expect(stopped.code).toBe('STORE_FULL');
      expect(team.functions.calls).toEqual([]);
      rmSync(ballast);
      expect((await refusalOf(team.start(writ, ECHO, { text: '' }))).code).toBe('STORE_FULL');
      const healed = await team.open();
      expect((await team.run(healed, ECHO, { text: 'y' })).status).toBe('completed');
      expect(team.functions.calls).toHaveLength(1);
    });
  });

  it('fails no command that has only read, nor loses what lies in the write-ahead log', async () => {
    const { team } = here;
    await onSmallDisk(team, 8, async () => {
      const file = path.join(team.data, 'other.db');
      const open = () => openSqliteStore({ file, extendLog, clock: team.clock });
      const store = await open();
      const { size } = await store.log();
      // More than the file has room for: with a full disk it can't be moved there.
      for (let i = 0; i < 40; i++)
        await store.putCheckpoint({
          size: BigInt(i) + 1_000n,
          root: new Uint8Array(32),
          note: 'x'.repeat(50_000),
        });
      const ballast = fill(team);
      await store.close();
      rmSync(ballast);
      const again = await open();
      expect((await again.log()).size).toBe(size);
      expect((await again.lastCheckpoint())?.size).toBe(1_039n);
      await again.close();
    });
  });
});
