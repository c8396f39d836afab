// What a hostile program in a container does to those who look after it there: its init, what keeps its deadline, what
// waits beside it and what fetches its files; and to whoever feeds it. They lie in its own process namespace, under its own
// user: it can end them, and gains nothing by it.
import { describe, expect, it } from 'vitest';
import { openAttacks } from './docker/attack.js';
import { noEngine, skipped } from './docker/engine.js';
import { text } from './sandbox.js';

const FLOOD = Buffer.alloc(16 * 1024 * 1024, 'a');
/** Kills every process of that name, again and again. */
const hunting = (name: string): string =>
  `(while :; do for p in /proc/[0-9]*; do grep -qs ^${name} $p/comm && kill -9 \${p#/proc/}; done; done) >/dev/null 2>&1 &`;

describe.skipIf(noEngine !== null)(`attacks from a container on what looks after it${skipped}`, () => {
  const attacks = openAttacks();
  const { run } = attacks;
  const shell = (
    command: string,
    change: Parameters<typeof run>[2] = {},
    limits: Parameters<typeof run>[1] = {},
  ): ReturnType<typeof run> => run(['sh', '-c', command], limits, change);

  it.each([
    ['that nobody reads', 'exit 4', { exitCode: 4, status: 'exited' }],
    ['that is closed', 'exec <&-; sleep 0.2; exit 5', { exitCode: 5, status: 'exited' }],
    [
      'that only a child reads, which is left behind',
      '(sleep 0.5; wc -c) & exit 6',
      { exitCode: 6, status: 'exited' },
    ],
    ['that a program which sleeps does not read', 'sleep 60', { status: 'timeout', limitHit: 'timeoutMs' }],
    ['that comes back', 'cat', { status: 'output-limit', limitHit: 'outputBytes' }],
  ])('a flood on its stdin %s changes nothing of how it ends', async (_what, command, ended) => {
    const limits = { timeoutMs: command === 'sleep 60' ? 1_000 : 8_000, outputBytes: 65_536 };
    expect(await shell(command, { stdin: FLOOD }, limits)).toMatchObject(ended);
  });

  it.each([
    ['stops its parent and its init', 'kill -STOP $PPID; kill -STOP 1; echo on', 'on\n', { exitCode: 0 }],
    ['kills what keeps its deadline', 'kill -9 $PPID; sleep 0.2; echo on; exit 9', 'on\n', { exitCode: 9 }],
    ['tells its init what to do by the environment', 'kill -9 1; exit 3', '', { exitCode: 3 }],
  ])('one that %s is told as it ends', async (_what, command, said, ended) => {
    const { stdout, ...result } = await shell(command, {
      env: { TINI_KILL_PROCESS_GROUP: '1', TINI_SUBREAPER: '1' },
    });
    expect(result).toMatchObject({ status: 'exited', ...ended });
    expect(text(stdout)).toBe(said);
  });

  it('one that kills what keeps its deadline, and stays, is ended by the runner', async () => {
    const result = await shell('kill -9 $PPID; sleep 60', {}, { timeoutMs: 1_000 });
    expect(result).toMatchObject({ status: 'timeout', limitHit: 'timeoutMs' });
  });

  it.each([
    [
      'what waits beside it',
      'echo x > x; for p in /proc/[0-9]*; do grep -qs ^sleep $p/comm && kill -9 ${p#/proc/}; done; sleep 5',
    ],
    ['everything', 'echo x > x; kill -9 -1; sleep 5'],
  ])('one that kills %s ends with its container, and hands nothing out', async (_what, command) => {
    const result = await shell(command, { outputs: ['*'] });
    expect(result).toMatchObject({ status: 'crashed', exitCode: 137 });
    expect(result.outputs ?? []).toEqual([]);
  });

  it.each([
    ['kills what fetches it', hunting('tar'), {}],
    [
      'has left no room for another process',
      'i=0; while [ $i -lt 60 ]; do sleep 60 & i=$((i+1)); done;',
      { pids: 8 },
    ],
    [
      'has left no room in its memory',
      'dd if=/dev/zero of=/tmp/a bs=1M count=8 2>/dev/null;',
      { memoryMiB: 20 },
    ],
  ])('a file is handed out whole, or the step fails: one that %s', async (_what, command, limits) => {
    const result = await shell(`echo whole > x; ${command} exit 0`, { outputs: ['x'] }, limits);
    const files = (result.outputs ?? []).map(({ bytes }) => Buffer.from(bytes).toString());
    if (result.status === 'exited') expect(files.every((content) => content === 'whole\n')).toBe(true);
    else expect(files).toEqual([]);
    expect(result.status).not.toBe('unavailable');
  });

  it('one that exchanges a folder for a link while it is fetched hands out what it could read itself, of no other machine', async () => {
    const swap =
      '(while :; do mv d e; ln -s /etc d; rm d; mv e d; done) >/dev/null 2>&1 & sleep 0.05; cat /etc/passwd';
    for (let i = 0; i < 4; i += 1) {
      const result = await shell(`mkdir d; echo inner > d/passwd; ${swap}`, { outputs: ['d/passwd'] });
      expect(['exited', 'output-refused']).toContain(result.status);
      for (const { bytes } of result.outputs ?? [])
        expect(['inner\n', text(result.stdout)]).toContain(Buffer.from(bytes).toString());
    }
  });

  it('files may be called what means something to the language of the runner', async () => {
    const names = ['__proto__', 'constructor/prototype', 'toString', '-rf', '--checkpoint=1', '@x', ' '];
    const files = names.map((path) => ({ path, bytes: Buffer.from(path) }));
    const result = await shell('find . -type f | wc -l', { files, outputs: ['**'] });
    expect(text(result.stdout)).toBe(`${names.length}\n`);
    expect(
      Object.fromEntries((result.outputs ?? []).map(({ path, bytes }) => [path, text({ bytes })])),
    ).toEqual(Object.fromEntries(names.map((name) => [name, name])));
  });

  it('arguments and variables may be as long as the kernel takes them', async () => {
    const long = 'a'.repeat(131_000);
    const argument = await run(['sh', '-c', 'echo ${#1}', 'sh', long]);
    expect(text(argument.stdout)).toBe('131000\n');
    const variable = await shell('echo ${#A}', { env: { A: long } });
    expect(text(variable.stdout)).toBe('131000\n');
  });

  it('is told as missing, whatever characters its name is made of', async () => {
    const env = { PATH: '/bin' };
    for (const name of ['no\u202epe', 'a\u0001b', 'a\u00a0b', 'a"b\\x41', '\u{e0001}'])
      expect(await run([name], {}, { env })).toMatchObject({
        status: 'exited',
        exitCode: 127,
      });
  });

  it('is cancelled in every phase of its life, dead within 2 s', async () => {
    const wants = { files: [{ path: 'a', bytes: new Uint8Array(1024 * 1024) }], outputs: ['**'] };
    const stubborn = 'trap "" TERM; echo x > x; while :; do :; done';
    for (const change of [{}, wants]) {
      for (let afterMs = 0; afterMs <= 700; afterMs += 100) {
        const abort = new AbortController();
        let abortedMs = 0;
        const timer = setTimeout(() => {
          abortedMs = performance.now();
          abort.abort();
        }, afterMs);
        const request = { ...attacks.plain(), argv: ['sh', '-c', stubborn], ...change };
        const { status } = await attacks.driver.run(request, abort.signal);
        clearTimeout(timer);
        expect(status).toBe('cancelled');
        expect(performance.now() - abortedMs).toBeLessThan(2_000);
      }
    }
  });
});
