// The egress proxy as a program in a sandbox meets it: raw bytes on its socket, a host on loopback behind it. Loopback is
// private, so it is reached only where the list names the address itself, as for any private network.
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { Duplex } from 'node:stream';
import path from 'node:path';
import { checkServerIdentity, connect as tlsConnect, createServer as createPlainTlsServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EgressDecision, EgressProxy, SandboxEgress } from '../../runtime/ports.js';
import { makeAuthority, type Authority } from './authority.js';
import { openEgressProxies, type EgressOptions } from './proxies.js';

const SECRET = 'sk-live-0123456789abcdef';
const folder = mkdtempSync(path.join(tmpdir(), 'writ-eg-'));
const seen: IncomingMessage[] = [];
let bodies: string[] = [];
let held: (() => void) | null = null;
let upstream: Server;
let secure: Server;
let port = 0;
let securePort = 0;
let trusted: Authority;

const answer = (request: IncomingMessage, response: ServerResponse): void => {
  seen.push(request);
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
  request.on('end', () => {
    bodies.push(body);
    if (request.url === '/redirect')
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end();
    else if (request.url === '/echo') {
      const authorization = request.headers.authorization ?? '';
      response.setHeader('x-echo', authorization);
      // In two pieces: the value is cut in the middle.
      const value = authorization.replace('Bearer ', '');
      const text = `you sent ${authorization} and ${Buffer.from(value).toString('base64')}.`;
      response.write(text.slice(0, 25));
      setImmediate(() => response.end(text.slice(25)));
    } else if (request.url === '/held') held = () => response.end('released');
    else if (request.url === '/packed') response.writeHead(200, { 'content-encoding': 'gzip' }).end('x');
    else if (request.url === '/flood') {
      const more = (): void => {
        while (response.write(Buffer.alloc(65_536))) if (response.destroyed) return;
        response.once('drain', more);
      };
      more();
    } else response.end(`hello ${request.method ?? ''} ${request.url ?? ''}`);
  });
};

beforeAll(async () => {
  trusted = await makeAuthority(Date.now());
  const context = await trusted.contextFor('api.test');
  upstream = createServer(answer).listen(0, '127.0.0.1');
  secure = createTlsServer({ SNICallback: (_name, done) => done(null, context) }, answer).listen(
    0,
    '127.0.0.1',
  );
  await Promise.all([once(upstream, 'listening'), once(secure, 'listening')]);
  port = (upstream.address() as AddressInfo).port;
  securePort = (secure.address() as AddressInfo).port;
});
afterAll(() => {
  upstream.closeAllConnections();
  upstream.close();
  secure.closeAllConnections();
  secure.close();
  rmSync(folder, { recursive: true, force: true });
});

let proxy: EgressProxy | null = null;
let decisions: EgressDecision[] = [];
let socket = '';
let count = 0;

afterEach(async () => {
  await proxy?.close();
  proxy = null;
  seen.length = 0;
  bodies = [];
  held = null;
});

const names: Record<string, readonly string[]> = {
  'api.test': ['127.0.0.1'],
  'other.test': ['127.0.0.1'],
  'metadata.test': ['169.254.169.254'],
  'mapped.test': ['::ffff:127.0.0.1'],
  'mixed.test': ['93.184.216.34', '10.0.0.1'],
};

async function open(
  hosts: readonly string[],
  change: Partial<SandboxEgress> = {},
  options: Partial<EgressOptions> = {},
): Promise<EgressProxy> {
  decisions = [];
  socket = path.join(folder, `p${count++}.sock`);
  const proxies = openEgressProxies({
    resolve: (name) => Promise.resolve(names[name] ?? []),
    secret: (name) => (name === 'bank-api' ? Buffer.from(SECRET) : null),
    declared: new Map([
      [
        'bank-api',
        [
          { host: `api.test:${port}`, isPlain: true },
          { host: `api.test:${securePort}`, isPlain: false },
        ],
      ],
    ]),
    redact: (bytes) =>
      Buffer.from(
        [SECRET, Buffer.from(SECRET).toString('base64').slice(0, -2)].reduce(
          (text, needle) => text.replaceAll(needle, '«secret bank-api»'),
          Buffer.from(bytes).toString('latin1'),
        ),
        'latin1',
      ),
    ca: [trusted.certificate],
    ...options,
  });
  proxy = await proxies.open(
    {
      hosts,
      credentials: [],
      bytes: 1024 * 1024,
      requests: 100,
      record: (decision) => {
        decisions.push(decision);
        return Promise.resolve();
      },
      ...change,
    },
    socket,
  );
  return proxy;
}

