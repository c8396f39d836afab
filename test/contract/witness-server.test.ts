// The witness over HTTP: its one path and its bounds; and two witness processes on one state file, asked at random.
import { spawn, type ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, it } from 'vitest';
import { createWitnessKey } from '../../src/adapters/keys/witness-key.js';
import { openWitnessState } from '../../src/adapters/store/witness-state.js';
import { MAX_ADD_CHECKPOINT_BYTES } from '../../src/audit/index.js';
import { WritError } from '../../src/errors.js';
import { openWitness, type Witness } from '../../src/runtime/witness/witness.js';
import { serveWitness, type WitnessEvent, type WitnessServer } from '../../src/server/witness.js';
import { MAIN } from '../cli/writ.js';
import { bytes, ORIGIN, testKey, WitnessedLog } from './witness-log.js';

const home = mkdtempSync(join(tmpdir(), 'writ-witness-http-'));
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

const log = new WitnessedLog(200);
const signer = testKey('witness.example/w1', 4, 4);
const clock = {
  nowMs: () => Date.UTC(2026, 2, 1),
  sleepUntil: () => Promise.resolve(),
  sleep: () => Promise.resolve(),
};
const LOOPBACK = { host: '127.0.0.1', port: 0 };

let count = 0;
async function withServer(
  body: (server: WitnessServer, events: WitnessEvent[]) => Promise<void>,
  witness?: Witness,
): Promise<void> {
  const state = openWitnessState(join(home, `${++count}.state`));
  const events: WitnessEvent[] = [];
  const own = openWitness({ logs: [log.key.vkey], signer, state, clock });
  const server = await serveWitness(witness ?? own, LOOPBACK, (event) => events.push(event));
  try {
    await body(server, events);
  } finally {
    server.stop();
    await server.stopped;
    state.close();
  }
}

const add = (url: string, body: Uint8Array): Promise<Response> =>
  fetch(`${url}/add-checkpoint`, { method: 'POST', body });

describe('the witness over HTTP', () => {
  it('cosigns, tells the size it wants, and refuses, each with its status and type', async () => {
    await withServer(async ({ url }, events) => {
      const good = await add(url, log.request(0, 3));
      expect(good.status).toBe(200);
      expect(await good.text()).toMatch(/^\u2014 witness\.example\/w1 \S+\n$/);
      const conflict = await add(url, log.request(0, 5));
      expect([conflict.status, conflict.headers.get('content-type')]).toEqual([409, 'text/x.tlog.size']);
      expect(await conflict.text()).toBe('3\n');
      expect((await add(url, bytes('hello'))).status).toBe(400);
      expect(events).toEqual([
        { status: 200, origin: ORIGIN, size: '3', message: null },
        { status: 409, origin: ORIGIN, size: '5', message: 'the latest size cosigned is 3' },
        expect.objectContaining({ status: 400, origin: null, size: null }),
      ]);
    });
  });

  it('has one path and one method', async () => {
    await withServer(async ({ url }) => {
      expect((await fetch(`${url}/`)).status).toBe(404);
      expect((await fetch(`${url}/add-checkpoint/`, { method: 'POST' })).status).toBe(404);
      const get = await fetch(`${url}/add-checkpoint`);
      expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
      expect((await fetch(`${url}/add-checkpoint`, { method: 'PUT', body: 'x' })).status).toBe(405);
    });
  });

  it('stops with the first error of its server after it listens, and survives the next ones', async () => {
    await withServer(async (server) => {
      const found = new Promise<Server>((resolve) => {
        const onStart = (message: unknown): void => {
          unsubscribe('http.server.request.start', onStart);
          resolve((message as { server: Server }).server);
        };
        subscribe('http.server.request.start', onStart);
      });
      expect((await fetch(server.url)).status).toBe(404);
      const http = await found;
      http.emit('error', new Error('accept EMFILE'));
      http.emit('error', new Error('accept ENFILE'));
      expect(await server.stopped).toMatchObject({ code: 'INTERNAL', cause: { message: 'accept EMFILE' } });
    });
  });

  it('reads a body up to its limit and answers 413 to one byte more', async () => {
    await withServer(async ({ url }) => {
      expect((await add(url, new Uint8Array(MAX_ADD_CHECKPOINT_BYTES))).status).toBe(400);
      expect((await add(url, new Uint8Array(MAX_ADD_CHECKPOINT_BYTES + 1))).status).toBe(413);
      expect((await add(url, log.request(0, 3))).status).toBe(200);
    });
  });

  it('goes on after a client that hangs up in the middle of a body', async () => {
    await withServer(async ({ url }) => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      await once(socket, 'connect');
      socket.write('POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nold');
      socket.destroy();
      expect((await add(url, log.request(0, 3))).status).toBe(200);
    });
  });

  it('asks to come again while its state is in use, and stops for good when it fails', async () => {
    let code: 'STORE_BUSY' | 'STORE_IO' = 'STORE_BUSY';
    const failing: Witness = () => {
      throw new WritError(code, 'the disk');
    };
    await withServer(async (server) => {
      const busy = await add(server.url, log.request(0, 3));
      expect([busy.status, busy.headers.get('retry-after')]).toEqual([503, '1']);
      code = 'STORE_IO';
      expect((await add(server.url, log.request(0, 3))).status).toBe(500);
      expect(await server.stopped).toMatchObject({ code: 'STORE_IO' });
      await expect(add(server.url, log.request(0, 3))).rejects.toThrow();
    }, failing);
  });

  it('says when it can not listen', async () => {
    await withServer(async ({ url }) => {
      const port = Number(new URL(url).port);
      const taken = serveWitness(
        () => ({}) as never,
        { host: '127.0.0.1', port },
        () => undefined,
      );
      await expect(taken).rejects.toMatchObject({ code: 'USAGE' });
    });
  });
});

