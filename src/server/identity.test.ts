import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Principal } from '../runtime/writ.js';
import { openAuthenticate, type Authenticate } from './identity.js';

const ISSUER = 'https://id.example.com';
const AUDIENCE = 'writ-test';
const BOB: Principal = { id: 'user:bob', assurance: 'oidc', publicKey: null, sign: null };

describe('the keys of an identity provider that are asked for over the network', () => {
  let server: Server;
  let answer: { status: number; body: string };
  let privateKey: CryptoKey;
  let keys: string;
  beforeAll(async () => {
    server = createServer((_, response) => {
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const pair = await generateKeyPair('ES256');
    privateKey = pair.privateKey;
    keys = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' }] });
  });
  afterAll(() => void server.close());

  const open = (): Promise<Authenticate> => {
    const { port } = server.address() as AddressInfo;
    const jwks = { url: `http://127.0.0.1:${port}/jwks` };
    return openAuthenticate({
      writ: {
        principalOfOidc: () => BOB,
        principalOfSignature: () => {
          throw new Error('not asked for');
        },
      },
      providers: [{ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwks }],
      audience: 'own',
      allowLoopback: true,
      nowMs: () => Date.now(),
    });
  };
  const token = (): Promise<string> =>
    new SignJWT({ sub: 'bob' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);

  it('prove who calls', async () => {
    answer = { status: 200, body: keys };
    const authenticate = await open();
    expect((await authenticate(await token())).principal).toBe(BOB);
  });

  it('may be many: up to 1 MiB is read, and of more nothing is believed', async () => {
    const { keys: known } = JSON.parse(keys) as { keys: [] };
    const filled = (bytes: number): string => {
      const empty = JSON.stringify({ keys: known, note: '' });
      return JSON.stringify({ keys: known, note: 'x'.repeat(bytes - empty.length) });
    };
    answer = { status: 200, body: filled(1024 * 1024) };
    expect((await (await open())(await token())).principal).toBe(BOB);
    answer = { status: 200, body: filled(1024 * 1024 + 1) };
    const authenticate = await open();
    await expect(authenticate(await token())).rejects.toMatchObject({
      code: 'FUNCTION_UNAVAILABLE',
      message: `the keys of ${ISSUER} are more than 1 MiB`,
    });
  });

  it.each([500, 404, 302])(
    'that are not given (%i) are no fault of the caller: 503, not 401',
    async (status) => {
      answer = { status, body: '{}' };
      const authenticate = await open();
      await expect(authenticate(await token())).rejects.toMatchObject({
        code: 'FUNCTION_UNAVAILABLE',
        message: `the keys of ${ISSUER} can't be read now`,
      });
    },
  );
});
