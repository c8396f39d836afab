import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTrustStore } from './trust-store.js';

let root: string;
let file: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'writ-trust-'));
  file = join(root, 'state', 'writ', 'trust.json');
});
afterEach(() => rm(root, { recursive: true }));

const at = (size: number | bigint, origin = 'o'): string =>
  `${origin}\n${size}\nroot\n\n\u2014 ${origin} AAAA\n`;

describe('the trust store', () => {
  it('knows nothing before the first write, which makes file and directory private', async () => {
    const trust = openTrustStore(file);
    expect(await trust.read('log.example')).toBeNull();
    await trust.write('log.example', { vkey: 'log.example+k', checkpoint: null });
    expect(await openTrustStore(file).read('log.example')).toEqual({
      vkey: 'log.example+k',
      checkpoint: null,
    });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(root, 'state', 'writ'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(root, 'state', 'writ'))).toEqual(['trust.json']);
  });
  it('keeps the checkpoint verbatim and every origin apart', async () => {
    const trust = openTrustStore(file);
    await trust.write('log.example', { vkey: 'log.example+k', checkpoint: at(5, 'log.example') });
    await trust.write('__proto__', { vkey: '__proto__+p', checkpoint: at(1, '__proto__') });
    expect(await trust.read('log.example')).toEqual({
      vkey: 'log.example+k',
      checkpoint: at(5, 'log.example'),
    });
    expect(await trust.read('__proto__')).toEqual({ vkey: '__proto__+p', checkpoint: at(1, '__proto__') });
    expect(await trust.read('constructor')).toBeNull();
  });
  it('goes to a larger size, replaces an equal one, and never goes to a smaller one', async () => {
    const trust = openTrustStore(file);
    for (const size of [0n, 9n, 10n, 2n ** 53n + 1n])
      await trust.write('o', { vkey: 'o+k', checkpoint: at(size) });
    for (const checkpoint of [at(2n ** 53n), at(0), null])
      await trust.write('o', { vkey: 'o+k', checkpoint });
    expect((await trust.read('o'))?.checkpoint).toBe(at(2n ** 53n + 1n));
    const cosigned = `${at(2n ** 53n + 1n)}\u2014 w AAAA\n`;
    await trust.write('o', { vkey: 'o+k', checkpoint: cosigned });
    expect((await trust.read('o'))?.checkpoint).toBe(cosigned);
  });
  it('refuses a smaller log under another key', async () => {
    const trust = openTrustStore(file);
    await trust.write('o', { vkey: 'o+k', checkpoint: at(5) });
    await expect(trust.write('o', { vkey: 'o+other', checkpoint: null })).rejects.toMatchObject({
      code: 'AUDIT_ROLLBACK',
    });
    expect(await trust.read('o')).toEqual({ vkey: 'o+k', checkpoint: at(5) });
  });
  it('refuses another key for a log it has seen, larger or not, and keeps what it knows', async () => {
    const trust = openTrustStore(file);
    await trust.write('o', { vkey: 'o+k', checkpoint: at(5) });
    for (const checkpoint of [at(5), at(9)]) {
      await expect(trust.write('o', { vkey: 'o+other', checkpoint })).rejects.toMatchObject({
        code: 'AUDIT_KEY_INVALID',
      });
    }
    expect(await trust.read('o')).toEqual({ vkey: 'o+k', checkpoint: at(5) });
  });
  it('takes another key for a log that was never published: an init begun anew', async () => {
    const trust = openTrustStore(file);
    await trust.write('o', { vkey: 'o+k', checkpoint: null });
    await trust.write('o', { vkey: 'o+other', checkpoint: null });
    expect(await trust.read('o')).toEqual({ vkey: 'o+other', checkpoint: null });
  });
  it('replaces a key when told from which, and remembers the former ones', async () => {
    const trust = openTrustStore(file);
    await trust.write('o', { vkey: 'o+a', checkpoint: at(5) });
    await trust.replaceKey('o', { from: 'o+a', vkey: 'o+b', checkpoint: at(7) });
    await trust.replaceKey('o', { from: 'o+a', vkey: 'o+b', checkpoint: at(7) });
    await trust.write('o', { vkey: 'o+b', checkpoint: at(8) });
    expect(await trust.read('o')).toEqual({ vkey: 'o+b', checkpoint: at(8), former: ['o+a'] });
    await trust.replaceKey('o', { from: 'o+b', vkey: 'o+c', checkpoint: at(8) });
    expect(await openTrustStore(file).read('o')).toEqual({
      vkey: 'o+c',
      checkpoint: at(8),
      former: ['o+a', 'o+b'],
    });
  });
  it('replaces no key it does not know, and goes to no smaller size with a new one', async () => {
    const trust = openTrustStore(file);
    await trust.write('o', { vkey: 'o+a', checkpoint: at(5) });
    await expect(
      trust.replaceKey('o', { from: 'o+x', vkey: 'o+b', checkpoint: at(7) }),
    ).rejects.toMatchObject({
      code: 'AUDIT_KEY_INVALID',
    });
    await expect(
      trust.replaceKey('o', { from: 'o+a', vkey: 'o+b', checkpoint: at(4) }),
    ).rejects.toMatchObject({
      code: 'AUDIT_ROLLBACK',
    });
    expect(await trust.read('o')).toEqual({ vkey: 'o+a', checkpoint: at(5) });
    await trust.replaceKey('new', { from: 'new+a', vkey: 'new+b', checkpoint: at(1, 'new') });
    expect(await trust.read('new')).toEqual({ vkey: 'new+b', checkpoint: at(1, 'new'), former: ['new+a'] });
  });
  it('ends at the largest of many writes at once', async () => {
    const trust = openTrustStore(file);
    await Promise.all([3, 9, 1, 7].map((size) => trust.write('o', { vkey: 'o+k', checkpoint: at(size) })));
    expect((await trust.read('o'))?.checkpoint).toBe(at(9));
  });
  it('refuses a record of another log: a key of another name, a checkpoint of another origin', async () => {
    const trust = openTrustStore(file);
    const other = { vkey: 'p+k', checkpoint: at(5) };
    await expect(trust.write('o', other)).rejects.toMatchObject({ code: 'AUDIT_KEY_INVALID' });
    for (const checkpoint of [at(5, 'p'), at(5, 'oo'), '', '\n5\nr\n']) {
      const record = { vkey: 'o+k', checkpoint };
      const refused = { code: 'AUDIT_CHECKPOINT_INVALID' };
      await expect(trust.write('o', record)).rejects.toMatchObject(refused);
      await expect(trust.replaceKey('o', { from: 'o+j', ...record })).rejects.toMatchObject(refused);
    }
    await expect(trust.replaceKey('o', { from: 'o+k', ...other })).rejects.toMatchObject({
      code: 'AUDIT_KEY_INVALID',
    });
    expect(await trust.read('o')).toBeNull();
  });
  it.each(['o\n+5\nr\n', 'o\n05\nr\n', 'o\n5', 'o\n\n5\nr\n', 'o'])(
    'refuses the checkpoint %j, which has no size',
    async (checkpoint) => {
      const trust = openTrustStore(file);
      await expect(trust.write('o', { vkey: 'o+k', checkpoint })).rejects.toMatchObject({
        code: 'AUDIT_CHECKPOINT_INVALID',
      });
      expect(await trust.read('o')).toBeNull();
    },
  );
  it.each([
    '',
    '{',
    '[]',
    '{"v":2,"logs":{}}',
    '{"v":1}',
    '{"v":1,"logs":{"o":{"vkey":1,"checkpoint":null}}}',
    '{"v":1,"logs":{"o":{"vkey":"k","checkpoint":null,"former":["a",1]}}}',
    '{"v":1,"logs":{"o":{"vkey":"k","checkpoint":null,"former":"a"}}}',
  ])('never overwrites a file it does not understand: %j', async (text) => {
    const other = join(root, 'trust.json');
    await writeFile(other, text);
    const trust = openTrustStore(other);
    await expect(trust.read('o')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(trust.write('o', { vkey: 'o+k', checkpoint: null })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    expect(await readFile(other, 'utf8')).toBe(text);
  });
});
