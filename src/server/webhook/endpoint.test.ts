import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askEndpoint, endpointProblem } from './endpoint.js';

const LISTED = ['hooks.example.com', 'hooks.example.com:8443', '[2606:4700::1111]'];

/** Each is refused before anything is resolved or connected to, though the operator has listed the very host. */
const REFUSED = [
  'http://hooks.example.com/',
  'ftp://hooks.example.com/',
  'file:///etc/passwd',
  'gopher://hooks.example.com/',
  'data:text/plain,x',
  'javascript:alert(1)',
  'ws://hooks.example.com/',
  'hooks.example.com',
  '//hooks.example.com/',
  '',
  'https://',
  'https://user@hooks.example.com/',
  'https://user:pass@hooks.example.com/',
  'https://:pass@hooks.example.com/',
  'https://hooks.example.com/#fragment',
  'https://hooks.example.com./',
  'https://hooks.example.com:444/',
  'https://hooks.example.com:8444/',
  'https://other.example.com/',
  'https://hooks.example.com.evil.example/',
  'https://evil.example/?hooks.example.com',
  'https://hooks.example.com@evil.example/',
  'https://evil.example\\@hooks.example.com/',
  'https://localhost/',
  'https://LOCALHOST/',
  'https://localhost./',
  'https://a.localhost/',
  'https://printer.local/',
  'https://metadata.google.internal/',
  'https://db.internal/',
  'https://host.localdomain/',
  'https://127.0.0.1/',
  'https://127.1/',
  'https://127.255.255.254/',
  'https://2130706433/',
  'https://0x7f000001/',
  'https://0177.0.0.1/',
  'https://0x7f.1/',
  'https://\uff11\uff12\uff17.0.0.1/',
  'https://127\u30020\u30020\u30021/',
  'https://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/',
  'https://0.0.0.0/',
  'https://0/',
  'https://10.0.0.1/',
  'https://10.255.255.255/',
  'https://100.64.0.1/',
  'https://100.100.100.200/',
  'https://169.254.169.254/latest/meta-data/',
  'https://0xa9fea9fe/',
  'https://2852039166/',
  'https://172.16.0.1/',
  'https://172.31.255.255/',
  'https://192.0.0.192/',
  'https://192.0.2.1/',
  'https://192.88.99.1/',
  'https://192.168.0.1/',
  'https://198.18.0.1/',
  'https://198.51.100.1/',
  'https://203.0.113.1/',
  'https://224.0.0.1/',
  'https://240.0.0.1/',
  'https://255.255.255.255/',
  'https://[::]/',
  'https://[::1]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:169.254.169.254]/',
  'https://[::127.0.0.1]/',
  'https://[64:ff9b::a9fe:a9fe]/',
  'https://[64:ff9b:1::1]/',
  'https://[100::1]/',
  'https://[2001::1]/',
  'https://[2001:db8::1]/',
  'https://[2002:7f00:1::]/',
  'https://[fc00::1]/',
  'https://[fd00:ec2::254]/',
  'https://[fe80::1]/',
  'https://[fec0::1]/',
  'https://[ff02::1]/',
];

/** The parsed host of a URL, as an operator who wants it refused no more would list it. */
function hostOf(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { host, hostname } = new URL(url);
  return [host, hostname, `${hostname}:443`].filter((name) => /\d+\.\d+|\[|local|internal/u.test(name));
}

describe('an outgoing URL', () => {
  let connections = 0;
  let server: Server;
  let port = 0;

  beforeEach(async () => {
    connections = 0;
    server = createServer((socket) => {
      connections += 1;
      socket.on('error', () => undefined).resume();
      socket.end(
        'HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\nok',
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(async () => {
    server.close();
    await once(server, 'close');
  });

  const post = (
    url: string,
    over: Partial<Parameters<typeof askEndpoint>[1]> = {},
    asked: Partial<Parameters<typeof askEndpoint>[0]> = {},
  ) =>
    askEndpoint(
      {
        ...{ method: 'POST', url, headers: {}, body: Buffer.from('{}'), timeoutMs: 2_000 },
        signal: new AbortController().signal,
        ...asked,
      },
      {
        ...{ allowLoopback: false, hosts: [...LISTED, ...hostOf(url)] },
        resolve: async () => ['127.0.0.1'],
        ...over,
      },
    );

  it(`is refused in ${REFUSED.length} spellings, with 0 connections`, async () => {
    expect(REFUSED.length).toBeGreaterThanOrEqual(60);
    let asked = 0;
    for (const url of REFUSED) {
      const resolve = async (): Promise<string[]> => (asked++, ['127.0.0.1']);
      await expect(post(url, { resolve }), url).rejects.toMatchObject({ code: 'POLICY_TOOL_DENIED' });
    }
    expect([asked, connections]).toEqual([0, 0]);
  });

  it('with a listed name is refused when one of its addresses is not public (DNS that lies)', async () => {
    for (const addresses of [
      ['127.0.0.1'],
      ['93.184.216.34', '10.0.0.1'],
      ['::ffff:127.0.0.1'],
      ['fe80::1%eth0'],
      ['x'],
    ]) {
      const going = post(`https://hooks.example.com/`, { resolve: async () => addresses });
      await expect(going).rejects.toMatchObject({ code: 'POLICY_TOOL_DENIED' });
    }
    expect(connections).toBe(0);
  });

  it('is resolved once: what a second lookup would say does not matter (DNS rebinding)', async () => {
    let lookups = 0;
    const resolve = async (): Promise<string[]> => (lookups++ === 0 ? ['203.0.113.1'] : ['127.0.0.1']);
    await expect(post('https://hooks.example.com:8443/', { resolve })).rejects.toBeDefined();
    expect([lookups, connections]).toEqual([1, 0]);
  });

  it('is good when it is https, its host is listed, and every address is public', () => {
    for (const url of [
      'https://hooks.example.com/a?b=c',
      'https://hooks.example.com:8443/',
      'https://[2606:4700::1111]/',
    ]) {
      expect(endpointProblem(url, LISTED, false)).toBeNull();
    }
    expect(endpointProblem('https://anywhere.example.com/', null, false)).toBeNull();
  });

  it('on this host is allowed where the operator says so, and nothing else behind it', async () => {
    const url = `http://127.0.0.1:${port}/hook`;
    expect(await post(url, { allowLoopback: true })).toMatchObject({ status: 302, retryAfter: '7' });
    const short = await post(url, { allowLoopback: true }, { maxAnswerBytes: 1 });
    expect([Buffer.from(short.body).toString(), short.isCut]).toEqual(['o', true]);
    const whole = await post(url, { allowLoopback: true }, { maxAnswerBytes: 2 });
    expect([Buffer.from(whole.body).toString(), whole.isCut]).toEqual(['ok', false]);
    // The redirect was an answer: nobody followed it.
    expect(connections).toBe(3);
    await expect(post(url)).rejects.toMatchObject({ code: 'POLICY_TOOL_DENIED' });
    const elsewhere = { allowLoopback: true, resolve: async () => ['10.0.0.1'] };
    await expect(post(`http://localhost:${port}/`, elsewhere)).rejects.toMatchObject({
      code: 'POLICY_TOOL_DENIED',
    });
    for (const other of [
      'http://10.0.0.1/',
      'https://192.168.0.1/',
      'https://a.localhost/',
      'http://hooks.example.com/',
    ]) {
      await expect(post(other, { allowLoopback: true })).rejects.toMatchObject({
        code: 'POLICY_TOOL_DENIED',
      });
    }
    expect(connections).toBe(3);
  });
});
