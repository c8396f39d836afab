// The log's key is replaced without a moment at which no key could go on: a crash at any write, before or after it took
// effect, is finished or undone by whoever opens the log next.
import { cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLogKeys } from '../../src/adapters/keys/log-key.js';
import { openLocks } from '../../src/adapters/store/locks.js';
import { openTileDirectory } from '../../src/adapters/store/tile-directory.js';
import { openTrustStore } from '../../src/adapters/store/trust-store.js';
import { verifyEd25519 } from '../../src/audit/ed25519.js';
import { parseNote } from '../../src/audit/note.js';
import { verifyRotation } from '../../src/audit/key-rotation.js';
import { verifyData } from '../../src/open.js';
import type { Guard } from '../../src/runtime/guard-parts.js';
import { Journal } from '../../src/runtime/log/journal.js';
import { finishHeld, rotateLogKey } from '../../src/runtime/log/key-rotation.js';
import type { LogKeys } from '../../src/runtime/ports.js';
import type { Publication } from '../../src/runtime/log/publisher.js';
import type { Writ } from '../../src/runtime/writ.js';
import { refusalOf, steps, type Team, useTeam } from './fixture.js';

const here = useTeam();
const ONE = steps(['functionId: "tool::test_one"']);

const keyFolder = (team: Team): string => path.join(team.data, 'keys');
const auditFile = (team: Team, name: string): string =>
  readFileSync(path.join(team.data, 'audit', name), 'utf8');
const vkeyOf = (team: Team): string => openLogKeys(path.join(keyFolder(team), 'log.key')).signer.vkey;

async function verdictWith(team: Team, vkey: string): Promise<string> {
  const dir = path.join(team.data, 'audit');
  const report = await verifyData({ dir, vkeys: [vkey], old: [], trust: null, run: null, payloads: true });
  return report.verdict;
}

describe('a change of the log key', () => {
  it('stands in the log signed by both keys, and the checkpoint right after it too', async () => {
    const { team } = here;
    const writ = await team.open();
    const old = vkeyOf(team);
    const change = await writ.rotateLogKey(await team.as(writ, 'ada'));
    expect(change.oldVkey).toBe(old);
    expect(change.newVkey).toBe(vkeyOf(team));
    expect(change.newVkey).not.toBe(old);
    const own = await team.entries(null);
    const at = own.findIndex((entry) => entry.type === 'key.rotated');
    expect(verifyRotation(own[at]?.data, writ.origin, verifyEd25519)).toBe(true);
    expect(own[at + 1]).toMatchObject({
      type: 'log.opened',
      actor: { id: 'user:ada' },
      data: { vkey: change.newVkey, origin: writ.origin },
    });
    const size = change.index + 2n;
    const note = auditFile(team, `checkpoints/${size.toString().padStart(20, '0')}`);
    const ids = parseNote(note).signatures.map((line) => `${line.name}+${line.keyId}`);
    expect(ids).toEqual([old, change.newVkey].map((vkey) => vkey.split('+').slice(0, 2).join('+')));
    expect(auditFile(team, 'vkey')).toBe(`${change.newVkey}\n`);
    expect(await writ.keyChanges()).toEqual([change]);
    expect(writ.vkey()).toBe(change.newVkey);
  });

  it('is followed by checkpoints of the new key alone, and old pins then say bad-signature', async () => {
    const { team } = here;
    const writ = await team.open();
    const { oldVkey, newVkey } = await writ.rotateLogKey(await team.as(writ, 'ada'));
    await team.run(writ, ONE);
    const signers = parseNote(auditFile(team, 'checkpoint')).signatures;
    expect(signers).toHaveLength(1);
    expect(await verdictWith(team, newVkey)).toBe('verified');
    expect(await verdictWith(team, oldVkey)).toBe('bad-signature');
    expect((await team.verify()).verdict).toBe('verified');
  });

  it('leaves one key file, and can be done again', async () => {
    const { team } = here;
    const writ = await team.open();
    const ada = await team.as(writ, 'ada');
    const first = await writ.rotateLogKey(ada);
    const second = await writ.rotateLogKey(ada);
    expect(second.oldVkey).toBe(first.newVkey);
    expect(readdirSync(keyFolder(team))).toEqual(['log.key']);
    expect(await writ.keyChanges()).toEqual([first, second]);
    expect((await team.verify()).verdict).toBe('verified');
    const record = await openTrustStore(team.trustFile).read(writ.origin);
    expect(record?.vkey).toBe(second.newVkey);
    expect(record?.former).toEqual([first.oldVkey, first.newVkey]);
  });

  it('is refused to whoever has no right to it, and nothing changes but the log of the refusal', async () => {
    const { team } = here;
    const writ = await team.open();
    const before = vkeyOf(team);
    const refusal = await refusalOf(writ.rotateLogKey(await team.as(writ, 'alice')));
    expect(refusal).toMatchObject({ kind: 'refusal', exitCode: 3 });
    expect(vkeyOf(team)).toBe(before);
    expect(await writ.keyChanges()).toEqual([]);
    expect((await team.entries(null)).at(-1)).toMatchObject({
      type: 'authz.decided',
      data: { verdict: 'deny', action: 'audit.rotate_key', resource: '*' },
    });
  });

  it('reaches processes that were open before: they sign with the new key', async () => {
    const { team } = here;
    const running = await team.open();
    const other = await team.open();
    const { newVkey } = await other.rotateLogKey(await team.as(other, 'ada'));
    await team.run(running, ONE);
    await running.publish();
    expect(running.vkey()).toBe(newVkey);
    expect(await verdictWith(team, newVkey)).toBe('verified');
  });

  it('never lets a process sign with the old key when the new one is not there', async () => {
    const { team } = here;
    const running = await team.open();
    const other = await team.open();
    const file = path.join(keyFolder(team), 'log.key');
    const oldKey = readFileSync(file);
    await other.rotateLogKey(await team.as(other, 'ada'));
    const newKey = readFileSync(file);
    const before = auditFile(team, 'checkpoint');
    writeFileSync(file, oldKey, { mode: 0o600 });
    expect(await refusalOf(running.publish())).toMatchObject({ code: 'AUDIT_KEY_MISSING' });
    expect(await refusalOf(team.open())).toMatchObject({ code: 'AUDIT_KEY_MISSING' });
    expect(auditFile(team, 'checkpoint')).toBe(before);
    writeFileSync(file, newKey, { mode: 0o600 });
  });
});

