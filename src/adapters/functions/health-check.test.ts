// `tool::health_check`: the worst check counts, what is unwell is an answer, and what may not be asked is refused.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Digest, Json } from '../../json.js';
import type { FunctionProvider } from '../../runtime/ports.js';
import { targetOf } from './egress.js';
import { openHealthFunctions, type Health, type HealthCheck } from './health-check.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function answering(status: number): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status).end('x'.repeat(5_000)));
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

function provider(checks: readonly HealthCheck[], ...origins: readonly string[]): FunctionProvider {
  const hosts = origins.map((origin) => {
    const host = { target: targetOf(new URL(origin), true), methods: ['GET'] as const, headers: {} };
    return [origin, host] as const;
  });
  return openHealthFunctions(() => Promise.resolve(checks), {
    hosts: new Map(hosts),
    secret: () => null,
    digestOf: () => `sha256:${'0'.repeat(64)}` as Digest,
  });
}

function ask(from: FunctionProvider, input: Json): Promise<Json> {
  const request = { functionId: 'tool::health_check', input, run: 'run_1', stepPath: 'look', agent: null };
  return from.invoke(
    { ...request, idempotencyKey: 'key-1', timeoutMs: 60_000 },
    new AbortController().signal,
  );
}

const check = (name: string, status: Health): HealthCheck => ({ name, status });

describe('the health of the runner', () => {
  it.each([
    [['healthy', 'healthy'], 'healthy'],
    [['healthy', 'degraded'], 'degraded'],
    [['degraded', 'critical'], 'critical'],
    [['critical', 'healthy'], 'critical'],
  ] as const)('of parts that are %j is %s', async (parts, status) => {
    const checks = parts.map((part, i) => check(`part ${i}`, part));
    expect(await ask(provider(checks), {})).toEqual({ status, checks });
    expect(await ask(provider(checks), null)).toEqual({ status, checks });
  });

  it('is asked of one part by its name', async () => {
    const checks = [check('store', 'healthy'), check('sandbox docker', 'degraded')];
    expect(await ask(provider(checks), { service: 'store' })).toEqual({
      status: 'healthy',
      checks: [check('store', 'healthy')],
    });
    await expect(ask(provider(checks), { service: 'stor' })).rejects.toMatchObject({
      code: 'FUNCTION_REQUEST_INVALID',
    });
  });
});

describe('the health of a host', () => {
  it.each([
    [200, 'healthy'],
    [204, 'healthy'],
    [299, 'healthy'],
    [404, 'critical'],
    [500, 'critical'],
  ])('that answers %i is %s', async (status, health) => {
    const origin = await answering(status);
    const from = provider([], origin);
    expect(await ask(from, { url: `${origin}/healthz` })).toMatchObject({
      status: health,
      checks: [{ name: new URL(origin).host, status: health }],
    });
    expect(await from.reach?.('tool::health_check', { url: `${origin}/healthz` }, null)).toMatchObject({
      network: [new URL(origin).host],
    });
  });

  it('that nobody answers at is critical, and no failure', async () => {
    const origin = await answering(200);
    servers.pop()?.close();
    expect(await ask(provider([], origin), { url: origin })).toMatchObject({ status: 'critical' });
  });

  it('that is not listed is a refusal, and no answer', async () => {
    await expect(ask(provider([]), { url: 'https://evil.example/' })).rejects.toMatchObject({
      code: 'POLICY_TOOL_DENIED',
    });
  });
});

describe('a request', () => {
  it.each([{ url: 'https://a.example', service: 'store' }, { host: 'a' }, { url: 7 }, 'store', ['store']])(
    'such as %j is refused',
    async (input) => {
      const invalid = { code: 'FUNCTION_REQUEST_INVALID' };
      await expect(ask(provider([check('store', 'healthy')]), input)).rejects.toMatchObject(invalid);
      await expect(provider([]).reach?.('tool::health_check', input, null)).rejects.toMatchObject(invalid);
    },
  );
});