const plain = (): string[] => [`api.test:${port}`, `127.0.0.1:${port}`];
const tls = (): string[] => [`api.test:${securePort}`, `127.0.0.1:${securePort}`];

/** Sends bytes as they are, and reads until the other side closes. */
async function raw(text: string): Promise<string> {
  const client = connect({ path: socket });
  client.write(text);
  return read(client);
}

async function read(client: Socket): Promise<string> {
  let all = '';
  client.on('data', (chunk: Buffer) => (all += chunk.toString('latin1')));
  client.on('error', () => undefined);
  await once(client, 'close').catch(() => undefined);
  return all;
}

const get = (url: string, more = ''): Promise<string> =>
  raw(`GET ${url} HTTP/1.1\r\n${more}Connection: close\r\n\r\n`);

/** A tunnel that was opened, or null. */
async function tunnel(target: string): Promise<Socket | null> {
  const client = connect({ path: socket });
  client.on('error', () => undefined);
  client.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  const [head] = (await once(client, 'data')) as [Buffer];
  return head.toString('latin1').startsWith('HTTP/1.1 200 ') ? client : null;
}

const verdicts = (): string[] =>
  decisions.map(
    ({ host, verdict, reason }) => `${verdict} ${host ?? '-'}${reason === null ? '' : `: ${reason}`}`,
  );

