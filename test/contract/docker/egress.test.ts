// The way out of a container, as a program in it meets it: an engine, a relay, our proxy, and hosts on loopback of this
// machine. A program sees one proxy and nothing else, and nothing of it is left when the step is over.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeAuthority } from '../../../src/adapters/egress/authority.js';
import { openEgressProxies } from '../../../src/adapters/egress/index.js';
import { openDockerDriver } from '../../../src/adapters/sandbox/docker/index.js';
import { openLocks } from '../../../src/adapters/store/locks.js';
import type { Digest } from '../../../src/json.js';
import type {
  EgressDecision,
  SandboxDriver,
  SandboxEgress,
  SandboxRequest,
  SandboxResult,
} from '../../../src/runtime/ports.js';
import { text } from '../sandbox.js';
import { imageProgram, images, installation, left, noEngine, SECCOMP, skipped } from './engine.js';

const SECRET = 'sk-live-0123456789abcdef';
const NAMES: Record<string, readonly string[]> = { 'api.test': ['127.0.0.1'], 'rebound.test': ['10.1.2.3'] };

/** Python that asks for one URL through the proxies of its environment, and prints what came. */
const FETCH = `
import sys, urllib.request
for url, *headers in [line.split(' | ') for line in sys.argv[1:]]:
    request = urllib.request.Request(url, headers=dict(h.split(': ', 1) for h in headers))
    try:
        print(urllib.request.urlopen(request, timeout=20).read().decode('latin-1'))
    except urllib.error.HTTPError as e:
        print('refused', e.code, e.headers.get('x-writ-egress'))
    except Exception as e:
        print('failed', type(e).__name__, e)
`;
/** Node that does the same over TLS, by hand: CONNECT, then a request that carries the placeholder. */
const OVER_TLS = `
const http = require('http'), tls = require('tls');
const [host, port] = process.argv[1].split(':');
const proxy = new URL(process.env.HTTPS_PROXY);
http.request({ host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: host + ':' + port })
  .on('connect', (_answer, socket) => {
    const secured = tls.connect({ socket, servername: host }, () => secured.write(
      'GET /echo HTTP/1.1\\r\\nHost: ' + host + ':' + port + '\\r\\nAuthorization: Bearer ' + process.env.CRED_BANK_API +
      '\\r\\nConnection: close\\r\\n\\r\\n'));
    secured.on('data', (chunk) => process.stdout.write(chunk)).on('error', (e) => console.log('failed', e.code));
  }).on('error', (e) => console.log('failed', e.code)).end();
`;

const isAboutEgress = (problem: string): boolean => problem.startsWith('a way out');

