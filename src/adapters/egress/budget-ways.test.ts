// What a step may send, receive and ask for holds on each way through the proxy: a plain request, one in a tunnel, TLS
// that passes as it is, and TLS that is ended in the proxy.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EgressProxy } from '../../runtime/ports.js';
import { makeAuthority, type Authority } from './authority.js';
import { openEgressProxies } from './proxies.js';

const folder = mkdtempSync(path.join(tmpdir(), 'writ-eb-'));
const SOCKET = path.join(folder, 'p.sock');
let servers: Server[] = [];
let [plainPort, tlsPort] = [0, 0];
let trusted: Authority;
let proxy: EgressProxy | null = null;
let served = 0;
let received = 0;

/** Takes a body, and gives as many bytes as its path says. */
const answer = (request: IncomingMessage, response: ServerResponse): void => {
  served += 1;
  request.on('data', (chunk: Buffer) => (received += chunk.length));
  request.on('end', () => response.end(Buffer.alloc(Number(request.url?.slice(1)))));
};

beforeAll(async () => {
  trusted = await makeAuthority(Date.now());
  const context = await trusted.contextFor('api.test');
  servers = [
    createServer(answer),
    createTlsServer({ SNICallback: (_name, done) => done(null, context) }, answer),
  ];
  await Promise.all(servers.map((one) => once(one.listen(0, '127.0.0.1'), 'listening')));
  [plainPort = 0, tlsPort = 0] = servers.map((one) => (one.address() as AddressInfo).port);
});
afterAll(() => {
  for (const one of servers) {
    one.closeAllConnections();
    one.close();
  }
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  await proxy?.close();
  [served, received] = [0, 0];
});

async function open(way: Way, bytes: number, requests: number): Promise<EgressProxy> {
  const at = `api.test:${way.isTls ? tlsPort : plainPort}`;
  const proxies = openEgressProxies({
    resolve: () => Promise.resolve(['127.0.0.1']),
    secret: () => Buffer.from('0123456789abcdef'),
    declared: new Map([['bank-api', [{ host: at, isPlain: false }]]]),
    redact: (text) => text,
    ca: [trusted.certificate],
  });
  const record = (): Promise<void> => Promise.resolve();
  const credentials = way.isEnded ? ['bank-api'] : [];
  // Loopback is private: the address is listed itself, too.
  const hosts = [at, `127.0.0.1:${way.isTls ? tlsPort : plainPort}`];
  proxy = await proxies.open({ hosts, credentials, bytes, requests, record }, SOCKET);
  return proxy;
}

interface Way {
  readonly isTls: boolean;
  /** In the proxy. */
  readonly isEnded: boolean;
  readonly isTunnel: boolean;
}
const WAYS: [string, Way][] = [
  ['a plain request', { isTls: false, isEnded: false, isTunnel: false }],
  ['a plain request in a tunnel', { isTls: false, isEnded: false, isTunnel: true }],
  ['TLS that passes as it is', { isTls: true, isEnded: false, isTunnel: true }],
  ['TLS that is ended in the proxy', { isTls: true, isEnded: true, isTunnel: true }],
];

/** A request under way; null = its tunnel was refused. */
async function begin(
  way: Way,
  own: EgressProxy,
  sent: number,
  wanted: number,
): Promise<{ readonly client: Socket; readonly stream: Socket } | null> {
  const at = `api.test:${way.isTls ? tlsPort : plainPort}`;
  const client = connect({ path: SOCKET });
  client.on('error', () => undefined);
  let stream: Socket = client;
  if (way.isTunnel) {
    client.write(`CONNECT ${at} HTTP/1.1\r\n\r\n`);
    const [said] = (await Promise.race([once(client, 'data'), once(client, 'close').then(() => [])])) as [
      Buffer?,
    ];
    if (said?.toString('latin1').startsWith('HTTP/1.1 200') !== true) return null;
    if (way.isTls)
      stream = tlsConnect({
        socket: client,
        servername: 'api.test',
        ca: [trusted.certificate, own.authority ?? trusted.certificate],
      });
    stream.on('error', () => undefined);
  }
  const url = `${way.isTunnel ? '' : `http://${at}`}/${wanted}`;
  stream.write(
    `POST ${url} HTTP/1.1\r\nHost: ${at}\r\nContent-Length: ${sent}\r\nConnection: close\r\n\r\n${'x'.repeat(sent)}`,
  );
  return { client, stream };
}

/** Whether a whole answer came. */
async function post(way: Way, own: EgressProxy, sent: number, wanted: number): Promise<boolean> {
  const begun = await begin(way, own, sent, wanted);
  if (begun === null) return false;
  const { client, stream } = begun;
  let all = '';
  stream.on('data', (chunk: Buffer) => (all += chunk.toString('latin1')));
  await new Promise<void>((resolve) => {
    client.once('close', resolve);
  });
  return all.split('\0').length - 1 === wanted;
}

describe.each(WAYS)('%s', (_title, way) => {
  it('control: passes under its budgets', async () => {
    const own = await open(way, 200_000, 10);
    expect(await post(way, own, 40_000, 40_000)).toBe(true);
    expect(received).toBe(40_000);
    const totals = await own.close();
    expect(Number(totals['bytes'])).toBeGreaterThan(80_000);
    expect(Number(totals['bytes'])).toBeLessThan(100_000);
  });

  it('receives no more bytes than it may', async () => {
    const own = await open(way, 60_000, 10);
    expect(await post(way, own, 10, 100_000)).toBe(false);
    expect(await own.ended).toBe('egressBytes');
    expect(Number((await own.close())['bytes'])).toBeLessThanOrEqual(60_000);
  });

  it('sends no more bytes than it may', async () => {
    const own = await open(way, 60_000, 10);
    expect(await post(way, own, 100_000, 10)).toBe(false);
    expect(await own.ended).toBe('egressBytes');
    expect(received).toBeLessThanOrEqual(60_000);
  });

  it('counts both ways together, over all connections', async () => {
    const own = await open(way, 100_000, 10);
    expect(await post(way, own, 30_000, 10)).toBe(true);
    expect(await post(way, own, 10, 30_000)).toBe(true);
    expect(await post(way, own, 30_000, 30_000)).toBe(false);
    expect(await own.ended).toBe('egressBytes');
  });

  it('a program that does not read, and is cut off, takes nothing else with it', async () => {
    for (let i = 0; i < 5; i += 1) {
      const own = await open(way, 50_000_000, 10);
      const begun = await begin(way, own, 10, 20_000_000);
      begun?.client.pause();
      // The answer waits in the proxy by then.
      await expect.poll(() => served).toBe(i + 1);
      await own.close();
    }
  });

  it('asks no more often than it may', async () => {
    // A tunnel whose requests are read here counts, and so does each request in it.
    const each = way.isTunnel && (way.isEnded || !way.isTls) ? 2 : 1;
    const own = await open(way, 200_000, 2 * each);
    expect(await post(way, own, 10, 10)).toBe(true);
    expect(await post(way, own, 10, 10)).toBe(true);
    expect(await post(way, own, 10, 10)).toBe(false);
    expect(await own.ended).toBe('egressRequests');
    expect(served).toBe(2);
  });
});
