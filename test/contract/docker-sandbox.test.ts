// The Docker driver under the contract, plus what only it promises: containers that are gone whoever dies, and evidence
// of what was enforced. Needs an engine; without one every test is skipped, and its title says why.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openLocks } from '../../src/adapters/store/locks.js';
import type { Digest } from '../../src/json.js';
import type { SandboxDriver, SandboxLimits, SandboxRequest, SandboxResult } from '../../src/runtime/ports.js';
import {
  docker,
  imageProgram,
  images,
  installation,
  left,
  noEngine,
  probeArgv,
  SECCOMP,
  skipped,
} from './docker/engine.js';
import { processesWith } from './docker/attack.js';
import { sandboxContract, text, type SandboxSubject } from './sandbox.js';

const ABSENT = `sha256:${'00'.repeat(32)}` as Digest;
const SOCKET = '/var/run/docker.sock';

describe.skipIf(noEngine !== null)(`docker${skipped}`, () => {
  const here = installation();
  const subject = async (): Promise<SandboxSubject> => ({
    program: imageProgram(images('python').python),
    argv: probeArgv,
    wrong: { program: imageProgram(ABSENT), code: 'SANDBOX_IMAGE_MISSING' },
    evidenceOf: 'imageId',
    ownVariables: ['PATH', 'HOME', 'HOSTNAME', 'LC_CTYPE'],
    work: '/work',
  });
  sandboxContract('docker', () => here.open(), subject);
  sandboxContract('docker with a pool', () => here.open({ poolSize: 2 }), subject);
  it('leaves no container behind', async () => {
    expect(await left(here.home)).toEqual([]);
  });
});

