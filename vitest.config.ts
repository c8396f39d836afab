// Three kinds of test files. Most share a few processes, in which each module is loaded and compiled once: for each file
// anew, that was half of what a run cost. None may leave anything behind for another one (test/leaves-nothing.ts). Those
// that have to do with engines, terminals and killed processes run alone. Those with a store and a log for every test wait
// for little but fsync: theirs lie in memory where there is room, all others' on the disk, where the container engine can
// see their files.
import { readFileSync, statfsSync } from 'node:fs';
import { configDefaults, defineConfig } from 'vitest/config';

const ALL = ['src/**/*.test.{ts,tsx}', 'test/**/*.test.{ts,tsx}'];
const ALONE = ['test/{contract,crash,e2e}/**/*.test.ts'];
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
    // A net for a test that hangs, no measure: what has to be soon over is asserted. Tests that compute for ten seconds, or
    // start twenty processes, take several times as long on a machine with other work.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // One more than there are processors where CI runs: tests of whole processes wait for about half of their time, for
    // the start of one, its fsync, its terminal. More would only make each other slower.
    maxWorkers: 3,
    isolate: false,
    setupFiles: ['./test/leaves-nothing.ts'],
    // Other processes are waited for, on machines with other work.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      { extends: true, test: { name: 'alone', include: ALONE, isolate: true } },
      {
        extends: true,
        test: { name: 'disk', include: ALL, exclude: [...configDefaults.exclude, ...ALONE, ...MANY_STORES] },
      },
      {
        extends: true,
        test: { name: 'memory', include: MANY_STORES, env: hasRoomInMemory() ? { TMPDIR: MEMORY } : {} },
      },
    ],
  },
});
