// One POST against a loopback server that behaves badly: every way to fail is an answer, none is an exception.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { HttpPostRequest } from '../runtime/ports.js';
import { httpPost } from './http-post.js';

const request: Omit<HttpPostRequest, 'url'> = {
  contentType: 'text/plain',
  body: new TextEncoder().encode('hello'),
  maxBytes: 16,
  timeoutMs: 10_000,
  signal: new AbortController().signal,
};

async function against(
  listener: RequestListener,
  change: Partial<HttpPostRequest> = {},
): Promise<Awaited<ReturnType<typeof httpPost>>> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
    return await httpPost({ ...request, url, ...change });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  }
}

describe('a POST', () => {
  it('sends method, type and body, and gives status and bytes back', async () => {
    const seen: string[] = [];
    const answer = await against((incoming, response) => {
      seen.push(incoming.method ?? '', incoming.headers['content-type'] ?? '');
      incoming.on('data', (part: Buffer) => seen.push(part.toString()));
      incoming.on('end', () => {
        response.statusCode = 409;
        response.end('7\n');
      });
    });
    expect(seen).toEqual(['POST', 'text/plain', 'hello']);
    expect(answer).toEqual({ status: 409, body: Buffer.from('7\n') });
  });

  it('follows no redirect', async () => {
    let requests = 0;
    const answer = await against((_, response) => {
      requests += 1;
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    expect([requests, 'status' in answer && answer.status]).toEqual([1, 302]);
  });

  it('reads an answer of the limit and not of one byte more', async () => {
    const size = (bytes: number) => against((_, response) => response.end(Buffer.alloc(bytes)));
    expect(await size(16)).toMatchObject({ status: 200 });
    expect(await size(17)).toEqual({ failure: 'the answer is longer than 16 bytes' });
  });

  it('ends when nothing is answered in time, or in the middle of the body', async () => {
    expect(await against(() => undefined, { timeoutMs: 50 })).toEqual({ failure: 'no answer within 50 ms' });
    const half = await against((_, response) => response.writeHead(200).write('x'), { timeoutMs: 50 });
    expect(half).toEqual({ failure: 'no answer within 50 ms' });
  });

  it('ends when it is interrupted', async () => {
    const stop = new AbortController();
    const answer = against(
      () => {
        stop.abort();
      },
      { signal: stop.signal },
    );
    expect(await answer).toEqual({ failure: 'interrupted' });
  });

  it('is not made to another scheme, nor with a password in the URL', async () => {
    expect(await httpPost({ ...request, url: 'ftp://127.0.0.1/' })).toHaveProperty('failure');
    expect(await httpPost({ ...request, url: 'http://a:b@127.0.0.1/' })).toHaveProperty('failure');
    expect(await httpPost({ ...request, url: 'nonsense' })).toHaveProperty('failure');
  });

  it('says that nobody listens', async () => {
    const answer = await httpPost({ ...request, url: 'http://127.0.0.1:9/' });
    expect(answer).toEqual({ failure: expect.stringContaining("can't be reached") as string });
  });
});
