import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmptyDirectory, openNewFile } from './export-files.js';

let home: string;
let path: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'writ-export-'));
  path = join(home, 'payloads.jsonl');
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

const bytes = new TextEncoder().encode('a line\n');

describe('a new file that is handed out', () => {
  it('is there when it is finished, and gone when it is discarded', async () => {
    const kept = await openNewFile(path);
    await kept.write(bytes);
    expect(await kept.finish()).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('a line\n');
    const other = await openNewFile(`${path}.2`);
    await other.write(bytes);
    await other.discard();
    expect(existsSync(`${path}.2`)).toBe(false);
  });

  it('leaves alone what somebody else has put in its place', async () => {
    for (const finishes of [true, false]) {
      const file = await openNewFile(path);
      await file.write(bytes);
      unlinkSync(path);
      writeFileSync(path, 'of somebody else');
      if (finishes) expect(await file.finish()).toBe(false);
      await file.discard();
      expect(readFileSync(path, 'utf8')).toBe('of somebody else');
      rmSync(path);
    }
  });

  it('takes the place of an older one only when asked, and is gone when a copy fails after it was finished', async () => {
    writeFileSync(path, 'old');
    await expect(openNewFile(path)).rejects.toMatchObject({ code: 'USAGE' });
    const file = await openNewFile(path, true);
    await file.write(bytes);
    expect(await file.finish()).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('a line\n');
    await file.discard();
    expect(existsSync(path)).toBe(false);
  });

  it('is not finished, and discarding it is no error, when an erasure has removed it', async () => {
    const file = await openNewFile(path);
    unlinkSync(path);
    expect(await file.finish()).toBe(false);
    await file.discard();
    expect(existsSync(path)).toBe(false);
  });
});

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;

describe('a new directory', () => {
  it.runIf(isRoot)(
    'is refused, and not left behind, where its parent may be written and not read',
    async () => {
      chmodSync(home, 0o733);
      process.seteuid?.(NOBODY);
      try {
        // The second time as the first: nothing of it is there.
        for (let time = 0; time < 2; time += 1) {
          await expect(openEmptyDirectory(join(home, 'copy'))).rejects.toMatchObject({
            code: 'STORE_READ_ONLY',
            message: `can't read ${home}: no permission`,
          });
        }
      } finally {
        process.seteuid?.(0);
      }
      expect(readdirSync(home)).toEqual([]);
    },
  );
});
