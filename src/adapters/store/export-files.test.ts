import { existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openNewFile } from './export-files.js';

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
