import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readServeConfig } from './serve-config.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-serve-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const read = (text: string, allowLoopback = false) => {
  writeFileSync(join(folder, 'serve.yaml'), text);
  return readServeConfig(folder, allowLoopback);
};
const provider = (fields: string): string =>
  `oidc:\n  - { issuer: "https://id.example.com", audience: writ, ${fields} }\n`;
const out = (fields: string, top = 'webhookHosts: [hooks.example.com]\n'): string =>
  `${top}channels:\n  relay:\n    out: { ${fields} }\n`;

describe('serve.yaml', () => {
  it('that is not there tells nobody, hears nobody and trusts nobody', async () => {
    const config = await readServeConfig(folder, false);
    expect(config).toMatchObject({ url: null, oidc: [], webhookHosts: [] });
    expect(config.channels.size).toBe(0);
  });

  it('names providers and channels', async () => {
    const { oidc } = await read(provider('algorithms: [ES256], jwksFile: keys.json'));
    expect(oidc).toEqual([
      {
        issuer: 'https://id.example.com',
        audience: 'writ',
        algorithms: ['ES256'],
        jwks: { file: join(folder, 'keys.json') },
      },
    ]);
    const { channels } = await read(
      out('url: "https://hooks.example.com/a", sign: [new, old], include: input'),
    );
    expect(channels.get('relay')).toMatchObject({
      out: { sign: ['new', 'old'], includeInput: true, linksFor: null, events: { length: 7 } },
      in: null,
    });
  });

  it.each<[string, string, string]>([
    ['an unknown field', 'webhook: {}\n', 'serve.yaml:1:1: unknown field "webhook"'],
    ['a key twice', 'url: https://a\nurl: https://b\n', 'serve.yaml:2:1'],
    ['an alias', 'webhookHosts: &a [x]\nchannels: *a\n', 'serve.yaml:2:11: aliases'],
    ['the algorithm none', provider('algorithms: [none], jwksFile: k'), 'serve.yaml:2:70'],
    [
      'an algorithm by which verifiers could sign',
      provider('algorithms: [HS256], jwksFile: k'),
      'must be one of',
    ],
    ['no algorithm', provider('algorithms: [], jwksFile: k'), 'serve.yaml:2:'],
    ['an issuer without its keys', provider('algorithms: [ES256]'), 'serve.yaml:2:5'],
    [
      'an issuer with keys in two places',
      provider('algorithms: [ES256], jwksFile: k, jwks: "https://id.example.com/k"'),
      'serve.yaml:2:5',
    ],
    [
      'keys of a host inside',
      provider('algorithms: [ES256], jwks: "https://169.254.169.254/k"'),
      'not a public address',
    ],
    [
      'a key itself in place of its name',
      out('url: "https://hooks.example.com/", sign: ["whsec_AAAA/AAA="]'),
      'serve.yaml:4:',
    ],
    ['a webhook without signature', out('url: "https://hooks.example.com/"'), 'serve.yaml:4:'],
    [
      'a webhook to a host that is not listed',
      out('url: "https://other.example.com/", sign: [a]'),
      'not in webhookHosts',
    ],
    ['a webhook without TLS', out('url: "http://hooks.example.com/", sign: [a]'), 'http: is not https:'],
    ['a webhook to this host', out('url: "http://127.0.0.1:9/", sign: [a]'), 'http: is not https:'],
    [
      'links without an address of this server',
      out('url: "https://hooks.example.com/", sign: [a], linksFor: "user:bob"'),
      'needs the url',
    ],
    [
      'links for an agent',
      out('url: "https://hooks.example.com/", sign: [a], linksFor: "agent:bob"'),
      'serve.yaml:4:',
    ],
    ['a public key that is none', 'channels:\n  a:\n    in: { publicKeys: [whpk_x] }\n', 'serve.yaml:3:'],
    ['a channel that is neither told nor heard', 'channels:\n  a: {}\n', 'serve.yaml:2:6'],
  ])('with %s is refused, with its place', async (_, text, words) => {
    const refused = await read(text).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(`${(refused as Error).message}\n${(refused as { hint?: string }).hint ?? ''}`).toContain(words);
  });

  it('may name this host where the operator allows loopback', async () => {
    const text = out('url: "http://127.0.0.1:9/", sign: [a]', '');
    expect((await read(text, true)).channels.get('relay')?.out?.url).toBe('http://127.0.0.1:9/');
  });
});
