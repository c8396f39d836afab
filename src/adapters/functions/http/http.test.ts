// `tool::http_request` against real servers on this machine: what is sent, what comes back, and everything refused.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Digest, Json, JsonObject } from '../../../json.js';
import type { FunctionProvider, FunctionRequest } from '../../../runtime/ports.js';
import type { Resolve } from '../egress.js';
import { openHttpFunctions } from './http.js';
import type { HttpHost, HttpMethod } from './config.js';
import { targetOf } from '../egress.js';
import type { HeaderSource } from '../header-secret.js';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A server on loopback that remembers what it was asked. */
class Host {
  readonly seen: Seen[] = [];
  #server: Server | null = null;

  async open(handler: Handler): Promise<number> {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts).toString();
        const { method = '', url = '', headers } = request;
        this.seen.push({ method, url, headers, body });
        handler(request, response, body);
      });
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    if (this.#server?.close().listening === true) await once(this.#server, 'close');
  }
}

const open: Host[] = [];
afterEach(async () => {
  for (const host of open.splice(0)) await host.close();
});

async function serve(handler: Handler): Promise<{ readonly host: Host; readonly port: number }> {
  const host = new Host();
  open.push(host);
  return { host, port: await host.open(handler) };
}

interface Listing {
  readonly methods?: readonly HttpMethod[];
  readonly isPrivate?: boolean;
  readonly headers?: Readonly<Record<string, HeaderSource>>;
}

function listed(
  origin: string,
  { methods, isPrivate = true, headers = {} }: Listing = {},
): [string, HttpHost] {
  const url = new URL(origin);
  const all = methods ?? (['GET', 'HEAD', 'POST', 'PUT', 'DELETE'] as const);
  return [url.origin, { target: targetOf(url, isPrivate), methods: all, headers }];
}

const SECRET = 'Zq7-do-not-tell';
const secret = (name: string): Uint8Array | null => {
  if (name === 'two-lines') return Buffer.from('Zq7-x\nx: y');
  return name === 'claims' ? Buffer.from(SECRET) : null;
};
const digestOf = (value: Json): Digest =>
  `sha256:${createHash('sha256').update(JSON.stringify(value)).digest('hex')}` as Digest;
const quickBrotli = (data: string | Buffer): Buffer =>
  brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
const everyNameIsLoopback: Resolve = () => Promise.resolve(['127.0.0.1']);

function provider(
  hosts: readonly [string, HttpHost][],
  resolve: Resolve = everyNameIsLoopback,
): FunctionProvider {
  return openHttpFunctions({ hosts: new Map(hosts), secret, digestOf, resolve });
}

const request = (input: Json): FunctionRequest => ({
  functionId: 'tool::http_request',
  input,
  run: 'run_1',
  stepPath: 'call',
  agent: null,
  idempotencyKey: 'key-1',
  timeoutMs: 60_000,
});
const never = new AbortController().signal;

async function call(from: FunctionProvider, input: Json, signal = never): Promise<JsonObject> {
  return (await from.invoke(request(input), signal)) as JsonObject;
}

const hello: Handler = (_, response) => response.end('hello');

