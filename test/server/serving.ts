// A claims desk with `writ serve` as a process of its own, and what its callers do: sign decisions, make tokens, post.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { loadPersonKey } from '../../src/adapters/keys/person-key.js';
import { decisionBytes } from '../../src/approval/decision.js';
import { commitment } from '../../src/audit/commitment.js';
import { canonicalJson } from '../../src/canonical-json.js';
import type { SubjectDigest } from '../../src/json.js';
import { ownToken } from '../../src/server/own-token.js';
import type { Desk, Started, Waiting } from '../cli/claims-desk.js';

export const ISSUER = 'https://id.example.com';
export const AUDIENCE = 'writ-test';

/** Edits a person of approvers.yaml. */
export function setPerson(desk: Desk, id: string, fields: Readonly<Record<string, unknown>>): void {
  desk.changePolicy('approvers.yaml', (approvers) => {
    const { people } = approvers.toJS() as { people: { id: string }[] };
    const index = people.findIndex((one) => one.id === id);
    for (const [name, value] of Object.entries(fields)) approvers.setIn(['people', index, name], value);
  });
}

export interface Running {
  readonly url: string;
  readonly audience: string;
  readonly process: Started;
}

/** Starts the server on a free port; the caller ends it. */
export async function startServer(desk: Desk, flags: readonly string[] = []): Promise<Running> {
  const process = desk.start(['serve', '--listen', '127.0.0.1:0', ...flags]);
  await process.shows('audience');
  const [url = '', audience = ''] = await shown(process);
  return { url, audience, process };
}

async function shown(process: Started): Promise<readonly string[]> {
  await process.shows('\n');
  const text = process.shown();
  return [/listens\s+(\S+)/.exec(text)?.[1] ?? '', /audience\s+(\S+)/.exec(text)?.[1] ?? ''];
}

/** SIGTERM; the exit code. */
export async function stopServer({ process }: Running): Promise<number | undefined> {
  process.kill('SIGTERM');
  return (await process.ended).code;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; undefined where it is no JSON. */
  readonly body: unknown;
}

export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { redirect: 'manual', ...init });
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // A page.
  }
  return { status: response.status, headers: response.headers, text, body };
}

let count = 0;

export function decide(
  server: { readonly url: string },
  id: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return ask(`${server.url}/v1/approvals/${id}/decisions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `key-${count++}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** The body of a decision that the person signs with their key. */
export function signedDecision(
  desk: Desk,
  person: string,
  { approval, digest }: Pick<Waiting, 'approval' | 'digest'>,
  decision: 'approve' | 'deny' | 'revoke',
  expiresAt: string,
  { atMs = Date.now(), reason = null as string | null, signedDigest = digest } = {},
): Record<string, unknown> {
  const key = loadPersonKey(desk.at(`${person}.key`));
  const salt = randomBytes(32);
  const reasonBytes = new TextEncoder().encode(canonicalJson({ text: reason }));
  const at = new Date(atMs).toISOString();
  const bytes = decisionBytes({
    approvalId: approval,
    subjectDigest: signedDigest as SubjectDigest,
    decision,
    approver: `user:${person}`,
    at,
    expiresAt,
    reasonCommitment: reason === null ? null : commitment(salt, 'reason', reasonBytes),
  });
  const value = Buffer.from(key.sign(bytes)).toString('base64');
  const salted = reason === null ? {} : { reasonSalt: salt.toString('base64') };
  return {
    decision,
    digest,
    ...(reason === null ? {} : { reason }),
    signature: { keyId: key.publicKey, at, value, ...salted },
  };
}

/** `Authorization` by the person's own key. */
export function ownBearer(
  desk: Desk,
  person: string,
  audience: string,
  nowMs = Date.now(),
): Record<string, string> {
  return { authorization: `Bearer ${ownToken(loadPersonKey(desk.at(`${person}.key`)), audience, nowMs)}` };
}

/** An identity provider's keys, and tokens by them. */
export interface Provider {
  readonly jwks: string;
  token(
    claims?: Readonly<Record<string, unknown>>,
    how?: { alg?: string; key?: CryptoKey | Uint8Array; kid?: string },
  ): Promise<string>;
}

export async function newProvider(): Promise<Provider> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }] });
  return {
    jwks,
    token: async (claims = {}, { alg = 'ES256', key = privateKey, kid = 'k1' } = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const all = { iss: ISSUER, aud: AUDIENCE, sub: 'u-bob', iat: now, exp: now + 300, ...claims };
      return new SignJWT(all).setProtectedHeader({ alg, kid }).sign(key);
    },
  };
}

/** What a webhook receiver got. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** Of the next requests: status and headers; 204 when the list is empty. */
  readonly answers: { status: number; headers?: Record<string, string>; hang?: boolean }[];
  /** Resolves when there are `n` of them. */
  got(n: number): Promise<void>;
  close(): Promise<void>;
}

export async function newReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const answers: Receiver['answers'] = [];
  const waiting = new Set<() => void>();
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      received.push({ path: request.url ?? '', headers: request.headers, body });
      for (const look of waiting) look();
      const { status, headers = {}, hang = false } = answers.shift() ?? { status: 204 };
      if (!hang) response.writeHead(status, headers).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    answers,
    got: (n) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (received.length < n) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
