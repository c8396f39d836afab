// The contract of the Locks port: one holder at a time over all processes, and a dead holder holds nothing.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Locks } from '../../src/runtime/ports.js';
import { codeOf } from './store.js';

/** One place of locks that several openers and processes share. */
export interface LocksFixture {
  open(): Locks;
  /** Another process: takes `name`, prints one line `held` or `busy`, and keeps what it has until it is ended. */
  startHolder(name: string): ChildProcess;
  remove(): void;
}

/** The first line a holder process prints. */
async function answer(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the holder needs a pipe');
  const [chunk]: unknown[] = await once(child.stdout, 'data');
  return String(chunk).trim();
}

/** Runs the contract against what `makeFixture` makes; each test gets a place of its own. */
export function locksContract(name: string, makeFixture: () => LocksFixture): void {
  describe(`${name} as Locks`, () => {
    let fixture: LocksFixture;
    let locks: Locks;

    beforeEach(() => {
      fixture = makeFixture();
      locks = fixture.open();
    });
    afterEach(() => {
      fixture.remove();
    });

    it('gives a lock to one holder and to the next after its release', () => {
      const first = locks.tryHold('run-1');
      expect(first?.name).toBe('run-1');
      expect(locks.tryHold('run-1')).toBeNull();
      expect(fixture.open().tryHold('run-1')).toBeNull();
      first?.release();
      const second = fixture.open().tryHold('run-1');
      expect(second).not.toBeNull();
      expect(locks.tryHold('run-1')).toBeNull();
      second?.release();
    });

    it('keeps locks of different names apart', () => {
      const held = ['a', 'b', 'a.b', '0-_.x'].map((each) => locks.tryHold(each));
      expect(held.every((lock) => lock !== null)).toBe(true);
      for (const lock of held) lock?.release();
    });

    it('tells the names that are held, of other openers too, and forgets a released one', () => {
      expect(locks.names()).toEqual([]);
      const held = ['a', 'a.lock'].map((each) => fixture.open().tryHold(each));
      expect([...locks.names()].sort()).toEqual(['a', 'a.lock']);
      for (const lock of held) lock?.release();
      expect(locks.names()).toEqual([]);
    });

    it('takes a release twice without freeing the lock of the next holder', () => {
      const first = locks.tryHold('run-1');
      first?.release();
      const second = locks.tryHold('run-1');
      first?.release();
      expect(locks.tryHold('run-1')).toBeNull();
      second?.release();
    });

    it.each(['', '.', '..', '../x', 'a/b', 'A', 'ä', 'a b', 'a\0b', '.hidden', 'x'.repeat(129)])(
      'refuses %j as a name',
      (wrong) => {
        expect(() => locks.tryHold(wrong)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }));
      },
    );

    it('gives up with STORE_BUSY when the holder does not release in time', async () => {
      const held = locks.tryHold('run-1');
      const start = performance.now();
      expect(await codeOf(locks.hold('run-1', 100))).toBe('STORE_BUSY');
      expect(performance.now() - start).toBeGreaterThanOrEqual(99);
      expect(await codeOf(locks.hold('run-1', 0))).toBe('STORE_BUSY');
      held?.release();
      (await locks.hold('run-1', 0)).release();
    });

    it('hands the lock to one waiter after the other', async () => {
      const held = locks.tryHold('run-1');
      let inside = 0;
      let served = 0;
      const waiters = Array.from({ length: 10 }, async () => {
        const lock = await fixture.open().hold('run-1', 20_000);
        inside++;
        expect(inside).toBe(1);
        await Promise.resolve();
        inside--;
        served++;
        lock.release();
      });
      held?.release();
      await Promise.all(waiters);
      expect(served).toBe(10);
    });

    it('is held against another process, whose death by SIGKILL frees it', async () => {
      const holder = fixture.startHolder('run-1');
      const exit = once(holder, 'exit');
      expect(await answer(holder)).toBe('held');
      expect(locks.tryHold('run-1')).toBeNull();
      const waiting = locks.hold('run-1', 20_000);
      holder.kill('SIGKILL');
      await exit;
      const lock = await waiting;

      const late = fixture.startHolder('run-1');
      const lateExit = once(late, 'exit');
      expect(await answer(late)).toBe('busy');
      late.kill('SIGKILL');
      await lateExit;
      expect(locks.tryHold('run-1')).toBeNull();
      lock.release();
    });
  });
}
