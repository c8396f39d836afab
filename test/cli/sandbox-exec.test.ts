// `writ sandbox exec`: governed as a step, refused where a promise can't be kept, and with an engine, what came of it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { images, left, noEngine, skipped } from '../contract/docker/engine.js';
import { newDesk, type Desk } from './claims-desk.js';
import { environmentOf, hosted, MAIN, placeAt, type RunOptions } from './writ.js';

const RULES = `apiVersion: writ/v1
kind: Rules
rules:
  - { id: SB-1, effect: allow, subject: role:adjuster, domain: default, action: workflow.run, resource: writ-sandbox-exec, reason: tests }
  - { id: SB-2, effect: allow, subject: role:adjuster, domain: default, action: function.invoke, resource: 'tool::*', reason: tests }
  - { id: SB-3, effect: allow, subject: role:adjuster, domain: default, action: audit.read, resource: '*', reason: tests }
`;

/** A small disk of the test's own. */
const canMount = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0;

describe('writ sandbox exec', () => {
  let desk: Desk;
  beforeAll(async () => {
    desk = await newDesk(hosted);
    writeFileSync(desk.at('policies', 'rbac', 'sandbox.yaml'), RULES);
  });
  afterAll(() => desk.remove());

  /** --json stands before `--`: what comes after belongs to the program. */
  const json = async (
    words: readonly string[],
    options?: RunOptions,
  ): Promise<{ code: unknown; value: unknown }> => {
    const [group = '', verb = '', ...rest] = words;
    const { code, stdout } = await desk.run([group, verb, '--json', ...rest], options);
    return { code, value: JSON.parse(stdout) as unknown };
  };
  const DOCKER = ['sandbox', 'exec', '--driver', 'docker'];
  const absent = { env: { WRIT_KEY: 'alice.key', DOCKER_HOST: 'unix:///nonexistent/docker.sock' } };

  it.each([
    [[...DOCKER], /name the program/],
    [[...DOCKER, '--module', 'm', '--', 'a'], /--module is for/],
    [[...DOCKER, '--timeout-ms', '1e3', '--', 'a'], /--timeout-ms 1e3 is no number/],
    [[...DOCKER, '--env', 'A', '--', 'a'], /no =/],
    [[...DOCKER, '--env', '=1', '--', 'a'], /--env =1 has no name before =/],
    [[...DOCKER, '--runtime', '', '--', 'a'], /--runtime is empty/],
    [[...DOCKER, '--stdin', '', '--', 'a'], /--stdin is empty/],
    [[...DOCKER, '--file', 'not-there', '--', 'a'], /no regular file/],
    [[...DOCKER, '--file', 'link=f', '--', 'a'], /no regular file/],
    [[...DOCKER, '--privileged', '--', 'a'], /unknown option/],
    [['sandbox', 'exec', '--', 'a'], /--driver/],
    [['sandbox', 'exec', '--driver', 'host', '--', 'a'], /--driver/],
    [['sandbox', 'exec', '--driver', 'wasm', '--', 'a'], /needs --module/],
    [[...DOCKER, '--file', 'low.json=x', '--file', 'high.json=x', '--', 'a'], /--file names x twice/],
    [[...DOCKER, '--env', 'A=1', '--env', 'A=2', '--', 'a'], /--env names A twice/],
    [[...DOCKER, '--out', 'x', '--out-dir', 'low.json', '--', 'a'], /--out-dir low\.json is no folder/],
    [[...DOCKER, '--egress', 'API.example:443', '--', 'a'], /it is written api\.example:443/],
    [[...DOCKER, '--egress', '127.1:80', '--', 'a'], /it is written 127\.0\.0\.1:80/],
    [[...DOCKER, '--egress', 'api.example.:443', '--', 'a'], /is no HOST:PORT in its plain spelling$/m],
    [[...DOCKER, '--egress', '*.example:443', '--', 'a'], /is no HOST:PORT in its plain spelling$/m],
    [[...DOCKER, '--driver', 'wasm', '--', 'a'], /--driver.* given twice/],
    [[...DOCKER, '--network', 'egress', '--network', 'none', '--', 'a'], /--network.* given twice/],
    [[...DOCKER, '--pids', '1.5', '--', 'a'], /error: "pids" must be a whole number, not 1\.5/],
  ])('refuses %j as no command', async (words, message) => {
    if (!existsSync(desk.at('link'))) symlinkSync('/etc/passwd', desk.at('link'));
    const ran = await desk.run(words);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toMatch(message);
  });

  it('is denied to who has no right', async () => {
    const ran = await desk.run([...DOCKER, '--image', `sha256:${'0'.repeat(64)}`, '--', 'id'], {
      env: { WRIT_KEY: 'eve.key' },
    });
    expect(ran.code).toBe(3);
  });

  it('runs nothing where no engine answers, and says what to do', async () => {
    const words = [...DOCKER, '--image', `sha256:${'0'.repeat(64)}`, '--', 'id'];
    const ran = await desk.run(words, absent);
    expect(ran.code).toBe(6);
    expect(ran.stderr).toContain('no Docker engine answers');
    const { code, value } = await json(words, absent);
    expect(code).toBe(6);
    expect(value).toMatchObject({
      status: 'unavailable',
      error: { code: 'SANDBOX_UNAVAILABLE', hint: expect.stringContaining('start Docker') as string },
    });
  });

  it.each([['--profile', 'loose'], ['--deterministic']])(
    'refuses what a container cannot keep: %s',
    async (...words) => {
      const { code, value } = await json([...DOCKER, ...words, '--', 'id'], absent);
      expect([code, value]).toMatchObject([6, { error: { code: 'SANDBOX_UNSUPPORTED' } }]);
    },
  );

  it.each([
    ['--cwd', '../../'],
    ['--cwd', '/etc'],
    ['--cwd', ''],
    ['--out', '../*'],
    ['--file', 'alice.key=../x'],
    ['--file', 'alice.key=/etc/x'],
  ])('X02: calls a place outside of its folder bad usage, and makes nothing: %s %j', async (flag, place) => {
    const words = [...DOCKER, '--image', `sha256:${'0'.repeat(64)}`, flag, place, '--', 'id'];
    const { code, value } = await json(words, absent);
    expect([code, value]).toMatchObject([
      2,
      { error: { code: 'SANDBOX_SPEC_INVALID', hint: expect.any(String) as string } },
    ]);
    // Which of several it is.
    const { message } = (value as { error: { message: string } }).error;
    expect(message).toMatch(
      { '--cwd': /working directory/, '--out': /pattern 1 is/, '--file': /file 1 has/ }[flag] ?? /^$/,
    );
  });

  it('names no image by a tag', async () => {
    const { code, value } = await json([...DOCKER, '--image', 'alpine:latest', '--', 'id'], absent);
    expect([code, value]).toMatchObject([6, { error: { code: 'SANDBOX_IMAGE_MISSING' } }]);
    expect(JSON.stringify(value)).toContain('no digest');
  });

  it('runs nothing without an image', async () => {
    const { code, value } = await json([...DOCKER, '--', 'id'], absent);
    expect([code, value]).toMatchObject([6, { error: { code: 'SANDBOX_IMAGE_MISSING' } }]);
  });

  it('tells where docker.yaml is wrong', async () => {
    writeFileSync(desk.at('docker.yaml'), 'images:\n  default: alpine:latest\n');
    const { value } = await json([...DOCKER, '--', 'id'], absent);
    expect(JSON.stringify(value)).toMatch(/docker\.yaml:2:/);
    writeFileSync(desk.at('docker.yaml'), '{}\n');
  });

  it.each([
    ['another sandbox', { sandbox: { allowed: ['docker'] } }, 'CEILING_SANDBOX'],
    ['no sandbox', { sandbox: { allowed: [] } }, 'CEILING_EMPTY'],
    ['less memory', { limits: { memoryMiB: 32 } }, 'CEILING_LIMITS'],
  ])('X20: is denied by a ceiling that allows %s, and the log says so', async (_what, spec, code) => {
    const ceiling = desk.at('policies', 'ceilings', 'strict.yaml');
    const metadata = { name: 'strict', layer: 'environment' };
    writeFileSync(ceiling, JSON.stringify({ apiVersion: 'writ/v1', kind: 'Ceiling', metadata, spec }));
    try {
      const words = [...WASM, 'text', '--memory-mib', '64', '--', 'upper'];
      const denied = await json(words);
      expect([denied.code, denied.value]).toMatchObject([3, { status: 'failed', error: { code } }]);
      const { run } = denied.value as { run: string };
      const { stdout } = await desk.run(['audit', 'show', run, '--json']);
      expect(stdout).toContain(code);
      expect(stdout).not.toMatch(/step\.intended|sandbox\.started/);
    } finally {
      rmSync(ceiling);
    }
  });

  it('calls a name that no image and no module has bad usage, and tells the flag and the names there are', async () => {
    writeFileSync(desk.at('docker.yaml'), `images:\n  tools: sha256:${'0'.repeat(64)}\n`);
    const image = await json([...DOCKER, '--image', 'tool', '--', 'id'], absent);
    writeFileSync(desk.at('docker.yaml'), '{}\n');
    expect([image.code, image.value]).toMatchObject([
      2,
      {
        error: {
          message: expect.stringContaining('it has: tools') as string,
          hint: expect.stringContaining('--image takes a name') as string,
        },
      },
    ]);
    for (const name of ['jsn', `sha256:${'0'.repeat(64)}`]) {
      const module = await json(['sandbox', 'exec', '--driver', 'wasm', '--module', name]);
      expect([module.code, module.value]).toMatchObject([
        2,
        { error: { hint: expect.stringMatching(/--module takes a name.*\bjson, csv, text\b/) as string } },
      ]);
    }
  });

  it('runs a shipped module in WASM, with what it printed', async () => {
    const { code, value } = await json(
      [
        'sandbox',
        'exec',
        '--driver',
        'wasm',
        '--module',
        'claims-triage',
        '--stdin',
        '-',
        '--timeout-ms',
        '9000',
      ],
      { input: '{}' },
    );
    expect(value).toMatchObject({
      status: 'exited',
      evidence: { driver: 'wasm', limits: { timeoutMs: 9000 } },
    });
    expect(code).toBe((value as { exitCode: number }).exitCode === 0 ? 0 : 1);
  });

  const WASM = ['sandbox', 'exec', '--driver', 'wasm', '--module'];

  it('runs a script of the user in WASM, with files in and out', async () => {
    writeFileSync(
      desk.at('total.js'),
      'writeFile("out.txt", stdin().split(",").reduce((a, b) => a + Number(b), 0).toFixed(2));',
    );
    const { code, value } = await json(
      [
        ...[
          ...WASM,
          'javascript',
          '--file',
          'total.js',
          '--stdin',
          '-',
          '--out',
          '*.txt',
          '--out-dir',
          'sum',
        ],
        ...['--', 'total.js'],
      ],
      { input: '1.005,2.5' },
    );
    expect([code, value]).toMatchObject([0, { status: 'exited', outputs: [{ path: 'out.txt', size: 4 }] }]);
    expect(readFileSync(desk.at('sum', 'out.txt'), 'utf8')).toBe('3.50');
  });

  it('overwrites nothing with an output, and still shows what the program came to', async () => {
    writeFileSync(desk.at('two.js'), 'print("printed"); writeFile("a", "new"); writeFile("b", "new");');
    mkdirSync(desk.at('taken'));
    writeFileSync(desk.at('taken', 'a'), 'old');
    const words = [...WASM, 'javascript', '--file', 'two.js', '--out', '*', '--out-dir', 'taken'];
    const [group = '', verb = '', ...rest] = words;
    const ran = await desk.run([group, verb, '--json', ...rest, '--', 'two.js']);
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.stdout)).toMatchObject({ status: 'exited', stdout: { text: 'printed\n' } });
    expect(ran.stderr).toMatch(/error: the output taken\/a was not written: it is there already/);
    expect(ran.stderr).toMatch(/hint: .*--out-dir/);
    const found = ['a', 'b'].map((name) => readFileSync(desk.at('taken', name), 'utf8'));
    expect(found).toEqual(['old', 'new']);
  });

  it.skipIf(!canMount)(
    `hole: an output that did not fit was left cut off under its name${canMount ? '' : ' (skipped: only root mounts a small disk)'}`,
    async () => {
      writeFileSync(desk.at('large.js'), 'writeFile("large", "x".repeat(200000)); writeFile("small", "y");');
      mkdirSync(desk.at('full'));
      const words = [
        ...WASM,
        'javascript',
        '--file',
        'large.js',
        '--out',
        '*',
        '--out-dir',
        'full',
        '--',
        'large.js',
      ];
      const inside = 'mount -t tmpfs -o size=64k none full && { "$@"; echo "code $?"; ls -A full; }';
      const { stdout, stderr } = await execa(
        'unshare',
        ['-m', 'sh', '-c', inside, 'sh', process.execPath, MAIN, ...words],
        {
          cwd: desk.folder,
          env: { ...environmentOf(desk.folder), WRIT_KEY: 'alice.key' },
          extendEnv: false,
        },
      );
      expect(stderr).toMatch(/large was not written: ENOSPC\n.*hint: .* has room/);
      expect(stdout).toBe('code 1\nlarge.js\nsmall');
    },
  );

  it('keeps a module of the user, runs it by its digest, and refuses one that is none', async () => {
    const shipped = readFileSync(new URL('../../sandbox/wasm/modules/text.wasm', import.meta.url));
    writeFileSync(desk.at('own.wasm'), shipped);
    const first = await desk.run([...WASM, 'own.wasm', '--stdin', '-', '--', 'upper'], { input: 'a\n' });
    expect(first).toMatchObject({ code: 0, stdout: 'A' });
    const digest = `sha256:${createHash('sha256').update(shipped).digest('hex')}`;
    expect(first.stderr).toContain(digest);
    const again = await json([...WASM, digest, '--stdin', '-', '--', 'upper'], { input: 'b\n' });
    expect([again.code, again.value]).toMatchObject([0, { evidence: { moduleSha256: digest } }]);
    for (const [bytes, says] of [
      [shipped.subarray(0, 5_000), /cut off/],
      [Buffer.from('no module'), /does not begin/],
    ] as const) {
      writeFileSync(desk.at('bad.wasm'), bytes);
      const bad = await json([...WASM, './bad.wasm']);
      expect([bad.code, bad.value]).toMatchObject([1, { error: { code: 'SANDBOX_MODULE_INVALID' } }]);
      expect(JSON.stringify(bad.value)).toMatch(says);
    }
    // Any file of the machine could be named: no copy of it is kept.
    const other = createHash('sha256').update('no module').digest('hex');
    expect(existsSync(desk.at('.writ', 'packages', 'blobs', 'sha256', other))).toBe(false);
    expect(existsSync(desk.at('.writ', 'packages', 'blobs', 'sha256', digest.slice(7)))).toBe(true);
    expect((await json([...WASM, `sha256:${'0'.repeat(64)}`])).code).toBe(2);
  });

  it('stops a deterministic clock at the time of the intent', async () => {
    const words = [
      ...WASM,
      'javascript',
      '--deterministic',
      '--',
      '-e',
      'print(Date.now() === Date.now() + 0)',
    ];
    const { code, value } = await json(words);
    expect([code, value]).toMatchObject([
      0,
      { stdout: { text: 'true\n' }, evidence: { deterministic: true } },
    ]);
  });

  it('says what fits in place of what does not, in the words of whoever refused it', async () => {
    const few = await desk.run([
      ...DOCKER,
      '--image',
      `sha256:${'0'.repeat(64)}`,
      '--memory-mib',
      '15',
      '--',
      'id',
    ]);
    expect(few.code).toBe(6);
    expect(few.stderr).toMatch(/can't keep memoryMiB 15\n.*hint: choose a whole number from 16 to/);
    const slow = await desk.run([
      ...DOCKER,
      '--image',
      `sha256:${'0'.repeat(64)}`,
      '--cpus',
      '0.0001',
      '--',
      'id',
    ]);
    expect(slow.stderr).toMatch(/can't keep cpus 0\.0001\n.*hint: choose a number from 0\.01 to/);
    const small = await desk.run([...WASM, 'javascript', '--memory-mib', '1', '--', '-e', '1']);
    expect(small.code).toBe(1);
    expect(small.stderr).toMatch(/the limit is 16\n.*hint: raise memoryMiB/);
  });

  it('refuses a limit that WASM has not', async () => {
    const words = ['sandbox', 'exec', '--driver', 'wasm', '--module', 'claims-triage', '--pids', '8'];
    const { code, value } = await json(words);
    expect([code, value]).toMatchObject([6, { error: { code: 'SANDBOX_UNSUPPORTED' } }]);
  });

  describe.skipIf(noEngine !== null)(`with an engine${skipped}`, () => {
    let id: string;
    beforeAll(() => {
      id = images('sh').sh;
      writeFileSync(desk.at('docker.yaml'), `images: { default: "${id}" }\n`);
    });

    it('prints what the program printed, and ends as it ended', async () => {
      const ran = await desk.run([
        ...DOCKER,
        '--env',
        'X=y z',
        '--',
        'sh',
        '-c',
        'echo "$X"; echo err >&2; exit 3',
      ]);
      expect(ran).toMatchObject({ code: 1, stdout: 'y z' });
      expect(ran.stderr).toMatch(/err\nexit code 3/);
      // Once as users run it: a process of its own, which ends by itself.
      const alone = await placeAt(desk.folder).run([...DOCKER, '--', 'true'], {
        env: { WRIT_KEY: 'alice.key' },
      });
      expect(alone).toMatchObject({ code: 0, stdout: '' });
    });

    it('gives a program every variable, whatever it is called', async () => {
      const names = ['__proto__', 'constructor', 'toString'];
      const given = names.flatMap((name) => ['--env', `${name}=1`]);
      const { stdout } = await desk.run([...DOCKER, ...given, '--', 'env']);
      expect(stdout.split('\n')).toEqual(expect.arrayContaining(names.map((name) => `${name}=1`)));
    });

    it('gives all of the result as JSON, files too', async () => {
      writeFileSync(desk.at('in.bin'), Buffer.from([0xff, 0, 1]));
      const { code, value } = await json([
        ...DOCKER,
        ...[
          '--image',
          id,
          '--file',
          'in.bin=a/in',
          '--out',
          'out/*',
          '--out-dir',
          'made',
          '--memory-mib',
          '64',
        ],
        ...['--', 'sh', '-c', 'mkdir out; cp a/in out/copy; printf "\\377"'],
      ]);
      expect(code).toBe(0);
      expect(value).toMatchObject({
        status: 'exited',
        exitCode: 0,
        limitHit: null,
        stdout: { base64: '/w==', bytes: 1, truncated: false },
        stderr: { text: '', bytes: 0 },
        outputs: [{ path: 'out/copy', size: 3 }],
        evidence: { driver: 'docker', imageId: id, network: 'none', limits: { memoryMiB: 64 } },
      });
      expect([...readFileSync(desk.at('made', 'out', 'copy'))]).toEqual([0xff, 0, 1]);
    });

    it('ends with 1 at a limit and names it', async () => {
      const words = [...DOCKER, '--timeout-ms', '700', '--', 'sleep', '60'];
      const { code, value } = await json(words);
      expect([code, value]).toMatchObject([1, { status: 'timeout', limitHit: 'timeoutMs' }]);
    });

    it('ends with 6 for an image and a runtime that are not there', async () => {
      const image = await json([...DOCKER, '--image', `sha256:${'0'.repeat(64)}`, '--', 'id']);
      expect([image.code, image.value]).toMatchObject([6, { error: { code: 'SANDBOX_IMAGE_MISSING' } }]);
      const runtime = await json([...DOCKER, '--runtime', 'kata', '--', 'id']);
      expect([runtime.code, runtime.value]).toMatchObject([
        6,
        { error: { code: 'SANDBOX_RUNTIME_UNKNOWN' } },
      ]);
    });

    it('mounts what a ceiling lists, read-only unless it says rw, and nothing else', async () => {
      const folder = realpathSync(mkdtempSync(join(tmpdir(), 'writ-mount-')));
      chmodSync(folder, 0o755); // nobody reads it
      writeFileSync(join(folder, 'f'), 'claim');
      const mounting = (mount: string): Promise<{ code: unknown; value: unknown }> =>
        json([...DOCKER, '--mount', mount, '--', 'sh', '-c', 'cat /mnt/x/f; echo y > /mnt/x/g || true']);
      const unlisted = await mounting(`${folder}:/mnt/x`);
      expect([unlisted.code, unlisted.value]).toMatchObject([3, { error: { code: 'CEILING_MOUNTS' } }]);
      const spec = {
        mounts: {
          allow: [
            { path: folder, mode: 'ro' },
            { path: desk.folder, mode: 'rw' },
          ],
        },
      };
      const metadata = { name: 'mounts', layer: 'org' };
      const ceiling = desk.at('policies', 'ceilings', 'mounts.yaml');
      writeFileSync(ceiling, JSON.stringify({ apiVersion: 'writ/v1', kind: 'Ceiling', metadata, spec }));
      try {
        const listed = await mounting(`${folder}:/mnt/x`);
        expect([listed.code, listed.value]).toMatchObject([
          0,
          { stdout: { text: 'claim' }, evidence: { mounts: [`${folder} /mnt/x ro`] } },
        ]);
        expect(existsSync(join(folder, 'g'))).toBe(false);
        const writing = await mounting(`${folder}:/mnt/x:rw`);
        expect([writing.code, writing.value]).toMatchObject([3, { error: { code: 'CEILING_MOUNTS' } }]);
        expect(JSON.stringify(writing.value)).toContain('mounts.allow');
        // What a ceiling lists by mistake is refused by the driver: the runner's own data and policies.
        for (const own of ['.writ', 'policies', '.']) {
          const refused = await mounting(`${realpathSync(desk.at(own))}:/mnt/x`);
          expect([refused.code, refused.value]).toMatchObject([
            6,
            { error: { code: 'SANDBOX_UNSUPPORTED' } },
          ]);
        }
      } finally {
        rmSync(ceiling);
      }
      expect((await desk.run([...DOCKER, '--mount', folder, '--', 'true'])).code).toBe(2);
    });

    it('is refused by a ceiling that requires what is not here', async () => {
      const ceiling = desk.at('policies', 'ceilings', 'strict.yaml');
      const metadata = { name: 'strict', layer: 'org' };
      const requiring = async (...require: string[]): Promise<{ code: unknown; value: unknown }> => {
        const sandbox = { profile: { docker: 'strict' }, require };
        writeFileSync(
          ceiling,
          JSON.stringify({ apiVersion: 'writ/v1', kind: 'Ceiling', metadata, spec: { sandbox } }),
        );
        return json([...DOCKER, '--', 'true']);
      };
      try {
        expect((await requiring('readOnlyRoot', 'nonRoot', 'noNewPrivileges', 'seccomp')).code).toBe(0);
        expect((await requiring('runtime:runc')).code).toBe(0);
        const kata = await requiring('nonRoot', 'runtime:kata');
        expect([kata.code, kata.value]).toMatchObject([6, { error: { code: 'SANDBOX_RUNTIME_UNKNOWN' } }]);
      } finally {
        rmSync(ceiling);
      }
    });

    it('shows control characters of a program as text', async () => {
      const ran = await desk.run([...DOCKER, '--', 'printf', '\\033]0;x\\007\\033[2J\\r']);
      expect(ran.stdout).not.toMatch(/[\u001b\u0007\r]/);
      expect(ran.stdout).toContain('x');
    });

    it('leaves a log that verifies, and no container', async () => {
      expect(await desk.run(['audit', 'verify'])).toMatchObject({ code: 0 });
      expect(await left(desk.at('.writ'))).toEqual([]);
      expect((await desk.run(['doctor'])).stdout).toMatch(/ok +sandbox docker +docker ready/);
    });
  });
});
