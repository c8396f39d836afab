// Operator-owned files: what is wrong is said with file, line and column, all of it at once.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WritError } from '../../errors.js';
import { MAX_CONFIG_BYTES, parseConfig, readConfig, schemaOf } from './config-file.js';
import { readHttpConfig, type HttpHosts } from './http/config.js';
import { parseMcpConfig, readMcpConfig } from './mcp/config.js';

interface Simple {
  readonly name: string;
  readonly mode?: string;
  readonly list?: readonly number[];
}

const fits = schemaOf<Simple>({
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: {
    name: { type: 'string' },
    mode: { enum: ['a', 'b'] },
    list: { type: 'array', items: { type: 'integer' } },
  },
});

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'writ-config-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function problemsOf(text: string): readonly string[] {
  try {
    parseConfig('c.yaml', text, fits);
  } catch (error) {
    if (!(error instanceof WritError) || error.code !== 'CONFIG_INVALID') throw error;
    return error.details?.['problems'] as readonly string[];
  }
  throw new Error('it was accepted');
}

describe('a configuration file', () => {
  it('is a value of its schema', () => {
    expect(parseConfig('c.yaml', 'name: x\nlist: [1, 2]\n', fits)).toEqual({ name: 'x', list: [1, 2] });
  });

  it('has every problem named with its place', () => {
    expect(problemsOf('nme: x\nmode: c\nlist:\n  - 1\n  - two\n')).toEqual([
      `c.yaml:1:1: must have required property 'name'`,
      'c.yaml:1:1: unknown field "nme"; did you mean "name"?',
      'c.yaml:2:7: mode: must be one of ["a","b"]',
      'c.yaml:5:5: list.1: must be integer',
    ]);
  });

  it.each([
    ['a duplicate key', 'name: x\nname: y\n', 'c.yaml:2:1'],
    ['an alias', 'name: &a x\nmode: *a\n', 'c.yaml:1:'],
    ['a tag', 'name: !!binary aGk=\n', 'c.yaml:1:'],
    ['no YAML', 'name: [\n', 'c.yaml:'],
    ['nothing', '', 'c.yaml:'],
    ['two documents', 'name: x\n---\nname: y\n', 'c.yaml:'],
    ['a prototype', '__proto__: {name: x}\n', 'c.yaml:1:1'],
  ])('that holds %s is refused at its place', (_, text, place) => {
    expect(problemsOf(text)[0]).toContain(place);
  });

  it('that is not there is no configuration', async () => {
    expect(await readConfig(path.join(folder, 'absent.yaml'), fits)).toBeNull();
  });

  it('that is too large, no file, a pipe, or not UTF-8 is an error and not absent', async () => {
    const file = (name: string): string => path.join(folder, name);
    writeFileSync(file('large'), 'x'.repeat(MAX_CONFIG_BYTES + 1));
    mkdirSync(file('folder'));
    execFileSync('mkfifo', [file('pipe')]);
    writeFileSync(file('latin'), Buffer.from([0x6e, 0xe9]));
    for (const name of ['large', 'folder', 'pipe', 'latin']) {
      await expect(readConfig(file(name), fits), name).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    }
  });

  it('of the largest size is read', async () => {
    const file = path.join(folder, 'c.yaml');
    writeFileSync(file, 'name: x\n#'.padEnd(MAX_CONFIG_BYTES, '-'));
    expect(await readConfig(file, fits)).toEqual({ name: 'x' });
  });
});

