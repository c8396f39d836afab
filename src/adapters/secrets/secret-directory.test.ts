import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WritError } from '../../errors.js';
import { MAX_SECRET_BYTES, openSecretDirectory, type SecretDirectory } from './secret-directory.js';

const handleOf = (name: string): string => `«secret ${name}»`;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

let home: string;
let folder: string;
let secrets: SecretDirectory;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'writ-secrets-'));
  folder = join(home, 'secrets');
  secrets = openSecretDirectory(folder, handleOf);
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

function refusal(work: () => unknown): WritError {
  try {
    work();
  } catch (error) {
    if (error instanceof WritError) return error;
    throw error;
  }
  throw new Error('it did not throw');
}

function plant(name: string, content: string | Uint8Array, mode = 0o600): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  writeFileSync(file, content, { mode });
  return file;
}

describe('secrets by handle', () => {
  it('are none where there is no folder, and none is made by reading', () => {
    expect(secrets.current()).toEqual([]);
    expect(existsSync(folder)).toBe(false);
  });

  it('say that another value was replaced, and nothing of it where the value is the same', () => {
    const [one, two] = [Buffer.from('first-value'), Buffer.from('other-value')];
    expect([one, one, two].map((value) => secrets.set('a', value))).toEqual([false, false, true]);
  });

  it('are kept one a file, mode 0600 in a folder of mode 0700, byte for byte', () => {
    const value = new Uint8Array([0, 10, 13, 255, 1, 2, 3, 4]);
    secrets.set('claims-db', value);
    expect(secrets.current()).toEqual([{ name: 'claims-db', value }]);
    expect([statSync(folder).mode & 0o777, statSync(join(folder, 'claims-db')).mode & 0o777]).toEqual([
      0o700, 0o600,
    ]);
    expect(readdirSync(folder)).toEqual(['claims-db']);
    expect(new Uint8Array(readFileSync(join(folder, 'claims-db')))).toEqual(value);
  });

  it('are replaced and removed, and another handle sees it at once', () => {
    const other = openSecretDirectory(folder, handleOf);
    expect(other.current()).toEqual([]);
    secrets.set('one', bytes('first value'));
    expect(other.current()).toHaveLength(1);
    secrets.set('one', bytes('second value'));
    expect(other.current()).toEqual([{ name: 'one', value: bytes('second value') }]);
    expect([secrets.remove('one'), secrets.remove('one'), secrets.remove('../one')]).toEqual([
      true,
      false,
      false,
    ]);
    expect(other.current()).toEqual([]);
  });

  it("edited in place are seen at once, though the directory says nothing of it, and so are others' permissions", () => {
    const file = plant('one', 'first value');
    const longAgo = new Date(0);
    // Nothing in the directory has changed for a while: what is known may be kept.
    const settled = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 10_000);
    try {
      expect(secrets.current()).toEqual([{ name: 'one', value: bytes('first value') }]);
      const known = secrets.current();
      expect(secrets.current()).toBe(known);
      writeFileSync(file, 'other value');
      utimesSync(file, longAgo, longAgo);
      expect(secrets.current()).toEqual([{ name: 'one', value: bytes('other value') }]);
      chmodSync(file, 0o644);
      expect(refusal(() => secrets.current()).code).toBe('SECRET_UNREADABLE');
    } finally {
      settled.mockRestore();
    }
  });

  it('leave no value behind that a crash left in a temporary file', () => {
    const left = plant(`${randomUUID()}.tmp`, 'a value of a killed set');
    secrets.set('one', bytes('first value'));
    expect(existsSync(left)).toBe(false);
    const again = plant(`${randomUUID()}.tmp`, 'a value of a killed set');
    secrets.remove('one');
    expect(existsSync(again)).toBe(false);
  });

  it.each([7, MAX_SECRET_BYTES + 1, 0])('refuse a value of %i bytes', (length) => {
    const error = refusal(() => secrets.set('one', new Uint8Array(length).fill(97)));
    expect(error.code).toBe('SECRET_INVALID');
    expect(error.message).not.toContain('aaa');
    expect(existsSync(folder)).toBe(false);
  });

  it.each([8, MAX_SECRET_BYTES])('take a value of %i bytes', (length) => {
    secrets.set('one', new Uint8Array(length).fill(97));
    expect(secrets.current()[0]?.value).toHaveLength(length);
  });

  it.each(['', '.', '..', '../x', 'a/b', 'a b', '.hidden', 'a\n', `a${'b'.repeat(64)}`, 'é', 'x.tmp'])(
    'refuse the name %j',
    (name) => {
      expect(refusal(() => secrets.set(name, bytes('abcdefgh'))).code).toBe('SECRET_INVALID');
    },
  );

  it('refuse a value that is a part of a handle: it would be found in its own replacement', () => {
    expect(refusal(() => secrets.set('password1', bytes('password'))).code).toBe('SECRET_INVALID');
    secrets.set('api', bytes('password'));
    expect(refusal(() => secrets.set('password2', bytes('another value'))).code).toBe('SECRET_INVALID');
    expect(refusal(() => secrets.set('b', bytes('«secret '))).code).toBe('SECRET_INVALID');
  });
});

describe('a file that is not as it must be', () => {
  it.each([0o640, 0o604, 0o666])('stops everything when its mode is %o', (mode) => {
    chmodSync(plant('one', 'a good value'), mode);
    const error = refusal(() => secrets.current());
    expect([error.code, error.kind]).toEqual(['SECRET_UNREADABLE', 'fatal']);
    expect(error.hint).toContain('chmod 600');
  });

  it.each([
    ['too short a value', 'short'],
    ['too long a value', 'x'.repeat(MAX_SECRET_BYTES + 1)],
    ['no value', ''],
  ])('stops everything with %s, and does not show it', (_, value) => {
    plant('one', value);
    const error = refusal(() => secrets.current());
    expect(error.code).toBe('SECRET_UNREADABLE');
    if (value !== '') expect(error.message).not.toContain(value.slice(0, 5));
  });

  it('stops everything when it is a link, a directory, or named as no secret is', () => {
    const outside = join(home, 'outside');
    writeFileSync(outside, 'a good value', { mode: 0o600 });
    mkdirSync(folder);
    symlinkSync(outside, join(folder, 'one'));
    expect(refusal(() => secrets.current()).code).toBe('SECRET_UNREADABLE');
    rmSync(join(folder, 'one'));
    mkdirSync(join(folder, 'two'));
    expect(refusal(() => secrets.current()).code).toBe('SECRET_UNREADABLE');
    rmSync(join(folder, 'two'), { recursive: true });
    plant('a b', 'a good value');
    expect(refusal(() => secrets.current()).code).toBe('SECRET_UNREADABLE');
    rmSync(join(folder, 'a b'));
    plant('left-over.tmp', 'half');
    expect(secrets.current()).toEqual([]);
  });
});
