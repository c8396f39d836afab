// How many connections are open at once: of all, and of one subscriber, so that nobody can hold them all by opening them
// and saying nothing. Whoever is over the limit is hung up on before a byte is read.
import type { Server, Socket } from 'node:net';
import { networkOf, peerAddress } from './client-address.js';

export interface ConnectionLimits {
  readonly all: number;
  /** Of one IPv4 address or IPv6 network. A declared proxy is many callers, and has the limit of all. */
  readonly ofOne: number;
  readonly proxies: readonly string[];
}

/** To be called before the server listens. */
export function limitConnections(server: Server, { all, ofOne, proxies }: ConnectionLimits): void {
  server.maxConnections = all;
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const peer = peerAddress(socket);
    // One is many callers.
    if (proxies.includes(peer)) return;
    const network = networkOf(peer);
    const own = (open.get(network) ?? 0) + 1;
    open.set(network, own);
    socket.once('close', () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left === 0) open.delete(network);
      else open.set(network, left);
    });
    if (own > ofOne) socket.destroy();
  });
}
