// What a hostile program in a container leaves where its files are taken from.
import { describe, expect, it } from 'vitest';
import { openAttacks } from './docker/attack.js';
import { noEngine, skipped } from './docker/engine.js';
import { text } from './sandbox.js';

const MiB = 1024 * 1024;

describe.skipIf(noEngine !== null)(`attacks from a container by what it hands out${skipped}`, () => {
  const attacks = openAttacks();
  const { run } = attacks;

  it.each([
    ['a link', 'ln -s /etc/passwd /work/out/l'],
    ['a hard link', 'echo x > /work/out/a; ln /work/out/a /work/out/b'],
    ['a fifo', 'mkfifo /work/out/p'],
    ['a link in place of the folder', 'rm -r /work/out; ln -s /etc /work/out'],
    ['file that it may not read itself', 'echo x > /work/out/a; chmod 000 /work/out/a'],
    [
      'folder that it may not read itself',
      'mkdir /work/out/d; echo x > /work/out/d/a; chmod 000 /work/out/d',
    ],
    ['name with a line break', 'printf x > "/work/out/a\nb"'],
    ['name with an escape sequence', 'printf x > "/work/out/$(printf \'a\\033[2J\')"'],
    ['name that is no UTF-8', 'printf x > "/work/out/$(printf \'a\\377\')"'],
  ])('hands out no %s', async (_what, command) => {
    const wants = { outputs: ['out/**'] };
    const result = await run(['sh', '-c', `mkdir -p /work/out; ${command}`], {}, wants);
    expect(result).toMatchObject({ status: 'output-refused' });
    expect(result.outputs).toBeUndefined();
  });

  it.each([
    ['a folder that is a link', 'ln -s /etc d', 'd/passwd'],
    ['a folder that is a link, and a pattern', 'mkdir r; echo x > r/a.txt; ln -s . l', 'l/r/*.txt'],
    ['a link further up', 'mkdir -p r/e; echo x > r/e/a; ln -s r l', 'l/e/a'],
    ['a link further down', 'mkdir r; ln -s /etc r/l', 'r/l/passwd'],
    ["another process's root", 'ln -s /proc/1/root d', 'd/etc/passwd'],
  ])('follows no link on the way to an output: %s', async (_what, command, wanted) => {
    const result = await run(['sh', '-c', `cd /work; ${command}`], {}, { outputs: [wanted] });
    expect(result).toMatchObject({ status: 'output-refused', exitCode: 0 });
    expect(result.outputs).toBeUndefined();
  });

  it('hands out what lies in folders, beside a link that nobody asked for', async () => {
    const command = 'cd /work; mkdir -p r/e; echo x > r/e/a; echo y > r/b; ln -s /etc r/e/l; ln -s /etc m';
    const wants = { outputs: ['r/e/a', 'r/b', 'absent/folder/a'] };
    const result = await run(['sh', '-c', command], {}, wants);
    expect(result.outputs?.map(({ path: name }) => name)).toEqual(['r/b', 'r/e/a']);
  });

  it('hands out no socket, and what is wanted beside one', async () => {
    const binding = [
      'python3',
      '-IS',
      '-c',
      'import socket; socket.socket(socket.AF_UNIX).bind("/work/s"); open("/work/a.txt", "w").write("a")',
    ];
    expect(await run(binding, {}, { outputs: ['*'] })).toMatchObject({ status: 'output-refused' });
    const beside = await run(binding, {}, { outputs: ['*.txt', 'absent', 'no/such/*'] });
    expect(beside.outputs?.map((file) => file.path)).toEqual(['a.txt']);
  });

  it.each([
    ['too many files', 'i=0; while [ $i -lt 300 ]; do : > /work/$i; i=$((i+1)); done'],
    [
      'folders too deep',
      'd=/work; i=0; while [ $i -lt 40 ]; do d=$d/d; i=$((i+1)); done; mkdir -p $d; : > $d/f',
    ],
    [
      'folders deeper than a program can open',
      'cd /work; i=0; while [ $i -lt 400 ]; do mkdir d; cd d; i=$((i+1)); done; : > f',
    ],
    ['too many bytes', 'dd if=/dev/zero of=/work/a bs=1M count=30 2>/dev/null'],
  ])('X13: hands out no more than fits: %s', async (_what, command) => {
    const result = await run(['sh', '-c', command], { diskMiB: 40, memoryMiB: 128 }, { outputs: ['**'] });
    expect(result).toMatchObject({ status: 'output-limit', limitHit: 'outputs' });
  });

  it.each([
    ['killed', '-KILL', 'output-refused', 'what came out of the sandbox is no archive'],
    ['held up for ever', '-STOP', 'output-limit', 'the outputs could not be read in time'],
  ])(
    'hands out nothing where what takes its files is %s by what a program has left running',
    { timeout: 40_000 },
    async (_what, signal, status, reason) => {
      const left = `for p in /proc/[0-9]*; do read c < $p/comm && [ "$c" = tar ] && kill ${signal} \${p#/proc/}; done`;
      // So large that it is met while it is taken: what is left running looks for that in every turn.
      const file = 'dd if=/dev/zero of=x bs=1M count=15 2>/dev/null';
      const command = `${file}; (while :; do ${left}; done) > /dev/null 2>&1 & echo END`;
      const limits = { timeoutMs: 15_000, diskMiB: 20, memoryMiB: 128 };
      const result = await run(['sh', '-c', command], limits, { outputs: ['x'] });
      expect(result).toMatchObject({ status, reason });
      expect(text(result.stdout)).toBe('END\n');
    },
  );

  it('X13: makes no sparse file larger than its folder', async () => {
    const result = await run(['sh', '-c', 'truncate -s 10G /work/f; echo $?'], {}, { outputs: ['**'] });
    expect(
      result.status === 'exited'
        ? (result.outputs ?? []).every(({ bytes }) => bytes.length <= 8 * MiB)
        : true,
    ).toBe(true);
  });
});
