import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { serveWitness, type WitnessServer } from './witness.js';

const sockets: Socket[] = [];
let server: WitnessServer | null = null;
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.stop();
  await server?.stopped;
});

it('one subscriber holds half of the connections of a witness at most: the logs are heard', async () => {
  const witness = () => {
    throw new Error('nobody asks it here');
  };
  server = await serveWitness(witness, { host: '127.0.0.1', port: 0 }, () => undefined);
  const port = Number(new URL(server.url).port);
  const opened = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined); // hung up on
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  const answers = async (): Promise<string> => {
    const socket = await opened();
    const ended = once(socket, 'close');
    let text = '';
    socket.on('data', (part: Buffer) => (text += part.toString()));
    socket.write('GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n');
    await ended;
    return text.split('\r\n', 1)[0] ?? '';
  };
  for (let n = 0; n < 127; n++) await opened();
  expect(await answers()).toBe('HTTP/1.1 404 Not Found');
  await opened();
  expect(await answers()).toBe('');
});
