// What becomes of a connection to a program that the engine refuses: the engine here is an HTTP server that says no.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createContainer } from './container.js';
import type { ContainerSpec } from './container-spec.js';
import { openEngine } from './engine.js';

const spec: ContainerSpec = {
  imageId: 'sha256:none',
  argv: ['true'],
  env: {},
  cwd: '/work',
  limits: {
    timeoutMs: 1_000,
    memoryMiB: 64,
    outputBytes: 1_024,
    cpus: 1,
    pids: 8,
    diskMiB: 1,
    cpuMs: null,
    tmpMiB: 1,
  },
  mounts: [],
  runtime: 'runc',
  seccomp: '{}',
  cores: 1,
  labels: {},
};

describe('a container', () => {
  const home = mkdtempSync(path.join(tmpdir(), 'writ-refusing-'));
  const refused: Socket[] = [];
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const { url = '' } = request;
    asked.push(url);
    if (/\/(?:attach|start)(?:\?|$)/.test(url)) {
      refused.push(request.socket);
      response.writeHead(409, { 'content-type': 'application/json' });
      response.end('{"message":"container is not running"}');
    } else {
      response.writeHead(201, { 'content-type': 'application/json' });
      response.end('{"Id":"a"}');
    }
  });

  beforeAll(async () => {
    server.keepAliveTimeout = 0; // an engine closes no connection by itself
    server.listen(path.join(home, 'engine.sock'));
    await once(server, 'listening');
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
    rmSync(home, { recursive: true });
  });

  it.each(['attach', 'exec'] as const)('cuts a connection that the engine refuses: %s', async (what) => {
    const engine = await openEngine(path.join(home, 'engine.sock'));
    const container = await createContainer(engine, 'a', spec);
    const work = what === 'attach' ? container.main() : container.exec(['true'], { env: {}, cwd: '/work' });
    await expect(work).rejects.toMatchObject({ status: 409 });
    const [socket] = refused.splice(0);
    if (socket === undefined) throw new Error('nothing was asked');
    // It would hold the runner's process for as long as it is open.
    if (!socket.closed) await once(socket, 'close');
  });

  it('hole: all that it is made of, variables too, stood in the address of the call that makes it', async () => {
    const engine = await openEngine(path.join(home, 'engine.sock'));
    asked.length = 0;
    await createContainer(engine, 'a', { ...spec, env: { TOKEN: 'placeholder' } });
    expect(asked).toEqual(['/containers/create?name=a']);
  });
});
