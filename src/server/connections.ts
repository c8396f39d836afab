// How many connections are open at once: of all, and of one address, so that nobody can hold them all by opening them
// and saying nothing. Whoever is over the limit is hung up on before a byte is read.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export interface ConnectionLimits {
  readonly all: number;
  /** Of one peer. A declared proxy is many callers, and has the limit of all. */
  readonly ofOne: number;
  readonly proxies: readonly string[];
}

/** To be called before the server listens. */
export function limitConnections(server: Server, { all, ofOne, proxies }: ConnectionLimits): void {
  server.maxConnections = all;
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const peer = (socket.remoteAddress ?? '').replace(/^::ffff:/u, '');
    const own = (open.get(peer) ?? 0) + 1;
    open.set(peer, own);
    socket.once('close', () => {
      const left = (open.get(peer) ?? 1) - 1;
      if (left === 0) open.delete(peer);
      else open.set(peer, left);
    });
    if (own > ofOne && !proxies.includes(peer)) socket.destroy();
  });
}
