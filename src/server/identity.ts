// Who calls over HTTP. Proven by a bearer token: of an identity provider that serve.yaml pins (issuer, audience,
// algorithms), or made by the person with their own enrolled key. Never by a name that the request states.
import { readFile } from 'node:fs/promises';
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { WritError } from '../errors.js';
import type { Principal, Writ } from '../runtime/writ.js';
import { OWN_KEY_ISSUER, OWN_KEY_TYPE } from './own-token.js';
import type { OidcProvider } from './serve-config.js';
import { askEndpoint } from './webhook/endpoint.js';

/** Loaded with the first token or provider: a server that starts again has to answer soon. */
const tokens = () => import('jose');

const MAX_TOKEN_CHARACTERS = 16_384;
/** A token is not older than this, however long it says it lives. */
const MAX_AGE_SECONDS = 600;
const CLOCK_SKEW_SECONDS = 30;
const JWKS_TIMEOUT_MS = 5_000;
const JWKS_CACHED_MS = 300_000;
/** Of the keys of one provider; more are refused, not cut. */
const MAX_JWKS_BYTES = 1024 * 1024;

export interface Caller {
  readonly principal: Principal;
  /** When the token ends, or is too old. */
  readonly untilMs: number;
}

/** Throws POLICY_IDENTITY_UNKNOWN, always in the same words, for a token that proves nobody. */
export type Authenticate = (token: string) => Promise<Caller>;

export interface AuthenticateParts {
  readonly writ: Pick<Writ, 'principalOfOidc' | 'principalOfSignature'>;
  readonly providers: readonly OidcProvider[];
  /** `aud` of tokens that people make with their own keys. */
  readonly audience: string;
  readonly allowLoopback: boolean;
  readonly nowMs: () => number;
}

interface Pinned extends OidcProvider {
  readonly keys: JWTVerifyGetKey;
}

/** Reads key files at once; throws CONFIG_INVALID. Keys at a URL are asked for when a token comes. */
export async function openAuthenticate(parts: AuthenticateParts): Promise<Authenticate> {
  const pinned = new Map<string, Pinned>();
  for (const provider of parts.providers) {
    pinned.set(provider.issuer, { ...provider, keys: await keysOf(provider, parts.allowLoopback) });
  }
  return async (token) => {
    try {
      if (token.length > MAX_TOKEN_CHARACTERS) throw unknownCaller();
      const { decodeJwt } = await tokens();
      // Read before it is verified, only to choose by which of the pinned providers it has to be.
      const { iss } = decodeJwt(token);
      if (iss === OWN_KEY_ISSUER) return await ownKey(token, parts);
      const provider = iss === undefined ? undefined : pinned.get(iss);
      if (provider === undefined) throw unknownCaller();
      return await byProvider(token, provider, parts);
    } catch (error) {
      if (error instanceof WritError && error.code === 'FUNCTION_UNAVAILABLE') throw error;
      throw unknownCaller(error);
    }
  };
}

async function byProvider(
  token: string,
  provider: Pinned,
  { writ, nowMs }: AuthenticateParts,
): Promise<Caller> {
  const { jwtVerify } = await tokens();
  const { payload } = await jwtVerify(token, provider.keys, {
    issuer: provider.issuer,
    audience: provider.audience,
    algorithms: [...provider.algorithms],
    requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat'],
    maxTokenAge: MAX_AGE_SECONDS,
    clockTolerance: CLOCK_SKEW_SECONDS,
    currentDate: new Date(nowMs()),
  });
  return {
    principal: writ.principalOfOidc(provider.issuer, payload.sub ?? ''),
    untilMs: endOf(payload),
  };
}

/** `kid` names the key; it has to be enrolled, and the token to be signed by it. */
async function ownKey(token: string, { writ, audience, nowMs }: AuthenticateParts): Promise<Caller> {
  const { importJWK, jwtVerify } = await tokens();
  let principal: Principal | null = null;
  const { payload } = await jwtVerify(
    token,
    ({ kid = '' }) => {
      // attacker-controlled: any text
      const raw = /^ed25519:([A-Za-z0-9+/]{43}=)$/u.exec(kid)?.[1];
      if (raw === undefined) throw unknownCaller();
      // It may say who it is; a vote needs a signature of its own.
      principal = { ...writ.principalOfSignature(kid, new Uint8Array()), sign: null };
      return importJWK(
        { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw, 'base64').toString('base64url') },
        'EdDSA',
      );
    },
    {
      issuer: OWN_KEY_ISSUER,
      audience,
      algorithms: ['EdDSA'],
      typ: OWN_KEY_TYPE,
      requiredClaims: ['iss', 'aud', 'exp', 'iat'],
      maxTokenAge: MAX_AGE_SECONDS,
      clockTolerance: CLOCK_SKEW_SECONDS,
      currentDate: new Date(nowMs()),
    },
  );
  if (principal === null) throw unknownCaller();
  return { principal, untilMs: endOf(payload) };
}

function endOf({ exp = 0, iat = 0 }: JWTPayload): number {
  return Math.min(exp, iat + MAX_AGE_SECONDS) * 1000;
}

async function keysOf({ issuer, jwks }: OidcProvider, allowLoopback: boolean): Promise<JWTVerifyGetKey> {
  const { createLocalJWKSet, createRemoteJWKSet, customFetch } = await tokens();
  if ('file' in jwks) {
    try {
      return createLocalJWKSet(JSON.parse(await readFile(jwks.file, 'utf8')) as { keys: [] });
    } catch (cause) {
      throw new WritError('CONFIG_INVALID', `${jwks.file} is no set of keys of ${issuer} (JWKS)`, { cause });
    }
  }
  return createRemoteJWKSet(new URL(jwks.url), {
    timeoutDuration: JWKS_TIMEOUT_MS,
    cooldownDuration: 30_000,
    cacheMaxAge: JWKS_CACHED_MS,
    // The same guard as for all this server sends: no redirect, no inner address.
    [customFetch]: async (url: string) => {
      const unread = (cause?: unknown): WritError =>
        new WritError('FUNCTION_UNAVAILABLE', `the keys of ${issuer} can't be read now`, { cause });
      const answer = await askEndpoint(
        {
          ...{ method: 'GET', url, headers: { accept: 'application/json' }, body: null },
          ...{ timeoutMs: JWKS_TIMEOUT_MS, maxAnswerBytes: MAX_JWKS_BYTES },
          signal: new AbortController().signal,
        },
        { allowLoopback, hosts: null },
      ).catch((cause: unknown) => {
        throw unread(cause);
      });
      // Not the caller's fault either, who may hold a good token.
      if (answer.status !== 200) throw unread();
      if (answer.isCut)
        throw new WritError('FUNCTION_UNAVAILABLE', `the keys of ${issuer} are more than 1 MiB`);
      return new Response(Buffer.from(answer.body), { status: answer.status });
    },
  });
}

function unknownCaller(cause?: unknown): WritError {
  return new WritError('POLICY_IDENTITY_UNKNOWN', 'the bearer token proves nobody who is known here', {
    hint: 'send a token of a provider in serve.yaml, or one of your own key: writ keys token',
    ...(cause === undefined ? {} : { cause }),
  });
}
