// What a program in a sandbox, or a host it reaches, may try with bytes of its own making. The host is a listener of
// the test that answers what the test says, byte by byte.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EgressDecision, EgressProxy } from '../../runtime/ports.js';
import { openEgressProxies } from './proxies.js';

const SECRET = 'sk-Live-0123456789abcDEF';
const folder = mkdtempSync(path.join(tmpdir(), 'writ-ea-'));
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
let reply: (asked: string) => string = () => OK;
/** What the host was sent, connection by connection. */
let asked: string[] = [];
let host: Server;
let port = 0;
let proxy: EgressProxy | null = null;
let decisions: EgressDecision[] = [];
let socket = '';
let count = 0;

beforeAll(async () => {
  host = createServer((client) => {
    const at = asked.push('') - 1;
    client.on('error', () => undefined);
    client.on('data', (chunk) => {
      asked[at] += chunk.toString('latin1');
      if (asked[at]?.includes('\r\n\r\n') === true) client.end(reply(asked[at]));
    });
  }).listen(0, '127.0.0.1');
  await once(host, 'listening');
  port = (host.address() as AddressInfo).port;
});
afterAll(() => {
  host.close();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  await proxy?.close();
  proxy = null;
  asked = [];
  reply = () => OK;
});

async function open(more: readonly string[] = [], credentials: readonly string[] = []): Promise<EgressProxy> {
  decisions = [];
  socket = path.join(folder, `p${count++}.sock`);
  const proxies = openEgressProxies({
    resolve: (name) => Promise.resolve(name === 'api.test' ? ['127.0.0.1'] : []),
    secret: () => Buffer.from(SECRET),
    declared: new Map([['bank-api', [{ host: `api.test:${port}`, isPlain: true }]]]),
    redact: (bytes) =>
      Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll(SECRET, '«secret»'), 'latin1'),
  });
  proxy = await proxies.open(
    {
      hosts: [`api.test:${port}`, `127.0.0.1:${port}`, ...more],
      credentials,
      bytes: 1024 * 1024,
      requests: 100,
      record: (decision) => {
        decisions.push(decision);
        return Promise.resolve();
      },
    },
    socket,
  );
  return proxy;
}

async function read(client: Socket): Promise<string> {
  let all = '';
  client.on('data', (chunk: Buffer) => (all += chunk.toString('latin1')));
  client.on('error', () => undefined);
  await once(client, 'close').catch(() => undefined);
  return all;
}

/** Sends bytes as they are, and reads until the other side closes. */
function raw(text: string): Promise<string> {
  const client = connect({ path: socket });
  client.write(text, 'latin1');
  return read(client);
}

const url = (): string => `http://api.test:${port}/`;
const get = (target: string, more = ''): Promise<string> =>
  raw(`GET ${target} HTTP/1.1\r\n${more}Connection: close\r\n\r\n`);
const statuses = (got: string): string[] => got.match(/HTTP\/1\.1 [0-9]{3}/gu) ?? [];

