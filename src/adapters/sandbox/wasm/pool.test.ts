import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WasmChild } from './child-process.js';
import { openPool } from './pool.js';

/** Children that live until they are killed. */
function children(): { readonly boot: () => Promise<WasmChild>; living(): number; booted(): number } {
  const alive = new Set<number>();
  let booted = 0;
  return {
    living: () => alive.size,
    booted: () => booted,
    boot() {
      const pid = (booted += 1);
      alive.add(pid);
      let die: () => void = () => undefined;
      const gone = new Promise<void>((resolve) => {
        die = resolve;
      });
      return Promise.resolve({
        pid,
        ready: { t: 'ready', uid: 0, filesDenied: true, spawnDenied: true, interfaces: 0, envNames: 0 },
        bootMs: 0,
        warmed: () => Promise.resolve(true),
        gone,
        isGone: () => !alive.has(pid),
        run: () => Promise.reject(new Error('nothing runs here')),
        kill() {
          alive.delete(pid);
          die();
        },
      });
    },
  };
}

describe('pool of children', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('boots no more than fit, and hands each out once', async () => {
    const made = children();
    const pool = openPool(2, made.boot);
    pool.fill();
    pool.fill();
    expect(made.booted()).toBe(2);
    const [one, other, third] = [await pool.take(), await pool.take(), await pool.take()];
    expect(new Set([one.pid, other.pid, third.pid]).size).toBe(3);
  });

  it('empties itself when nothing was asked of it for a minute, and not before', async () => {
    const made = children();
    const pool = openPool(1, made.boot);
    pool.fill();
    await vi.advanceTimersByTimeAsync(59_999);
    expect(made.living()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(made.living()).toBe(0);
    // And is there again for the next step.
    expect((await pool.take()).isGone()).toBe(false);
  });

  it('waits a minute from the last step, not from the first', async () => {
    const made = children();
    const pool = openPool(1, made.boot);
    pool.fill();
    await vi.advanceTimersByTimeAsync(40_000);
    pool.putBack(await pool.take());
    await vi.advanceTimersByTimeAsync(40_000);
    expect(made.living()).toBe(1);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(made.living()).toBe(0);
  });

  it('hands out none that has died meanwhile, and leaves none when it is closed', async () => {
    const made = children();
    const pool = openPool(2, made.boot);
    pool.fill();
    const first = await pool.take();
    first.kill();
    pool.putBack(first);
    expect((await pool.take()).isGone()).toBe(false);
    const late = await pool.take();
    await pool.close();
    pool.putBack(late);
    pool.fill();
    expect([made.booted(), made.living()]).toEqual([3, 1]); // the one in use is its user's
  });
});
