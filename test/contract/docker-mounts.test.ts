// Folders of the host in a container: read-only unless the mount says otherwise, and never what the runner, the engine or
// the host live on, whichever way it is named.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../../src/json.js';
import type { SandboxDriver, SandboxMount, SandboxRequest, SandboxResult } from '../../src/runtime/ports.js';
import { imageProgram, images, installation, left, noEngine, skipped } from './docker/engine.js';
import { text } from './sandbox.js';

describe.skipIf(noEngine !== null)(`mounts${skipped}`, () => {
  const here = installation();
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'writ-mounts-')));
  const own = path.join(folder, 'own');
  const data = path.join(folder, 'data');
  let driver: SandboxDriver;
  let image: Digest;
  beforeAll(() => {
    mkdirSync(path.join(data, 'deep'), { recursive: true, mode: 0o755 });
    mkdirSync(own);
    writeFileSync(path.join(data, 'claim.txt'), 'claim');
    symlinkSync(data, path.join(folder, 'link'));
    symlinkSync('/etc/passwd', path.join(data, 'leak'));
    image = images('sh').sh;
    driver = here.open({ never: [own], poolSize: 1 });
  });
  afterAll(() => driver.close());

  const request = (command: string, ...mounts: SandboxMount[]): SandboxRequest => ({
    argv: ['sh', '-c', command],
    env: {},
    stdin: new Uint8Array(0),
    program: imageProgram(image),
    limits: driver.defaults,
    mounts,
  });
  const run = (command: string, ...mounts: SandboxMount[]): Promise<SandboxResult> =>
    driver.run(request(command, ...mounts), new AbortController().signal);

  it('shows a folder read-only, with its links leading nowhere on the host', async () => {
    const result = await run(
      'cat /mnt/data/claim.txt; echo x > /mnt/data/new || echo read-only; cat /mnt/data/leak | head -1',
      { source: data, target: '/mnt/data', mode: 'ro' },
    );
    expect(text(result.stdout)).toMatch(/^claimread-only\n/);
    // The link names a file of the image, not of the host.
    expect(text(result.stdout)).not.toContain(readFileSync('/etc/passwd', 'utf8').split('\n')[1] ?? 'daemon');
    expect(result.evidence).toMatchObject({ mounts: [`${data} /mnt/data ro`], pooled: false });
  });

  it('lets a program write where the mount says so, as nobody', async () => {
    const out = mkdtempSync(path.join(folder, 'out-'));
    const mount = { source: out, target: '/mnt/out', mode: 'rw' } as const;
    // The folder is its owner's: nobody may not write into it.
    expect(text((await run('echo x > /mnt/out/f || echo denied', mount)).stdout)).toBe('denied\n');
    chmodSync(out, 0o777);
    expect((await run('echo x > /mnt/out/f', mount)).exitCode).toBe(0);
    expect(readFileSync(path.join(out, 'f'), 'utf8')).toBe('x\n');
  });

  it.each([
    '/',
    '/etc',
    '/etc/ssl',
    '/proc',
    '/proc/1/root',
    '/sys/fs/cgroup',
    '/dev',
    '/root',
    '/run',
    '/var',
    '/var/run/docker.sock',
    '/run/docker.sock',
    '/var/lib',
    '/var/lib/docker/volumes',
    '/home',
    '/home/somebody',
    homedir(),
    `${folder}/../..${data}`,
    `${data}/`,
    'relative',
    '',
    `${folder}/.ssh`,
    `${folder}/not-there`,
    `${folder}/link`,
    `${folder}/link/deep`,
    own,
    `${own}/inside`,
    folder,
  ])('mounts no %s', async (source) => {
    const mounts = [{ source, target: '/mnt/x', mode: 'ro' as const }];
    await expect(driver.prepare({ ...request('true'), mounts })).rejects.toMatchObject({
      code: expect.stringMatching(/^SANDBOX_(SPEC_INVALID|UNSUPPORTED)$/) as string,
    });
    await expect(driver.run({ ...request('true'), mounts }, new AbortController().signal)).rejects.toThrow();
  });

  it('mounts no socket', async () => {
    const socket = path.join(data, 'engine.sock');
    const server = createServer().listen(socket);
    await once(server, 'listening');
    try {
      const mounts = [{ source: socket, target: '/mnt/x', mode: 'ro' as const }];
      await expect(driver.prepare({ ...request('true'), mounts })).rejects.toThrow(
        /neither a folder nor a file/,
      );
    } finally {
      server.close();
    }
  });

  it.each(['/work', '/', '/mnt', '/mnt/../etc', '/etc', '/proc/x', 'mnt/x', '/mnt/a:b'])(
    'shows nothing at %s',
    async (target) => {
      const mounts = [{ source: data, target, mode: 'ro' as const }];
      await expect(driver.prepare({ ...request('true'), mounts })).rejects.toMatchObject({
        code: 'SANDBOX_SPEC_INVALID',
      });
    },
  );

  it('leaves no container behind', async () => {
    await driver.close();
    expect(await left(here.home)).toEqual([]);
  });
});
