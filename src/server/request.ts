// What every route reads of a request and how it answers: who asks, the bounded body, headers as they came. Everything
// here is attacker-controlled. No answer is kept by anybody, and none says more than its status has to.
import type { Context } from 'hono';
import { HttpProblem } from './answer.js';
import type { Bindings } from './bindings.js';
import { MAX_BODY_BYTES } from './decision-body.js';
import type { Authenticate, Caller } from './identity.js';
import { malformed } from './json-body.js';

export type Env = { Bindings: Bindings };
export type Ctx = Context<Env>;

/** Of every answer that has no headers of its own kind. */
export const HEADERS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const;

export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: { ...HEADERS, 'content-type': 'application/json; charset=utf-8', ...headers },
  });
}

/** The one 401 for a request that proves nobody. */
export function unproven(needed = 'a bearer token is needed'): HttpProblem {
  return new HttpProblem(401, 'POLICY_IDENTITY_UNKNOWN', needed);
}

/** Who asks, by their bearer token. Throws 401. */
export async function provenCaller(c: Ctx, authenticate: Authenticate): Promise<Caller> {
  const called = await callerOf(c, authenticate);
  if (called === null) throw unproven();
  return called;
}

/** As `provenCaller`; null where no token came. */
export async function callerOf(c: Ctx, authenticate: Authenticate): Promise<Caller | null> {
  const bearer = bearerOf(c);
  return bearer === null ? null : authenticate(bearer);
}

function bearerOf(c: Ctx): string | null {
  const header = c.req.header('authorization');
  if (header === undefined) return null;
  const token = /^Bearer ([A-Za-z0-9._~+/=-]{1,16384})$/u.exec(header)?.[1];
  if (token === undefined) throw unproven('Authorization is Bearer and a token');
  return token;
}

/** At most 64 KiB, or `most`, however it is sent. Throws 413. */
export async function bodyOf(c: Ctx, most = MAX_BODY_BYTES): Promise<Uint8Array> {
  const tooLarge = new HttpProblem(413, 'DOC_TOO_LARGE', `a body has at most ${most} bytes`, {
    connection: 'close',
  });
  if (Number(c.req.header('content-length') ?? '0') > most) throw tooLarge;
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of (c.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > most) throw tooLarge;
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    throw malformed('the body did not arrive whole');
  }
  return Buffer.concat(parts);
}

/** What says for whom, by whom or for the how manyth time: two of it could be read in two ways, here and by a proxy. */
const ONCE: readonly string[] = ['host', 'authorization', 'idempotency-key', 'content-type', 'last-event-id'];

/** Throws 400 for a header that is there twice and may not be. */
export function requireOnce(raw: readonly string[]): void {
  const names = headerPairs(raw).map(([name]) => name.toLowerCase());
  const twice = ONCE.find((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (twice !== undefined) throw malformed(`the header ${twice} is there twice`);
}

/** As they came: a name that is there twice is there twice. */
export function headerPairs(raw: readonly string[]): readonly (readonly [string, string])[] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return pairs;
}
