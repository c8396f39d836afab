import { createHash, createPublicKey, generateKeyPairSync, verify as verifyWith } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WritError } from '../../errors.js';
import { createLogKey, loadLogKey } from './log-key.js';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-log-key-'));
  file = join(directory, 'keys', 'log.key');
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function failure(work: () => unknown): WritError {
  try {
    work();
  } catch (error) {
    if (error instanceof WritError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function rewrite(change: (fields: Record<string, unknown>) => unknown): void {
  const fields: Record<string, unknown> = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify(change(fields)));
}

/** The public key a vkey carries, checked with node:crypto alone. */
function publicKeyOf(vkey: string) {
  const typed = Buffer.from(vkey.slice(vkey.indexOf('+', vkey.indexOf('+') + 1) + 1), 'base64');
  expect(typed).toHaveLength(33);
  expect(typed[0]).toBe(1);
  const prefix = Buffer.from('302a300506032b6570032100', 'hex');
  return createPublicKey({
    key: Buffer.concat([prefix, typed.subarray(1)]),
    format: 'der',
    type: 'spki',
  });
}

describe('log key', () => {
  it('signs the same after loading, and the signature verifies under its vkey', () => {
    const made = createLogKey(file, 'audit.example.com/claims');
    const loaded = loadLogKey(file);
    const message = new TextEncoder().encode('audit.example.com/claims\n0\n');
    expect(loaded.vkey).toBe(made.vkey);
    expect(loaded.vkey).toMatch(/^audit\.example\.com\/claims\+[0-9a-f]{8}\+A[A-Za-z0-9+/]{43}$/);
    expect(loaded.sign(message)).toEqual(made.sign(message));
    expect(loaded.sign(message)).toHaveLength(64);
    expect(verifyWith(null, message, publicKeyOf(loaded.vkey), loaded.sign(message))).toBe(true);
  });

  it('has the key id of C2SP signed-note, as the Go checksum database computes its own', () => {
    const keyId = (vkey: string): string => {
      const name = vkey.slice(0, vkey.indexOf('+'));
      const typed = Buffer.from(vkey.slice(name.length + 1 + 8 + 1), 'base64');
      const input = Buffer.concat([Buffer.from(`${name}\n`), typed]);
      return createHash('sha256').update(input).digest('hex').slice(0, 8);
    };
    expect(keyId('sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8')).toBe('033de0ae');
    const { vkey } = createLogKey(file, 'audit.example.com/claims');
    expect(vkey.split('+')[1]).toBe(keyId(vkey));
  });

  it('makes the file with mode 0600 in a directory of mode 0700', () => {
    createLogKey(file, 'example.com/log');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'keys')).mode & 0o777).toBe(0o700);
  });

  it('never overwrites an existing key', () => {
    createLogKey(file, 'example.com/log');
    const before = readFileSync(file);
    expect(failure(() => createLogKey(file, 'example.com/log')).code).toBe('AUDIT_KEY_INVALID');
    expect(readFileSync(file)).toEqual(before);
  });

  it.each(['', 'a b', 'a+b', 'a\u00a0b', 'a\nb', 'a\u0007b', '\ud800', 'x'.repeat(256)])(
    'refuses %j as an origin and writes nothing',
    (origin) => {
      expect(failure(() => createLogKey(file, origin)).code).toBe('INPUT_INVALID');
      expect(failure(() => loadLogKey(file)).code).toBe('AUDIT_KEY_MISSING');
    },
  );

  it('says what to do when the key is missing', () => {
    const error = failure(() => loadLogKey(file));
    expect(error.code).toBe('AUDIT_KEY_MISSING');
    expect(error.message).toContain(file);
    expect(error.hint).toContain('backup');
  });

  it.each([0o640, 0o604, 0o620, 0o610, 0o601])('refuses a file with mode %o', (mode) => {
    createLogKey(file, 'example.com/log');
    chmodSync(file, mode);
    const error = failure(() => loadLogKey(file));
    expect(error.code).toBe('AUDIT_KEY_INVALID');
    expect(error.message).toContain(mode.toString(8));
  });

  it('refuses a vkey of another name, id or key', () => {
    const { vkey } = createLogKey(file, 'example.com/log');
    const other = createLogKey(join(directory, 'other.key'), 'example.com/log').vkey;
    const renamed = vkey.replace('example.com/log', 'example.com/lag');
    const rehashed = vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+');
    for (const wrong of [other, renamed, rehashed, vkey.slice(0, -1), '', 'no plus', 7, null]) {
      rewrite((fields) => ({ ...fields, vkey: wrong }));
      expect(failure(() => loadLogKey(file)).code, String(wrong)).toBe('AUDIT_KEY_INVALID');
    }
  });

  it('refuses every other kind, version, field and key algorithm', () => {
    createLogKey(file, 'example.com/log');
    const original = readFileSync(file);
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const changes: ((fields: Record<string, unknown>) => unknown)[] = [
      (fields) => ({ ...fields, v: 2 }),
      (fields) => ({ ...fields, kind: 'person' }),
      (fields) => ({ ...fields, extra: 1 }),
      ({ privateKey: _, ...fields }) => fields,
      (fields) => ({ ...fields, privateKey: 'AAAA' }),
      (fields) => ({ ...fields, privateKey: 7 }),
      (fields) => ({ ...fields, privateKey: `${String(fields['privateKey'])}\n` }),
      (fields) => ({
        ...fields,
        privateKey: ec.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
      }),
      () => [],
      () => null,
    ];
    for (const change of changes) {
      writeFileSync(file, original);
      rewrite(change);
      expect(failure(() => loadLogKey(file)).code).toBe('AUDIT_KEY_INVALID');
    }
  });

  it('does not quote the private key when the file is damaged', () => {
    createLogKey(file, 'example.com/log');
    const text = readFileSync(file, 'utf8');
    const secret = String(JSON.parse(text).privateKey);
    for (const damaged of [text.slice(0, -4), secret, `{"v":1,${secret}`]) {
      writeFileSync(file, damaged);
      const error = failure(() => loadLogKey(file));
      expect(error.code).toBe('AUDIT_KEY_INVALID');
      expect(JSON.stringify([error, error.cause, String(error.cause)])).not.toContain(secret.slice(0, 12));
    }
  });

  it('refuses a directory and a file larger than a key', () => {
    mkdirSync(file, { recursive: true });
    expect(failure(() => loadLogKey(file)).code).toBe('AUDIT_KEY_INVALID');
    const large = join(directory, 'large');
    writeFileSync(large, ' '.repeat(4_097), { mode: 0o600 });
    expect(failure(() => loadLogKey(large)).message).toContain('4096');
  });
});
