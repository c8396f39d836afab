// Three kinds of test files. The pure rooms hold no state that one file could leave to another: theirs share a process,
// and each room is loaded once. Those with a store and a log for every test wait for little but fsync: theirs lie in
// memory where there is room. All others run alone, on the disk, where the container engine can see their files.
import { readFileSync, statfsSync } from 'node:fs';
import { configDefaults, defineConfig } from 'vitest/config';

const ALL = ['src/**/*.test.{ts,tsx}', 'test/**/*.test.{ts,tsx}'];
const PURE = ['src/{approval,audit,engine,expression,policy,workflow}/**/*.test.ts'];
const MANY_STORES = ['test/{runtime,server}/**/*.test.ts'];

/** Where Linux keeps files in memory, and several times what all tests together have there at once. */
const MEMORY = '/dev/shm';
const ROOM_BYTES = 2 * 1024 ** 3;

/** Some machines have no such folder, one that is small, or one from which nothing may be executed. */
function hasRoomInMemory(): boolean {
  if (process.platform !== 'linux') return false;
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const [, , type, options = ''] = mounts.map((line) => line.split(' ')).find((at) => at[1] === MEMORY) ?? [];
  if (type !== 'tmpfs' || options.split(',').includes('noexec')) return false;
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize > ROOM_BYTES;
}

export default defineConfig({
  test: {
    reporters: ['default', './test/reporter.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // Other processes are waited for, on machines with other work.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      { extends: true, test: { name: 'pure', include: PURE, isolate: false } },
      {
        extends: true,
        test: { name: 'stores', include: MANY_STORES, env: hasRoomInMemory() ? { TMPDIR: MEMORY } : {} },
      },
      {
        extends: true,
        test: { name: 'other', include: ALL, exclude: [...configDefaults.exclude, ...PURE, ...MANY_STORES] },
      },
    ],
  },
});
