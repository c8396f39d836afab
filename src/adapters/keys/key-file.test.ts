// What holds of every private key file, whatever key is in it: its owner alone reads it, and its place is no link.
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WritError } from '../../errors.js';
import { createLogKey, loadLogKey, openLogKeys } from './log-key.js';
import { createPersonKey, loadPersonKey } from './person-key.js';
import { createWitnessKey, loadWitnessKey } from './witness-key.js';

const KINDS: [string, (file: string) => unknown, (file: string) => unknown][] = [
  ['log', (file) => createLogKey(file, 'example.com/log'), loadLogKey],
  ['person', (file) => createPersonKey(file, 'alice'), loadPersonKey],
  ['witness', (file) => createWitnessKey(file, 'witness.example.com'), loadWitnessKey],
];
it('a log key is refused in a directory that is reached through a link', () => {
  createLogKey(file, 'example.com/log');
  symlinkSync(join(root, 'keys'), join(root, 'link'));
  const through = join(root, 'link', 'a.key');
  expect(failure(() => loadLogKey(through))).toMatchObject({ code: 'AUDIT_KEY_INVALID' });
  expect(failure(() => createLogKey(join(root, 'link', 'b.key'), 'example.com/log')).message).toContain(
    'a link',
  );
  expect(readdirSync(join(root, 'keys'))).toEqual(['a.key']);
});

const isRoot = process.geteuid?.() === 0;

let root: string;
let file: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'writ-key-file-'));
  file = join(root, 'keys', 'a.key');
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
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

describe.each(KINDS)('the file of a %s key', (kind, create, load) => {
  it('has mode 0600 in a directory of 0700, and nothing else is left beside it', () => {
    create(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(root, 'keys')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(root, 'keys'))).toEqual(['a.key']);
  });

  it.each([0o640, 0o604, 0o660, 0o606, 0o620, 0o601, 0o644, 0o777])(
    'is refused with mode %o, and the message says how to mend it',
    (mode) => {
      create(file);
      chmodSync(file, mode);
      const error = failure(() => load(file));
      expect(error.message).toContain(`has mode ${mode.toString(8).padStart(4, '0')}`);
      expect(error.hint).toContain('chmod 600');
      chmodSync(file, 0o600);
      load(file);
    },
  );

  it('is accepted when its owner may only read it', () => {
    create(file);
    chmodSync(file, 0o400);
    load(file);
  });

  it('is refused when it is a symbolic link, even to a good key', () => {
    create(file);
    const link = join(root, 'keys', 'link.key');
    symlinkSync(file, link);
    const error = failure(() => load(link));
    expect(error.message).toContain('symbolic link');
    expect(error.hint).toContain('key file itself');
    symlinkSync(join(root, 'nothing'), join(root, 'keys', 'dangling.key'));
    expect(failure(() => load(join(root, 'keys', 'dangling.key'))).message).toContain('symbolic link');
  });

  it('is never written through a link that somebody has put there', () => {
    mkdirSync(join(root, 'keys'), { mode: 0o700 });
    const victim = join(root, 'victim');
    symlinkSync(victim, file);
    expect(failure(() => create(file)).message).toContain('exists already');
    expect(existsSync(victim)).toBe(false);
  });

  it('is refused in a directory where everybody may put another file in its place', () => {
    create(file);
    chmodSync(join(root, 'keys'), 0o703);
    const error = failure(() => load(file));
    expect(error.message).toContain('0703');
    expect(error.hint).toContain('chmod');
    expect(failure(() => create(join(root, 'keys', 'b.key'))).message).toContain('0703');
    expect(readdirSync(join(root, 'keys'))).toEqual(['a.key']);
  });

  it.runIf(isRoot)('is refused when it belongs to somebody else (only root can give a file away)', () => {
    create(file);
    chownSync(file, 12_345, 12_345);
    const error = failure(() => load(file));
    expect(error.message).toContain('belongs to user 12345');
    expect(error.hint).toContain('chown');
  });

  it('is refused when it is a directory or a pipe, without waiting', () => {
    mkdirSync(file, { recursive: true });
    expect(failure(() => load(file)).message).toContain('not a regular file');
  });

  it('is never taken for a key of another kind', () => {
    create(file);
    for (const [other, , loadOther] of KINDS)
      if (other !== kind) expect(() => loadOther(file)).toThrow(WritError);
  });
});