describe('an HTTP request', () => {
  it('gives status, headers and body, and the parsed body where it is JSON', async () => {
    const { host, port } = await serve((_, response) => {
      response.writeHead(201, {
        'content-type': 'application/json; charset=utf-8',
        'x-id': '7',
        'set-cookie': 'a=b',
      });
      response.end('{"ok":true,"name":"Zoë 🦊"}');
    });
    const url = `http://localhost:${port}/claims?id=1#part`;
    const answer = await call(provider([listed(`http://localhost:${port}`)]), { url });
    expect(answer).toMatchObject({ status: 201, body: '{"ok":true,"name":"Zoë 🦊"}', truncated: false });
    expect(answer['json']).toEqual({ ok: true, name: 'Zoë 🦊' });
    expect(answer['headers']).toMatchObject({ 'x-id': '7' });
    expect(answer['headers']).not.toHaveProperty('set-cookie');
    expect(host.seen).toMatchObject([
      { method: 'GET', url: '/claims?id=1', headers: { host: `localhost:${port}` } },
    ]);
    expect(host.seen[0]?.headers).not.toHaveProperty('idempotency-key');
  });

  it('sends a JSON body as JSON and text as it is, with the idempotency key of the attempt', async () => {
    const { host, port } = await serve(hello);
    const from = provider([listed(`http://localhost:${port}`)]);
    await call(from, { url: `http://localhost:${port}/`, body: { amount: 7 }, headers: { 'X-Trace': 'é' } });
    await call(from, { url: `http://localhost:${port}/`, method: 'PUT', body: 'plain' });
    expect(host.seen).toMatchObject([
      {
        method: 'POST',
        body: '{"amount":7}',
        headers: { 'content-type': 'application/json', 'x-trace': 'é' },
      },
      { method: 'PUT', body: 'plain', headers: { 'idempotency-key': 'key-1' } },
    ]);
    expect(host.seen[1]?.headers).not.toHaveProperty('content-type');
  });

  it('gives any status as an answer', async () => {
    const { port } = await serve((_, response) => response.writeHead(503).end('busy'));
    const answer = await call(provider([listed(`http://localhost:${port}`)]), {
      url: `http://localhost:${port}/`,
    });
    expect(answer).toMatchObject({ status: 503, body: 'busy', json: null });
  });

  it.each<[number, readonly Json[], string | undefined, string | null, number | undefined]>([
    [429, [429, 503], '30', 'FUNCTION_TEMPORARY', 30_000],
    [503, ['5xx'], undefined, 'FUNCTION_TEMPORARY', 0],
    [404, ['4xx'], '30', 'FUNCTION_FAILED', undefined],
    [204, [204], undefined, 'FUNCTION_FAILED', undefined],
    [429, ['5xx', 400], '30', null, undefined],
    [429, [], '30', null, undefined],
  ])('that gets %d with failOn %j and Retry-After %s is %s', async (status, failOn, after, code, ms) => {
    const { port } = await serve((_, response) =>
      response.writeHead(status, after === undefined ? {} : { 'retry-after': after }).end(),
    );
    const asked = call(provider([listed(`http://localhost:${port}`)]), {
      url: `http://localhost:${port}/`,
      failOn,
    });
    if (code === null) expect(await asked).toMatchObject({ status });
    else {
      const message = `localhost:${port} answered ${status}, which failOn lists`;
      const details = ms === undefined ? undefined : { retryAfterMs: ms };
      await expect(asked).rejects.toMatchObject({ code, message, details });
    }
  });

  it('sends configured secrets, names them in its reach, and shows them to nobody', async () => {
    const { host, port } = await serve(hello);
    const headers = { authorization: { secret: 'claims', prefix: 'Bearer ' }, 'x-team': 'claims' };
    const from = provider([listed(`http://localhost:${port}`, { headers })]);
    const input = { url: `http://localhost:${port}/` };
    expect(await from.reach?.('tool::http_request', input, null)).toEqual({
      network: [`localhost:${port}`],
      credentials: ['claims'],
      tools: [],
      definition: expect.stringMatching(/^sha256:/) as string,
    });
    expect(JSON.stringify(await call(from, input))).not.toContain(SECRET);
    expect(host.seen[0]?.headers).toMatchObject({ authorization: `Bearer ${SECRET}`, 'x-team': 'claims' });
  });

  it('leaves out the body of HEAD', async () => {
    const { port } = await serve((_, response) => response.end('not seen'));
    const answer = await call(provider([listed(`http://localhost:${port}`)]), {
      url: `http://localhost:${port}/`,
      method: 'HEAD',
    });
    expect(answer).toMatchObject({ status: 200, body: '' });
  });
});

