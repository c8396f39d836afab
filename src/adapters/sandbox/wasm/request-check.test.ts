// What a WASM sandbox has not is refused, never left out.
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../../json.js';
import type { SandboxFile, SandboxRequest } from '../../../runtime/ports.js';
import { checkRequest } from './request-check.js';

const request: SandboxRequest = {
  argv: ['x'],
  env: {},
  stdin: new Uint8Array(0),
  program: { kind: 'module', digest: `sha256:${'0'.repeat(64)}` as Digest, bytes: new Uint8Array(0) },
  limits: { timeoutMs: 1_000, memoryMiB: 64, outputBytes: 1_000 },
};

describe('checkRequest', () => {
  it('takes files that fit together and into diskMiB, and refuses others before anything starts', () => {
    const sized = (path: string, size: number): SandboxFile => ({ path, bytes: new Uint8Array(size) });
    const check = (diskMiB: number, ...files: SandboxFile[]): unknown =>
      checkRequest({ ...request, files, limits: { ...request.limits, diskMiB } });
    const MIB = 1024 * 1024;
    expect(() => check(1, sized('a', MIB - 1), sized('b', 1))).not.toThrow();
    expect(() => check(1, sized('a', MIB), sized('b', 1))).toThrow(/more than diskMiB 1/);
    expect(() => check(1, sized('a.b', 1), sized('a', 1))).not.toThrow();
    for (const below of ['a/b', 'a/b/c'])
      expect(() => check(1, sized(below, 1), sized('a', 1))).toThrow(/also a folder/);
  });

  it('takes a request without a network, and refuses a way out', () => {
    expect(checkRequest(request).pages).toBe(1_024);
    const egress = {
      hosts: ['api.test:443'],
      credentials: [],
      bytes: 1,
      requests: 1,
      record: () => Promise.resolve(),
    };
    expect(() => checkRequest({ ...request, egress })).toThrow(
      expect.objectContaining({ code: 'SANDBOX_UNSUPPORTED' }),
    );
  });
});
