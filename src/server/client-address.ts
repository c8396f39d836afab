// From where a request comes, as far as that is known: the peer of the connection, or, behind a proxy that serve.yaml
// declares, the address that this proxy states. What anybody else states about itself is not believed.
import { isIP } from 'node:net';
import type { Bindings } from './bindings.js';

/**
 * The address whose requests are counted together: of IPv6 its network of 64 bits, which is one subscriber. `proxies`:
 * addresses of declared proxies; nothing is read from headers for any other peer.
 */
export function clientAddress(
  { socket, rawHeaders }: Bindings['incoming'],
  proxies: readonly string[],
): string {
  const peer = peerAddress(socket);
  if (!proxies.includes(peer)) return networkOf(peer);
  // From the nearest on: what a declared proxy has added is believed, everything before that is the caller's own words.
  for (const hop of forwardedFor(rawHeaders).toReversed()) {
    const address = plain(hop);
    if (isIP(address) === 0) break;
    if (!proxies.includes(address)) return networkOf(address);
  }
  return networkOf(peer);
}

/** Of the other end of a connection, in the form in which proxies are declared; empty when it has ended. */
export function peerAddress({ remoteAddress = '' }: { readonly remoteAddress?: string | undefined }): string {
  return plain(remoteAddress);
}

/** Attacker-controlled: all values of all such headers, in their order. */
function forwardedFor(rawHeaders: readonly string[]): readonly string[] {
  const values = rawHeaders.filter(
    (_, at) => rawHeaders[at - 1]?.toLowerCase() === 'x-forwarded-for' && at % 2 === 1,
  );
  return values.flatMap((value) => value.split(',')).map((one) => one.trim());
}

/** An IPv4 address that a socket of both kinds shows in the form of IPv6. */
function plain(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/iu.exec(address)?.[1] ?? address.toLowerCase();
}

/** What counts as one subscriber: an IPv4 address, or the first 64 bits of an IPv6 address. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - after.length);
  const all = [...groups, ...Array.from({ length: zeros }, () => '0'), ...after];
  const network = all.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
