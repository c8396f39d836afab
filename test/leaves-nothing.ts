// Test files share a process: each has to leave it as it found it, so that none passes or fails for what ran before it.
// Runs before each file; its check comes last, after the file's own clearing up. Names only: values may be secrets.
import { afterAll, expect } from 'vitest';

const standing = (): ReadonlyMap<string, unknown> =>
  new Map<string, unknown>([
    ...Object.entries(process.env).map(([name, value]) => [`variable ${name}`, value] as const),
    ['working directory', process.cwd()],
    ['umask', process.umask()],
    ['timers', setTimeout],
    ['clock', Date],
    ['Date.now', Date.now],
    ['Math.random', Math.random],
    ['process.exit', process.exit],
    ['process.stdout.write', process.stdout.write],
  ]);

const found = standing();

afterAll(() => {
  const left = standing();
  const names = [...new Set([...found.keys(), ...left.keys()])];
  const changed = names.filter((name) => !Object.is(found.get(name), left.get(name)));
  expect(changed, 'what this file leaves changed for the files after it').toEqual([]);
});
