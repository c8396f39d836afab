import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { MAX_INPUT_BYTES } from '../bounded-read.js';
import { readRunInput } from './input.js';

const nothing = Readable.from([]);
const folder = mkdtempSync(join(tmpdir(), 'writ-input-'));
const fileWith = (name: string, content: string | Uint8Array): string => {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
};

describe('--input', () => {
  it('is {} when not given', async () => {
    expect(await readRunInput(undefined, nothing)).toEqual({});
  });

  it('takes JSON, a file and stdin', async () => {
    expect(await readRunInput('{"a": [1, "x"]}', nothing)).toEqual({ a: [1, 'x'] });
    expect(await readRunInput('"text"', nothing)).toBe('text');
    expect(await readRunInput(`@${fileWith('a.json', '{"a": 1}\n')}`, nothing)).toEqual({ a: 1 });
    expect(await readRunInput('@-', Readable.from([Buffer.from('{"a"'), Buffer.from(': 2}')]))).toEqual({
      a: 2,
    });
  });

  it('names file, line and column of an error, and no value', async () => {
    const file = fileWith('bad.json', '{\n  "iban": "DE02secret",\n  "amount": 12oo\n}');
    await expect(readRunInput(`@${file}`, nothing)).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringMatching(/bad\.json:3:15: "," or "}" was expected$/),
      details: { line: 3, column: 15 },
    });
    await expect(readRunInput(`@${file}`, nothing)).rejects.not.toMatchObject({
      message: expect.stringContaining('secret'),
    });
  });

  it.each([
    ['plain text', 'hello', '--input:1:1: a value was expected'],
    ['nothing', '', '--input:1:1: a value was expected'],
    ['a duplicate key', '{"a": 1, "a": 2}', 'occurs twice'],
    ['an inexact integer', '9007199254740993', 'not exact'],
    ['two values', '{} {}', '--input:1:4: more text'],
    ['no file name', '@', 'names no file'],
  ])('refuses %s', async (_, text, message) => {
    await expect(readRunInput(text, nothing)).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringContaining(message),
    });
  });

  it('refuses a missing file, a folder and bytes that are not UTF-8', async () => {
    await expect(readRunInput('@/nowhere/at/all.json', nothing)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(readRunInput(`@${folder}`, nothing)).rejects.toMatchObject({ code: 'USAGE' });
    const file = fileWith('latin1.json', Buffer.from('{\n"a": "\xe9"\n}', 'latin1'));
    await expect(readRunInput(`@${file}`, nothing)).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: `${file}:2: the line is not UTF-8 text`,
      hint: expect.stringContaining('UTF-8'),
      details: { line: 2, column: 7 },
    });
  });

  it('does not wait for a named pipe that nobody writes to', async () => {
    const pipe = join(folder, 'pipe.json');
    execFileSync('mkfifo', [pipe]);
    await expect(readRunInput(`@${pipe}`, nothing)).rejects.toMatchObject({
      code: 'USAGE',
      message: `${pipe} is a named pipe`,
    });
  });

  it('reads up to the limit and not one byte more', async () => {
    const text = (size: number): string => JSON.stringify('x'.repeat(size - 2));
    expect(await readRunInput('@-', Readable.from([Buffer.from(text(MAX_INPUT_BYTES))]))).toHaveLength(
      MAX_INPUT_BYTES - 2,
    );
    await expect(
      readRunInput('@-', Readable.from([Buffer.from(text(MAX_INPUT_BYTES + 1))])),
    ).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  });
});
