import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { newPlace, type Place } from './writ.js';

describe('setting up', () => {
  let place: Place;
  let first: Awaited<ReturnType<Place['json']>>;
  beforeAll(async () => {
    place = newPlace();
    first = await place.json(['init', '--origin', 'audit.example.com/claims']);
  });

  it('makes a private data directory and copies the shipped policies', () => {
    expect(first.code).toBe(0);
    expect(first.value).toMatchObject({
      origin: 'audit.example.com/claims',
      tenant: 'default',
      policiesCopied: true,
    });
    expect(statSync(join(place.folder, '.writ')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(place.folder, 'policies'))).toContain('approvers.yaml');
    expect(readdirSync(place.folder).filter((name) => name.startsWith('.writ-policies'))).toEqual([]);
  });

  it('refuses to do it twice', async () => {
    const { code, value } = await place.json(['init']);
    expect([code, value]).toMatchObject([2, { error: { code: 'USAGE' } }]);
  });

  it.runIf(existsSync('/proc/self'))(
    'ends where the file system lets nobody make a name (init-never-ends)',
    async () => {
      const inProc = (flag: string, path: string) => place.json(['init', '--data', 'third', flag, path]);
      for (const path of ['/proc/writ-data', '/proc/writ-data/below']) {
        const data = await place.json(['init', '--data', path]);
        expect([data.code, data.value]).toMatchObject([
          6,
          {
            error: {
              code: 'STORE_READ_ONLY',
              message: `can't write to ${path}`,
              hint: 'choose a directory you may write to with --data',
            },
          },
        ]);
      }
      expect(await inProc('--policies', '/proc/writ-policies/here')).toMatchObject({ code: 6 });
      const key = await place.json(['keys', 'create', 'alice', '--out', '/proc/writ-keys/alice.key']);
      expect(key.value).toMatchObject({ error: { hint: 'give a place this user may write to' } });
    },
  );

  it('never touches policies that are there', async () => {
    const file = join(place.folder, 'policies', 'approvers.yaml');
    const before = `${readFileSync(file, 'utf8')}# edited\n`;
    writeFileSync(file, before);
    const { code, value } = await place.json(['init', '--data', 'second']);
    expect([code, value]).toMatchObject([0, { policiesCopied: false }]);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('gives a log that verifies under the printed vkey, and under no other', async () => {
    const vkey = (await place.run(['audit', 'vkey'])).stdout;
    expect(vkey).toMatch(/^audit\.example\.com\/claims\+[0-9a-f]{8}\+/u);
    const good = await place.json(['audit', 'verify', '--vkey', vkey, '--no-trust']);
    expect([good.code, good.value]).toMatchObject([0, { verdict: 'verified', ok: true, size: '1' }]);
    const unpinned = await place.json(['audit', 'verify', '--no-trust']);
    expect([unpinned.code, unpinned.value]).toMatchObject([5, { verdict: 'unpinned', ok: false }]);
    const other = await place.json(['audit', 'verify', 'second/audit', '--vkey', vkey, '--no-trust']);
    expect([other.code, other.value]).toMatchObject([5, { ok: false }]);
  });

  it('shows the same verdict to people', async () => {
    const { code, stdout } = await place.run(['audit', 'verify', '--no-trust']);
    expect(code).toBe(5);
    expect(stdout.split('\n').slice(0, 4)).toEqual([
      'unpinned',
      'log     .writ/audit',
      'origin  audit.example.com/claims',
      'size    1',
    ]);
  });

  it('takes --data from the environment', async () => {
    const { stdout } = await place.run(['audit', 'vkey'], { env: { WRIT_DATA: 'second' } });
    expect(stdout).not.toBe((await place.run(['audit', 'vkey'])).stdout);
  });
});

describe('keys', () => {
  const place = newPlace();

  it('are made once, private, and shown by their public half only', async () => {
    const { code, value } = await place.json(['keys', 'create', 'alice']);
    expect(code).toBe(0);
    const file = join(place.folder, 'config', 'writ', 'keys', 'alice.key');
    expect(value).toMatchObject({ name: 'alice', file, publicKey: expect.stringMatching(/^ed25519:/u) });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const content = readFileSync(file, 'utf8');
    const again = await place.json(['keys', 'create', 'alice']);
    expect([again.code, again.value]).toMatchObject([
      2,
      { error: { message: expect.stringContaining('exists') } },
    ]);
    expect(readFileSync(file, 'utf8')).toBe(content);
    const shown = await place.run(['keys', 'show', file]);
    const { privateKey } = JSON.parse(content);
    expect(shown.stdout).not.toContain(privateKey);
    expect((await place.json(['keys', 'list'])).value).toEqual({ keys: [value] });
  });

  it('come with the lines that enrol them', async () => {
    const { stdout } = await place.run(['keys', 'create', 'bob', '--out', 'bob.key']);
    expect(stdout).toMatch(/ {2}- id: user:bob\n {4}keys: \["ed25519:[A-Za-z0-9+/=]+"\]/u);
  });

  it('that others may read are not used', async () => {
    writeFileSync(join(place.folder, 'open.key'), '{}', { mode: 0o644 });
    const { code, stderr } = await place.run(['keys', 'show', 'open.key']);
    expect(code).toBe(2);
    expect(stderr).toContain('0644');
  });
});
