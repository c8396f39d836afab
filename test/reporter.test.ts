// The closing line of a run, seen from outside: vitest is started on a small tree with this project's reporter.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Last lines of stdout and the exit code of a run over the given test files. */
async function runOver(files: Record<string, string>) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'writ-reporter-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'), 'dir');
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
  const reporters = ['--reporter=default', `--reporter=${path.join(root, 'test', 'reporter.ts')}`];
  const { exitCode, stdout } = await execa('vitest', ['run', '--root', folder, ...reporters], {
    cwd: folder,
    preferLocal: true,
    localDir: root,
    reject: false,
    stderr: 'ignore',
  });
  return { exitCode, lines: stdout.split('\n') };
}

const passing = `import { it } from 'vitest'; it('works', () => {});\n`;

describe('the closing line', () => {
  it('counts passed tests and names every skipped one with its reason', async () => {
    const { exitCode, lines } = await runOver({
      'a.test.ts': `${passing} it.skip('runs in Docker (skipped: no daemon)', () => {});`,
    });
    expect(lines.slice(-2)).toEqual([
      'skipped: a.test.ts > runs in Docker (skipped: no daemon)',
      '1 passed, 0 failed, 1 skipped',
    ]);
    expect(exitCode).toBe(0);
  });

  it('is `0 passed, 1 failed` when no test ran', async () => {
    const { exitCode, lines } = await runOver({});
    expect(lines.at(-1)).toBe('0 passed, 1 failed');
    expect(exitCode).not.toBe(0);
  });

  it.each([
    ['a test fails', `import { it } from 'vitest'; it('breaks', () => { throw new Error('x'); });`],
    ['a file does not load', `import './absent.js';`],
    [
      'a hook fails',
      `import { afterAll } from 'vitest'; afterAll(() => { throw new Error('x'); }); ${passing}`,
    ],
    ['an error is unhandled', `${passing} void Promise.reject(new Error('x'));`],
  ])('says failed when %s', async (_case, text) => {
    const { exitCode, lines } = await runOver({ 'a.test.ts': passing, 'b.test.ts': text });
    expect(lines.at(-1)).toMatch(/^[12] passed, 1 failed$/);
    expect(exitCode).not.toBe(0);
  });
});
