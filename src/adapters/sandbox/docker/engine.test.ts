// Which engine is asked: the one behind the socket that was chosen, whatever the environment of the runner says.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { noProgramIn, openEngine } from './engine.js';

describe('the engine', () => {
  const home = mkdtempSync(path.join(tmpdir(), 'writ-engine-'));
  const socket = path.join(home, 'engine.sock');
  const asked = { chosen: 0, other: 0 };
  const answering = (which: keyof typeof asked): Server =>
    createServer((_request, response) => {
      asked[which] += 1;
      response.end('OK');
    });
  const chosen = answering('chosen');
  const other = answering('other');
  let otherPort = 0;

  beforeAll(async () => {
    chosen.listen(socket);
    other.listen(0, '127.0.0.1');
    await Promise.all([once(chosen, 'listening'), once(other, 'listening')]);
    otherPort = (other.address() as AddressInfo).port;
  });
  afterEach(() => vi.unstubAllEnvs());
  afterAll(() => {
    for (const server of [chosen, other]) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(home, { recursive: true });
  });

  it.each(['tcp', 'http', 'ssh'])(
    'hole: a DOCKER_HOST of another machine took the place of the socket: %s',
    async (scheme) => {
      asked.chosen = 0;
      vi.stubEnv('DOCKER_HOST', `${scheme}://127.0.0.1:${otherPort}`);
      const engine = await openEngine(socket);
      await engine.ping();
      expect(asked).toEqual({ chosen: 1, other: 0 });
    },
  );

  it('says what of the environment keeps it from being asked', async () => {
    vi.stubEnv('DOCKER_HOST', 'tcp://127.0.0.1:1');
    vi.stubEnv('DOCKER_CERT_PATH', path.join(home, 'not-there'));
    await expect(openEngine(socket)).rejects.toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
      message: expect.stringContaining('DOCKER_CERT_PATH') as string,
    });
  });
});

describe("the engine's words for a program that it can't start", () => {
  const FAILED = 'OCI runtime exec failed: exec failed: unable to start container process';
  const OLDER =
    'OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused';
  it.each([
    ['x', `${FAILED}: exec: "x": executable file not found in $PATH: unknown\r\n`, 127],
    ['x', `${OLDER}: exec: "x": executable file not found in $PATH: unknown`, 127],
    ['/work/x', `${FAILED}: exec: "/work/x": stat /work/x: no such file or directory: unknown\r\n`, 127],
    ['a "b"', `${FAILED}: exec: "a \\"b\\"": executable file not found in $PATH: unknown\r\n`, 127],
    ['/work', `${FAILED}: exec: "/work": permission denied: unknown\r\n`, 126],
    [
      '/bin/sh/x',
      `${FAILED}: exec: "/bin/sh/x": stat /bin/sh/x: not a directory: unknown: Are you trying`,
      126,
    ],
    [
      '/work/x',
      `${FAILED}: exec: "/work/x": stat /work/x: too many levels of symbolic links: unknown\r\n`,
      126,
    ],
    ['/x', `${FAILED}: exec: "/x": stat /x: file name too long: unknown\r\n`, 126],
    ['/tmp/x', `${FAILED}: eaccess /tmp/x: permission denied: unknown\r\n`, 126],
  ])('are told as by a shell: %s', (program, words, exitCode) => {
    expect(noProgramIn(words, program)).toMatchObject({ exitCode });
  });

  it.each([
    'process_linux.go:99: starting setns process: resource temporarily unavailable',
    `${FAILED}: chdir to cwd ("/work/x") set in config.json failed: no such file or directory: unknown`,
    `${FAILED}: error during container init: mkdir /proc/x: no such file or directory: unknown`,
    `${FAILED}: error during container init: exec: "/sbin/docker-init": permission denied: unknown`,
    `${FAILED}: exec: "/sbin/docker-init": stat /sbin/docker-init: no such file or directory: unknown`,
    `${FAILED}: open /proc/self/attr/exec: permission denied: unknown`,
    `${FAILED}: exec: "x": input/output error: unknown`,
    'failed to mount "overlay": permission denied',
    'exec: "x": executable file not found in $PATH', // somebody else's words
  ])(
    'hole: other errors of the engine that speak of files were told as a program that is not there: %s',
    (words) => {
      expect(noProgramIn(words, 'x')).toBeNull();
    },
  );
});
