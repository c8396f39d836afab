// An MCP server over streamable HTTP: every request goes to the one listed origin, at addresses that were judged, and
// no answer is longer than a message may be. The server's own channel to us (GET) is not opened: nothing it could say
// there is wanted.
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ReadableStream } from 'node:stream/web';
import type { Pool, RequestInit as UndiciInit } from 'undici';
import { WritError } from '../../../errors.js';
import { retryAfterMs } from '../../../retry-after.js';
import { MAX_MESSAGE_BYTES } from './process.js';

/** Told to come again: too often, or broken for now. The session goes on. */
const COME_AGAIN: ReadonlySet<number> = new Set([429, 503]);

/**
 * A transport of the MCP SDK through `pool`, which goes to the server's origin only; the caller destroys the pool.
 * `broken` is told of an answer that broke off or was too long: the SDK would wait for the rest of it.
 */
export async function openHttpTransport(
  { name, url }: { readonly name: string; readonly url: string },
  headers: Readonly<Record<string, string>>,
  pool: Pool,
  broken: (error: unknown) => void,
): Promise<StreamableHTTPClientTransport> {
  const { fetch } = await import('undici');
  const bounded: FetchLike = async (to, init) => {
    if (init?.method === 'GET') return new Response(null, { status: 405 });
    const own = { ...Object.fromEntries(new Headers(init?.headers)), ...headers };
    // One signal is shared by all requests: each gets a follower of its own to listen to.
    const signal = init?.signal == null ? null : AbortSignal.any([init.signal]);
    // The same values under the names of another copy of the fetch types.
    const request = { ...init, signal, headers: own, dispatcher: pool, redirect: 'manual' } as UndiciInit;
    const { body, status, headers: answered } = await fetch(String(to), request);
    if (COME_AGAIN.has(status)) {
      await body?.cancel();
      throw new WritError('FUNCTION_TEMPORARY', `the MCP server ${name} answered ${status}`, {
        details: { retryAfterMs: retryAfterMs(answered.get('retry-after'), Date.now()) },
      });
    }
    const parts =
      body === null ? null : ReadableStream.from(bound(body as AsyncIterable<Uint8Array>, broken));
    return new Response(parts, {
      status,
      headers: Object.fromEntries(answered),
    });
  };
  return new StreamableHTTPClientTransport(new URL(url), { fetch: bounded });
}

/** attacker-controlled: as long as the other side likes. */
async function* bound(
  body: AsyncIterable<Uint8Array>,
  broken: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  let length = 0;
  try {
    for await (const part of body) {
      length += part.length;
      if (length > MAX_MESSAGE_BYTES) {
        throw new Error(`an answer of the server is longer than ${MAX_MESSAGE_BYTES} bytes`);
      }
      yield part;
    }
  } catch (error) {
    broken(error);
    throw error;
  }
}