describe('http.yaml', () => {
  const read = (text: string): Promise<HttpHosts | WritError | null> => {
    writeFileSync(path.join(folder, 'http.yaml'), text);
    return readHttpConfig(path.join(folder, 'http.yaml'));
  };

  it('lists hosts, https and by GET unless it says otherwise', async () => {
    const hosts = await read(`
hosts:
  api.bank.example:
    methods: [GET, POST]
    headers:
      authorization: { secret: CLAIMS, prefix: 'Bearer ' }
      x-team: claims
  other.example:443: {}
  localhost:8080: { http: true, private: true }
  '[::1]:8080': { http: true, private: true }
`);
    if (hosts === null || hosts instanceof WritError) throw new Error('not read');
    expect([...hosts.keys()]).toEqual([
      'https://api.bank.example',
      'https://other.example',
      'http://localhost:8080',
      'http://[::1]:8080',
    ]);
    expect(hosts.get('https://other.example')).toEqual({
      target: {
        origin: 'https://other.example',
        hostname: 'other.example',
        host: 'other.example:443',
        isPrivate: false,
      },
      methods: ['GET', 'HEAD'],
      headers: {},
    });
    expect(hosts.get('http://[::1]:8080')?.target).toMatchObject({ hostname: '::1', host: '[::1]:8080' });
  });

  it.each([
    'Api.bank.example',
    'api.bank.example.',
    'https://api.bank.example',
    'api.bank.example/v1',
    'user@api.bank.example',
    'api.bank.example:99999',
    'bänk.example',
    '0x7f.1',
    '2130706433',
    '*.bank.example',
    '[0:0:0:0:0:0:0:1]',
    'api.bank.example?x',
    'a b',
  ])('does not take %s for a host', async (name) => {
    expect(await read(`hosts: {${JSON.stringify(name)}: {}}`)).toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it.each([
    ['the same origin twice', 'hosts: {a.example: {}, "a.example:443": {}}'],
    ['an unknown field', 'hosts: {a.example: {metods: [GET]}}'],
    ['an unknown method', 'hosts: {a.example: {methods: [TRACE]}}'],
    ['a header that the connection sets', 'hosts: {a.example: {headers: {host: b.example}}}'],
    ['a header in capitals', 'hosts: {a.example: {headers: {X-Team: a}}}'],
    ['a line end in a header', 'hosts: {a.example: {headers: {x: "a\\r\\nb"}}}'],
    ['a secret without a name', 'hosts: {a.example: {headers: {x: {prefix: "Bearer "}}}}'],
    ['no hosts', 'host: {}'],
  ])('is refused with %s', async (_, text) => {
    expect(await read(text)).toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('mcp.yaml', () => {
  const pin = 'a'.repeat(64);

  it('names servers with a command or a url, and pinned tools', () => {
    const servers = parseMcpConfig(
      'mcp.yaml',
      `
servers:
  ledger:
    command: /usr/bin/ledger
    args: [--read-only]
    env: { REGION: eu, TOKEN: { secret: LEDGER }, HOME: { env: HOME } }
    tools: { lookup: { schemaSha256: ${pin} } }
  search: { url: https://mcp.bank.example/mcp, headers: { authorization: { secret: S } } }
`,
    );
    expect(servers.get('ledger')).toEqual({
      name: 'ledger',
      at: {
        kind: 'process',
        command: '/usr/bin/ledger',
        args: ['--read-only'],
        env: { REGION: 'eu', TOKEN: { secret: 'LEDGER' }, HOME: { env: 'HOME' } },
        cwd: null,
      },
      pins: new Map([['lookup', pin]]),
    });
    expect(servers.get('search')?.at).toMatchObject({
      kind: 'url',
      target: { host: 'mcp.bank.example:443' },
    });
  });

  it('need not be there', async () => {
    expect(await readMcpConfig(path.join(folder, 'mcp.yaml'))).toEqual(new Map());
  });

  it.each([
    ['neither command nor url', '{}'],
    ['both', '{command: x, url: "https://a.example"}'],
    ['headers of a command', '{command: x, headers: {a: b}}'],
    ['arguments of a url', '{url: "https://a.example", args: [x]}'],
    ['http without saying so', '{url: "http://a.example"}'],
    ['a password in the url', '{url: "https://u:p@a.example"}'],
    ['another scheme', '{url: "file:///etc/passwd", http: true}'],
    ['a tool without its hash', '{command: x, tools: {echo: {}}}'],
    ['a hash in capitals', `{command: x, tools: {echo: {schemaSha256: ${'A'.repeat(64)}}}}`],
    ['a hash that is too short', `{command: x, tools: {echo: {schemaSha256: ${'a'.repeat(63)}}}}`],
    ['a tool no function could be called', `{command: x, tools: {"a b": {schemaSha256: ${pin}}}}`],
    ['a variable that is no name', '{command: x, env: {"A=B": c}}'],
    ['NUL in an argument', '{command: x, args: ["a\\0b"]}'],
    ['an unknown field', '{comand: x}'],
  ])('is refused with %s', (_, server) => {
    expect(() => parseMcpConfig('mcp.yaml', `servers: {bank: ${server}}`)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error,
    );
  });
});
