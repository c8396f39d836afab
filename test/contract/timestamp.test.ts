// The time stamp client against a real authority (openssl ts on loopback), and against one that lies.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpPost } from '../../src/adapters/http-post.js';
import { timestampAuthority } from '../../src/adapters/timestamp/rfc3161.js';
import { hasOpenssl, openTestAuthority, type TestAuthority } from '../e2e/test-authority.js';

const limits = { timeoutMs: 10_000, signal: new AbortController().signal };
const message = new TextEncoder().encode('audit.example.com/claims\n7\nAAAA\n');

describe.skipIf(!hasOpenssl)('a time stamp authority (needs openssl)', () => {
  let authority: TestAuthority;
  beforeAll(async () => {
    authority = await openTestAuthority();
  });
  afterAll(() => authority.close());

  it('gives a token that openssl verifies over exactly the bytes that were stamped', async () => {
    authority.tamper((reply) => reply);
    const token = await timestampAuthority(authority.url, httpPost).stamp(message, limits);
    expect(authority.verifies(token, message)).toBe(true);
    expect(authority.verifies(token, new TextEncoder().encode('other bytes'))).toBe(false);
  });

  it('is refused when it answers with the token of an earlier request', async () => {
    const client = timestampAuthority(authority.url, httpPost);
    authority.tamper((reply) => reply);
    const earlier = Buffer.from(await client.stamp(message, limits));
    authority.tamper(() => earlier);
    await expect(client.stamp(message, limits)).rejects.toThrow('its token answers another request');
    const other = client.stamp(new TextEncoder().encode('something else'), limits);
    await expect(other).rejects.toThrow('its token is over other bytes');
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'no time stamp response'],
    ['text', Buffer.from('<html>'), 'no time stamp response'],
    ['a refusal', Buffer.from('30053003020102', 'hex'), 'refused with status 2'],
    ['a grant without a token', Buffer.from('30053003020100', 'hex'), 'holds no token'],
    ['more than 64 KiB', Buffer.alloc(70_000), 'longer than 65536 bytes'],
    ['30,000 levels', Buffer.from('3080'.repeat(30_000), 'hex'), 'no time stamp response'],
    ['nested lengths beyond the end', Buffer.from('30ff'.repeat(100), 'hex'), 'no time stamp response'],
  ])('is refused when it answers with %s', async (_, reply, reason) => {
    authority.tamper(() => reply);
    const stamp = timestampAuthority(authority.url, httpPost).stamp(message, limits);
    await expect(stamp).rejects.toMatchObject({ code: 'AUDIT_TIMESTAMP_FAILED' });
    await expect(timestampAuthority(authority.url, httpPost).stamp(message, limits)).rejects.toThrow(reason);
  });
});

it('is a failure and not a crash when nobody listens', async () => {
  const stamp = timestampAuthority('http://127.0.0.1:9/', httpPost).stamp(message, limits);
  await expect(stamp).rejects.toThrow("can't be reached");
});
