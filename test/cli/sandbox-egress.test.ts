// `writ sandbox exec --egress`: a container reaches what a ceiling of the operator lists, each connection is in the log,
// and a secret never comes near the container.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { images, noEngine, skipped } from '../contract/docker/engine.js';
import { newDesk, type Desk } from './claims-desk.js';
import { hosted } from './writ.js';

const RULES = `apiVersion: writ/v1
kind: Rules
rules:
  - { id: SB-1, effect: allow, subject: role:adjuster, domain: default, action: workflow.run, resource: writ-sandbox-exec, reason: tests }
  - { id: SB-2, effect: allow, subject: role:adjuster, domain: default, action: function.invoke, resource: 'tool::*', reason: tests }
  - { id: SB-3, effect: allow, subject: role:adjuster, domain: default, action: audit.read, resource: '*', reason: tests }
`;
interface Entry {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const SECRET = 'sk-live-0123456789abcdef';
const DOCKER = ['sandbox', 'exec', '--json', '--driver', 'docker'];

describe('writ sandbox exec --egress', () => {
  let desk: Desk;
  let server: Server;
  let port = 0;
  const seen: (string | undefined)[] = [];

  beforeAll(async () => {
    desk = await newDesk(hosted);
    writeFileSync(desk.at('policies', 'rbac', 'sandbox.yaml'), RULES);
    server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end(`hello ${request.headers.authorization ?? ''}`);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
    desk.remove();
  });

  /** What the operator's own ceiling says; the shipped one has no network. */
  const ceiling = (network: unknown, more: object = {}): void => {
    writeFileSync(
      desk.at('policies', 'ceilings', 'org.yaml'),
      JSON.stringify({
        apiVersion: 'writ/v1',
        kind: 'Ceiling',
        metadata: { name: 'org-default', layer: 'org' },
        spec: { network, ...more },
      }),
    );
  };
  const exec = async (...words: string[]): Promise<{ code: unknown; value: unknown; text: string }> => {
    const { code, stdout } = await desk.run([...DOCKER, ...words]);
    return { code, value: JSON.parse(stdout) as unknown, text: stdout };
  };

  it.each([
    [['--network', 'egress', '--', 'id'], /name the hosts/],
    [['--network', 'none', '--egress', 'a.test:1', '--', 'id'], /different things/],
    [['--credential', 'x', '--', 'id'], /name the hosts/],
  ])('refuses %j as no command', async (words, message) => {
    const { code, text } = await exec(...words);
    expect([code, text]).toEqual([2, expect.stringMatching(message)]);
  });

  it('is refused in WASM', async () => {
    const words = [
      'sandbox',
      'exec',
      '--driver',
      'wasm',
      '--module',
      'json',
      '--egress',
      'a.test:1',
      '--json',
    ];
    const ran = await desk.run(words);
    expect([ran.code, ran.stdout]).toEqual([6, expect.stringContaining('SANDBOX_UNSUPPORTED')]);
  });

  describe.skipIf(noEngine !== null)(`with an engine${skipped}`, () => {
    beforeAll(() => {
      const ids = images('sh', 'node');
      writeFileSync(
        desk.at('docker.yaml'),
        JSON.stringify({
          images: { default: ids.sh, node: ids.node },
          credentials: { 'bank-api': [`http://127.0.0.1:${port}`], 'tls-only': [`127.0.0.1:${port}`] },
        }),
      );
    });

    const fetching = (url: string, ...more: string[]): readonly string[] => [
      ...['--', 'sh', '-c', `wget -q -O - ${more.join(' ')} ${url} || echo refused`],
    ];

    it('is denied where a ceiling allows no network, lists another host, or nobody lists any', async () => {
      const host = `127.0.0.1:${port}`;
      for (const network of [{ mode: 'none' }, { mode: 'open' }]) {
        ceiling(network);
        const { code, value } = await exec('--egress', host, '--', 'id');
        expect([code, value]).toMatchObject([3, { error: { code: 'CEILING_NETWORK' } }]);
      }
      expect(seen).toHaveLength(0);
    });

    it('reaches what is listed, and the log has every connection', async () => {
      ceiling({ mode: 'allowlist', allow: [`127.0.0.1:${port}`] });
      const { code, value } = await exec(
        ...['--network', 'egress', '--allow', `127.0.0.1:${port}`],
        ...[
          '--',
          'sh',
          '-c',
          `wget -q -O - http://127.0.0.1:${port}/; wget -q -O - http://169.254.169.254/ || echo no`,
        ],
      );
      expect([code, value]).toMatchObject([
        0,
        {
          stdout: { text: 'hello no\n' },
          evidence: { network: 'relay', egress: { requests: 2, refused: 1 } },
        },
      ]);
      const { run } = value as { run: string };
      const { stdout } = await desk.run(['audit', 'show', run, '--json']);
      const shown = JSON.parse(stdout) as { entries: { entry: Entry }[] };
      const entries = shown.entries.map(({ entry }) => entry);
      expect(
        entries
          .filter(({ data }) => data['action'] === 'network.egress')
          .map(({ type, data }) => [type, data['verdict'], data['resource'], data['attempt']]),
      ).toEqual([
        ['authz.decided', 'allow', `127.0.0.1:${port}`, null],
        ['authz.decided', 'deny', 'unlisted', null],
      ]);
      expect(entries.find(({ type }) => type === 'sandbox.started')?.data['network']).toEqual([
        `127.0.0.1:${port}`,
      ]);
      expect(await desk.run(['audit', 'verify'])).toMatchObject({ code: 0 });
    });

    it('puts a secret in outside of the container', async () => {
      ceiling({ mode: 'allowlist', allow: [`127.0.0.1:${port}`] });
      await desk.run(['secrets', 'set', 'bank-api'], { input: SECRET });
      seen.length = 0;
      const header = '--header "Authorization: Bearer $CRED_BANK_API"';
      const ran = await exec(
        ...['--egress', `127.0.0.1:${port}`, '--credential', 'bank-api'],
        ...fetching(`http://127.0.0.1:${port}/`, header),
      );
      expect(ran.code).toBe(0);
      expect(seen).toEqual([`Bearer ${SECRET}`]);
      expect(ran.value).toMatchObject({ stdout: { text: 'hello Bearer «secret bank-api»' } });
      const log = await desk.run(['audit', 'show', (ran.value as { run: string }).run, '--json']);
      expect(log.stdout).toContain('secret.used');
      expect(`${ran.text}${log.stdout}`).not.toContain(SECRET);
      // Hole: a program made the proxy send a secret in clear to a host that is declared for TLS.
      await desk.run(['secrets', 'set', 'tls-only'], { input: `${SECRET}-2` });
      const inClear = await exec(
        ...['--egress', `127.0.0.1:${port}`, '--credential', 'tls-only'],
        ...fetching(`http://127.0.0.1:${port}/`, '--header "Authorization: Bearer $CRED_TLS_ONLY"'),
      );
      expect(inClear.value).toMatchObject({ stdout: { text: 'refused\n' } });
      expect(seen).toHaveLength(1);
      const undeclared = await exec(
        ...['--egress', `127.0.0.1:${port}`, '--credential', 'other'],
        ...fetching(`http://127.0.0.1:${port}/`),
      );
      expect([undeclared.code, undeclared.value]).toMatchObject([
        6,
        { error: { code: 'SANDBOX_UNSUPPORTED' } },
      ]);
    });

    it('ends with 1 at a budget and names it', async () => {
      ceiling({ mode: 'allowlist', allow: [`127.0.0.1:${port}`] });
      const { code, value } = await exec(
        ...['--egress', `127.0.0.1:${port}`, '--egress-requests', '1'],
        ...['--', 'sh', '-c', `for i in 1 2 3; do wget -q -O - http://127.0.0.1:${port}/; done; sleep 20`],
      );
      expect([code, value]).toMatchObject([1, { status: 'output-limit', limitHit: 'egressRequests' }]);
    });

    it('a budget of a ceiling holds where the step says none, and a step may only ask for less', async () => {
      const network = { mode: 'allowlist', allow: [`127.0.0.1:${port}`] };
      const loop = `for i in 1 2 3 4; do wget -q -O - http://127.0.0.1:${port}/ || exit 0; done; sleep 20`;
      const asking = (...words: string[]) =>
        exec('--egress', `127.0.0.1:${port}`, ...words, '--', 'sh', '-c', loop);
      const ended = (limitHit: string) => [1, { status: 'output-limit', limitHit }];
      seen.length = 0;

      ceiling(network, { limits: { egressRequests: 2 } });
      const byCeiling = await asking();
      expect([byCeiling.code, byCeiling.value]).toMatchObject(ended('egressRequests'));
      expect(byCeiling.value).toMatchObject({ evidence: { egressRequests: 2, egressBytes: 67_108_864 } });
      expect(seen).toHaveLength(2);
      const less = await asking('--egress-requests', '1');
      expect(less.value).toMatchObject({ limitHit: 'egressRequests', evidence: { egressRequests: 1 } });
      expect(seen).toHaveLength(3);
      const more = await asking('--egress-requests', '3');
      expect([more.code, more.text]).toMatchObject([
        3,
        expect.stringContaining('limits.egressRequests is 2'),
      ]);
      expect(seen).toHaveLength(3);

      ceiling(network, { limits: { egressBytes: 300 }, clamp: ['egressBytes'] });
      const lowered = await asking('--egress-bytes', '1000000');
      expect([lowered.code, lowered.value]).toMatchObject(ended('egressBytes'));
      expect(lowered.value).toMatchObject({ evidence: { egressBytes: 300, egressRequests: 1_000 } });
      const { run } = lowered.value as { run: string };
      const { stdout } = await desk.run(['audit', 'show', run, '--json']);
      const entries = (JSON.parse(stdout) as { entries: { entry: Entry }[] }).entries.map(
        ({ entry }) => entry,
      );
      const dataOf = (type: string) => entries.find((one) => one.type === type)?.data;
      expect(dataOf('ceiling.composed')?.['effective']).toMatchObject({
        limits: { egressBytes: 300 },
        narrowed: ['egressBytes'],
      });
      expect(dataOf('sandbox.started')?.['limits']).toMatchObject({
        egressBytes: 300,
        egressRequests: 1_000,
      });
    });
  });
});