describe.skipIf(noEngine !== null)(`docker sandbox${skipped}`, () => {
  const here = installation();
  let driver: SandboxDriver;
  let ids: Record<'sh' | 'python' | 'node', Digest>;
  beforeAll(() => {
    ids = images('sh', 'python', 'node');
    driver = here.open();
  });
  afterAll(() => driver.close());

  const request = (command: string, change: Partial<SandboxRequest> = {}): SandboxRequest => ({
    argv: ['sh', '-c', command],
    env: {},
    stdin: new Uint8Array(0),
    program: imageProgram(ids.sh),
    limits: driver.defaults,
    ...change,
  });
  const run = (
    one: SandboxRequest,
    by: SandboxDriver = driver,
    signal = new AbortController().signal,
  ): Promise<SandboxResult> => by.run(one, signal);
  const sh = (command: string, limits: Partial<SandboxLimits> = {}): Promise<SandboxResult> =>
    run(request(command, { limits: { ...driver.defaults, ...limits } }));

  describe('pool', () => {
    let pooled: SandboxDriver;
    beforeAll(async () => {
      pooled = here.open({ poolSize: 1 });
      // The second step of a class leaves a container for the third.
      for (let i = 0; i < 2; i++) await run(request('true'), pooled);
    });
    afterAll(() => pooled.close());

    it('shows a step nothing of the one before, in another container', async () => {
      const seen: string[] = [];
      for (let i = 0; i < 3; i++) {
        const result = await run(
          request(
            'hostname; ls -A /work /tmp; ps -o comm | grep -c ^sleep; echo x > /work/f; echo y > /tmp/f; (sleep 300 &)',
          ),
          pooled,
        );
        expect(result.evidence).toMatchObject({ pooled: true });
        const [host = '', ...rest] = text(result.stdout).trim().split('\n');
        seen.push(host);
        // The one that keeps the container waiting.
        expect(rest).toEqual(['/tmp:', '', '/work:', '1']);
      }
      expect(new Set(seen).size).toBe(3);
    });

    it('tells memory that has run out, though the exit code of a child or of nobody says so', async () => {
      const limits = { ...driver.defaults, memoryMiB: 64 };
      const one = (command: string): SandboxRequest => ({
        ...request(command),
        program: imageProgram(ids.python),
        limits,
      });
      for (let i = 0; i < 2; i++) await run(one('true'), pooled);
      const itself = await run(
        { ...one(''), argv: ['python3', '-IS', '-c', 'x = bytearray(200 << 20)'] },
        pooled,
      );
      expect(itself).toMatchObject({ status: 'oom', limitHit: 'memoryMiB', evidence: { pooled: true } });
      const hidden = await run(one("python3 -IS -c 'x=bytearray(200<<20)'; true"), pooled);
      expect(hidden).toMatchObject({ status: 'oom', exitCode: 0, evidence: { pooled: true } });
    });

    it('tells the CPU time that a program used', async () => {
      const limits = { ...driver.defaults, timeoutMs: 60_000 };
      const busy = 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done';
      // A program of its own is told as the engine last saw it, one beside a waiting container to its end.
      for (const by of [driver, pooled]) {
        const killed = await run(request('while :; do :; done', { limits: { ...limits, cpuMs: 300 } }), by);
        expect(killed.usage.cpuMs).toBeGreaterThan(300);
      }
      await run(request('true'), pooled); // leaves one for the next
      const ended = await run(request(busy), pooled);
      expect(ended.evidence).toMatchObject({ pooled: true, cpuMs: expect.any(Number) as number });
      expect(ended.usage.cpuMs).toBeGreaterThan(10);
    });

    it('keeps no container of other settings ready, and gives none to a step of other settings', async () => {
      const other = { ...driver.defaults, pids: 32 };
      const result = await run(request('true', { limits: other }), pooled);
      expect(result.evidence).toMatchObject({ pooled: false });
    });

    it('is empty after close', async () => {
      const own = installation();
      const closing = own.open({ poolSize: 2 });
      for (let i = 0; i < 3; i++) await run(request('true'), closing);
      await vi.waitFor(async () => expect((await left(own.home)).length).toBe(1), { timeout: 20_000 });
      await closing.close();
      expect(await left(own.home)).toEqual([]);
    });
  });

  it('runs node and python with threads and child processes', async () => {
    const node = await run({
      ...request(''),
      program: imageProgram(ids.node),
      argv: [
        'node',
        '-e',
        `const { Worker } = require('worker_threads'); const { execFileSync } = require('child_process');
         new Worker('require("worker_threads").parentPort.postMessage(6 * 7)', { eval: true })
           .on('message', (m) => console.log(m, execFileSync('echo', ['child']).toString().trim()));`,
      ],
    });
    expect([text(node.stdout), node.exitCode, text(node.stderr)]).toEqual(['42 child\n', 0, '']);
    const python = await run({
      ...request(''),
      program: imageProgram(ids.python),
      argv: [
        'python3',
        '-IS',
        '-c',
        'import subprocess, threading\nt = threading.Thread(target=lambda: print("thread", flush=True))\nt.start(); t.join()\nprint(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout)',
      ],
    });
    expect([text(python.stdout), python.exitCode]).toEqual(['thread\nchild\n\n', 0]);
  });

  it('tells a program that is not in the image as a shell does', async () => {
    const result = await run({ ...request(''), argv: ['/no/such'] });
    expect(result).toMatchObject({ status: 'exited', exitCode: 127 });
    expect(text(result.stderr)).not.toBe('');
  });

  it('names the signal that ended a program', async () => {
    expect(await sh('kill -SEGV $$')).toMatchObject({ status: 'crashed', exitCode: 139 });
    expect(await sh('exit 3')).toMatchObject({ status: 'exited', exitCode: 3 });
  });

  it('gives a program its folder, its variables and its arguments, with files', async () => {
    const files = [
      {
        path: 'a/script.sh',
        bytes: Buffer.from('#!/bin/sh\necho "$1 $X"; pwd; cat; echo made > made.txt\n'),
      },
      { path: `${'long-'.repeat(22)}name.txt`, bytes: Buffer.from('long') },
    ];
    const result = await run({
      ...request(''),
      argv: ['/work/a/script.sh', '$(id)'],
      env: { X: 'x y' },
      stdin: Buffer.from('from stdin\n'),
      cwd: '/work/a',
      files,
      outputs: ['a/*.txt', 'long-*'],
    });
    expect(text(result.stdout)).toBe('$(id) x y\n/work/a\nfrom stdin\n');
    expect(result.outputs?.map((file) => [file.path, Buffer.from(file.bytes).toString()])).toEqual([
      ['a/made.txt', 'made\n'],
      [files[1]?.path, 'long'],
    ]);
  });

  it('holds a program that has files to the same limits', async () => {
    const files = [{ path: 'f', bytes: Buffer.from('x') }];
    const limits = { ...driver.defaults, memoryMiB: 64, timeoutMs: 1_000 };
    const late = await run(request('sleep 60', { files, limits }));
    expect(late).toMatchObject({ status: 'timeout' });
    const large = await run({
      ...request(''),
      program: imageProgram(ids.python),
      files,
      limits: { ...limits, timeoutMs: 10_000 },
      argv: ['python3', '-IS', '-c', 'x = bytearray(200 << 20)'],
    });
    expect(large).toMatchObject({ status: 'oom', limitHit: 'memoryMiB' });
  });

  it('shows one run nothing of another', async () => {
    await sh('echo x > /work/f; echo y > /tmp/f; (sleep 100 &)');
    expect(text((await sh('ls /work /tmp | grep f; ps | grep -c "[s]leep 100"')).stdout)).toBe('0\n');
  });

  it('is confined in a program started later as much as in the first', async () => {
    const status = request("grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status", {
      files: [{ path: 'f', bytes: new Uint8Array(0) }],
    });
    const fields = text((await run(status)).stdout)
      .trim()
      .split(/\s+/);
    expect(fields).toEqual(['CapEff:', '0000000000000000', 'NoNewPrivs:', '1', 'Seccomp:', '2']);
  });

  it('refuses files for an image that has no tar', async () => {
    const container = await docker.createContainer({ Image: ids.sh, Cmd: ['true'] });
    const answer = await docker.importImage(await container.export(), {});
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(Buffer.from(chunk as Buffer));
    await container.remove();
    const bare = /sha256:[0-9a-f]{64}/.exec(Buffer.concat(chunks).toString())?.[0] as Digest;
    const files = [{ path: 'f', bytes: new Uint8Array(0) }];
    await expect(
      driver.prepare(request('true', { program: imageProgram(bare), files })),
    ).rejects.toMatchObject({ code: 'SANDBOX_UNSUPPORTED' });
    expect(await run(request('echo fine', { program: imageProgram(bare) }))).toMatchObject({ exitCode: 0 });
    await docker.getImage(bare).remove({ force: true });
  });

  it('labels a container with its run, its runner and its deadline, and nothing else', async () => {
    const work = run(request('sleep 60', { run: 'run_abc' }));
    const [found] = await eventually(async () => {
      const list = await docker.listContainers({ filters: { label: ['writ.run=run_abc'] } });
      return list.length > 0 ? list : null;
    });
    expect(Object.keys(found?.Labels ?? {}).sort()).toEqual([
      'writ.deadline',
      'writ.installation',
      'writ.run',
      'writ.runner',
      'writ.tools',
    ]);
    expect(found?.Mounts).toEqual([]);
    await docker.getContainer(found?.Id ?? '').kill();
    expect(await work).toMatchObject({ status: 'crashed' });
  });

  it.each(['idle', 'running'])(
    'leaves a killed runner no container: the next start removes it (%s)',
    async (state) => {
      const dist = new URL('../../dist/adapters/sandbox/docker/index.js', import.meta.url);
      const locks = new URL('../../dist/adapters/store/locks.js', import.meta.url);
      expect(existsSync(dist), 'build first: npm run build').toBe(true);
      const script = `
      const { openDockerDriver } = await import(${JSON.stringify(dist.href)});
      const { openLocks } = await import(${JSON.stringify(locks.href)});
      const { readFile } = await import('node:fs/promises');
      const driver = openDockerDriver({ locks: openLocks(${JSON.stringify(here.home)}),
        installation: ${JSON.stringify(here.home)}, seccomp: () => readFile(${JSON.stringify(SECCOMP)}, 'utf8') });
      await driver.preflight();
      if (${JSON.stringify(state)} === 'running') {
        void driver.run({ argv: ['sh', '-c', 'echo up; sleep 300'], env: {}, stdin: new Uint8Array(0),
          program: { kind: 'image', digest: ${JSON.stringify(ids.sh)}, repository: null },
          limits: { ...driver.defaults, timeoutMs: 300000 }, onOutput: () => console.log('up') },
          new AbortController().signal);
      } else console.log('up');
      setInterval(() => undefined, 1000);`;
      const runner = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(runner.stdout, 'data');
      // Another living runner of the same installation leaves it alone.
      const beside = here.open();
      await beside.preflight();
      expect((await left(here.home)).length).toBe(state === 'running' ? 1 : 0);
      await beside.close();
      runner.kill('SIGKILL');
      await once(runner, 'exit');
      const next = here.open();
      const elsewhere = installation().open();
      try {
        await elsewhere.preflight(); // another installation on the same engine
        expect((await left(here.home)).length).toBe(state === 'running' ? 1 : 0);
        await next.preflight();
        expect(await left(here.home)).toEqual([]);
      } finally {
        await next.close();
        await elsewhere.close();
      }
      // Of the killed one nothing is left that showed that it lived: the one lock there is is the driver's of this file.
      expect(openLocks(here.home).names().length).toBeLessThanOrEqual(1);
    },
  );

  it('X09: leaves nothing of a runner that is killed at any point of its steps', async () => {
    const dist = new URL('../../dist/adapters/sandbox/docker/index.js', import.meta.url);
    const locks = new URL('../../dist/adapters/store/locks.js', import.meta.url);
    const nonce = `nonce-${randomBytes(8).toString('hex')}`;
    const script = `
      const { openDockerDriver } = await import(${JSON.stringify(dist.href)});
      const { openLocks } = await import(${JSON.stringify(locks.href)});
      const { readFile } = await import('node:fs/promises');
      const driver = openDockerDriver({ locks: openLocks(${JSON.stringify(here.home)}), poolSize: 1,
        installation: ${JSON.stringify(here.home)}, seccomp: () => readFile(${JSON.stringify(SECCOMP)}, 'utf8') });
      const work = async (change) => {
        for (;;) await driver.run({ argv: ['sh', '-c', 'echo up; (sleep 300 ${nonce} &); sleep 0.1'], env: {},
          stdin: new Uint8Array(0), program: { kind: 'image', digest: ${JSON.stringify(ids.sh)}, repository: null },
          limits: driver.defaults, onOutput: () => console.log('up'), ...change }, new AbortController().signal);
      };
      const files = [{ path: 'f', bytes: new Uint8Array(10_000) }];
      void work({}); void work({ files, outputs: ['*'] });`;
    for (let kill = 0; kill < 4; kill += 1) {
      const runner = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(runner.stdout, 'data');
      runner.stdout.resume();
      // Which point that is nobody knows: creating, starting, putting files in, running, removing.
      await pause(Math.random() * 500);
      runner.kill('SIGKILL');
      await once(runner, 'exit');
      const next = here.open();
      try {
        await next.preflight();
        // What the engine was about to make when the runner died comes a little later; the reaper looks again.
        await eventually(async () => ((await left(here.home)).length === 0 ? true : null), 60_000);
        expect(processesWith(nonce)).toEqual([]);
      } finally {
        await next.close();
      }
    }
  });

  it('does not keep a runner alive that forgot to close it', async () => {
    const dist = new URL('../../dist/adapters/sandbox/docker/index.js', import.meta.url);
    const locks = new URL('../../dist/adapters/store/locks.js', import.meta.url);
    const script = `
      const { openDockerDriver } = await import(${JSON.stringify(dist.href)});
      const { openLocks } = await import(${JSON.stringify(locks.href)});
      const { readFile } = await import('node:fs/promises');
      await openDockerDriver({ locks: openLocks(${JSON.stringify(here.home)}), installation: 'x',
        seccomp: () => readFile(${JSON.stringify(SECCOMP)}, 'utf8') }).preflight();`;
    const runner = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    expect(await once(runner, 'exit')).toEqual([0, null]);
  });

  it('ends a program whose runner and engine connection are gone by a deadline inside', async () => {
    const door = await relay(SOCKET, path.join(here.home, 'cut.sock'));
    const cut = here.open({ socketPath: door.path });
    try {
      const work = run(
        request('echo up; sleep 300', { limits: { ...driver.defaults, timeoutMs: 2_000 } }),
        cut,
      );
      await eventually(async () =>
        (await left(here.home)).some((one) => one.endsWith('running')) ? true : null,
      );
      door.cut();
      expect(await work).toMatchObject({
        status: expect.stringMatching(/crashed|timeout|unavailable/) as string,
      });
      await eventually(
        async () => ((await left(here.home)).some((one) => one.endsWith('running')) ? null : true),
        20_000,
      );
    } finally {
      await cut.close();
    }
    // The runner is gone, and so is what held its containers.
    await driver.close();
    driver = here.open();
    await driver.preflight();
    expect(await left(here.home)).toEqual([]);
  });

  it('cancels what runs when it is closed', async () => {
    const closing = here.open();
    const work = run(request('sleep 60'), closing);
    await eventually(async () => ((await left(here.home)).length > 0 ? true : null));
    await closing.close();
    expect((await work).status).toBe('cancelled');
    expect(await left(here.home)).toEqual([]);
    expect(await closing.preflight()).toMatchObject({ ok: false });
  });

  it('keeps ten steps at once apart', async () => {
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, at) =>
        run(request('cat; exit 0', { stdin: Buffer.from(`step ${at}`) })),
      ),
    );
    expect(results.map((one) => text(one.stdout))).toEqual(results.map((_, at) => `step ${at}`));
    expect(await left(here.home)).toEqual([]);
  });
});

/** A door to the engine that a test can shut. */
async function relay(to: string, at: string): Promise<{ readonly path: string; cut(): void }> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (inside) => {
    const outside = connect({ path: to, allowHalfOpen: true });
    for (const socket of [inside, outside]) {
      open.add(socket);
      socket.on('error', () => undefined).on('close', () => open.delete(socket));
    }
    inside.pipe(outside);
    outside.pipe(inside);
  });
  server.listen(at);
  await once(server, 'listening');
  return {
    path: at,
    cut() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** Waits for what the engine brings about; the bound is a safety net, not a measure. */
async function eventually<Found>(look: () => Promise<Found | null>, withinMs = 15_000): Promise<Found> {
  const giveUpAt = Date.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > giveUpAt) throw new Error('what the test waits for did not happen');
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}
