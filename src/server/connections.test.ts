import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, createServer as createListener, Socket, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { limitConnections } from './connections.js';

const sockets: Socket[] = [];
let server: Server | null = null;
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
  server = null;
});

async function listening(limits: { readonly ofOne: number; readonly proxies?: readonly string[] }) {
  const listening = createServer((_, response) => response.end('here'));
  server = listening;
  limitConnections(listening, { all: 100, proxies: [], ...limits });
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const { port } = listening.address() as AddressInfo;
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

  it('are those of its network where it is IPv6: who has one address there has 2 to the 64 of them', () => {
    const listener = createListener();
    limitConnections(listener, { all: 100, ofOne: 2, proxies: ['2001:db8:9::1'] });
    const isHeard = (remoteAddress: string): boolean => {
      const socket = new Socket();
      sockets.push(socket);
      Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
      listener.emit('connection', socket);
      return !socket.destroyed;
    };
    expect(isHeard('2001:db8:1:2::1')).toBe(true);
    expect(isHeard('2001:db8:1:2::2')).toBe(true);
    expect(isHeard('2001:db8:1:2:ffff::3')).toBe(false);
    expect(isHeard('2001:db8:1:3::1')).toBe(true);
    for (let n = 0; n < 3; n++) expect(isHeard('2001:DB8:9::1')).toBe(true);
    for (const heard of [true, true, false]) expect(isHeard('::ffff:192.0.2.1')).toBe(heard);
  });
});