describe.skipIf(!existsSync(MAIN))('two witness processes on one state (needs dist)', () => {
  it('accept one chain of sizes, whatever is asked of both at once', async () => {
    const keyFile = join(home, 'race.key');
    createWitnessKey(keyFile, 'witness.example/race');
    const args = ['audit', 'witness', 'serve', '--log', log.key.vkey, '--key', keyFile];
    const place = ['--state', join(home, 'race.state'), '--listen', '127.0.0.1:0', '--json'];
    const children = [0, 1].map(() =>
      spawn(process.execPath, [MAIN, ...args, ...place], { stdio: ['ignore', 'pipe', 'ignore'] }),
    );
    try {
      const urls = await Promise.all(children.map(urlOf));
      const accepted: [number, number][] = [];
      const seen: number[] = [];
      let size = 0;
      while (size < 120) {
        // Many callers at once believe in the same old size, and want different new ones.
        const wanted = Array.from({ length: 8 }, (_, i) => Math.min(200, size + 1 + ((i * 5) % 7)));
        const answers = await Promise.all(
          wanted.map(async (next, i) => {
            const answer = await add(urls[i % 2] ?? '', log.request(size, next));
            return { next, status: answer.status, text: await answer.text() };
          }),
        );
        for (const { next, status, text } of answers) {
          expect([200, 409]).toContain(status);
          if (status === 200) accepted.push([size, next]);
          else seen.push(Number(text));
        }
        size = Math.max(size, ...answers.filter(({ status }) => status === 200).map(({ next }) => next));
      }
      // From one size to one other: two answers 200 from the same size would be a witness that went back.
      const from = accepted.map(([old]) => old);
      expect(new Set(from).size).toBe(from.length);
      accepted.reduce((end, [old, next]) => {
        expect(old).toBe(end);
        return next;
      }, 0);
      expect(seen.length).toBeGreaterThan(0);
    } finally {
      await Promise.all(children.map(stop));
    }
    const state = openWitnessState(join(home, 'race.state'));
    expect(state.latest()).toHaveLength(1);
    state.close();
    expect(children.map((child) => child.exitCode)).toEqual([143, 143]);
  });
});

async function urlOf(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no stdout');
  for await (const line of createInterface({ input: child.stdout })) {
    const [, url] = /"url": "(.*)"/.exec(line) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error('the witness ended before it listened');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
