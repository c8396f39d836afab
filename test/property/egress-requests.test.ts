// Whatever bytes a program sends to its proxy: what arrives at a host is whole requests for that host, each of them decided
// and recorded before, with a secret in header values for its own host and nowhere else. The hosts are raw listeners on
// loopback; the bytes are made of the words in which HTTP is misread.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEgressProxies } from '../../src/adapters/egress/index.js';
import type { EgressDecision } from '../../src/runtime/ports.js';

const SECRET = 'sk-Live-0123456789abcDEF';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
/** Stand for what is known once a proxy is open. */
const [OWN, OTHER, PLACEHOLDER, BASIC] = ['<own>', '<other>', '<placeholder>', '<basic>'];

const METHODS = [
  ...Array<string>(8).fill('GET'),
  ...Array<string>(8).fill('POST'),
  'PUT',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'PRI',
  'get',
  'G\tET',
];
const TARGETS = [
  ...Array<string>(6).fill(`http://${OWN}/`),
  ...Array<string>(6).fill(`http://${OTHER}/`),
  ...[
    `http://${OWN}/`,
    `http://${OTHER}/`,
    `http://${OWN}/${PLACEHOLDER}`,
    `http://${OTHER}/?k=${PLACEHOLDER}`,
  ],
  ...[
    OWN,
    OTHER,
    '/',
    '*',
    'http://evil.test/',
    `http://${OWN}@evil.test/`,
    `http://${OWN}/a b`,
    `http://${OTHER}/%0d%0aX:1`,
  ],
];
const VERSIONS = [...Array<string>(12).fill('HTTP/1.1'), 'HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'http/1.1'];
const NAMES = [
  ...Array<string>(8).fill('X-A'),
  ...Array<string>(6).fill('Authorization'),
  ...[
    'Host',
    'Content-Length',
    'Transfer-Encoding',
    'transfer-encoding',
    'Connection',
    'Authorization',
    'Cookie',
    'X-A',
  ],
  ...[
    'Upgrade',
    'Expect',
    'TE',
    'Trailer',
    'Content_Length',
    'Proxy-Connection',
    'Range',
    'Host ',
    'Content-Length\t',
  ],
];
const VALUES = [
  ...[
    '0',
    '5',
    '+5',
    '5, 5',
    '0x5',
    '99999999999999999999',
    'chunked',
    'identity',
    'gzip, chunked',
    'chunked, chunked',
  ],
  ...[
    OWN,
    OTHER,
    'evil.test',
    'close',
    'keep-alive',
    'close, authorization',
    'websocket',
    '100-continue',
    'trailers',
    '',
  ],
  ...[
    `Bearer ${PLACEHOLDER}`,
    `Basic ${BASIC}`,
    `x${PLACEHOLDER}${PLACEHOLDER}`,
    'a\u000bb',
    '\u0000',
    '\u00ff\u00fe',
  ],
];
const BODIES = [
  ...[
    '',
    '',
    'hello',
    '0\r\n\r\n',
    '5\r\nhello\r\n0\r\n\r\n',
    '5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\n',
    '-1\r\n',
  ],
  ...['5\r\nhelloXX0\r\n\r\n', 'ffffffffffffffff\r\n', '5 \r\nhello\r\n0\r\n\r\n', PLACEHOLDER],
  ...['GET http://evil.test/ HTTP/1.1\r\n\r\n', `GET /smuggled HTTP/1.1\r\nHost: ${OTHER}\r\n\r\n`],
];
const end = fc.constantFrom(...Array<string>(60).fill('\r\n'), '\n', '\r', '\n\r\n');
const line = fc
  .tuple(fc.constantFrom(...NAMES), fc.constantFrom(':', ': ', ' : '), fc.constantFrom(...VALUES), end)
  .map((parts) => parts.join(''));
const message = fc
  .tuple(fc.constantFrom(...METHODS), fc.constantFrom(...TARGETS), fc.constantFrom(...VERSIONS), end)
  .chain(([method, target, version, eol]) =>
    fc
      .tuple(fc.array(line, { maxLength: 4 }), end, fc.constantFrom(...BODIES))
      .map(([lines, last, body]) => `${method} ${target} ${version}${eol}${lines.join('')}${last}${body}`),
  );
const connection = fc.record({
  text: fc.array(message, { minLength: 1, maxLength: 3 }).map((all) => all.join('')),
  cutAt: fc.nat({ max: 200 }),
});

describe('requests to the egress proxy, of whatever bytes', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'writ-er-'));
  let arrived: { readonly at: number; text: string }[] = [];
  const hosts: Server[] = [];
  let names: readonly string[] = [];
  let count = 0;

  beforeAll(async () => {
    for (const at of [0, 1]) {
      const host = createServer((client) => {
        const one = { at, text: '' };
        arrived.push(one);
        client
          .on('error', () => undefined)
          .on('data', (chunk) => {
            one.text += chunk.toString('latin1');
            // Until what follows the headers has come as well.
            if (one.text.includes('\r\n\r\n')) setImmediate(() => client.end(OK));
          });
      }).listen(0, '127.0.0.1');
      await once(host, 'listening');
      hosts.push(host);
    }
    names = hosts.map((host, at) => `${['own', 'other'][at]}.test:${(host.address() as AddressInfo).port}`);
  });
  afterAll(() => {
    for (const host of hosts) host.close();
    rmSync(folder, { recursive: true });
  });

  it('reach a host as one request each, its own, and decided before', async () => {
    let passed = 0;
    const property = fc.asyncProperty(
      fc.array(connection, { minLength: 8, maxLength: 8 }),
      async (connections) => {
        arrived = [];
        const decisions: EgressDecision[] = [];
        const [own = '', other = ''] = names;
        const socket = path.join(folder, `p${count++}.sock`);
        const proxies = openEgressProxies({
          resolve: (name) => Promise.resolve(/^(?:own|other)\.test$/.test(name) ? ['127.0.0.1'] : []),
          secret: () => Buffer.from(SECRET),
          declared: new Map([['bank-api', [{ host: own, isPlain: true }]]]),
          redact: (bytes) =>
            Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll(SECRET, ''), 'latin1'),
          firstBytesMs: 250,
        });
        const addresses = names.map((name) => `127.0.0.1:${name.split(':')[1] ?? ''}`);
        const proxy = await proxies.open(
          {
            hosts: [...names, ...addresses],
            credentials: ['bank-api'],
            bytes: 1024 * 1024,
            requests: 100,
            record: (decision) => {
              decisions.push(decision);
              return Promise.resolve();
            },
          },
          socket,
        );
        const placeholder = proxy.env['CRED_BANK_API'] ?? '';
        const basic = Buffer.from(`u:${placeholder}`).toString('base64');
        const written = (text: string): string =>
          text
            .replaceAll(OWN, own)
            .replaceAll(OTHER, other)
            .replaceAll(PLACEHOLDER, placeholder)
            .replaceAll(BASIC, basic);
        try {
          const answers = await Promise.all(
            connections.map(({ text, cutAt }) => said(socket, written(text), cutAt)),
          );
          for (const answer of answers) expect(answer).not.toContain(SECRET);
        } finally {
          await proxy.close();
        }
        expect(arrived.length).toBeLessThanOrEqual(
          decisions.filter(({ verdict }) => verdict === 'allow').length,
        );
        // A tunnel's own connection may carry nothing.
        for (const one of arrived.filter(({ text }) => text !== '')) {
          passed += 1;
          expectWhole(one.text, names[one.at] ?? '');
          const [head = '', body = ''] = halves(one.text);
          expect(body).not.toContain(SECRET);
          expect(head.split('\r\n')[0]).not.toContain(SECRET);
          if (one.at === 1) expect(one.text).not.toContain(SECRET);
          if (one.at === 1) expect(head).not.toContain(placeholder);
        }
      },
    );
    await fc.assert(property, { numRuns: 40, endOnFailure: true });
    // Control: it is not all refused. About one of each run passes; how many is chance.
    expect(passed).toBeGreaterThan(5);
  });
});

