// Which engine is asked: the one behind the socket that was chosen, whatever the environment of the runner says.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { EngineError, openEngine, unavailable } from './engine.js';

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

  it('says at which call an engine refused, and nothing of what it was given', () => {
    const said = new EngineError('start: OCI runtime create failed: exec: "a secret"', 400, undefined);
    expect(unavailable(said).message).toBe('the Docker engine refused: start (400)');
  });

  it('says what of the environment keeps it from being asked', async () => {
    vi.stubEnv('DOCKER_HOST', 'tcp://127.0.0.1:1');
    vi.stubEnv('DOCKER_CERT_PATH', path.join(home, 'not-there'));
    await expect(openEngine(socket)).rejects.toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
      message: expect.stringContaining('DOCKER_CERT_PATH') as string,
    });
  });
});
