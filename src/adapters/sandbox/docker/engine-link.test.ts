// What is known of an engine, and for how long; the engine here is an HTTP server that counts what it is asked.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openLocks } from '../../store/locks.js';
import { openEngineLink, type EngineLink } from './engine-link.js';

describe('the link to an engine', () => {
  const home = mkdtempSync(path.join(tmpdir(), 'writ-link-'));
  const socketPath = path.join(home, 'engine.sock');
  const asked = { info: 0, events: 0 };
  const streams = new Set<ServerResponse>();
  let version = '1';
  let mayAnswer = Promise.resolve();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://engine');
    const answers: Record<string, unknown> = {
      '/info': { OSType: 'linux', Runtimes: {} },
      '/version': { Version: version },
      '/containers/json': [],
    };
    if (pathname === '/info') asked.info += 1;
    if (pathname === '/events') {
      asked.events += 1;
      streams.add(response.once('close', () => streams.delete(response)));
      response.flushHeaders();
      return;
    }
    void mayAnswer.then(() => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answers[pathname]));
    });
  });
  let link: EngineLink;
  const open = (): void => {
    Object.assign(asked, { info: 0, events: 0 });
    const seccomp = (): Promise<string> => Promise.resolve('{}');
    link = openEngineLink({ socketPath, seccomp, locks: openLocks(home), installation: home });
  };

  beforeAll(async () => {
    server.listen(socketPath);
    await once(server, 'listening');
  });
  afterEach(() => {
    vi.useRealTimers();
    mayAnswer = Promise.resolve();
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
    rmSync(home, { recursive: true });
  });

  it('asks once, however many ask it', async () => {
    open();
    await Promise.all([link.opened(), link.opened()]);
    await link.opened();
    expect(asked).toEqual({ info: 1, events: 1 });
    await link.close();
    await expect.poll(() => streams.size).toBe(0);
  });

  it('hole: a step that could not be started took the events of memory from all that ran beside it', async () => {
    open();
    const before = await link.opened();
    link.forget();
    const after = await link.opened();
    expect(asked).toEqual({ info: 2, events: 1 });
    expect(after.events).toBe(before.events);
    expect(before.events.isBroken()).toBe(false);
    await link.close();
  });

  it('hole: what was looked at before it was taken back was known again afterwards', async () => {
    open();
    let answer: () => void = () => undefined;
    mayAnswer = new Promise((resolve) => {
      answer = resolve;
    });
    const older = link.opened();
    link.forget();
    const joined = link.opened();
    answer();
    await Promise.all([older, joined]);
    expect(asked.info).toBe(1);
    await link.opened();
    await link.opened();
    expect(asked).toEqual({ info: 2, events: 1 });
    await link.close();
    await expect.poll(() => streams.size).toBe(0);
  });

  it('hole: an engine that came back as another one was believed to be the one that had gone', async () => {
    open();
    const { events, machine } = await link.opened();
    expect(machine.engineVersion).toBe('1');
    version = '2';
    for (const stream of streams) stream.destroy();
    await expect.poll(() => events.isBroken()).toBe(true);
    expect((await link.opened()).machine.engineVersion).toBe('2');
    expect(asked).toEqual({ info: 2, events: 2 });
    await link.close();
  });

  it('hole: one that was closed while it opened went on to reap and to listen', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    open();
    let answer: () => void = () => undefined;
    mayAnswer = new Promise((resolve) => {
      answer = resolve;
    });
    const opening = link.opened();
    const closing = link.close();
    answer();
    await Promise.all([opening, closing]);
    expect(vi.getTimerCount()).toBe(0);
    await expect.poll(() => streams.size).toBe(0);
  });
});