/** Sends `text` in two pieces, and reads until the other side closes. */
async function said(socket: string, text: string, cutAt: number): Promise<string> {
  const client = connect({ path: socket });
  let all = '';
  client.on('error', () => undefined).on('data', (chunk) => (all += chunk.toString('latin1')));
  client.write(text.slice(0, cutAt), 'latin1');
  setImmediate(() => client.end(text.slice(cutAt), 'latin1'));
  await once(client, 'close').catch(() => undefined);
  return all;
}

function halves(text: string): [string, string] {
  const at = text.indexOf('\r\n\r\n');
  return [text.slice(0, at), text.slice(at + 4)];
}

/** One request for `host`, as any server reads it; its body may have been cut off. */
function expectWhole(text: string, host: string): void {
  const [head, body] = halves(text);
  const [first, ...lines] = head.split('\r\n');
  expect(first).toMatch(/^[A-Z-]+ \/[!-~]* HTTP\/1\.1$/);
  for (const one of lines) expect(one).toMatch(/^[!-9;-~]+: [^\r\n\0]*$/);
  const of = (name: string): string[] => lines.filter((one) => one.toLowerCase().startsWith(`${name}:`));
  expect(of('host')).toEqual([`host: ${host}`]);
  expect(of('connection')).toEqual(['connection: close']);
  for (const name of ['upgrade', 'expect', 'te', 'trailer', 'proxy-connection']) expect(of(name)).toEqual([]);
  const [length] = of('content-length');
  const [encoding] = of('transfer-encoding');
  expect(of('content-length').length + of('transfer-encoding').length).toBeLessThanOrEqual(1);
  if (length !== undefined) expect(body.length).toBeLessThanOrEqual(Number(length.slice(15)));
  else if (encoding === undefined) expect(body).toBe('');
  else expectChunks(body);
}

/** Whole chunks, the last one perhaps cut, and nothing behind the end: their sizes say where the next one begins. */
function expectChunks(body: string): void {
  let rest = body;
  for (;;) {
    const [line, size = ''] = /^([1-9a-f][0-9a-f]*)\r\n/.exec(rest) ?? [];
    if (line === undefined) break;
    const end = line.length + Number.parseInt(size, 16);
    if (rest.length < end + 2) return;
    expect(rest.slice(end, end + 2)).toBe('\r\n');
    rest = rest.slice(end + 2);
  }
  expect(rest).toMatch(/^(?:0\r\n\r\n)?$/);
}
