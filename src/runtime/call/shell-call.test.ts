import { describe, expect, it } from 'vitest';
import type { Digest, Json } from '../../json.js';
import type { ImageNames } from '../ports.js';
import { SHELL_FILES_BYTES, shellFiles, shellRequest } from './shell-call.js';

const digest = `sha256:${'ab'.repeat(32)}` as Digest;
const other = `sha256:${'cd'.repeat(32)}` as Digest;
const images: ImageNames = {
  names: () => ['default'],
  image: (name) => (name === 'default' ? { kind: 'image', digest, repository: null } : null),
};
const none: ImageNames = { names: () => [], image: () => null };
const read = (input: Json, sandboxImage: string | null = null) =>
  shellRequest('Build', input, sandboxImage, images);

describe('tool::shell_exec', () => {
  it('reads a command as sh -c, and argv as it is', () => {
    expect(read({ command: 'ls; rm -rf /' }).argv).toEqual(['sh', '-c', 'ls; rm -rf /']);
    expect(read({ argv: ['echo', '$(id)', ''] }).argv).toEqual(['echo', '$(id)', '']);
  });

  it('gives a program numbers, lists and the like as the text that a template prints, in arguments and variables', () => {
    const { argv, env } = read({
      argv: ['x', 1, 0.5, true, ['a', 1], { id: 'ü' }],
      env: { PORT: 8080, ON: false },
    });
    expect(argv).toEqual(['x', '1', '0.5', 'true', '["a",1]', '{"id":"ü"}']);
    expect(env).toEqual({ PORT: '8080', ON: 'false' });
  });

  it('passes variables, folder, stdin, files and outputs on', () => {
    const request = read({
      argv: ['x'],
      env: { A: 'b' },
      cwd: '/work/a',
      stdin: 'grüße',
      files: { a: 'text', b: { base64: 'AAE=' } },
      outputs: ['out/**'],
    });
    expect(request).toMatchObject({ env: { A: 'b' }, cwd: '/work/a', outputs: ['out/**'] });
    expect(Buffer.from(request.stdin).toString()).toBe('grüße');
    expect(request.files?.map((file) => [file.path, [...file.bytes]])).toEqual([
      ['a', [...Buffer.from('text')]],
      ['b', [0, 1]],
    ]);
  });

  it("runs the step's image, else the sandbox's, else the default", () => {
    expect(read({ argv: ['x'] }).program).toEqual({ kind: 'image', digest, repository: null });
    expect(read({ argv: ['x'] }, other).program.digest).toBe(other);
    expect(read({ argv: ['x'], image: 'default' }, other).program.digest).toBe(digest);
    expect(read({ argv: ['x'], image: `ghcr.io/a/b@${other}` }).program).toEqual({
      kind: 'image',
      digest: other,
      repository: 'ghcr.io/a/b',
    });
  });

  it('needs an image by digest or by a name that the operator gave', () => {
    expect(() => read({ argv: ['x'], image: 'alpine:latest' })).toThrow(/docker.yaml has not/);
    expect(() => shellRequest('Build', { argv: ['x'] }, null, none)).toThrow(
      expect.objectContaining({ code: 'SANDBOX_IMAGE_MISSING' }) as Error,
    );
  });

  it.each<Json>([
    {},
    null,
    'ls',
    { argv: [] },
    { argv: ['a', null] },
    { argv: 'ls' },
    { command: '' },
    { command: 'a', argv: ['b'] },
    { argv: ['x'], privileged: true },
    { argv: ['x'], env: { A: null } },
    { argv: ['x'], env: { TOKEN: { secret: 'bank' } } },
    { argv: ['x', { base64: 'AAE=' }] },
    { argv: ['x'], env: ['A=1'] },
    { argv: ['x'], cwd: 1 },
    { argv: ['x'], stdin: 1 },
    { argv: ['x'], stdin: { base64: '!' } },
    { argv: ['x'], image: 1 },
    { argv: ['x'], files: { a: 1 } },
    { argv: ['x'], files: { a: { base64: 'A' } } },
    { argv: ['x'], files: { a: { base64: 'AAE=', mode: 1 } } },
    { argv: ['x'], outputs: 'a' },
  ])('refuses %j', (input) => {
    expect(() => read(input)).toThrow(expect.objectContaining({ code: 'FUNCTION_REQUEST_INVALID' }) as Error);
  });

  it('gives files back as they were put in, up to a limit', () => {
    const file = (bytes: Uint8Array) => [{ path: 'a', bytes }];
    expect(shellFiles(file(Buffer.from('ü')))).toEqual({ a: 'ü' });
    expect(shellFiles(file(Uint8Array.of(0xff)))).toEqual({ a: { base64: '/w==' } });
    expect(shellFiles(file(new Uint8Array(SHELL_FILES_BYTES)))).not.toBeNull();
    expect(shellFiles(file(new Uint8Array(SHELL_FILES_BYTES + 1)))).toBeNull();
  });
});