describe('the directory of the log key', () => {
  it.each([0o750, 0o705, 0o710, 0o701, 0o755, 0o777])('is refused with mode %o', (mode) => {
    createLogKey(file, 'example.com/log');
    chmodSync(join(root, 'keys'), mode);
    const error = failure(() => loadLogKey(file));
    expect(error).toMatchObject({ code: 'AUDIT_KEY_INVALID' });
    expect(error.hint).toContain('chmod 700');
  });

  it('may be open for others to read where the key is a person’s, who chose the place', () => {
    createPersonKey(file, 'alice');
    chmodSync(join(root, 'keys'), 0o775);
    loadPersonKey(file);
    // As /tmp is: everybody writes, nobody replaces.
    chmodSync(join(root, 'keys'), 0o1777);
    loadPersonKey(file);
  });

  it.runIf(isRoot)('is refused when it belongs to somebody else (only root can give a file away)', () => {
    createLogKey(file, 'example.com/log');
    chownSync(join(root, 'keys'), 12_345, 12_345);
    expect(failure(() => loadLogKey(file)).message).toContain('belongs to user 12345');
  });
});

describe('the successor of a log key', () => {
  it('is made beside it, takes its place, and the former private key is gone', () => {
    const { vkey } = createLogKey(file, 'example.com/log');
    const keys = openLogKeys(file);
    expect(keys.successor()).toBeNull();
    const next = keys.makeSuccessor();
    expect(next.vkey).not.toBe(vkey);
    expect(next.vkey.split('+')[0]).toBe('example.com/log');
    expect(statSync(`${file}.next`).mode & 0o777).toBe(0o600);
    expect(keys.successor()?.vkey).toBe(next.vkey);
    expect(keys.signer.vkey).toBe(vkey);
    const former = readFileSync(file, 'utf8');
    keys.promoteSuccessor();
    expect(keys.signer.vkey).toBe(next.vkey);
    expect(loadLogKey(file).vkey).toBe(next.vkey);
    expect(readdirSync(join(root, 'keys'))).toEqual(['a.key']);
    expect(readFileSync(file, 'utf8')).not.toContain(String(JSON.parse(former).privateKey));
  });

  it('is made once, and is deleted when it is not wanted', () => {
    createLogKey(file, 'example.com/log');
    const keys = openLogKeys(file);
    keys.makeSuccessor();
    expect(failure(() => keys.makeSuccessor()).code).toBe('AUDIT_KEY_INVALID');
    keys.discardSuccessor();
    keys.discardSuccessor();
    expect(keys.successor()).toBeNull();
    expect(failure(() => keys.promoteSuccessor()).code).toBe('AUDIT_KEY_MISSING');
    expect(loadLogKey(file).vkey).toBe(keys.signer.vkey);
  });

  it('is not promoted when it is damaged: the key in use stays', () => {
    const { vkey } = createLogKey(file, 'example.com/log');
    const keys = openLogKeys(file);
    writeFileSync(`${file}.next`, '{', { mode: 0o600 });
    expect(failure(() => keys.successor()).code).toBe('AUDIT_KEY_INVALID');
    expect(failure(() => keys.promoteSuccessor()).code).toBe('AUDIT_KEY_INVALID');
    expect(loadLogKey(file).vkey).toBe(vkey);
  });

  it('is what another handle signs with after it has loaded again', () => {
    createLogKey(file, 'example.com/log');
    const [one, other] = [openLogKeys(file), openLogKeys(file)];
    one.makeSuccessor();
    one.promoteSuccessor();
    expect(other.signer.vkey).not.toBe(one.signer.vkey);
    other.signer.reload?.();
    expect(other.signer.vkey).toBe(one.signer.vkey);
    const message = Uint8Array.of(1);
    expect(other.signer.sign(message)).toEqual(one.signer.sign(message));
  });
});
