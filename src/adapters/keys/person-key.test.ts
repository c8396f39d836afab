import { createPublicKey, verify as verifyWith } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogKey } from './log-key.js';
import { createPersonKey, loadPersonKey } from './person-key.js';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-person-key-'));
  file = join(directory, 'alice.key');
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('personal key', () => {
  it('signs after loading; the signature verifies under the public key of approvers.yaml', () => {
    const made = createPersonKey(file, 'Alice Example');
    const loaded = loadPersonKey(file);
    expect([loaded.name, loaded.publicKey]).toEqual(['Alice Example', made.publicKey]);
    const raw = Buffer.from(loaded.publicKey.slice('ed25519:'.length), 'base64');
    expect(raw).toHaveLength(32);
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
      format: 'jwk',
    });
    const message = new TextEncoder().encode('writ.decision.v1\0{}');
    expect(verifyWith(null, message, key, loaded.sign(message))).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('never overwrites an existing key', () => {
    createPersonKey(file, 'alice');
    const before = readFileSync(file);
    expect(() => createPersonKey(file, 'alice')).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID', message: expect.stringContaining('exists already') }),
    );
    expect(readFileSync(file)).toEqual(before);
  });

  it.each(['', 'two\nlines', '\u001b[31m', 'x'.repeat(256)])('refuses %j as a name', (name) => {
    expect(() => createPersonKey(file, name)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }));
  });

  it('tells a missing file from one that others may read', () => {
    expect(() => loadPersonKey(file)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    createPersonKey(file, 'alice');
    chmodSync(file, 0o644);
    expect(() => loadPersonKey(file)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }));
  });

  it('says of a key of SSH how it is used', () => {
    const text = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n';
    writeFileSync(file, text, { mode: 0o600 });
    const told = { code: 'INPUT_INVALID', hint: expect.stringContaining('--key ssh-agent') as string };
    expect(() => loadPersonKey(file)).toThrow(expect.objectContaining(told));
  });

  it('refuses a log key, a swapped public key and a damaged name', () => {
    createLogKey(file, 'example.com/log');
    expect(() => loadPersonKey(file)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }));
    const other = createPersonKey(join(directory, 'bob.key'), 'bob').publicKey;
    rmSync(file);
    createPersonKey(file, 'alice');
    const fields: Record<string, unknown> = JSON.parse(readFileSync(file, 'utf8'));
    for (const wrong of [{ publicKey: other }, { name: 'a\u0000b' }, { name: 1 }, { v: 2 }]) {
      writeFileSync(file, JSON.stringify({ ...fields, ...wrong }));
      expect(() => loadPersonKey(file)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }));
    }
  });
});
