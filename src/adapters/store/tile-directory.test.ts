import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileError } from './durable-file.js';
import { openTileDirectory, type TileDirectory } from './tile-directory.js';

let root: string;
let directory: TileDirectory;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'writ-tiles-'));
  directory = openTileDirectory(join(root, 'audit'));
});
afterEach(() => rm(root, { recursive: true }));

async function listed(under?: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const path of directory.list(under)) paths.push(path);
  return paths;
}

describe('a tile directory', () => {
  it('is empty before the first put, which makes it', async () => {
    expect(await directory.get('checkpoint')).toBeNull();
    expect(await listed()).toEqual([]);
    await directory.put('tile/0/x001/000.p/5', Uint8Array.of(1, 2));
    expect(await directory.get('tile/0/x001/000.p/5')).toEqual(Uint8Array.of(1, 2));
  });
  it('replaces a file whole and leaves nothing beside it', async () => {
    await directory.put('checkpoint', new Uint8Array(5000).fill(1));
    await directory.put('checkpoint', Uint8Array.of(2));
    expect(await directory.get('checkpoint')).toEqual(Uint8Array.of(2));
    expect(await readdir(join(root, 'audit'))).toEqual(['checkpoint']);
  });
  it('has one of the contents when two write at once', async () => {
    const contents = Array.from({ length: 20 }, (_, i) => new Uint8Array(1000).fill(i));
    await Promise.all(contents.map((bytes) => directory.put('checkpoint', bytes)));
    expect(contents).toContainEqual(await directory.get('checkpoint'));
    expect(await listed()).toEqual(['checkpoint']);
  });
  it('makes files that are put at once in the same new directories, and keeps none of them open', async () => {
    const open = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
    const before = await open();
    const paths = Array.from({ length: 40 }, (_, i) => `tile/${i % 2}/x00${i % 3}/${100 + i}`);
    await Promise.all(paths.map((path, i) => directory.put(path, Uint8Array.of(i))));
    for (const [i, path] of paths.entries()) expect(await directory.get(path)).toEqual(Uint8Array.of(i));
    expect(await listed()).toHaveLength(40);
    expect(await open()).toBe(before);
  });
  it('lists depth first, names ascending, and only below a directory when asked', async () => {
    for (const path of [
      'vkey',
      'tile/0/000',
      'tile/0/000.p/3',
      'checkpoints/2',
      'checkpoints/10',
      'checkpoint',
    ]) {
      await directory.put(path, new Uint8Array());
    }
    expect(await listed()).toEqual([
      'checkpoint',
      'checkpoints/10',
      'checkpoints/2',
      'tile/0/000',
      'tile/0/000.p/3',
      'vkey',
    ]);
    expect(await listed('checkpoints')).toEqual(['checkpoints/10', 'checkpoints/2']);
    expect(await listed('nowhere')).toEqual([]);
  });
  it('lists a link as a file and does not follow it', async () => {
    await directory.put('checkpoint', new Uint8Array());
    await symlink(root, join(root, 'audit', 'loop'));
    expect(await listed()).toEqual(['checkpoint', 'loop']);
    expect(await directory.get('loop')).toBeNull();
  });
  it('writes and removes nothing through a link to another directory', async () => {
    const outside = join(root, 'keys');
    await mkdir(join(outside, 'deep'), { recursive: true });
    await writeFile(join(outside, 'log.key'), 'key');
    await directory.put('checkpoint', new Uint8Array());
    await symlink(outside, join(root, 'audit', 'tile'));
    for (const path of ['tile/log.key', 'tile/deep/000', 'tile/new/000', 'tile/000']) {
      await expect(directory.put(path, Uint8Array.of(1))).rejects.toMatchObject({ code: 'STORE_IO' });
      await directory.remove(path);
    }
    expect(await readFile(join(outside, 'log.key'), 'utf8')).toBe('key');
    expect((await readdir(outside, { recursive: true })).sort()).toEqual(['deep', 'log.key']);
  });
  it('is written below a link to it: only what lies in it must be real', async () => {
    await mkdir(join(root, 'elsewhere'));
    await symlink(join(root, 'elsewhere'), join(root, 'audit'));
    await directory.put('tile/0/000', Uint8Array.of(1));
    expect(await directory.get('tile/0/000')).toEqual(Uint8Array.of(1));
  });
  it('reads a directory and a FIFO as absent, without waiting', async () => {
    await mkdir(join(root, 'audit', 'tile'), { recursive: true });
    execFileSync('mkfifo', [join(root, 'audit', 'checkpoint')]);
    expect(await directory.get('tile')).toBeNull();
    expect(await directory.get('checkpoint')).toBeNull();
  });
  it('cuts off what is longer than any file of a log', async () => {
    await mkdir(join(root, 'audit'));
    await writeFile(join(root, 'audit', 'checkpoint'), new Uint8Array(17_000_000));
    expect((await directory.get('checkpoint'))?.length).toBe(256 * 65_537 + 1);
  });
  it.each(['../x', '/x', 'a/../x', 'a//x', '', '.', 'a/.hidden', 'a\0b', 'a\\b', 'x'.repeat(101)])(
    'never lets the path %j reach the disk',
    async (path) => {
      await expect(async () => directory.put(path, new Uint8Array())).rejects.toMatchObject({
        code: 'INTERNAL',
      });
      await expect(async () => directory.get(path)).rejects.toMatchObject({ code: 'INTERNAL' });
    },
  );
  it('is STORE_IO when a file stands where a directory must be', async () => {
    await directory.put('tile', new Uint8Array());
    await expect(directory.put('tile/0/000', new Uint8Array())).rejects.toMatchObject({ code: 'STORE_IO' });
  });
  it('fails where nothing can be made, instead of trying for ever', async () => {
    // /proc refuses new entries to everybody, also to root.
    const readOnly = openTileDirectory('/proc/self/writ-test');
    await expect(readOnly.put('checkpoint', new Uint8Array())).rejects.toMatchObject({
      code: expect.stringMatching(/^STORE_(READ_ONLY|IO)$/) as string,
    });
  });
  it.each([
    ['EROFS', 'STORE_READ_ONLY'],
    ['EACCES', 'STORE_READ_ONLY'],
    ['ENOSPC', 'STORE_FULL'],
    ['EDQUOT', 'STORE_FULL'],
    ['EIO', 'STORE_IO'],
    ['EMFILE', 'STORE_IO'],
  ])('reports %s as %s', (code, expected) => {
    const cause = Object.assign(new Error(code), { code });
    expect(fileError('f', 'write', cause)).toMatchObject({ code: expected, cause });
  });
});
