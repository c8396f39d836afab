// Where a request wants to go, from every spelling of it that could be taken for another.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPath, targetOfAuthority, targetOfUrl } from './target.js';

describe('targetOfAuthority', () => {
  it.each([
    ['api.test:443', 'api.test:443'],
    ['API.Test:443', 'api.test:443'],
    ['[::1]:80', '[::1]:80'],
    ['[0:0:0:0:0:0:0:1]:80', '[::1]:80'],
    ['[::ffff:127.0.0.1]:80', '[::ffff:7f00:1]:80'],
    ['2130706433:80', '127.0.0.1:80'],
    ['0x7f.1:80', '127.0.0.1:80'],
    ['127.1:80', '127.0.0.1:80'],
    ['api.test.:443', 'api.test.:443'], // no list holds that
  ])('reads %s as %s', (text, host) => {
    expect(targetOfAuthority(text, null)?.host).toBe(host);
  });

  it.each([
    'api.test',
    'api.test:',
    'api.test:0',
    'api.test:65536',
    'api.test:+1',
    'user@api.test:443',
    'api.test:443/',
    'api%2etest:443',
    'api.test\\:443',
    'ａpi.test:443',
    'api.test:443\u0000',
    '[::1:80',
    '::1:80',
    '[fe80::1%25eth0]:80',
    '256.0.0.1:80',
    ':80',
    '',
  ])('reads no target from %j', (text) => {
    expect(targetOfAuthority(text, null)).toBeNull();
  });

  it('takes the port of the scheme where none is given', () => {
    expect(targetOfAuthority('api.test', 80)?.port).toBe(80);
    expect(targetOfAuthority('[::1]', 80)).toMatchObject({ host: '[::1]:80', hostname: '::1' });
  });
});

describe('targetOfUrl', () => {
  it.each([
    ['http://api.test/a?b', 'api.test:80', '/a?b'],
    ['HTTP://api.test:8080', 'api.test:8080', '/'],
    ['http://api.test?x=1', 'api.test:80', '/?x=1'],
    ['http://api.test//evil.test/', 'api.test:80', '//evil.test/'],
  ])('reads %s', (text, host, path) => {
    expect(targetOfUrl(text)).toMatchObject({ target: { host }, path });
  });

  it.each([
    'https://api.test/',
    'http:api.test',
    'http:///api.test',
    'http://api.test@evil.test/',
    'http://api.test#@evil.test/',
    'http://api.test\\@evil.test/',
    'http://api.test/\\evil.test',
    'http://api.test/#x',
    'http://api.test/ HTTP/1.1',
    'ftp://api.test/',
    '/',
    '*',
  ])('reads no target from %j', (text) => {
    expect(targetOfUrl(text)).toBeNull();
  });

  it('gives a host and a path of visible ASCII, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const found = targetOfUrl(`http://${text}`);
        if (found === null) return;
        expect(found.target.host).toMatch(/^[!-~]+:[0-9]+$/);
        expect(isPath(found.path)).toBe(true);
      }),
    );
  });
});
