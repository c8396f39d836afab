// Artifacts in files under their contract, and what only files can suffer: other bytes, links, a writer that is killed.
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openArtifacts } from '../../src/adapters/store/artifacts.js';
import type { Digest } from '../../src/json.js';
import { UNSAID, artifactsContract, bytesOf, textOf } from './artifacts.js';

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'writ-artifacts-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let count = 0;
const fresh = (): string => path.join(scratch, `${(count += 1)}`, 'artifacts');

artifactsContract('files', async () => openArtifacts(fresh()));

const hexOf = (digest: Digest): string => digest.slice('sha256:'.length);
const blobOf = (directory: string, digest: Digest): string =>
  path.join(directory, 'sha256', hexOf(digest).slice(0, 2), hexOf(digest));
const filesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));

describe('artifacts in files', () => {
  it('are for their owner only, and no path holds any text of a name', async () => {
    const directory = fresh();
    await openArtifacts(directory).put(bytesOf('x'), 'secret-bucket/secret-key', UNSAID);
    const files = filesIn(directory);
    expect(files.length).toBe(3);
    for (const file of files) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(statSync(path.dirname(file)).mode & 0o777).toBe(0o700);
      expect(file).not.toContain('secret');
    }
  });

  it.each([
    ['one bit flipped', (file: string) => writeFileSync(file, 'Xne')],
    ['cut short', (file: string) => writeFileSync(file, 'on')],
    ['emptied', (file: string) => writeFileSync(file, '')],
  ])('are refused with %s, on the very next read, and put right by the same put', async (_, tamper) => {
    const directory = fresh();
    const store = openArtifacts(directory);
    const digest = await store.put(bytesOf('one'), 'claims/a', UNSAID);
    expect(textOf(await store.read(digest))).toBe('one');
    tamper(blobOf(directory, digest));
    await expect(store.read(digest)).rejects.toMatchObject({ code: 'INTEGRITY_DIGEST', kind: 'fatal' });
    await store.put(bytesOf('one'), null, UNSAID);
    expect(textOf(await store.read(digest))).toBe('one');
  });

  it.each([
    [
      'the reference of another name',
      (own: string, other: string) => writeFileSync(own, readFileSync(other)),
    ],
    ['what is no JSON', (own: string) => writeFileSync(own, '{')],
    [
      'a reference without a digest',
      (own: string) => writeFileSync(own, '{"v":1,"name":"claims/a","size":1}'),
    ],
    [
      'a path for a digest',
      (own: string) => writeFileSync(own, '{"name":"claims/a","size":1,"digest":"sha256:../x"}'),
    ],
    ['a file without end', (own: string) => writeFileSync(own, 'x'.repeat(20_000))],
  ])('refuse a name whose file is %s', async (_, tamper) => {
    const directory = fresh();
    const store = openArtifacts(directory);
    const names = (): string[] => filesIn(path.join(directory, 'names'));
    await store.put(bytesOf('one'), 'claims/a', UNSAID);
    const [own = ''] = names();
    await store.put(bytesOf('other'), 'claims/b', UNSAID);
    const other = names().find((file) => file !== own) ?? '';
    tamper(own, other);
    await expect(store.find('claims/a')).rejects.toMatchObject({ code: 'INTEGRITY_DIGEST' });
    await expect(store.list('claims/', 10)).rejects.toMatchObject({ code: 'INTEGRITY_DIGEST' });
  });

  it('follow no link: not that of a file', async () => {
    const directory = fresh();
    const store = openArtifacts(directory);
    const digest = await store.put(bytesOf('one'), null, UNSAID);
    const blob = blobOf(directory, digest);
    const outside = path.join(scratch, 'outside.txt');
    writeFileSync(outside, 'one');
    rmSync(blob);
    symlinkSync(outside, blob);
    await expect(store.read(digest)).rejects.toMatchObject({ code: 'INTEGRITY_DIGEST' });
    await store.put(bytesOf('one'), null, UNSAID);
    expect(readFileSync(outside, 'utf8')).toBe('one');
    expect(textOf(await store.read(digest))).toBe('one');
  });

  it.each([[''], ['sha256'], ['names']])('follow no link: not that of the folder %j', async (folder) => {
    const directory = fresh();
    const store = openArtifacts(directory);
    const digest = await store.put(bytesOf('one'), 'claims/a', UNSAID);
    const elsewhere = fresh();
    mkdirSync(path.dirname(elsewhere), { recursive: true });
    renameSync(path.join(directory, folder), elsewhere);
    symlinkSync(elsewhere, path.join(directory, folder));
    const refusal = { code: 'STORE_IO' };
    if (folder !== 'names') await expect(store.read(digest)).rejects.toMatchObject(refusal);
    if (folder !== 'sha256') await expect(store.find('claims/a')).rejects.toMatchObject(refusal);
    const before = filesIn(elsewhere).length;
    await expect(store.put(bytesOf('two'), 'claims/b', UNSAID)).rejects.toMatchObject(refusal);
    expect(filesIn(elsewhere).length).toBe(before);
  });

  describe('HOLE: a file of what is said that is taken away', () => {
    const PII = { labels: ['pii'], classification: 'internal' };
    const NOTHING = { labels: [], classification: 'public' };
    const saidIn = (directory: string): string[] => filesIn(path.join(directory, 'data'));

    it('never leaves less said of the bytes, but nothing at all', async () => {
      for (const order of [
        [PII, NOTHING],
        [NOTHING, PII],
        [PII, NOTHING, PII, UNSAID],
      ]) {
        const directory = fresh();
        const store = openArtifacts(directory);
        let digest: Digest = store.digestOf(bytesOf('x'));
        for (const one of order) digest = await store.put(bytesOf('x'), 'claims/a', one);
        expect(await store.dataOf(digest)).toHaveLength(new Set(order).size);
        const files = saidIn(directory);
        expect(files).toHaveLength(1);
        for (const file of files) rmSync(file);
        expect(await store.dataOf(digest)).toEqual([]);
      }
    });

    it('is one however many have said something at once', async () => {
      const directory = fresh();
      const stores = [openArtifacts(directory), openArtifacts(directory)];
      const say = async (at: number): Promise<void> => {
        await stores[at % 2]?.put(bytesOf('x'), null, { labels: [`l${at}`], classification: null });
      };
      await Promise.all(Array.from({ length: 12 }, (_, at) => say(at)));
      const digest = openArtifacts(directory).digestOf(bytesOf('x'));
      expect(await stores[0]?.dataOf(digest)).toHaveLength(12);
      await say(0);
      expect(saidIn(directory)).toHaveLength(1);
      expect(await stores[1]?.dataOf(digest)).toHaveLength(12);
    });

    it('or changed, is refused, and the next put goes on with what nobody knows', async () => {
      const directory = fresh();
      const store = openArtifacts(directory);
      const digest = await store.put(bytesOf('x'), null, PII);
      const [file = ''] = saidIn(directory);
      writeFileSync(file, JSON.stringify({ v: 1, said: [[[], 'public']] }));
      await expect(store.dataOf(digest)).rejects.toMatchObject({ code: 'INTEGRITY_DIGEST' });
      await store.put(bytesOf('x'), null, NOTHING);
      expect(await store.dataOf(digest)).toEqual(expect.arrayContaining([UNSAID, NOTHING]));
    });

    it('of before, when each thing that was said was a file, is read and taken into the one', async () => {
      const directory = fresh();
      const store = openArtifacts(directory);
      const digest = await store.put(bytesOf('x'), null, NOTHING);
      const text = JSON.stringify([PII.labels, PII.classification]);
      const name = store.digestOf(bytesOf(text)).slice('sha256:'.length);
      writeFileSync(path.join(path.dirname(saidIn(directory)[0] ?? ''), `${name}.json`), text);
      expect(await store.dataOf(digest)).toEqual(expect.arrayContaining([PII, NOTHING]));
      await store.put(bytesOf('x'), null, NOTHING);
      expect(saidIn(directory)).toHaveLength(1);
      expect(await store.dataOf(digest)).toEqual(expect.arrayContaining([PII, NOTHING]));
    });
  });

  it('take what a crash has left in the middle of a put for nothing', async () => {
    const directory = fresh();
    const store = openArtifacts(directory);
    const digest = await store.put(bytesOf('one'), 'claims/a', UNSAID);
    for (const file of filesIn(directory)) writeFileSync(`${file}.4f1c.tmp`, 'half');
    expect((await store.list('', 10)).map((one) => one.name)).toEqual(['claims/a']);
    expect(textOf(await store.read(digest))).toBe('one');
  });

  it('that were acknowledged are whole after kill -9 in the middle of writing', async () => {
    const root = path.resolve(import.meta.dirname, '..', '..');
    if (!existsSync(path.join(root, 'dist', 'adapters', 'store', 'artifacts.js')))
      throw new Error('npm run build');
    const directory = fresh();
    const acknowledged = new Map<string, string>();
    for (const enough of [3, 11, 17]) {
      const worker = path.join(import.meta.dirname, 'artifact-writer.mjs');
      const child = spawn(process.execPath, [worker, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.split('\n').length > enough) child.kill('SIGKILL');
      });
      await new Promise<void>((resolve) => {
        child.on('close', () => resolve());
      });
      for (const line of said.split('\n').slice(0, -1)) {
        const [at = '', digest = ''] = line.split(' ');
        acknowledged.set(`claims/${at}`, digest);
      }
    }
    expect(acknowledged.size).toBeGreaterThan(10);
    const store = openArtifacts(directory);
    // Whatever a name refers to is there and whole, acknowledged or not.
    const found = await store.list('', 1_000);
    for (const { name, digest } of found) {
      expect(textOf(await store.read(digest))).toBe(`artifact ${name.slice(7)} `.repeat(2_000));
    }
    for (const [name, digest] of acknowledged) expect((await store.find(name))?.digest).toBe(digest);
  });
});
