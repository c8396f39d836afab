import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDockerFile, type DockerFile } from './docker-file.js';
import { WritError } from './errors.js';

const digest = `sha256:${'ab'.repeat(32)}`;

describe('docker.yaml', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'writ-docker-file-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const read = async (text: string): Promise<DockerFile | WritError> => {
    writeFileSync(path.join(folder, 'docker.yaml'), text);
    return readDockerFile(folder);
  };

  it('need not be there', async () => {
    const file = await readDockerFile(folder);
    expect(file).toMatchObject({ socket: null, runtime: null });
    expect(!(file instanceof WritError) && file.images.names()).toEqual([]);
  });

  it('says nothing where it says so', async () => {
    expect(await read('{}\n')).toMatchObject({ socket: null, runtime: null });
  });

  it.each(['', '\n', '# runtime: runsc\n', '---\n', 'null\n'])(
    'hole: a file that a write had left empty took away the runtime that it named: %j',
    async (text) => {
      const error = await read(text);
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
      expect((error as WritError).message).toMatch(/docker\.yaml:1:1: it says nothing/);
    },
  );

  it('names images, the engine and the runtime', async () => {
    const file = await read(
      `images: { default: ${digest}, tools: "ghcr.io/a/b@${digest}" }\nsocket: /run/d.sock\nruntime: runsc\n`,
    );
    if (file instanceof WritError) throw file;
    expect(file).toMatchObject({ socket: '/run/d.sock', runtime: 'runsc' });
    expect(file.images.names()).toEqual(['default', 'tools']);
    expect(file.images.image('default')).toEqual({ kind: 'image', digest, repository: null });
    expect(file.images.image('tools')).toEqual({ kind: 'image', digest, repository: 'ghcr.io/a/b' });
    expect(file.images.image('constructor')).toBeNull();
  });

  it('declares hosts of secrets for TLS, and for plain HTTP only where it says http://', async () => {
    const file = await read(
      'credentials: { a: ["api.test:443", "http://api.test:80"], b: ["http://[::1]:8080"] }\n',
    );
    if (file instanceof WritError) throw file;
    expect([...file.credentials]).toEqual([
      [
        'a',
        [
          { host: 'api.test:443', isPlain: false },
          { host: 'api.test:80', isPlain: true },
        ],
      ],
      ['b', [{ host: '[::1]:8080', isPlain: true }]],
    ]);
  });

  it.each([
    ['images: { a: alpine }', ':1:'],
    ['images: { a: "alpine:3" }', ':1:'],
    ['images: { a: "alpine:3@sha256:ab" }', ':1:'],
    ['images: { A: x }', ':1:'],
    ['\nprivileged: true', ':2:1'],
    ['\nHostConfig: { Privileged: true }', ':2:1'],
    ['binds: ["/:/host"]', ':1:1'],
    ['socket: tcp://10.0.0.1:2375', ':1:'],
    ['runtime: "a b"', ':1:'],
    ['images: [', ':1:'],
    ['credentials: { a: ["https://a.test:443"] }', ':1:'],
    ['credentials: { a: ["HTTP://a.test:80"] }', ':1:'],
    ['credentials: { a: ["http://a.test"] }', ':1:'],
    ['credentials: { a: ["http://a.test:80/"] }', ':1:'],
  ])('refuses %j and says where', async (text, at) => {
    const error = await read(text);
    expect(error).toBeInstanceOf(WritError);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect((error as WritError).message).toContain(`docker.yaml${at}`);
  });
});
