// The way out to one origin: its name is resolved once, every address it has is judged, and all connections go to
// these addresses and no others, whatever a later lookup would say. TLS is checked against the name.
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import type { Pool } from 'undici';
import { WritError } from '../../errors.js';
import { zoneOf } from '../../network-address.js';

/** Where to, as an operator has listed it. */
export interface Target {
  /** `https://name`, `http://name:port`: as the URL parser writes an origin. */
  readonly origin: string;
  /** In lower case; an IPv6 address without brackets. */
  readonly hostname: string;
  /** `name:port`, as ceilings name it. */
  readonly host: string;
  /** Addresses of this host and of the networks behind it are allowed. */
  readonly isPrivate: boolean;
}

/** Every address a name has. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** By the operating system: hosts file and DNS. */
export const systemResolve: Resolve = async (hostname) =>
  (await lookup(hostname, { all: true, verbatim: true })).map(({ address }) => address);

/** `URL` without what is not in an origin; the caller has checked the scheme. */
export function targetOf(url: URL, isPrivate: boolean): Target {
  const port = url.port === '' ? (url.protocol === 'http:' ? '80' : '443') : url.port;
  const hostname = url.hostname.replace(/^\[(.*)\]$/u, '$1');
  return { origin: url.origin, hostname, host: `${url.hostname}:${port}`, isPrivate };
}

/** Longest wait for a TCP and TLS handshake. */
const CONNECT_TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 32_768;
const MAX_ADDRESSES = 32;
const MAX_CONNECTIONS = 32;

/**
 * Connections to `target`, opened when they are used; the caller destroys them. Throws POLICY_TOOL_DENIED when any
 * address is out of bounds, FUNCTION_FAILED when the name has none, FUNCTION_TEMPORARY when that can't be said now.
 * Everything dispatched goes to this origin.
 */
export async function openEgress(target: Target, resolve: Resolve, signal: AbortSignal): Promise<Pool> {
  const addresses = await judged(target, resolve, signal);
  const pinned: LookupFunction = (hostname, { all }, callback) => {
    const [first] = addresses;
    if (hostname !== target.hostname || first === undefined) {
      callback(new Error('asked for a host that was not judged'), '', 0);
    } else if (all === true) callback(null, [...addresses]);
    else callback(null, first.address, first.family);
  };
  const { Pool } = await import('undici');
  return new Pool(target.origin, {
    // The environment can switch certificate checks off for a whole process; not here.
    connect: { lookup: pinned, timeout: CONNECT_TIMEOUT_MS, rejectUnauthorized: true },
    maxHeaderSize: MAX_HEADER_BYTES,
    // Whoever waits has a limit of its own.
    headersTimeout: 0,
    bodyTimeout: 0,
    pipelining: 1,
    connections: MAX_CONNECTIONS,
  });
}

async function judged(
  { hostname, host, isPrivate }: Target,
  resolve: Resolve,
  signal: AbortSignal,
): Promise<readonly { readonly address: string; readonly family: number }[]> {
  const found = isIP(hostname) === 0 ? await resolved(hostname, host, resolve, signal) : [hostname];
  // One bad address is enough: which of them would be used is somebody else's choice.
  for (const address of found) {
    const zone = zoneOf(address);
    if (zone === 'public' || (zone === 'private' && isPrivate)) continue;
    const hint =
      zone === 'private'
        ? `if it is meant to be in a private network, list it with private: true`
        : 'no configuration allows link-local, metadata or reserved addresses';
    throw new WritError('POLICY_TOOL_DENIED', `${host} has an address that is not public`, {
      hint,
      details: { address, zone },
    });
  }
  return found.slice(0, MAX_ADDRESSES).map((address) => ({ address, family: isIP(address) }));
}

async function resolved(
  hostname: string,
  host: string,
  resolve: Resolve,
  signal: AbortSignal,
): Promise<readonly string[]> {
  let found: readonly string[];
  try {
    found = await orAbort(resolve(hostname), signal);
  } catch (cause) {
    if (signal.aborted) throw cause;
    // EAI_AGAIN: nobody answered for the name just then. Any other code says that there is none.
    const code = causeCode(cause);
    const kind = code === 'EAI_AGAIN' ? 'FUNCTION_TEMPORARY' : 'FUNCTION_FAILED';
    throw new WritError(kind, `${host} can't be resolved (${code})`, { cause });
  }
  if (found.length === 0) throw new WritError('FUNCTION_FAILED', `${host} has no address`);
  return found;
}

/** The system's lookup can't be stopped; whoever waits for it can. */
function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      reject(new WritError('FUNCTION_FAILED', 'stopped while a name was looked up'));
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', stop);
    });
  });
}

/** ECONNREFUSED, ENOTFOUND, UND_ERR_...: what a message may say of a foreign error. */
export function causeCode(error: unknown): string {
  for (let at = error, i = 0; at instanceof Error && i < 4; at = at.cause, i++) {
    if ('code' in at && typeof at.code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/u.test(at.code))
      return at.code;
  }
  return 'no code';
}
