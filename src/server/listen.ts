// Where a server of this program listens, and in words why it can't.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WritError } from '../errors.js';

/** Why listening failed, and what to do, by the system's code. */
const FAULTS: Readonly<Partial<Record<string, readonly [string, string]>>> = {
  EADDRINUSE: ['it is in use', 'choose another port with --listen, or stop what uses this one'],
  EACCES: ['this user may not', 'choose a port from 1024 on with --listen'],
  EADDRNOTAVAIL: ['this machine has no such address', 'give --listen an address of this machine'],
  ENOTFOUND: ['no such host', 'give --listen an address of this machine'],
};

export interface ListenAddress {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
}

/** Resolves with the URL; throws USAGE when that can't be listened on. */
export function listen(server: Server, { host, port }: ListenAddress): Promise<string> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error & { readonly code?: string }): void => {
      const [why, hint] = FAULTS[cause.code ?? ''] ?? [cause.code ?? cause.message, 'see --listen'];
      reject(new WritError('USAGE', `can't listen on ${host}:${port}: ${why}`, { hint, cause }));
    };
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      resolve(urlOf(server.address() as AddressInfo));
    });
  });
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
