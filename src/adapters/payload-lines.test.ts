import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import { openLineFile } from './payload-lines.js';

const folder = mkdtempSync(join(tmpdir(), 'writ-lines-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
let count = 0;
const fileOf = (content: string): string => {
  const file = join(folder, String(count++));
  writeFileSync(file, content);
  return file;
};
/** The text up to the first colon; a line without one can't be read. */
const keyOf = (line: Uint8Array): string => {
  const [key, rest] = new TextDecoder().decode(line).split(':', 2);
  if (key === undefined || rest === undefined) throw new WritError('AUDIT_JSON_INVALID', 'no colon');
  return key;
};
const refused = (file: string, says: string) =>
  expect(openLineFile(file, keyOf)).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining(says),
  });

describe('a file of lines', () => {
  it('gives each line by its key, also across the borders of what is read at once', async () => {
    const long = 'x'.repeat(3 * 1024 * 1024 + 7);
    const lines = await openLineFile(fileOf(`a:1\nb:${long}\nc:\nd:${long}y\n`), keyOf);
    const text = async (key: string) => new TextDecoder().decode((await lines.line(key)) ?? undefined);
    expect(await text('c')).toBe('c:');
    expect(await text('d')).toBe(`d:${long}y`);
    expect(await text('a')).toBe('a:1');
    expect(await text('b')).toBe(`b:${long}`);
    expect(await lines.line('e')).toBeNull();
    await lines.close();
  });
  it('may be empty', async () => {
    const lines = await openLineFile(fileOf(''), keyOf);
    expect(await lines.line('a')).toBeNull();
    await lines.close();
  });
  it('is refused with the number of the line that can not be read', async () => {
    await refused(fileOf('a:1\nx\n'), 'line 2: no colon');
    await refused(fileOf('a:1\n\n'), 'line 2: no colon');
    await refused(fileOf('a:1\nb:2\na:3\n'), 'line 3: a second one of a');
    await refused(fileOf('a:1\nb:2'), 'does not end with a newline');
  });
  it('is refused when a line is longer than any payload', async () => {
    const file = fileOf('a:');
    truncateSync(file, 40 * 1024 * 1024);
    await refused(file, 'line 1 is too long');
  });
  it('is a regular file: a directory, a pipe or nothing is refused and never waited for', async () => {
    await refused(folder, 'no regular file');
    await refused(join(folder, 'absent'), 'can not be opened');
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await refused(pipe, 'no regular file');
  });
  it('that is cut while it is open is refused', async () => {
    const file = fileOf('a:1\nb:2\n');
    const lines = await openLineFile(file, keyOf);
    truncateSync(file, 5);
    await expect(lines.line('b')).rejects.toMatchObject({ code: 'USAGE' });
    await lines.close();
  });
});
