// Border addresses of every range, and every spelling of an address that is not public.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { zoneOf, type Zone } from './network-address.js';

const table: readonly (readonly [Zone, readonly string[]])[] = [
  ['public', ['1.1.1.1', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255']],
  [
    'public',
    ['128.0.0.0', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.167.255.255'],
  ],
  ['public', ['192.169.0.0', '198.17.255.255', '198.20.0.0', '223.255.255.255', '8.8.8.8']],
  ['public', ['2606:4700:4700::1111', '2a00:1450::1', '2001:4860:4860::8888', '2400::']],
  [
    'private',
    ['10.0.0.0', '10.255.255.255', '100.64.0.0', '100.127.255.255', '127.0.0.1', '127.255.255.255'],
  ],
  ['private', ['172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255', '::1', 'fc00::', 'fdff::1']],
  [
    'never',
    ['0.0.0.0', '0.255.255.255', '169.254.0.0', '169.254.169.254', '169.254.255.255', '100.100.100.200'],
  ],
  ['never', ['192.0.0.0', '192.0.0.192', '192.0.2.1', '198.18.0.0', '198.19.255.255', '198.51.100.7']],
  ['never', ['203.0.113.9', '224.0.0.1', '239.255.255.255', '240.0.0.0', '255.255.255.255', '168.63.129.16']],
  [
    'never',
    ['::', 'fe80::1', 'febf::1', 'fec0::1', 'ff02::1', '2001:db8::1', '2001::1', '2002:7f00:1::', '3fff::1'],
  ],
  [
    'never',
    ['::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::1', '100::1'],
  ],
  ['never', ['fd00:ec2::254', 'fd20:ce::254', 'fe80::1%eth0', '::1%lo', '4000::1']],
  [
    'never',
    ['', 'localhost', '127.1', '0x7f000001', '2130706433', '0177.0.0.1', '[::1]', '127.0.0.1.', ' 127.0.0.1'],
  ],
];

describe('the zone of an address', () => {
  for (const [zone, addresses] of table) {
    it.each(addresses)(`of %j is ${zone}`, (address) => {
      expect(zoneOf(address)).toBe(zone);
    });
  }

  it('is never public for an IPv4 address that is not, however an IPv6 address carries it', () => {
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(
        fc.constantFrom('10', '127', '169.254', '192.168', '0'),
        byte,
        byte,
        byte,
        (head, ...rest) => {
          const v4 = [...head.split('.'), ...rest.map(String)].slice(0, 4).map(Number);
          const [a = 0, b = 0, c = 0, d = 0] = v4;
          const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
          const spellings = [
            v4.join('.'),
            `::ffff:${v4.join('.')}`,
            `::ffff:${hex}`,
            `::${hex}`,
            `::FFFF:${hex}`,
          ];
          spellings.push(`0:0:0:0:0:ffff:${hex}`, `64:ff9b::${hex}`, `2002:${hex}::1`, `2001:0:${hex}::`);
          for (const spelling of spellings) expect(zoneOf(spelling), spelling).not.toBe('public');
        },
      ),
    );
  });

  it('is public only for what is an address', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (!/^[0-9a-f.:]+$/iu.test(text)) expect(zoneOf(text)).toBe('never');
      }),
    );
  });
});
