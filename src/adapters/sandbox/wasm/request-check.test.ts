// What a WASM sandbox has not is refused, never left out.
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../../json.js';
import type { SandboxRequest } from '../../../runtime/ports.js';
import { checkRequest } from './request-check.js';

const request: SandboxRequest = {
  argv: ['x'],
  env: {},
  stdin: new Uint8Array(0),
  program: { kind: 'module', digest: `sha256:${'0'.repeat(64)}` as Digest, bytes: new Uint8Array(0) },
  limits: { timeoutMs: 1_000, memoryMiB: 64, outputBytes: 1_000 },
};

describe('checkRequest', () => {
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