describe('the egress proxy under attack', () => {
  it('control: the host is reached, and what it says comes back', async () => {
    await open();
    expect(await get(url())).toMatch(/^HTTP\/1\.1 200 OK[^]*ok$/u);
    expect(asked).toHaveLength(1);
  });

  it.each([
    ['a trailing dot', (at: number) => `http://api.test.:${at}/`],
    ['an IDN spelling', (at: number) => `http://\u00e4pi.test:${at}/`],
    ['a percent sign in the name', (at: number) => `http://api%2etest:${at}/`],
    ['a user that looks like the host', (at: number) => `http://api.test:${at}@evil.test/`],
    ['a backslash', (at: number) => `http://evil.test\\@api.test:${at}/`],
    ['a zone id', (at: number) => `http://[fe80::1%25lo]:${at}/`],
    ['no scheme that is passed on', (at: number) => `ftp://api.test:${at}/`],
    ['a fragment', (at: number) => `http://api.test:${at}/#@evil.test/`],
    ['two ports', (at: number) => `http://api.test:${at}:80/`],
  ])('reads no host from %s', async (_what, target) => {
    await open();
    const [status = ''] = statuses(await get(target(port)));
    expect(status).toMatch(/ 40[03]$/u);
    expect(asked).toHaveLength(0);
  });

  it.each([
    ['NAT64', '[64:ff9b::7f00:1]'],
    ['6to4', '[2002:7f00:1::]'],
    ['an IPv4 address mapped into IPv6', '[::ffff:7f00:1]'],
    ['an IPv4-compatible address', '[::7f00:1]'],
    ['Teredo', '[2001::7f00:1]'],
    ['the unspecified address', '0.0.0.0'],
    ['the unspecified IPv6 address', '[::]'],
    ['link-local', '[fe80::1]'],
  ])('connects to no %s address, though it is listed itself', async (_what, address) => {
    await open([`${address}:${port}`]);
    expect(statuses(await get(`http://${address}:${port}/`))).toEqual(['HTTP/1.1 403']);
    expect(statuses(await raw(`CONNECT ${address}:${port} HTTP/1.1\r\n\r\n`))).toEqual(['HTTP/1.1 403']);
    expect(decisions.map(({ reason }) => reason)).toEqual(
      Array(2).fill('the host has an address that is not public'),
    );
    expect(asked).toHaveLength(0);
  });

  it('CONNECT smuggling: what follows a refused CONNECT is no request', async () => {
    await open();
    const behind = `GET ${url()} HTTP/1.1\r\n\r\n`;
    const got = await raw(
      `CONNECT evil.test:443 HTTP/1.1\r\nContent-Length: ${behind.length}\r\n\r\n${behind}`,
    );
    expect(statuses(got)).toEqual(['HTTP/1.1 403']);
    expect(asked).toHaveLength(0);
  });

  it('CONNECT smuggling: in a tunnel nothing names another host, and no second tunnel is opened', async () => {
    await open();
    const into = `CONNECT api.test:${port} HTTP/1.1\r\n\r\n`;
    const absolute = await raw(`${into}GET http://evil.test/ HTTP/1.1\r\nConnection: close\r\n\r\n`);
    expect(statuses(absolute)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403']);
    const named = await raw(`${into}GET / HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n`);
    expect(statuses(named)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 403']);
    const again = await raw(`${into}CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n`);
    expect(statuses(again).slice(1)).not.toContain('HTTP/1.1 200');
    expect(asked.join('')).not.toContain('evil');
  });

  it('header folding is not understood, and neither is a name before a blank', async () => {
    await open();
    expect(statuses(await get(url(), 'X-A: b\r\n c\r\n'))).toEqual(['HTTP/1.1 400']);
    expect(statuses(await get(url(), 'Content-Length : 5\r\n'))).toEqual(['HTTP/1.1 400']);
    expect(asked).toHaveLength(0);
  });

  it.each([
    ['a length that is no number', 'POST', 'Content-Length: +3\r\n', 'abc'],
    ['an encoding in two words', 'POST', 'Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n'],
    [
      'an encoding twice',
      'POST',
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
      '0\r\n\r\n',
    ],
    ['an encoding nobody knows', 'POST', 'Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'],
    ['a chunk with a bad size', 'POST', 'Transfer-Encoding: chunked\r\n', '0x3\r\nabc\r\n0\r\n\r\n'],
    ['a line feed alone', 'GET', 'X-A: b\nX-B: c\r\n', ''],
  ])(
    'chunked abuse: %s is not one request for us and another for the host',
    async (_what, method, head, body) => {
      await open();
      const got = await raw(`${method} ${url()} HTTP/1.1\r\n${head}Connection: close\r\n\r\n${body}`);
      // Nothing of it reached the host as a whole message; a body that turned out broken was cut in the middle.
      expect(statuses(got)).not.toContain('HTTP/1.1 200');
      expect(asked.every((one) => !one.includes('0\r\n\r\n') && !one.includes('xchunked'))).toBe(true);
    },
  );

  it('writes chunks anew: extensions and trailers of a program do not pass', async () => {
    await open();
    await raw(
      `POST ${url()} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\nConnection: close\r\n\r\n` +
        '2;ext=smuggle\r\nab\r\n0\r\nX-T: smuggle\r\n\r\n',
    );
    await expect.poll(() => asked[0]?.endsWith('0\r\n\r\n')).toBe(true);
    expect(asked[0]).toContain('\r\nab\r\n');
    expect(asked[0]).not.toContain('smuggle');
  });

  it('HTTP/2: neither its preface nor an upgrade to it is passed on', async () => {
    await open();
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    expect(statuses(await raw(preface))).toEqual(['HTTP/1.1 400']);
    expect(statuses(await raw(`CONNECT api.test:${port} HTTP/1.1\r\n\r\n${preface}`))).toEqual([
      'HTTP/1.1 200',
      'HTTP/1.1 400',
    ]);
    await get(url(), 'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n');
    expect(asked.at(-1)).toContain('GET / HTTP/1.1');
    expect(asked.join('')).not.toMatch(/upgrade|http2-settings|PRI/iu);
  });

  it('an expectation that nobody knows is a request like any other: counted, recorded, and not passed on', async () => {
    await open();
    expect(statuses(await get(url(), 'Expect: the-unexpected\r\n'))).toEqual(['HTTP/1.1 200']);
    expect(asked[0]).not.toMatch(/expect/iu);
    expect(statuses(await get('http://other.test/', 'Expect: the-unexpected\r\n'))).toEqual(['HTTP/1.1 403']);
    expect(decisions.map(({ verdict }) => verdict)).toEqual(['allow', 'deny']);
  });

  it('a web socket is not opened, though the host would', async () => {
    await open();
    reply = () =>
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw bytes';
    const got = await get(url(), 'Upgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n');
    expect(asked[0]).not.toMatch(/\r\nupgrade:/iu);
    expect(got).not.toContain('raw bytes');
    expect(statuses(got)).toEqual(['HTTP/1.1 502']);
  });

  it.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk'],
    [
      'a length beside an encoding',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['headers without an end', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(64 * 1024)}\r\n\r\n`],
    ['an encoding for the way', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['an encoding after the chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nok'],
    ['no status', 'HTTP/1.1 000 none\r\nContent-Length: 2\r\n\r\nok'],
    ['a bare return in a header', 'HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: c\r\n\r\nok'],
  ])('passes no answer on that has %s', async (_what, text) => {
    await open();
    reply = () => text;
    expect(statuses(await get(url()))).toEqual(['HTTP/1.1 502']);
  });

  it('leaves control characters of a status line out', async () => {
    await open();
    reply = () => 'HTTP/1.1 200 \u0007\u001b[2J\r\ncontent-length: 2\r\n\r\nok';
    expect(await get(url())).toMatch(/^HTTP\/1\.1 200 \r\n[^]*ok$/u);
  });

  it('pipelining: one connection has one request under way, however many it sends at once', async () => {
    await open();
    const all = await raw(`GET ${url()} HTTP/1.1\r\n\r\n`.repeat(50));
    expect(statuses(all)).toEqual(['HTTP/1.1 200']);
    expect([decisions.length, asked.length]).toEqual([1, 1]);
    await proxy?.close();

    // In a tunnel, too.
    await open();
    const request = `GET / HTTP/1.1\r\nHost: api.test:${port}\r\n\r\n`;
    const got = await raw(`CONNECT api.test:${port} HTTP/1.1\r\n\r\n${request.repeat(50)}`);
    expect(statuses(got)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
    // The tunnel's own connection, which carried nothing, is one of them.
    expect([decisions.length, asked.length - 1]).toEqual([2, 2]);
  });

  it('control: one connection carries one request after the other', async () => {
    await open();
    const client = connect({ path: socket });
    for (let i = 0; i < 20; i += 1) {
      client.write(`GET ${url()}${i} HTTP/1.1\r\n\r\n`);
      let got = '';
      while (!got.endsWith('ok')) got += String(((await once(client, 'data')) as [Buffer])[0]);
      expect(statuses(got)).toEqual(['HTTP/1.1 200']);
    }
    client.destroy();
    expect(asked).toHaveLength(20);
  });

  it('request smuggling: a length behind a thousand headers is seen, and makes no body another request', async () => {
    await open();
    const many = 'a:\r\n'.repeat(1_100);
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: other.test\r\n\r\n';
    await raw(
      `GET ${url()} HTTP/1.1\r\n${many}Content-Length: ${smuggled.length}\r\nConnection: close\r\n\r\n${smuggled}`,
    );
    await expect.poll(() => asked[0]?.endsWith(smuggled)).toBe(true);
    expect(asked[0]).toContain(`\r\ncontent-length: ${smuggled.length}\r\n`);
    expect(statuses(await get(url(), `${many}Host: evil.test\r\n`))).toEqual(['HTTP/1.1 403']);
  });

  it('hints without end are counted, and end the step at its budget', async () => {
    const own = await open();
    const hint = `HTTP/1.1 103 Early Hints\r\nLink: <${'a'.repeat(2_000)}>\r\n\r\n`;
    reply = () => `${hint.repeat(700)}${OK}`;
    expect(await get(url())).toBe('');
    expect(await own.ended).toBe('egressBytes');
  });
});

describe('the egress proxy under attack: secrets', () => {
  const placeholder = (): string => proxy?.env['CRED_BANK_API'] ?? '';
  const authorization = (): string => `Authorization: Bearer ${placeholder()}\r\n`;

  it('a secret in pieces: a program can not ask for a part of the answer in which it would be one half', async () => {
    await open([], ['bank-api']);
    const body = `you sent ${SECRET}.`;
    reply = (request) => {
      const range = /\r\nrange: bytes=([0-9]+)-([0-9]+)/iu.exec(request);
      const part = range === null ? body : body.slice(Number(range[1]), Number(range[2]) + 1);
      return `HTTP/1.1 ${range === null ? '200 OK' : '206 Partial Content'}\r\ncontent-length: ${part.length}\r\n\r\n${part}`;
    };
    const half = 9 + SECRET.length / 2;
    const first = await get(url(), `${authorization()}Range: bytes=0-${half - 1}\r\n`);
    const second = await get(url(), `${authorization()}If-Range: "x"\r\nRange: bytes=${half}-99\r\n`);
    expect(asked[0]).toContain(SECRET); // control: it was sent, and the host gives it back
    for (const got of [first, second]) expect(got).toContain('you sent «secret».');
    expect(`${first}${second}`).not.toContain(SECRET.slice(0, 10));
  });

  it('passes a range on to a host that gets no secret', async () => {
    await open();
    await get(url(), 'Range: bytes=0-1\r\n');
    expect(asked[0]).toMatch(/\r\nrange: bytes=0-1\r\n/u);
  });

  it.each([
    [
      'a header of the answer',
      (value: string) => `HTTP/1.1 200 OK\r\nX-Echo: ${value}\r\ncontent-length: 0\r\n\r\n`,
    ],
    ['the status line', (value: string) => `HTTP/1.1 200 ${value}\r\ncontent-length: 0\r\n\r\n`],
    [
      'a redirect',
      (value: string) => `HTTP/1.1 302 Found\r\nLocation: /?k=${value}\r\ncontent-length: 0\r\n\r\n`,
    ],
    ['a cookie', (value: string) => `HTTP/1.1 200 OK\r\nSet-Cookie: k=${value}\r\ncontent-length: 0\r\n\r\n`],
    ['an early hint', (value: string) => `HTTP/1.1 103 Early Hints\r\nLink: <${value}>\r\n\r\n${OK}`],
    [
      'a trailer',
      (value: string) =>
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: ${value}\r\n\r\n`,
    ],
    [
      'chunks of one byte',
      (value: string) =>
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${[...value].map((one) => `1\r\n${one}\r\n`).join('')}0\r\n\r\n`,
    ],
    [
      'the name of a header',
      (value: string) => `HTTP/1.1 200 OK\r\nX-${value}: 1\r\ncontent-length: 0\r\n\r\n`,
    ],
  ])('gives no value back that comes in %s', async (_what, text) => {
    await open([], ['bank-api']);
    reply = () => text(SECRET);
    const got = await get(url(), authorization());
    expect(asked[0]).toContain(SECRET);
    expect(got.toLowerCase()).not.toContain(SECRET.toLowerCase());
    expect(statuses(got)).toHaveLength(1);
  });

  it.each([
    ['for the way only', 'Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    [
      'behind a thousand headers',
      `${'a:\r\n'.repeat(1_100)}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok`,
    ],
    [
      'in a second header',
      'Content-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok',
    ],
  ])('passes no answer on that is packed, as it says %s', async (_what, text) => {
    await open([], ['bank-api']);
    reply = () => `HTTP/1.1 200 OK\r\n${text}`;
    expect(statuses(await get(url(), authorization()))).toEqual(['HTTP/1.1 502']);
  });

  it('TRACE, which gives a request back as it came, gives no value back', async () => {
    await open([], ['bank-api']);
    reply = (request) => `HTTP/1.1 200 OK\r\ncontent-length: ${request.length}\r\n\r\n${request}`;
    const got = await raw(`TRACE ${url()} HTTP/1.1\r\n${authorization()}Connection: close\r\n\r\n`);
    expect(got).not.toContain(SECRET);
  });

  it('puts no value into a path, a query, a body or the name of a header', async () => {
    await open([], ['bank-api']);
    const body = `k=${placeholder()}`;
    await raw(
      `POST http://api.test:${port}/${placeholder()}?k=${placeholder()} HTTP/1.1\r\nX-${placeholder()}: 1\r\n` +
        `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
    await expect.poll(() => asked[0]?.includes(body)).toBe(true);
    expect(asked[0]).not.toContain(SECRET);
  });

  it('takes no header for one of the program that it names as one of the connection', async () => {
    await open([], ['bank-api']);
    await raw(`GET ${url()} HTTP/1.1\r\n${authorization()}Connection: close, authorization\r\n\r\n`);
    expect(asked[0]).not.toContain(SECRET);
  });
});