describe.skipIf(noEngine !== null)(`egress${skipped}`, () => {
  const here = installation();
  const seen: IncomingMessage[] = [];
  let decisions: EgressDecision[] = [];
  let driver: SandboxDriver;
  let ids: Record<'python' | 'node', Digest>;
  let plain: Server;
  let secure: Server;
  let other: Server;
  let [port, securePort, otherPort] = [0, 0, 0];

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    seen.push(request);
    if (request.url === '/echo') response.end(`you sent ${request.headers.authorization ?? 'nothing'}`);
    else if (request.url === '/flood') {
      response.write(Buffer.alloc(4 * 1024 * 1024));
      response.end();
    } else response.end('hello');
  };
  const portOf = (server: Server): number => (server.address() as AddressInfo).port;

  beforeAll(async () => {
    ids = images('python', 'node');
    const authority = await makeAuthority(Date.now());
    const context = await authority.contextFor('api.test');
    plain = createServer(answer).listen(0, '127.0.0.1');
    other = createServer(answer).listen(0, '0.0.0.0');
    secure = createTlsServer({ SNICallback: (_name, done) => done(null, context) }, answer).listen(
      0,
      '127.0.0.1',
    );
    await Promise.all([plain, other, secure].map((server) => once(server, 'listening')));
    [port, securePort, otherPort] = [portOf(plain), portOf(secure), portOf(other)];
    driver = openDockerDriver({
      locks: openLocks(here.home),
      installation: here.home,
      seccomp: () => Promise.resolve(readFileSync(SECCOMP, 'utf8')),
      egress: {
        relay: () => ({ kind: 'image', digest: ids.node, repository: null }),
        proxies: openEgressProxies({
          resolve: (name) => Promise.resolve(NAMES[name] ?? []),
          secret: () => Buffer.from(SECRET),
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
            Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll(SECRET, '<secret>'), 'latin1'),
          ca: [authority.certificate],
        }),
      },
    });
  });
  afterAll(async () => {
    await driver.close();
    for (const server of [plain, other, secure]) {
      server.closeAllConnections();
      server.close();
    }
  });
  afterEach(async () => {
    seen.length = 0;
    expect(await left(here.home)).toEqual([]);
    expect(folders().filter((name) => readdirSync(`${tmpdir()}/${name}`).length > 0)).toEqual([]);
  });

  it('tells before any step whether a way out is kept, and by what', async () => {
    const { ok, problems, evidence } = await driver.preflight();
    expect({ ok, problems: problems.filter(isAboutEgress) }).toEqual({ ok: true, problems: [] });
    expect(evidence['keptBy']).toMatchObject({ egress: expect.stringContaining(ids.node) as string });
  });

  it.each([
    ['docker.yaml names no image', null, /names no image for the relay/],
    ['the engine has no such image', `sha256:${'0'.repeat(64)}` as Digest, /image/],
  ])('tells that there is no way out where %s, and goes on without', async (_why, digest, problem) => {
    const without = openDockerDriver({
      locks: openLocks(here.home),
      installation: here.home,
      seccomp: () => Promise.resolve(readFileSync(SECCOMP, 'utf8')),
      egress: {
        relay: () => (digest === null ? null : { kind: 'image', digest, repository: null }),
        proxies: openEgressProxies({
          resolve: () => Promise.resolve([]),
          secret: () => null,
          declared: new Map(),
          redact: (bytes) => bytes,
        }),
      },
    });
    try {
      const { ok, problems: all, evidence } = await without.preflight();
      const problems = all.filter(isAboutEgress);
      expect(ok).toBe(true);
      expect(problems).toEqual([expect.stringMatching(/^a way out to listed hosts: /)]);
      expect(problems[0]).toMatch(problem);
      expect(evidence['keptBy']).not.toHaveProperty('egress');
    } finally {
      await without.close();
    }
  });

  const owner = createHash('sha256').update(here.home).digest('hex').slice(0, 8);
  const folders = (): string[] =>
    readdirSync(tmpdir()).filter((name) => name.startsWith(`writ-egress-${owner}-`));

  const egressTo = (hosts: readonly string[], change: Partial<SandboxEgress> = {}): SandboxEgress => ({
    hosts,
    credentials: [],
    bytes: 1024 * 1024,
    requests: 100,
    record: (decision) => {
      decisions.push(decision);
      return Promise.resolve();
    },
    ...change,
  });
  const request = (
    argv: readonly string[],
    egress: SandboxEgress,
    image: Digest = ids.python,
  ): SandboxRequest => ({
    argv,
    env: {},
    stdin: new Uint8Array(0),
    program: imageProgram(image),
    limits: driver.defaults,
    egress,
  });
  const run = (one: SandboxRequest): Promise<SandboxResult> => {
    decisions = [];
    return driver.run(one, new AbortController().signal);
  };
  const fetching = (egress: SandboxEgress, ...urls: readonly string[]): Promise<SandboxResult> =>
    run(request(['/usr/bin/python3', '-I', '-c', FETCH, ...urls], egress));
  const listed = (): string[] => [`api.test:${port}`, `127.0.0.1:${port}`];

  it('reaches what is listed, through the proxy, and nothing that is not', async () => {
    const egress = egressTo([...listed(), 'rebound.test:80']);
    const result = await fetching(
      egress,
      `http://api.test:${port}/`,
      `http://127.0.0.1:${otherPort}/`,
      'http://169.254.169.254/latest/meta-data/',
      'http://rebound.test/',
      `https://api.test:${securePort}/`,
    );
    expect(text(result.stderr)).toBe('');
    expect(text(result.stdout)).toMatch(
      /^hello\nrefused 403 refused\nrefused 403 refused\nrefused 403 refused\nfailed URLError .*403/,
    );
    expect(seen).toHaveLength(1);
    expect(decisions.map(({ host, verdict }) => `${verdict} ${host ?? ''}`)).toEqual([
      `allow api.test:${port}`,
      'deny unlisted',
      'deny unlisted',
      'deny rebound.test:80',
      'deny unlisted',
    ]);
    expect(result.evidence).toMatchObject({
      network: 'relay',
      pooled: false,
      egress: { requests: 5, refused: 4, hosts: { [`api.test:${port}`]: { requests: 1 } } },
    });
  });

  it('has no other way: no route, no name, no listener of this machine, no socket of ours', async () => {
    const script = `
import socket, os
for where in [('127.0.0.1', ${port}), ('192.0.2.1', 80)]:
    try:
        socket.create_connection(where, 2); print('ESC')
    except OSError as e: print(e.errno in (101, 111))
try:
    socket.getaddrinfo('api.test', 80); print('ESC')
except OSError: print(True)
print(open('/proc/net/route').read().count('\\n'), os.path.exists('/run/egress/p.sock'), os.listdir('/run'))
print(sorted(k for k in os.environ if 'PROXY' in k.upper()), 'END')
`;
    const result = await run(request(['/usr/bin/python3', '-I', '-c', script], egressTo(listed())));
    expect(text(result.stderr)).toBe('');
    expect(text(result.stdout)).toBe(
      "True\nTrue\nTrue\n1 False []\n['HTTPS_PROXY', 'HTTP_PROXY', 'http_proxy', 'https_proxy'] END\n",
    );
    expect(seen).toHaveLength(0);
  });

  it('a secret goes into its request, over HTTP and HTTPS, and never into the container', async () => {
    const egress = egressTo([...listed(), `api.test:${securePort}`, `127.0.0.1:${securePort}`], {
      credentials: ['bank-api'],
    });
    const script = `${FETCH}
import os
print(os.environ['CRED_BANK_API'], sorted(os.listdir('/run/egress-trust')))
`;
    const inEnv = await run(
      request(
        [
          'python3',
          '-c',
          script.replace(
            'h.split',
            "h.replace('PLACEHOLDER', __import__('os').environ['CRED_BANK_API']).split",
          ),
          `http://api.test:${port}/echo | Authorization: Bearer PLACEHOLDER`,
          `https://api.test:${securePort}/echo | Authorization: Bearer PLACEHOLDER`,
        ],
        egress,
      ),
    );
    expect(text(inEnv.stdout)).toMatch(
      /^you sent Bearer <secret>\nyou sent Bearer <secret>\nwrit-ph-[0-9a-f]{32} \['all.pem', 'own.pem'\]\n$/,
    );
    const overTls = await run(request(['node', '-e', OVER_TLS, `api.test:${securePort}`], egress, ids.node));
    expect(text(overTls.stdout)).toContain('you sent Bearer <secret>');
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(
      Array.from({ length: 3 }, () => `Bearer ${SECRET}`),
    );
    expect(JSON.stringify([inEnv.evidence, overTls.evidence])).not.toContain(SECRET);
  });

  it('hundreds of connections at once are served or closed, and the next one is served', async () => {
    const script = `
import threading, urllib.request
good = []
def get(_):
    try: good.append(urllib.request.urlopen('http://api.test:${port}/', timeout=30).read())
    except OSError: pass
for _ in range(4):
    batch = [threading.Thread(target=get, args=(i,)) for i in range(50)]
    for t in batch: t.start()
    for t in batch: t.join()
print(len(good) > 0, len(good) <= 200, urllib.request.urlopen('http://api.test:${port}/').read().decode())
`;
    const egress = egressTo(listed(), { requests: 500 });
    const result = await run(request(['/usr/bin/python3', '-I', '-c', script], egress));
    expect(text(result.stdout)).toBe('True True hello\n');
  });

  it('a budget ends the step, and says which', async () => {
    const bytes = await fetching(egressTo(listed(), { bytes: 100_000 }), `http://api.test:${port}/flood`);
    expect(bytes).toMatchObject({ status: 'output-limit', limitHit: 'egressBytes' });
    const urls = Array.from({ length: 5 }, () => `http://api.test:${port}/`);
    const requests = await fetching(egressTo(listed(), { requests: 2 }), ...urls);
    expect(requests).toMatchObject({ status: 'output-limit', limitHit: 'egressRequests' });
    expect(seen).toHaveLength(3);
    const unlisted = Array.from({ length: 101 }, () => 'http://evil.test/');
    const refused = await fetching(egressTo(listed(), { requests: 500 }), ...unlisted);
    expect(refused).toMatchObject({ status: 'output-limit', limitHit: 'egressRefused' });
    expect(refused.reason).toContain('was refused');
    expect(decisions).toHaveLength(100);
  });

  it('a decision that can not be recorded ends the step, and nothing is connected', async () => {
    const result = await fetching(
      egressTo(listed(), { record: () => Promise.reject(new Error('disk full')) }),
      `http://api.test:${port}/`,
    );
    expect(result).toMatchObject({ status: 'crashed', limitHit: null });
    expect(seen).toHaveLength(0);
  });

  it('is over within the time of any cancelled step, also with a tunnel open', async () => {
    const stop = new AbortController();
    const script = `
import socket, time
s = socket.create_connection(('127.0.0.1', 3128)); s.send(b'CONNECT api.test:${port} HTTP/1.1\\r\\n\\r\\n'); print(s.recv(99), flush=True); time.sleep(60)
`;
    const one = request(['/usr/bin/python3', '-I', '-c', script], egressTo(listed()));
    const result = await driver.run({ ...one, onOutput: () => stop.abort() }, stop.signal);
    expect(result.status).toBe('cancelled');
  });

  it('is refused where a ceiling wants no network, or nothing carries it', async () => {
    const one = request(['true'], egressTo(listed()));
    await expect(driver.prepare({ ...one, require: ['noNetwork'] })).rejects.toMatchObject({
      code: 'SANDBOX_UNSUPPORTED',
    });
    await expect(driver.prepare({ ...one, egress: egressTo([]) })).rejects.toMatchObject({
      code: 'SANDBOX_SPEC_INVALID',
    });
    await expect(
      driver.prepare({ ...one, egress: egressTo(listed(), { credentials: ['nobody'] }) }),
    ).rejects.toMatchObject({ code: 'SANDBOX_UNSUPPORTED' });
    const without = here.open();
    await expect(without.prepare(one)).rejects.toMatchObject({ code: 'SANDBOX_UNSUPPORTED' });
    await without.close();
  });

  it('kill -9 of the runner leaves no container and no socket after the next start', async () => {
    const before = folders();
    const child = spawn(
      process.execPath,
      [
        fileURLToPath(new URL('egress-runner.mjs', import.meta.url)),
        here.home,
        ids.python,
        ids.node,
        SECCOMP,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('running\n');
    expect((await left(here.home)).length).toBe(2);
    expect(folders().length).toBeGreaterThan(before.length);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    // With its own containers and folders in the way, the next runner removes what the dead one has left.
    const next = here.open();
    await next.preflight();
    await next.close();
    // Another runner of this installation may be at the same: the engine removes once.
    await expect.poll(() => left(here.home), { timeout: 30_000 }).toEqual([]);
    expect(folders().filter((name) => !before.includes(name))).toEqual([]);
  });
});
