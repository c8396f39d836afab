// Log directories that somebody prepared against the verifier: links, devices, pipes, huge and countless files,
// trees deeper than any log. The built command gives one clear verdict each, in bounded time and memory.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTileDirectory } from '../../src/adapters/store/tile-directory.js';
import { verifyData } from '../../src/open.js';
import { environmentOf, MAIN } from '../cli/writ.js';
import { logOfSizes, testSigner } from './log-fixture.js';
import { rawLog, writeLog } from './raw-log.js';

// In memory where that is possible: the test with very many files is about reading names, not about the disk.
const home = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'writ-hostile-'));
const good = path.join(home, 'good');
const other = path.join(home, 'other');
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** Heap of the verifier, and what the whole process may have at its peak. */
const HEAP_MIB = 64;
const PEAK_MIB = 300;

let dir: string;
beforeAll(async () => {
  writeLog((await logOfSizes(3, 300)).directory, good);
  chmodSync(home, 0o755);
  // The same entries under the same key: what a link leads to is no damage in itself.
  cpSync(good, other, { recursive: true });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));
beforeEach(() => {
  dir = path.join(home, 'log');
  cpSync(good, dir, { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const at = (...parts: string[]): string => path.join(dir, ...parts);

interface Report {
  readonly verdict?: string;
  readonly findings?: readonly { verdict: string; path?: string; message: string }[];
  readonly warnings?: readonly string[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
}

/** Runs the built command with a small heap; a verifier that hangs is stopped and fails the test. */
async function verify(
  options: { readonly uid?: number; readonly target?: string; readonly words?: readonly string[] } = {},
): Promise<{ code: number | undefined; report: Report; peakMiB: number; stderr: string }> {
  const { exitCode, stdout, stderr, stdio } = await execa(
    process.execPath,
    [
      `--max-old-space-size=${HEAP_MIB}`,
      '--import',
      path.join(import.meta.dirname, 'peak-memory.mjs'),
      MAIN,
      'audit',
      'verify',
      options.target ?? dir,
      ...(options.words ?? ['--vkey', testSigner().vkey, '--no-trust']),
      '--json',
    ],
    {
      cwd: home,
      extendEnv: false,
      env: environmentOf(home),
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      timeout: 60_000,
      killSignal: 'SIGKILL',
      reject: false,
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    },
  );
  const peakMiB = Number(stdio[3]) / 1024;
  return { code: exitCode, report: stdout === '' ? {} : (JSON.parse(stdout) as Report), peakMiB, stderr };
}

/** One verdict, about this file; in this process, as the command does it. */
async function expectVerdict(verdict: string, about?: string): Promise<Report> {
  const vkeys = [testSigner().vkey];
  const report = await verifyData({ dir, vkeys, old: [], trust: null, run: null, payloads: false });
  expect(report.verdict).toBe(verdict);
  if (about !== undefined) expect(report.findings[0]).toMatchObject({ path: about });
  return report;
}

/** The same from the built command: no crash, nothing but the verdict, and a bounded peak. */
async function expectBounded(verdict: string, about?: string): Promise<Report> {
  const { code, report, peakMiB, stderr } = await verify();
  const exit = verdict === 'verified' ? 0 : 5;
  expect({ code, verdict: report.verdict, stderr }).toEqual({ code: exit, verdict, stderr: '' });
  if (about !== undefined) expect(report.findings?.[0]).toMatchObject({ path: about });
  expect(peakMiB).toBeLessThan(PEAK_MIB);
  return report;
}

function link(target: string, name: string): void {
  rmSync(at(name), { recursive: true, force: true });
  symlinkSync(target, at(name));
}

describe('a log directory as it should be', () => {
  it('is verified, also through a link to the directory itself', async () => {
    await expectBounded('verified');
    const alias = path.join(home, 'alias');
    symlinkSync(dir, alias);
    expect(await verify({ target: alias })).toMatchObject({ code: 0, report: { verdict: 'verified' } });
    unlinkSync(alias);
  });
});

describe('a symbolic link in a log directory', () => {
  it.each([
    ['checkpoint', 'missing'],
    ['vkey', 'missing'],
    ['tile/entries/000', 'missing'],
    ['tile/0/001.p/44', 'missing'],
    ['checkpoints/00000000000000000300', 'missing'],
    ['checkpoints/00000000000000000003', 'missing'],
    // Needed by no tree of this size.
    ['tile/0/000.p/3', 'extra'],
    ['pending', 'extra'],
    ['tile/0/000.p/7', 'extra'],
    ['more', 'extra'],
  ])('in the place of %s, to the very file, is %s', async (name, verdict) => {
    link(path.join(other, name), name);
    await expectVerdict(verdict, name);
  });
  it.each([
    ['tile', 'missing', 'tile/entries/000'],
    ['tile/0', 'missing', 'tile/0/000'],
    ['checkpoints', 'missing', 'checkpoints/00000000000000000300'],
    ['tile/0/000.p', 'malformed', 'tile/0/000.p'],
  ])('in the place of the directory %s is %s', async (name, verdict, about) => {
    link(path.join(other, name), name);
    await expectVerdict(verdict, about);
  });
  it.each([
    ['/dev/zero', 'checkpoint', 'missing'],
    ['/dev/zero', 'tile/entries/000', 'missing'],
    ['/dev/stdin', 'vkey', 'missing'],
    ['/etc/passwd', 'policy', 'verified'],
    ['/', 'root', 'extra'],
    ['.', 'loop', 'extra'],
    ['loop', 'loop', 'extra'],
    ['../..', 'up', 'extra'],
  ])('to %s as %s is not followed: %s', async (target, name, verdict) => {
    link(target, name);
    await expectVerdict(verdict);
  });
});

describe('what is no file', () => {
  it.each(['checkpoint', 'vkey', 'tile/entries/000', 'tile/1/000.p/1'])(
    'is missing where %s must be: a FIFO, a socket, a directory',
    async (name) => {
      rmSync(at(name));
      execFileSync('mkfifo', [at(name)]);
      await expectVerdict('missing', name);
      rmSync(at(name));
      const server = createServer();
      await new Promise<void>((resolve) => {
        server.listen(at(name), resolve);
      });
      await expectVerdict('missing', name);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      rmSync(at(name), { force: true });
      mkdirSync(at(name));
      await expectVerdict('missing', name);
    },
  );
  it.each(['pending', 'tile/0/000.p/9', 'fifo'])('is extra as %s', async (name) => {
    execFileSync('mkfifo', [at(name)]);
    await expectVerdict('extra', name);
  });
  it.skipIf(!isRoot)('is not read: a device of endless bytes (only root can make one)', async () => {
    rmSync(at('checkpoint'));
    try {
      execFileSync('mknod', [at('checkpoint'), 'c', '1', '5'], { stdio: 'ignore' });
    } catch {
      // A container may not make devices; then nobody can put one there either.
      mkdirSync(at('checkpoint'));
    }
    await expectVerdict('missing', 'checkpoint');
  });
});

describe('names that no log has', () => {
  it.each([
    ['.hidden', 'extra'],
    ['tile/0/..000', 'malformed'],
    ['tile/0/000.p/3 ', 'malformed'],
    ['tile/0/000\n', 'malformed'],
    ['tile/0/\u001b[31mred', 'malformed'],
    ['tile/0/x000/000', 'malformed'],
    ['tile/64/000', 'malformed'],
    ['tile/entries/002', 'extra'],
    ['checkpoints/300', 'extra'],
    ['checkpoints/00000000000000000301.txt', 'extra'],
    ['\ud83d\ude00', 'extra'],
    ['-rf', 'extra'],
    [`tile/0/${'9'.repeat(200)}`, 'malformed'],
  ])('%j is %s', async (name, verdict) => {
    mkdirSync(path.dirname(at(name)), { recursive: true });
    writeFileSync(at(name), 'x');
    const report = await expectVerdict(verdict, name);
    expect(JSON.stringify(report)).not.toContain('\u001b');
  });
  it('may be bytes that are no text at all', async () => {
    execFileSync('sh', ['-c', 'touch "$(printf \'tile/0/\\377\\376\')"'], { cwd: dir });
    await expectVerdict('malformed');
  });
  it('are shown without control characters to people', async () => {
    writeFileSync(at('\u001b[2J\u0007red'), '');
    const { stdout } = await execa(process.execPath, [MAIN, 'audit', 'verify', dir, '--no-trust'], {
      env: environmentOf(home),
      extendEnv: false,
      reject: false,
    });
    expect(stdout).toContain('extra');
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/u);
  });
});

describe('sizes without measure', () => {
  it.each([
    ['checkpoint', 'malformed'],
    ['vkey', 'malformed'],
    ['pending', 'malformed'],
    ['checkpoints/00000000000000000003', 'malformed'],
    ['tile/entries/000', 'malformed'],
    ['tile/0/000', 'malformed'],
    ['tile/0/000.p/3', 'malformed'],
    ['policy', 'verified'],
    ['big', 'extra'],
  ])('10 GB of holes as %s are %s', async (name, verdict) => {
    writeFileSync(at(name), '');
    truncateSync(at(name), 10 * 2 ** 30);
    await expectVerdict(verdict, verdict === 'verified' ? undefined : name);
  });
  it('10 GB of holes in every file there is are read in bounded memory', async () => {
    for await (const name of openTileDirectory(dir).list()) {
      if (name.startsWith('tile/')) truncateSync(at(name), 10 * 2 ** 30);
    }
    await expectBounded('malformed', 'tile/entries/000');
  });
  it('a directory a thousand deep is extra, and is not climbed', async () => {
    const down = 'for i in $(seq 1000); do mkdir d && cd d || exit 1; done; touch leaf';
    execFileSync('sh', ['-c', down], { cwd: dir });
    await expectVerdict('extra', Array.from({ length: 12 }, () => 'd').join('/'));
    execFileSync('rm', ['-rf', at('d')]);
  });
  it('more names than are kept in memory are extra, and listed once each in order', async () => {
    const count = 250_000;
    execFileSync('sh', ['-c', `seq ${count} | xargs touch`], { cwd: at('checkpoints') });
    const report = await expectBounded('extra');
    expect(report.findings).toHaveLength(100);
    expect(report.warnings).toContain(`${count - 100} more findings are not listed`);
    let listed = 0;
    let last = '';
    for await (const name of openTileDirectory(dir).list('checkpoints')) {
      if (name <= last) throw new Error(`${name} after ${last}`);
      last = name;
      listed += 1;
    }
    expect(listed).toBe(count + 2);
  });
});

describe('what can not be read', () => {
  const unreadable: [string, string][] = [
    ['checkpoint', 'file'],
    ['tile/0/000', 'file'],
    ['tile/0', 'directory'],
    ['.', 'directory'],
  ];
  it.skipIf(!isRoot).each(unreadable)(
    'without permission, %s, is exit 2 and names the %s (only root can act as another user)',
    async (name) => {
      chmodSync(at(name), 0);
      const { code, report } = await verify({ uid: NOBODY });
      chmodSync(at(name), 0o755);
      expect({ code, error: report.error?.code }).toEqual({ code: 2, error: 'USAGE' });
      expect(report.error?.message).toContain(at(name === '.' ? '' : name));
      expect(report.error?.hint).toContain('read');
    },
  );
  it('a directory that is not there, or is a file, is exit 2', async () => {
    writeFileSync(path.join(home, 'file'), '');
    for (const target of ['nowhere', 'file', path.join('good', 'checkpoint')]) {
      const { code, report } = await verify({ target });
      expect({ code, error: report.error?.code }).toEqual({ code: 2, error: 'USAGE' });
      expect(report.error?.message).toContain(target);
    }
  });
  it('an old checkpoint that is a pipe, a directory or endless is exit 2', async () => {
    execFileSync('mkfifo', [path.join(home, 'pipe')]);
    for (const old of ['nowhere', 'pipe', '/dev/zero']) {
      const words = ['--vkey', testSigner().vkey, '--no-trust', '--old', old];
      const { code, report } = await verify({ words });
      expect({ old, code, error: report.error?.code }).toEqual({ old, code: 2, error: 'USAGE' });
    }
    rmSync(path.join(home, 'pipe'));
  });
});

describe('the log of somebody else', () => {
  it('in the place of this one is refused by the key', async () => {
    rmSync(dir, { recursive: true });
    const signer = testSigner('evil.example', 13);
    writeLog(rawLog([new Uint8Array(10)], { signer }), dir);
    await expectVerdict('bad-signature');
    rmSync(dir, { recursive: true });
    // The same name, another key.
    writeLog(rawLog([new Uint8Array(10)], { signer: testSigner(undefined, 13) }), dir);
    await expectVerdict('bad-signature');
  });
  it('moved one directory down is no log of this directory', async () => {
    renameSync(dir, `${dir}.moved`);
    mkdirSync(dir);
    renameSync(`${dir}.moved`, at('audit'));
    await expectVerdict('missing', 'checkpoint');
  });
});