describe('the egress proxy: what passes', () => {
  it('carries an absolute-form request to a listed host, and says so before', async () => {
    await open(plain());
    expect(
      await get(`http://api.test:${port}/a?b=c`, 'X-Own: 1\r\nProxy-Authorization: Basic eA==\r\n'),
    ).toContain('hello GET /a?b=c');
    expect(seen[0]?.headers).toMatchObject({ host: `api.test:${port}`, 'x-own': '1' });
    expect(seen[0]?.headers).not.toHaveProperty('proxy-authorization');
    expect(decisions).toEqual([
      { host: `api.test:${port}`, verdict: 'allow', reason: null, credentials: [] },
    ]);
  });

  it('carries a body, with a length and in chunks', async () => {
    await open(plain());
    await raw(
      `POST http://api.test:${port}/ HTTP/1.1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello`,
    );
    await raw(
      `POST http://api.test:${port}/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    );
    expect(bodies).toEqual(['hello', 'abc']);
  });

  it('answers a program that has ended its side', async () => {
    await open(plain());
    const client = connect({ path: socket });
    client.end(`GET http://api.test:${port}/ HTTP/1.1\r\nConnection: close\r\n\r\n`);
    expect(await read(client)).toContain('200 OK');
  });

  it('carries TLS of a tunnel without looking into it', async () => {
    await open(tls());
    const client = await tunnel(`api.test:${securePort}`);
    if (client === null) throw new Error('no tunnel');
    const secured = tlsConnect({ socket: client, servername: 'api.test', ca: [trusted.certificate] });
    secured.write('GET /blind HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n');
    expect(await read(secured)).toContain('hello GET /blind');
  });

  it('carries a plain request of a tunnel as one for the host of the tunnel', async () => {
    await open(plain());
    const client = await tunnel(`api.test:${port}`);
    client?.write(`GET /inside HTTP/1.1\r\nHost: api.test:${port}\r\nConnection: close\r\n\r\n`);
    expect(client && (await read(client))).toContain('hello GET /inside');
    expect(verdicts()).toEqual([`allow api.test:${port}`, `allow api.test:${port}`]);
  });

  it('counts what passed, host by host', async () => {
    const own = await open(plain());
    await get(`http://api.test:${port}/`);
    await get('http://evil.test/');
    expect(await own.close()).toMatchObject({
      requests: 2,
      refused: 1,
      hosts: { [`api.test:${port}`]: { requests: 1 } },
    });
    expect(existsSync(socket)).toBe(false);
  });
});

describe('the egress proxy: what is refused', () => {
  it.each([
    ['a host that is not listed', 'http://evil.test/', 'the host is not listed'],
    ['another port of a listed host', 'http://api.test:1/', 'the host is not listed'],
    ['an address that is not listed', 'http://127.0.0.2/', 'the host is not listed'],
    ['another spelling of it', 'http://2130706434/', 'the host is not listed'],
    ['https in the clear', 'https://api.test/', 'not a request for a host'],
    ['a user in front of the host', 'http://api.test@evil.test/', 'not a request for a host'],
    ['a percent sign in the host', 'http://api%2etest/', 'not a request for a host'],
    ['a backslash in front of the host', 'http://api.test\\@evil.test/', 'not a request for a host'],
    ['no host', '/', 'not a request for a host'],
  ])('refuses %s', async (_what, url, reason) => {
    await open(plain());
    // The parser itself refuses some.
    expect(await get(url)).toMatch(/^HTTP\/1.1 40[03] /);
    expect(decisions.at(-1)).toMatchObject({ verdict: 'deny', reason });
    expect(seen).toHaveLength(0);
  });

  it.each(['evil.test:443', 'api.test:22', 'api.test', '127.0.0.1:1', '[::ffff:127.0.0.1]:80', 'x y:1'])(
    'opens no tunnel to %s',
    async (target) => {
      await open(plain());
      expect(await raw(`CONNECT ${target} HTTP/1.1\r\n\r\n`)).toMatch(/^HTTP\/1.1 40[03] /);
      expect(decisions.at(-1)?.verdict).toBe('deny');
    },
  );

  it.each([
    ['the metadata address', 'metadata.test', 'the host has an address that is not public'],
    ['an IPv4 address inside an IPv6 one', 'mapped.test', 'the host has an address that is not public'],
    ['a private address beside a public one', 'mixed.test', 'the host has an address that is not public'],
    ['no address at all', 'nowhere.test', 'the host has no address'],
  ])('refuses a listed name that has %s', async (_what, name, reason) => {
    await open([`${name}:80`]);
    expect(await get(`http://${name}/`)).toMatch(/^HTTP\/1.1 403 /);
    expect(verdicts()).toEqual([`deny ${name}:80: ${reason}`]);
  });

  it('refuses the metadata address though it is listed itself', async () => {
    await open(['169.254.169.254:80', 'metadata.test:80']);
    expect(await get('http://169.254.169.254/')).toMatch(/^HTTP\/1.1 403 /);
    expect(await get('http://metadata.test/')).toMatch(/^HTTP\/1.1 403 /);
  });

  it('DNS rebinding: judges the addresses of each connection, and connects to those', async () => {
    let asked = 0;
    await open(
      [`api.test:${port}`, `127.0.0.1:${port}`],
      {},
      {
        resolve: () => Promise.resolve(asked++ === 0 ? ['127.0.0.1'] : ['127.0.0.9']),
      },
    );
    expect(await get(`http://api.test:${port}/`)).toContain('200 OK');
    expect(await get(`http://api.test:${port}/`)).toMatch(/^HTTP\/1.1 403 /);
    expect(asked).toBe(2);
  });

  it('a redirect goes back to the program, whose next request is judged anew', async () => {
    await open(plain());
    expect(await get(`http://api.test:${port}/redirect`)).toContain('302');
    expect(await get('http://169.254.169.254/latest/meta-data/')).toMatch(/^HTTP\/1.1 403 /);
    expect(seen).toHaveLength(1);
  });

  it('refuses a Host header that names another host, and two of them', async () => {
    await open(plain());
    const url = `http://api.test:${port}/`;
    expect(await get(url, 'Host: evil.test\r\n')).toMatch(/^HTTP\/1.1 403 /);
    expect(await get(url, `Host: api.test:${port}\r\nHost: evil.test\r\n`)).toMatch(/^HTTP\/1.1 40[03] /);
    const client = await tunnel(`api.test:${port}`);
    client?.write('GET / HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n');
    expect(client && (await read(client))).toMatch(/^HTTP\/1.1 403 /);
    expect(seen).toHaveLength(0);
  });

  it('refuses TLS for another name than the tunnel was opened for, and bytes that are neither TLS nor HTTP', async () => {
    await open(tls());
    const client = await tunnel(`api.test:${securePort}`);
    if (client === null) throw new Error('no tunnel');
    const secured = tlsConnect({ socket: client, servername: 'other.test', ca: [trusted.certificate] });
    await once(secured, 'error').catch(() => undefined);
    const other = await tunnel(`api.test:${securePort}`);
    other?.write('\x00\x01 a database');
    expect(other && (await read(other))).toBe('');
    await expect
      .poll(() => verdicts().filter((one) => one.startsWith('deny')))
      .toEqual([
        `deny api.test:${securePort}: the connection is for another host`,
        `deny api.test:${securePort}: only HTTP and TLS pass`,
      ]);
    expect(seen).toHaveLength(0);
  });

  it.each([
    ['two lengths', 'Content-Length: 3\r\nContent-Length: 30\r\n'],
    ['a length beside an encoding', 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n'],
    ['an encoding beside a length', 'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n'],
    ['an encoding with a vertical tab', 'Transfer-Encoding: \x0bchunked\r\n'],
    ['an encoding in front of chunked', 'Transfer-Encoding: identity, chunked\r\n'],
    ['a length with a sign', 'Content-Length: +3\r\n'],
    ['a folded header', 'X: 1\r\n Transfer-Encoding: chunked\r\n'],
    ['a blank before the colon', 'Transfer-Encoding : chunked\r\n'],
  ])('request smuggling: refuses %s', async (_what, headers) => {
    await open(plain());
    const smuggled = `POST http://api.test:${port}/ HTTP/1.1\r\n${headers}\r\n0\r\n\r\nGET http://evil.test/ HTTP/1.1\r\n\r\n`;
    expect(await raw(smuggled)).toMatch(/^HTTP\/1.1 40[03] /);
    expect(seen).toHaveLength(0);
  });

  it('lets nothing pass that could not be written down', async () => {
    const own = await open(plain(), { record: () => Promise.reject(new Error('disk full')) });
    await get(`http://api.test:${port}/`);
    expect(await own.ended).toBe('unrecorded');
    expect(seen).toHaveLength(0);
  });
});

describe('hole: the log was a way out for a program that may not reach anybody', () => {
  it('tells nobody the name of a host that is not listed, in a request or a CONNECT', async () => {
    await open(plain());
    const name = 'ssn-123-45-6789.john.leak';
    expect(await raw(`CONNECT ${name}:443 HTTP/1.1\r\n\r\n`)).toMatch(/^HTTP\/1.1 403 /);
    expect(await get(`http://${name}/`)).toMatch(/^HTTP\/1.1 403 /);
    expect(await get(`http://api.test:1${port}/`)).toMatch(/^HTTP\/1.1 403 /);
    expect(new Set(verdicts())).toEqual(
      new Set(['deny unlisted: the host is not listed', 'deny -: not a request for a host']),
    );
    expect(JSON.stringify(decisions)).not.toMatch(/ssn|leak/);
  });

  it('names a listed host that was refused', async () => {
    await open(['nowhere.test:80']);
    await get('http://nowhere.test/');
    expect(verdicts()).toEqual(['deny nowhere.test:80: the host has no address']);
  });

  it('ends after 100 refusals, and records no more of them', async () => {
    const own = await open(plain(), { requests: 1_000 });
    for (let count = 0; count < 99; count++) await get('http://evil.test/');
    expect(await get(`http://api.test:${port}/`)).toContain('200 OK');
    expect(await get('http://evil.test/')).toMatch(/^HTTP\/1.1 403 /);
    expect(await get(`http://api.test:${port}/`)).toContain('200 OK');
    await Promise.all(Array.from({ length: 20 }, () => get('http://evil.test/')));
    expect(await own.ended).toBe('egressRefused');
    expect(decisions.filter(({ verdict }) => verdict === 'deny')).toHaveLength(100);
    expect(await own.close()).toMatchObject({ refused: 100 });
  });
});

describe('hole: requests inside a tunnel had no time limit', () => {
  it.each(['plain', 'TLS'])(
    'cuts a tunnel that ends no request, %s, while one that waits for its answer goes on',
    async (kind) => {
      const own = await open([...plain(), ...tls()], { credentials: ['bank-api'] }, { firstBytesMs: 500 });
      const request = `GET /held HTTP/1.1\r\nHost: api.test:${port}\r\nConnection: close\r\n\r\n`;
      const answered = raw(`CONNECT api.test:${port} HTTP/1.1\r\n\r\n${request}`);
      await expect.poll(() => held, { timeout: 20_000 }).not.toBeNull();
      const client = connect({ path: socket });
      client.on('error', () => undefined);
      const closed = once(client, 'close');
      if (kind === 'plain') {
        client.write(`CONNECT api.test:${port} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nX-A: b`);
        client.resume();
      } else {
        client.write(`CONNECT api.test:${securePort} HTTP/1.1\r\n\r\n`);
        await once(client, 'data');
        const secured = tlsConnect({ socket: client, servername: 'api.test', ca: [own.authority ?? ''] });
        secured.on('error', () => undefined);
        secured.write('GET / HTTP/1.1\r\nX-A: b');
      }
      await closed;
      held?.();
      expect(await answered).toContain('released');
    },
  );

  it('cuts TLS that never gets beyond its first message', async () => {
    await open(tls(), { credentials: ['bank-api'] }, { firstBytesMs: 500 });
    const first = await new Promise<Buffer>((resolve) => {
      const wire = new Duplex({ read: () => undefined, write: (bytes: Buffer) => resolve(bytes) });
      tlsConnect({ socket: wire, servername: 'api.test' });
    });
    const client = await tunnel(`api.test:${securePort}`);
    client?.write(first);
    // The answer to it, and then the end.
    expect(client && (await read(client))).toMatch(/^\x16\x03\x03/);
  });
});

describe('the egress proxy: budgets', () => {
  it('cuts everything at the first byte too many, in the middle of an answer', async () => {
    const own = await open(plain(), { bytes: 200_000 });
    const got = await get(`http://api.test:${port}/flood`);
    expect(got.length).toBeLessThan(210_000);
    expect(await own.ended).toBe('egressBytes');
    const totals = await own.close();
    expect(Number(totals['bytes'])).toBeLessThanOrEqual(200_000);
  });

  it('counts what a program sends, too', async () => {
    const own = await open(plain(), { bytes: 1_000 });
    await raw(
      `POST http://api.test:${port}/ HTTP/1.1\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n${'x'.repeat(5_000)}`,
    );
    expect(await own.ended).toBe('egressBytes');
    expect(bodies).toEqual([]);
  });

  it('ends at the first request too many, refused ones counted', async () => {
    const own = await open(plain(), { requests: 2 });
    await get('http://evil.test/');
    await get(`http://api.test:${port}/`);
    expect(await get(`http://api.test:${port}/`)).toBe('');
    expect(await own.ended).toBe('egressRequests');
    expect(seen).toHaveLength(1);
    expect(decisions).toHaveLength(2);
  });

  it('holds with hundreds of connections at once', async () => {
    await open(plain(), { requests: 400 });
    const all = await Promise.all(Array.from({ length: 300 }, () => get(`http://api.test:${port}/`)));
    const good = all.filter((text) => text.includes('200 OK')).length;
    // What is above the limit of open connections is closed as it comes, and nothing else.
    expect(all.filter((text) => text !== '' && !text.includes('200 OK'))).toEqual([]);
    expect(good).toBe(seen.length);
    expect(good).toBeGreaterThan(0);
    expect(await get(`http://api.test:${port}/`)).toContain('200 OK');
  });

  it('slowloris: a request that never ends keeps nothing else from passing, and is cut when the step ends', async () => {
    const own = await open(plain());
    const slow = connect({ path: socket });
    slow.on('error', () => undefined);
    slow.write('GET http://api.test/ HTTP/1.1\r\nX-A: b');
    expect(await get(`http://api.test:${port}/`)).toContain('200 OK');
    const closed = once(slow, 'close');
    await own.close();
    await closed;
  });
});

describe('the egress proxy: secrets', () => {
  const credentials = { credentials: ['bank-api'] };
  const placeholder = (): string => proxy?.env['CRED_BANK_API'] ?? '';

  it('puts the value in on the way to a declared host, and takes it out of the answer', async () => {
    await open(plain(), credentials);
    expect(placeholder()).toMatch(/^writ-ph-[0-9a-f]{32}$/);
    const got = await get(`http://api.test:${port}/echo`, `Authorization: Bearer ${placeholder()}\r\n`);
    expect(seen[0]?.headers.authorization).toBe(`Bearer ${SECRET}`);
    const rest = Buffer.from(SECRET).toString('base64').slice(-2);
    expect(got).toContain(`you sent Bearer «secret bank-api» and «secret bank-api»${rest}.`);
    expect(got).not.toContain(SECRET);
    expect(decisions).toMatchObject([{ verdict: 'allow', credentials: ['bank-api'] }]);
  });

  it('finds the placeholder in a Basic authorization', async () => {
    await open(plain(), credentials);
    const basic = Buffer.from(`me:${placeholder()}`).toString('base64');
    await get(`http://api.test:${port}/`, `Authorization: Basic ${basic}\r\n`);
    expect(seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`);
  });

  it('refuses a placeholder on its way to a host that it is not declared for', async () => {
    await open([...plain(), `other.test:${port}`], credentials);
    for (const more of [`Authorization: ${placeholder()}\r\n`, `Cookie: a=${placeholder()}\r\n`])
      expect(await get(`http://other.test:${port}/`, more)).toMatch(/^HTTP\/1.1 403 /);
    expect(await get(`http://other.test:${port}/?k=${placeholder()}`)).toMatch(/^HTTP\/1.1 403 /);
    expect(decisions.every(({ verdict }) => verdict === 'deny')).toBe(true);
    expect(seen).toHaveLength(0);
  });

  it('puts the value in over HTTPS, under an authority of this step alone', async () => {
    const own = await open(tls(), credentials);
    const client = await tunnel(`api.test:${securePort}`);
    if (client === null || own.authority === null) throw new Error('no tunnel');
    const secured = tlsConnect({ socket: client, servername: 'api.test', ca: [own.authority] });
    secured.write(
      `GET /echo HTTP/1.1\r\nHost: api.test:${securePort}\r\nAuthorization: Bearer ${placeholder()}\r\nConnection: close\r\n\r\n`,
    );
    const got = await read(secured);
    expect(seen[0]?.headers.authorization).toBe(`Bearer ${SECRET}`);
    expect(got).toContain('200 OK');
    expect(got).not.toContain(SECRET);
    expect(verdicts()).toEqual([`allow api.test:${securePort}`, `allow api.test:${securePort}`]);
  });

  describe('hole: a program made the proxy send a secret in clear', () => {
    const bearer = (): string => `Authorization: Bearer ${placeholder()}\r\n`;
    const refusal = /^HTTP\/1.1 403 [^]*a secret is not sent without TLS/;
    // The plain server stands where the HTTPS one should: whoever answers there would get the secret.
    const declared = (isPlain: boolean): Partial<EgressOptions> => ({
      declared: new Map([['bank-api', [{ host: `api.test:${port}`, isPlain }]]]),
      resolve: (name) => {
        asked.push(name);
        return Promise.resolve(names[name] ?? []);
      },
    });
    let asked: string[] = [];
    const inTunnel = async (more: string): Promise<string> => {
      const client = await tunnel(`api.test:${port}`);
      asked = [];
      client?.write(`GET / HTTP/1.1\r\nHost: api.test:${port}\r\n${more}Connection: close\r\n\r\n`);
      return client === null ? '' : read(client);
    };

    it('refuses it in an http request to a host declared for TLS, before anything is resolved', async () => {
      await open(plain(), credentials, declared(false));
      asked = [];
      const basic = Buffer.from(`me:${placeholder()}`).toString('base64');
      for (const more of [bearer(), `Authorization: Basic ${basic}\r\n`])
        expect(await get(`http://api.test:${port}/`, more)).toMatch(refusal);
      expect([asked, seen]).toEqual([[], []]);
      expect(new Set(verdicts())).toEqual(
        new Set([`deny api.test:${port}: a secret is not sent without TLS`]),
      );
      expect(decisions.flatMap((one) => one.credentials)).toEqual([]);
    });

    it('refuses it in a plain request inside a tunnel', async () => {
      await open(plain(), credentials, declared(false));
      expect(await inTunnel(bearer())).toMatch(refusal);
      expect([asked, seen]).toEqual([[], []]);
    });

    it('carries the same requests without a secret, and with one where the operator said http://', async () => {
      await open(plain(), credentials, declared(false));
      expect(await get(`http://api.test:${port}/`)).toContain('200 OK');
      expect(await inTunnel('')).toContain('200 OK');
      await proxy?.close();
      await open(plain(), credentials, declared(true));
      expect(await inTunnel(bearer())).toContain('200 OK');
      expect(seen.at(-1)?.headers.authorization).toBe(`Bearer ${SECRET}`);
    });
  });

  it('verifies the certificate of the host behind an intercepted tunnel', async () => {
    const own = await open(tls(), credentials, { ca: [(await makeAuthority(Date.now())).certificate] });
    const client = await tunnel(`api.test:${securePort}`);
    if (client === null || own.authority === null) throw new Error('no tunnel');
    const secured = tlsConnect({ socket: client, servername: 'api.test', ca: [own.authority] });
    secured.write(
      `GET / HTTP/1.1\r\nHost: api.test:${securePort}\r\nAuthorization: ${placeholder()}\r\nConnection: close\r\n\r\n`,
    );
    expect(await read(secured)).toMatch(/^HTTP\/1.1 502 /);
    expect(seen).toHaveLength(0);
  });

  it('refuses an answer that is compressed: nobody could look into it', async () => {
    await open(plain(), credentials);
    expect(await get(`http://api.test:${port}/packed`, 'Accept-Encoding: gzip\r\n')).toMatch(
      /^HTTP\/1.1 502 /,
    );
    expect(seen[0]?.headers['accept-encoding']).toBe('identity');
  });

  it('refuses a secret that nobody has declared for a host of the step, or that is not known', async () => {
    const proxies = openEgressProxies({
      resolve: () => Promise.resolve([]),
      secret: () => null,
      declared: new Map([['known', [{ host: 'api.test:443', isPlain: false }]]]),
      redact: (bytes) => bytes,
    });
    const egress = { hosts: ['api.test:443'], bytes: 1, requests: 1, record: () => Promise.resolve() };
    expect(() => {
      proxies.check({ ...egress, credentials: ['stranger'] });
    }).toThrow(/declared for no host/);
    expect(() => {
      proxies.check({ ...egress, credentials: ['known'] });
    }).toThrow(/is not known here/);
    await expect(
      proxies.open({ ...egress, credentials: ['known'] }, path.join(folder, 'never')),
    ).rejects.toThrow();
    expect(existsSync(path.join(folder, 'never'))).toBe(false);
  });
});

describe('the authority of a step', () => {
  it('signs for one name, and for an address', async () => {
    for (const [name, altName] of [
      ['api.test', 'DNS:api.test'],
      ['127.0.0.1', 'IP Address:127.0.0.1'],
    ] as const) {
      const context = await trusted.contextFor(name);
      const server = createPlainTlsServer({ SNICallback: (_, done) => done(null, context) });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port: at } = server.address() as AddressInfo;
      // No SNI names an address, so it is another name here: the certificate is checked for `name` all the same.
      const client = tlsConnect({
        ...{ host: '127.0.0.1', port: at, servername: 'any.test', ca: [trusted.certificate] },
        checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
      });
      await once(client, 'secureConnect');
      expect(client.getPeerCertificate().subjectaltname).toBe(altName);
      client.destroy();
      server.close();
    }
  });
});
