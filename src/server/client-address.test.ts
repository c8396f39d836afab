import { describe, expect, it } from 'vitest';
import { clientAddress } from './client-address.js';

const from = (remoteAddress: string | undefined, ...headers: string[]) => ({
  socket: remoteAddress === undefined ? {} : { remoteAddress },
  rawHeaders: headers.flatMap((value) => ['X-Forwarded-For', value]),
});
const PROXIES = ['10.0.0.1', '10.0.0.2', 'fd00::1'];

describe('the address of a caller', () => {
  it('is that of the connection, whatever the request states', () => {
    expect(clientAddress(from('203.0.113.9', '198.51.100.1'), PROXIES)).toBe('203.0.113.9');
    expect(clientAddress(from('10.0.0.1', '198.51.100.1'), [])).toBe('10.0.0.1');
    expect(clientAddress(from(undefined, '198.51.100.1'), PROXIES)).toBe('');
  });

  it('is what a declared proxy states, in both forms of its own address', () => {
    for (const proxy of ['10.0.0.1', '::ffff:10.0.0.1', 'FD00::1'])
      expect(clientAddress(from(proxy, '198.51.100.1'), PROXIES)).toBe('198.51.100.1');
    expect(clientAddress(from('10.0.0.1', '198.51.100.1, 10.0.0.2'), PROXIES)).toBe('198.51.100.1');
  });

  it('is the last that no declared proxy has: what stands before it, the caller may have written', () => {
    expect(clientAddress(from('10.0.0.1', '1.1.1.1, 198.51.100.1'), PROXIES)).toBe('198.51.100.1');
    expect(clientAddress(from('10.0.0.1', '1.1.1.1', '198.51.100.1'), PROXIES)).toBe('198.51.100.1');
  });

  it('is that of the proxy where it states none, or no address', () => {
    for (const value of ['', 'unknown', '1.1.1.1, nonsense', '300.1.1.1', '10.0.0.2', '1.1.1.1:80'])
      expect(clientAddress(from('10.0.0.1', value), PROXIES)).toBe('10.0.0.1');
    expect(clientAddress(from('10.0.0.1'), PROXIES)).toBe('10.0.0.1');
  });

  it('of IPv6 is its network: one subscriber has 2 to the 64 of them', () => {
    for (const address of ['2001:db8:1:2::1', '2001:db8:1:2:ffff::', '2001:0DB8:1:2:3:4:5:6'])
      expect(clientAddress(from(address), [])).toBe('2001:db8:1:2::/64');
    expect(clientAddress(from('::1'), [])).toBe('0:0:0:0::/64');
    expect(clientAddress(from('fe80::1%eth0'), [])).toBe('fe80:0:0:0::/64');
  });

  it('is read from that header alone, never from a value that looks like its name', () => {
    const raw = {
      socket: { remoteAddress: '10.0.0.1' },
      rawHeaders: ['a', 'x-forwarded-for', 'b', '1.1.1.1'],
    };
    expect(clientAddress(raw, PROXIES)).toBe('10.0.0.1');
  });
});
