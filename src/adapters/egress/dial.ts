// One connection to a target: its name is resolved here, every address it has is judged, and the connection goes to one
// of these addresses and to no other, whatever a later lookup would say.
import { connect, isIP, type Socket } from 'node:net';
import { zoneOf } from '../../network-address.js';
import type { Target } from './target.js';

/** Every address a name has. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

const LOOKUP_MS = 10_000;
const CONNECT_MS = 10_000;
const MAX_ADDRESSES = 32;
const MAX_TRIES = 4;

/** Addresses that may be connected to, or why none may. */
export type Judged =
  { readonly addresses: readonly string[] } | { readonly refused: 'address' | 'unresolved' };

/**
 * `listed`: `host:port`; an address of this machine or of the networks behind it is reached where it is listed itself.
 * Link-local, metadata and reserved addresses never are. One that may not be reached refuses them all: which of them
 * would be used is somebody else's choice.
 */
export async function judgeAddresses(
  { hostname, port }: Target,
  listed: ReadonlySet<string>,
  resolve: Resolve,
): Promise<Judged> {
  const found = isIP(hostname) === 0 ? await lookedUp(hostname, resolve) : [hostname];
  if (found === null || found.length === 0) return { refused: 'unresolved' };
  const isReached = (address: string): boolean => {
    const zone = zoneOf(address);
    return zone === 'public' || (zone === 'private' && listed.has(`${inUrl(address)}:${port}`));
  };
  if (found.length > MAX_ADDRESSES || !found.every(isReached)) return { refused: 'address' };
  return { addresses: found };
}

async function lookedUp(hostname: string, resolve: Resolve): Promise<readonly string[] | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((done) => {
    timer = setTimeout(() => done(null), LOOKUP_MS);
  });
  try {
    return await Promise.race([resolve(hostname), late]);
  } catch {
    return null; // no such name, or no resolver: told as unresolved
  } finally {
    clearTimeout(timer);
  }
}

/** As lists spell it: an IPv6 address in its one form, in brackets. */
function inUrl(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]/`).hostname : address;
}

/** A connection to the first of `addresses` that takes one. Rejects when none does. */
export async function dial(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Socket> {
  let last: unknown = new Error('no address');
  for (const address of addresses.slice(0, MAX_TRIES)) {
    if (signal.aborted) break;
    try {
      return await connected(address, port, signal);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

function connected(address: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, allowHalfOpen: true, signal });
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no connection in time')));
    const failed = (error: Error): void => reject(error);
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', failed);
      resolve(socket);
    });
  });
}