describe('a body', () => {
  const bodyOf = async (handler: Handler, input: JsonObject = {}): Promise<JsonObject> => {
    const { port } = await serve(handler);
    return call(provider([listed(`http://localhost:${port}`)]), {
      url: `http://localhost:${port}/`,
      ...input,
    });
  };

  it.each([9, 10, 11])('of 10 bytes is whole under a limit of %i or cut there', async (maxBytes) => {
    const answer = await bodyOf((_, response) => response.end('0123456789'), { maxBytes });
    expect(answer).toMatchObject({ body: '0123456789'.slice(0, maxBytes), truncated: maxBytes < 10 });
  });

  it('is cut between characters, and cut JSON is not parsed', async () => {
    const json: Handler = (_, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end('["🦊"]');
    expect(await bodyOf(json, { maxBytes: 4 })).toMatchObject({ body: '["', json: null, truncated: true });
  });

  it.each([
    ['gzip', gzipSync],
    ['br', quickBrotli],
  ] as const)('compressed with %s is decompressed', async (encoding, compress) => {
    const text = 'claims '.repeat(1000);
    const answer = await bodyOf((_, response) =>
      response.writeHead(200, { 'content-encoding': encoding }).end(compress(text)),
    );
    expect(answer).toMatchObject({ body: text, truncated: false });
  });

  it.each([
    ['gzip', gzipSync],
    ['br', quickBrotli],
  ] as const)('that %s blows up is cut at the limit', async (encoding, compress) => {
    const bomb = compress(Buffer.alloc(64 * 1024 * 1024));
    const answer = await bodyOf(
      (_, response) => response.writeHead(200, { 'content-encoding': encoding }).end(bomb),
      { maxBytes: 1000 },
    );
    expect(answer).toMatchObject({ truncated: true });
    expect(answer['body']).toHaveLength(1000);
  });

  it('that decodes to nothing and never ends is cut off', async () => {
    const empty = gzipSync('');
    const endless: Handler = (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      const write = (): void => {
        while (!response.destroyed && response.write(Buffer.concat(Array<Buffer>(500).fill(empty)))) continue;
      };
      response.on('drain', write);
      write();
    };
    await expect(bodyOf(endless, { maxBytes: 1000 })).resolves.toMatchObject({ body: '' });
  });

  it.each(['deflate', 'zstd', 'gzip, gzip', 'compress'])(
    'in an encoding nobody asked for (%s) is refused',
    async (e) => {
      const answer = bodyOf((_, response) => response.writeHead(200, { 'content-encoding': e }).end('x'));
      await expect(answer).rejects.toMatchObject({ code: 'FUNCTION_FAILED' });
    },
  );

  it('that is broken gzip is a failure', async () => {
    const answer = bodyOf((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('not gzip'),
    );
    await expect(answer).rejects.toMatchObject({ code: 'FUNCTION_FAILED' });
  });

  it('in another charset is decoded, and bytes that are no text are an error without the bytes', async () => {
    const latin: Handler = (_, response) =>
      response.writeHead(200, { 'content-type': 'text/plain; charset=iso-8859-1' }).end(Buffer.from([0xe9]));
    expect(await bodyOf(latin)).toMatchObject({ body: 'é' });
    const binary = bodyOf((_, response) => response.end(Buffer.from([0xff, 0xfe, 0x00])));
    await expect(binary).rejects.toMatchObject({ code: 'STEP_OUTPUT_INVALID' });
    const unknown: Handler = (_, response) =>
      response.writeHead(200, { 'content-type': 'text/plain; charset=no-such' }).end('x');
    await expect(bodyOf(unknown)).rejects.toMatchObject({ code: 'STEP_OUTPUT_INVALID' });
  });

  it('that claims to be JSON and is not has no parsed form', async () => {
    const handler: Handler = (_, response) =>
      response.writeHead(200, { 'content-type': 'application/problem+json' }).end('{');
    expect(await bodyOf(handler)).toMatchObject({ body: '{', json: null });
  });

  it('that never comes whole ends with the time limit', async () => {
    const slow: Handler = (_, response) => {
      response.writeHead(200);
      response.write('first');
    };
    await expect(bodyOf(slow, { timeoutMs: 200 })).rejects.toMatchObject({ code: 'STEP_TIMEOUT' });
  });

  it('stops when the call is aborted', async () => {
    const stop = new AbortController();
    const { port } = await serve((_, response) => {
      response.writeHead(200);
      response.write('first', () => {
        stop.abort();
      });
    });
    const from = provider([listed(`http://localhost:${port}`)]);
    await expect(call(from, { url: `http://localhost:${port}/` }, stop.signal)).rejects.toThrow();
  });
});

describe('a redirect', () => {
  const path = (request: IncomingMessage): string => request.url ?? '';

  it('inside the origin is followed, POST becoming GET where HTTP says so', async () => {
    const { host, port } = await serve((request, response) => {
      if (path(request) === '/a') response.writeHead(302, { location: '/b?x=1' }).end('gone');
      else response.end('here');
    });
    const from = provider([listed(`http://localhost:${port}`)]);
    expect(await call(from, { url: `http://localhost:${port}/a`, body: 'x' })).toMatchObject({
      body: 'here',
    });
    expect(host.seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['POST', '/a', 'x'],
      ['GET', '/b?x=1', ''],
    ]);
  });

  it('of 307 keeps method and body', async () => {
    const { host, port } = await serve((request, response) => {
      if (path(request) === '/a') response.writeHead(307, { location: '/b' }).end();
      else response.end();
    });
    await call(provider([listed(`http://localhost:${port}`)]), {
      url: `http://localhost:${port}/a`,
      body: 'x',
    });
    expect(host.seen[1]).toMatchObject({ method: 'POST', body: 'x' });
  });

  it('is followed three times and no fourth', async () => {
    const { host, port } = await serve((request, response) => {
      const n = Number(path(request).slice(1));
      if (n < 4) response.writeHead(302, { location: `/${n + 1}` }).end();
      else response.end('end');
    });
    const from = provider([listed(`http://localhost:${port}`)]);
    expect(await call(from, { url: `http://localhost:${port}/1` })).toMatchObject({ body: 'end' });
    host.seen.length = 0;
    await expect(call(from, { url: `http://localhost:${port}/0` })).rejects.toMatchObject({
      code: 'FUNCTION_FAILED',
    });
    expect(host.seen).toHaveLength(4);
  });

  it('to a method that is not listed is refused', async () => {
    const { host, port } = await serve((_, response) => response.writeHead(303, { location: '/b' }).end());
    const from = provider([listed(`http://localhost:${port}`, { methods: ['POST'] })]);
    await expect(call(from, { url: `http://localhost:${port}/a`, body: 'x' })).rejects.toMatchObject({
      code: 'POLICY_TOOL_DENIED',
    });
    expect(host.seen).toHaveLength(1);
  });

  it('to anywhere else is not followed, another listed host included', async () => {
    const other = await serve(hello);
    let location = '';
    const { port } = await serve((_, response) => response.writeHead(302, { location }).end());
    const from = provider([listed(`http://localhost:${port}`), listed(`http://localhost:${other.port}`)]);
    const elsewhere = [
      `http://localhost:${other.port}/`,
      `//localhost:${other.port}/`,
      `http://user@localhost:${port}/`,
      `https://localhost:${port}/`,
      `http://127.0.0.1:${port}/`,
      'http://169.254.169.254/latest/meta-data/',
      'file:///etc/passwd',
      'javascript:1',
      'http://',
      '',
    ];
    for (location of elsewhere) {
      await expect(call(from, { url: `http://localhost:${port}/` }), location).rejects.toMatchObject({
        code: 'FUNCTION_FAILED',
      });
    }
    expect(other.host.seen).toEqual([]);
  });
});

describe('a host', () => {
  it('that is not listed is refused before anything is looked up', async () => {
    let lookups = 0;
    const resolve: Resolve = () => {
      lookups++;
      return Promise.resolve(['127.0.0.1']);
    };
    const from = provider([listed('https://api.bank.example')], resolve);
    const urls = ['https://evil.example/', 'http://api.bank.example/', 'https://api.bank.example:8443/'];
    urls.push(
      'https://api.bank.example./',
      'https://api.bank.example.evil.example/',
      'https://xapi.bank.example/',
    );
    for (const url of urls) {
      await expect(call(from, { url }), url).rejects.toMatchObject({
        code: 'POLICY_TOOL_DENIED',
        kind: 'refusal',
      });
      await expect(from.reach?.('tool::http_request', { url }, null), url).rejects.toMatchObject({
        code: 'POLICY_TOOL_DENIED',
      });
    }
    expect(lookups).toBe(0);
  });

  it('is missing altogether where nothing is configured', async () => {
    const from = openHttpFunctions({ hosts: null, secret, digestOf });
    await expect(
      from.reach?.('tool::http_request', { url: 'https://a.example/' }, null),
    ).rejects.toMatchObject({
      code: 'FUNCTION_UNAVAILABLE',
    });
  });

  it.each(['absent', 'two-lines'])(
    'whose secret is %s is unavailable before anything is sent',
    async (name) => {
      const { host, port } = await serve(hello);
      const from = provider([
        listed(`http://localhost:${port}`, { headers: { authorization: { secret: name } } }),
      ]);
      const input = { url: `http://localhost:${port}/` };
      await expect(from.reach?.('tool::http_request', input, null)).rejects.toMatchObject({
        code: 'FUNCTION_UNAVAILABLE',
      });
      await expect(call(from, input)).rejects.toMatchObject({ code: 'FUNCTION_UNAVAILABLE' });
      expect(host.seen).toEqual([]);
    },
  );

  it('that is in a private network is refused unless it is listed as such', async () => {
    const { host, port } = await serve(hello);
    const from = provider([listed(`http://api.bank.example:${port}`, { isPrivate: false })]);
    const input = { url: `http://api.bank.example:${port}/` };
    await expect(call(from, input)).rejects.toMatchObject({ code: 'POLICY_TOOL_DENIED' });
    expect(host.seen).toEqual([]);
    const inside = provider([listed(`http://api.bank.example:${port}`)]);
    expect(await call(inside, input)).toMatchObject({ body: 'hello' });
  });

  it('of which one address is private and another public is refused', async () => {
    const { host, port } = await serve(hello);
    const resolve: Resolve = () => Promise.resolve(['93.184.216.34', '127.0.0.1']);
    const from = provider([listed(`http://api.bank.example:${port}`, { isPrivate: false })], resolve);
    await expect(call(from, { url: `http://api.bank.example:${port}/` })).rejects.toMatchObject({
      code: 'POLICY_TOOL_DENIED',
    });
    expect(host.seen).toEqual([]);
  });

  it.each(['169.254.169.254', '0.0.0.0', 'fe80::1', '::ffff:127.0.0.1', 'fd00:ec2::254', '168.63.129.16'])(
    'with the address %s is refused even where private ones are allowed',
    async (address) => {
      const from = provider([listed('http://meta.bank.example')], () => Promise.resolve([address]));
      await expect(call(from, { url: 'http://meta.bank.example/' })).rejects.toMatchObject({
        code: 'POLICY_TOOL_DENIED',
      });
    },
  );

  it('is looked up once, and its address stays what was judged when the name is bound anew', async () => {
    const { host, port } = await serve((request, response) => {
      // Every answer ends its connection, so that the redirect needs another one.
      response.setHeader('connection', 'close');
      if (request.url === '/a') response.writeHead(302, { location: '/b' }).end();
      else response.end('same');
    });
    const answers = [['127.0.0.1'], ['169.254.169.254'], ['10.0.0.1']];
    let lookups = 0;
    const rebinding: Resolve = () => Promise.resolve(answers[lookups++] ?? []);
    const from = provider([listed(`http://api.bank.example:${port}`)], rebinding);
    expect(await call(from, { url: `http://api.bank.example:${port}/a` })).toMatchObject({ body: 'same' });
    expect(lookups).toBe(1);
    expect(host.seen).toHaveLength(2);
    // The next call looks again, and is refused for what it finds.
    await expect(call(from, { url: `http://api.bank.example:${port}/a` })).rejects.toMatchObject({
      code: 'POLICY_TOOL_DENIED',
    });
    expect(host.seen).toHaveLength(2);
  });

  it('that nobody answers at, or that has no name, is a temporary or plain failure', async () => {
    const { host, port } = await serve(hello);
    await host.close();
    const from = provider([listed(`http://localhost:${port}`)]);
    await expect(call(from, { url: `http://localhost:${port}/` })).rejects.toMatchObject({
      code: 'FUNCTION_TEMPORARY',
      kind: 'failure',
    });
    const nameless = provider([listed('http://gone.example')], () => Promise.resolve([]));
    await expect(call(nameless, { url: 'http://gone.example/' })).rejects.toMatchObject({
      code: 'FUNCTION_FAILED',
    });
    const unresolved =
      (code: string): Resolve =>
      () =>
        Promise.reject(Object.assign(new Error('x'), { code }));
    for (const [said, code] of [
      ['EAI_AGAIN', 'FUNCTION_TEMPORARY'],
      ['ENOTFOUND', 'FUNCTION_FAILED'],
    ] as const) {
      const asked = provider([listed('http://gone.example')], unresolved(said));
      await expect(call(asked, { url: 'http://gone.example/' })).rejects.toMatchObject({ code });
    }
  });

  it('that speaks TLS under no trusted certificate is never talked to', async () => {
    const { port } = await serve(hello);
    const from = provider([listed(`https://localhost:${port}`)]);
    await expect(call(from, { url: `https://localhost:${port}/` })).rejects.toMatchObject({
      kind: 'failure',
    });
  });
});

describe('a malformed request', () => {
  const from = provider([listed('https://api.bank.example', { headers: { 'x-team': 'claims' } })]);
  const url = 'https://api.bank.example/';
  const inputs: Record<string, Json> = {
    'that is no object': 'https://api.bank.example/',
    'without url': {},
    'with an unknown field': { url, methd: 'GET' },
    'with a method that does not exist': { url, method: 'TRACE' },
    'with a method in lower case': { url, method: 'get' },
    'with a relative url': { url: '/claims' },
    'with a user name': { url: 'https://alice@api.bank.example/' },
    'with a password': { url: 'https://:pw@api.bank.example/' },
    'with another scheme': { url: 'file:///etc/passwd' },
    'with a line end in the url': { url: 'https://api.bank.example/\r\nHost: evil' },
    'with a tab in the url': { url: 'https://api.bank\t.example/' },
    'with a body of GET': { url, method: 'GET', body: 'x' },
    'with a header that is no token': { url, headers: { 'x y': '1' } },
    'with a line end in a header name': { url, headers: { 'x\r\ny': '1' } },
    'with a line end in a header value': { url, headers: { x: '1\r\ny: 2' } },
    'with NUL in a header value': { url, headers: { x: '1\0' } },
    'with a header value beyond Latin-1': { url, headers: { x: '🦊' } },
    'with a header twice': { url, headers: { X: '1', x: '2' } },
    'with a header that is configured': { url, headers: { 'X-Team': 'other' } },
    'with maxBytes 0': { url, maxBytes: 0 },
    'with maxBytes above the largest': { url, maxBytes: 1_048_577 },
    'with timeoutMs 0': { url, timeoutMs: 0 },
  };
  const refused = [
    'Host',
    'content-length',
    'Connection',
    'keep-alive',
    'TE',
    'trailer',
    'Transfer-Encoding',
  ];
  refused.push('upgrade', 'proxy-authorization', 'Proxy-Connection', 'Authorization', 'cookie', 'expect');
  refused.push('accept-encoding', 'X-HTTP-Method-Override');
  for (const name of refused) inputs[`with the header ${name}`] = { url, headers: { [name]: 'x' } };

  it.each(Object.entries(inputs))('%s is refused before anything is sent', async (_, input) => {
    const invalid = { code: 'FUNCTION_REQUEST_INVALID' };
    await expect(from.reach?.('tool::http_request', input, null)).rejects.toMatchObject(invalid);
    await expect(call(from, input)).rejects.toMatchObject(invalid);
  });
});

describe('no spelling of a private address', () => {
  const spell = (v4: readonly [number, number, number, number], way: number): string => {
    const [a, b, c, d] = v4;
    const whole = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    const octal = v4.map((byte) => `0${byte.toString(8)}`).join('.');
    const hex = v4.map((byte) => `0x${byte.toString(16).toUpperCase()}`).join('.');
    const group = (high: number, low: number): string => ((high << 8) | low).toString(16);
    const wide = [...v4.join('.')].map((sign) =>
      sign === '.' ? '。' : String.fromCodePoint(0xff10 + Number(sign)),
    );
    return [
      v4.join('.'),
      String(whole),
      `0x${whole.toString(16)}`,
      `0${whole.toString(8)}`,
      octal,
      hex,
      `${a}.${(b << 16) | (c << 8) | d}`,
      `${a}.${b}.${(c << 8) | d}`,
      `${v4.join('.')}.`,
      wide.join(''),
      `[::ffff:${v4.join('.')}]`,
      `[::FFFF:${group(a, b)}:${group(c, d)}]`,
      `[0:0:0:0:0:ffff:${group(a, b)}:${group(c, d)}]`,
      `[::${group(a, b)}:${group(c, d)}]`,
      `[64:ff9b::${group(a, b)}:${group(c, d)}]`,
      `[2002:${group(a, b)}:${group(c, d)}::1]`,
      `%3${v4.join('.').slice(0)}`,
    ][way] as string;
  };

  it('gets through, listed or not, unless the list says private', async () => {
    const { host, port } = await serve(hello);
    const byte = fc.integer({ min: 0, max: 255 });
    const address = fc.oneof(
      fc.constant([127, 0, 0, 1] as const),
      fc.tuple(fc.constantFrom(10, 127, 0), byte, byte, byte),
      fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
      fc.tuple(fc.constant(192), fc.constant(168), byte, byte),
      fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), byte, byte),
      fc.tuple(fc.constant(100), fc.integer({ min: 64, max: 127 }), byte, byte),
    );
    await fc.assert(
      fc.asyncProperty(address, fc.integer({ min: 0, max: 16 }), async (v4, way) => {
        const url = `http://${spell(v4, way)}:${port}/`;
        const unlisted = provider([listed('https://api.bank.example')]);
        await expect(call(unlisted, { url }), url).rejects.toMatchObject({
          code: expect.stringMatching(/^(?:POLICY_TOOL_DENIED|FUNCTION_REQUEST_INVALID)$/) as string,
        });
        if (!URL.canParse(url)) return;
        // Listed, as the URL parser writes it, but not as private.
        const from = provider([listed(new URL(url).origin, { isPrivate: false })]);
        await expect(call(from, { url }), url).rejects.toMatchObject({ code: 'POLICY_TOOL_DENIED' });
      }),
      { numRuns: 300 },
    );
    expect(host.seen).toEqual([]);
  });

  it.each(['LOCALHOST', 'Localhost', 'localhost.', 'ⓛocalhost', 'loc\u00adalhost'])(
    'such as the name %s gets through',
    async (name) => {
      const { host, port } = await serve(hello);
      const url = `http://${name}:${port}/`;
      const from = provider([listed(new URL(url).origin, { isPrivate: false })]);
      await expect(call(from, { url })).rejects.toMatchObject({ code: 'POLICY_TOOL_DENIED' });
      expect(host.seen).toEqual([]);
    },
  );
});
