import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { WritError } from '../../errors.js';
import { makeDirectory } from './durable-file.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'writ-durable-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(home, { recursive: true, force: true });
});

/** The disk's answer to the `n`th fsync from now on, counted from 1. */
async function failSync(n: number): Promise<void> {
  const handle = await open(home);
  const disk = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const sync = Object.getOwnPropertyDescriptor(disk, 'sync')?.value as () => Promise<void>;
  let calls = 0;
  vi.spyOn(disk, 'sync').mockImplementation(function (this: FileHandle) {
    calls += 1;
    return calls === n ? Promise.reject(Object.assign(new Error('i/o'), { code: 'EIO' })) : sync.call(this);
  });
}

it('a folder that can not be made durable is not left behind, where the next would take it for durable', async () => {
  const folder = join(home, 'a', 'b');
  await failSync(2);
  const refused: unknown = await makeDirectory(folder, 0o700).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(WritError);
  expect(refused).toMatchObject({ code: 'STORE_IO', message: `can't make ${folder} durable` });
  expect([existsSync(join(home, 'a')), existsSync(folder)]).toEqual([true, false]);
  await makeDirectory(folder, 0o700);
  expect(existsSync(folder)).toBe(true);
});
