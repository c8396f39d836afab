import { expect, it } from 'vitest';
import { WritError } from '../errors.js';
import { BoundedServer } from './bounded-server.js';

const BOUNDS = { maxHeaderBytes: 8_192, connections: { all: 8, ofOne: 4, proxies: [] } };

it('a server that fails stops, and tells the first fault; what never ends by itself is told to end', async () => {
  const server = new BoundedServer(BOUNDS);
  const url = await server.listen({ host: '127.0.0.1', port: 0 }, (_, response) => response.end('here'));
  expect(await (await fetch(url)).text()).toBe('here');
  expect(server.stopping.aborted).toBe(false);
  const fault = new WritError('STORE_IO', 'broken');
  server.fail(fault);
  server.fail(new WritError('INTERNAL', 'broken by that'));
  expect(server.stopping.aborted).toBe(true);
  expect(await server.stopped).toBe(fault);
  await expect(fetch(url)).rejects.toThrow();
});

it('a server that is told to stop, once or twice, has no fault', async () => {
  const server = new BoundedServer(BOUNDS);
  await server.listen({ host: '127.0.0.1', port: 0 }, (_, response) => response.end());
  server.stop();
  server.stop();
  expect(await server.stopped).toBeNull();
});