describe('what a machine trusts, after a change of the log key', () => {
  it('is the former key where another machine changed it: opening says what to do, verifying the named key does it', async () => {
    const { team } = here;
    const before = readFileSync(team.trustFile);
    const writ = await team.open();
    const { oldVkey, newVkey } = await writ.rotateLogKey(await team.as(writ, 'ada'));
    writeFileSync(team.trustFile, before);
    const refusal = await refusalOf(team.open());
    expect(refusal).toMatchObject({
      code: 'AUDIT_KEY_INVALID',
      details: { trusted: oldVkey, found: newVkey },
    });
    expect(refusal.hint).toContain('writ audit verify --vkey');
    expect((await team.verify()).verdict).toBe('bad-signature');
    const dir = path.join(team.data, 'audit');
    const given = { dir, vkeys: [newVkey], old: [], trust: team.trustFile, run: null, payloads: false };
    expect((await verifyData(given)).verdict).toBe('verified');
    expect((await openTrustStore(team.trustFile).read(writ.origin))?.vkey).toBe(newVkey);
    await team.open();
  });

  it('makes a data directory from before the change a rollback', async () => {
    const { team } = here;
    const backup = path.join(team.home, 'backup');
    cpSync(team.data, backup, { recursive: true });
    const writ = await team.open();
    await writ.rotateLogKey(await team.as(writ, 'ada'));
    await writ.close();
    const newest = path.join(team.home, 'newest');
    renameSync(team.data, newest);
    renameSync(backup, team.data);
    expect(await refusalOf(team.open())).toMatchObject({ code: 'AUDIT_ROLLBACK' });
    rmSync(team.data, { recursive: true });
    renameSync(newest, team.data);
  });
});

/** Throws at the nth write, before it happens or after it took effect; everything after it fails too. */
class Crash {
  writes = 0;

  constructor(
    readonly at: number,
    readonly persists: boolean,
  ) {}

