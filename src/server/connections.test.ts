import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { limitConnections } from './connections.js';

const sockets: Socket[] = [];
let server: Server;
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
});

async function listening(limits: { readonly ofOne: number; readonly proxies?: readonly string[] }) {
  server = createServer((_, response) => response.end('here'));
  limitConnections(server, { all: 100, proxies: [], ...limits });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  /** A connection that says nothing. */
  const silent = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  /** Whether a request on a connection of its own is answered. */
  const answers = async (): Promise<boolean> => {
    const socket = await silent();
    const ended = once(socket, 'close');
    let text = '';
    socket.on('data', (part: Buffer) => (text += part.toString()));
    socket.on('error', () => undefined); // hung up on
    socket.write('GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n');
    await ended;
    return text.includes('here');
  };
  return { silent, answers };
}

describe('connections of one address', () => {
  it('are answered up to their number, hung up on above it, and answered again when one has ended', async () => {
    const { silent, answers } = await listening({ ofOne: 3 });
    await silent();
    const second = await silent();
    expect(await answers()).toBe(true);
    const third = await silent();
    expect(await answers()).toBe(false);
    expect(third.destroyed).toBe(false);
    const gone = once(second, 'close');
    second.destroy();
    await gone;
    // The server hears of the end a moment after this side.
    await expect.poll(answers, { timeout: 20_000 }).toBe(true);
  });

  it('are those of many callers where the address is a declared proxy', async () => {
    const { silent, answers } = await listening({ ofOne: 1, proxies: ['127.0.0.1'] });
    await silent();
    await silent();
    expect(await answers()).toBe(true);
  });
});
