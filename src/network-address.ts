// Which network addresses a function may connect to. IPv4: everything but what the IANA special-purpose registry sets
// apart. IPv6: global unicast only, so that no form that carries an IPv4 address inside (mapped, compatible, NAT64,
// 6to4, Teredo) is a way around the IPv4 rules. What is not understood is never connected to.
import { BlockList, isIP } from 'node:net';

/**
 * `public`: anybody's. `private`: this host or the networks behind it, for hosts that an operator lists as such.
 * `never`: link-local (cloud metadata services among them), multicast, reserved, documentation; nobody can allow it.
 */
export type Zone = 'public' | 'private' | 'never';

const PRIVATE_4 = subnets('ipv4', [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
]);
const NEVER_4 = subnets('ipv4', [
  ['0.0.0.0', 8],
  ['100.100.100.200', 32], // a cloud's metadata service inside the shared address space
  ['168.63.129.16', 32], // a cloud's wire server, on an address that looks public
  ['169.254.0.0', 16],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]);
const PUBLIC_6 = subnets('ipv6', [['2000::', 3]]);
const PRIVATE_6 = subnets('ipv6', [
  ['::1', 128],
  ['fc00::', 7],
]);
const NEVER_6 = subnets('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['fd00:ec2::', 32], // metadata services inside unique local space
  ['fd20:ce::', 32],
]);

/** `address` as a resolver or URL parser writes it, without brackets; anything else is `never`. */
export function zoneOf(address: string): Zone {
  switch (isIP(address)) {
    case 4:
      if (NEVER_4.check(address, 'ipv4')) return 'never';
      return PRIVATE_4.check(address, 'ipv4') ? 'private' : 'public';
    case 6:
      // A zone index names an interface: link-local, whatever stands before it.
      if (address.includes('%') || NEVER_6.check(address, 'ipv6')) return 'never';
      if (PUBLIC_6.check(address, 'ipv6')) return 'public';
      return PRIVATE_6.check(address, 'ipv6') ? 'private' : 'never';
    default:
      return 'never';
  }
}

function subnets(family: 'ipv4' | 'ipv6', list: readonly (readonly [string, number])[]): BlockList {
  const blocks = new BlockList();
  for (const [net, prefix] of list) blocks.addSubnet(net, prefix, family);
  return blocks;
}