  over<Port extends object>(port: Port, names: readonly (keyof Port & string)[]): Port {
    return new Proxy(port, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        const method = (value as (...args: unknown[]) => unknown).bind(target);
        if (!names.includes(name as keyof Port & string)) return method;
        return (...args: unknown[]): unknown => {
          this.writes += 1;
          const dies = this.writes === this.at;
          if (this.writes > this.at || (dies && !this.persists)) throw new Error('crash');
          const result = method(...args);
          if (!dies) return result;
          if (!(result instanceof Promise)) throw new Error('crash');
          return result.then(() => {
            throw new Error('crash');
          });
        };
      },
    });
  }
}

/** One rotation over ports that crash; true when it got to its end. */
async function rotateUntil(team: Team, crash: Crash): Promise<boolean> {
  const writ = (await team.open()) as Writ & { readonly guard: Guard };
  const store = crash.over(writ.guard.store, ['commit', 'putCheckpoint', 'markPublished']);
  const guard = { ...writ.guard, store, journal: new Journal(store, writ.guard.redact) };
  const keys: LogKeys = crash.over(openLogKeys(path.join(keyFolder(team), 'log.key')), [
    'makeSuccessor',
    'promoteSuccessor',
    'discardSuccessor',
  ]);
  const publication: Publication = {
    store,
    directory: crash.over(openTileDirectory(path.join(team.data, 'audit')), ['put', 'remove']),
    signer: keys.signer,
    locks: openLocks(path.join(team.data, 'locks')),
    trust: crash.over(openTrustStore(team.trustFile), ['write', 'replaceKey']),
    finishRotation: () => finishHeld({ publication, keys }),
  };
  try {
    await rotateLogKey(guard, { publication, keys }, await team.as(writ, 'ada'), 'test');
    return true;
  } catch (error) {
    expect(String(error)).toMatch(/crash|never should/);
    return false;
  } finally {
    await writ.close();
  }
}

describe.each([
  ['before its effect', false],
  ['after its effect', true],
])('a crash at a write of a change of the log key, %s', (_, persists) => {
  it('leaves one log with one key, finished or undone by the next to open it', async () => {
    const { team } = here;
    let finished = false;
    let rotations = 0;
    for (let at = 1; !finished; at++) {
      const before = vkeyOf(team);
      const crash = new Crash(at, persists);
      finished = await rotateUntil(team, crash);
      const writ = await team.open();
      const changes = await writ.keyChanges();
      const committed = changes.length > rotations;
      rotations = changes.length;
      expect(changes.at(-1)?.newVkey ?? before, `write ${at}`).toBe(vkeyOf(team));
      expect(vkeyOf(team) === before, `write ${at}`).toBe(!committed);
      expect(readdirSync(keyFolder(team)), `write ${at}`).toEqual(['log.key']);
      // The log goes on: the refusal is an entry.
      await refusalOf(writ.auditEntry(0n, await team.as(writ, 'alice')));
      await writ.publish();
      await writ.close();
      expect(await verdictWith(team, vkeyOf(team)), `write ${at}`).toBe('verified');
      expect((await team.verify()).findings, `write ${at}`).toEqual([]);
    }
    expect(rotations).toBeGreaterThan(5);
    expect(existsSync(path.join(keyFolder(team), 'log.key.next'))).toBe(false);
  });
});

describe('a process that was open before the crash', () => {
  it('finishes the change itself before it signs', async () => {
    const { team } = here;
    const running = await team.open();
    const before = vkeyOf(team);
    for (let at = 2; (await running.keyChanges()).length === 0; at++) {
      expect(await rotateUntil(team, new Crash(at, true))).toBe(false);
    }
    expect(vkeyOf(team)).toBe(before);
    await running.publish();
    expect(vkeyOf(team)).not.toBe(before);
    expect(await verdictWith(team, vkeyOf(team))).toBe('verified');
  });
});

describe('a successor that the log does not name', () => {
  it.each(['', '{"v":1', '{"v":1,"kind":"log","vkey":"x","privateKey":"x"}'])(
    'is deleted, whatever it holds: %j',
    async (text) => {
      const { team } = here;
      const next = path.join(keyFolder(team), 'log.key.next');
      writeFileSync(next, text, { mode: 0o600 });
      const before = vkeyOf(team);
      await team.open();
      expect(existsSync(next)).toBe(false);
      expect(vkeyOf(team)).toBe(before);
    },
  );
});
