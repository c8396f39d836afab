// Bytes from outside, read whole but never more than a limit, and as text only when they are UTF-8. Nothing that may
// never end its silence is opened by name: who writes into a pipe gives it to stdin.
import { isUtf8 } from 'node:buffer';
import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { WritError, type ErrorCode } from '../errors.js';

/** Largest document or run input the command line reads: 16 MiB. */
export const MAX_INPUT_BYTES = 16 * 1024 * 1024;

/** How much is read, and what more than that is. */
export interface ReadLimit {
  readonly maxBytes: number;
  readonly tooLarge: ErrorCode;
  /** What to do about it. */
  readonly hint: string;
}

/** What text from outside is that can't be taken. */
export interface TextFaults {
  readonly tooLarge: ErrorCode;
  readonly notText: ErrorCode;
}

/** The file's text. Throws NOT_FOUND, USAGE for what is no file, `faults` for more than MAX_INPUT_BYTES and for no UTF-8. */
export async function readTextFile(file: string, faults: TextFaults): Promise<string> {
  return textOf(await readFileBytes(file, inputLimit(faults)), file, faults);
}

/** The stream's text to its end; `name` is for messages only. Throws as `readTextFile`. */
async function readText(stream: Readable, name: string, faults: TextFaults): Promise<string> {
  return textOf(await readBytes(stream, name, inputLimit(faults)), name, faults);
}

/** The text that `@FILE` or `@-` stands for, and what to call it. Throws `fault`, NOT_FOUND, USAGE. */
export async function readNamed(
  argument: string,
  stdin: Readable,
  { option, fault }: { readonly option: string; readonly fault: ErrorCode },
): Promise<{ readonly text: string; readonly name: string }> {
  const name = argument === '@-' ? 'stdin' : argument.slice(1);
  if (name === '') {
    throw new WritError(fault, `${option} @ names no file`, { hint: 'use @FILE, or @- for stdin' });
  }
  const faults = { tooLarge: fault, notText: fault };
  const text = argument === '@-' ? readText(stdin, name, faults) : readTextFile(name, faults);
  return { text: await text, name };
}

/** The file's bytes. Throws NOT_FOUND, USAGE for what is no file, and what the limit says. */
export async function readFileBytes(file: string, limit: ReadLimit): Promise<Buffer> {
  let found: Stats;
  try {
    found = await stat(file);
  } catch (error) {
    throw unreadable(file, error);
  }
  if (found.isDirectory()) {
    throw new WritError('USAGE', `${file} is a directory`, { hint: 'name a file' });
  }
  // The pipes of `<(…)` have a writer; one with a name of its own may have none, and opening it would wait for ever.
  if (found.isSocket() || (found.isFIFO() && !/^\/(?:dev|proc)\//.test(file))) {
    const what = found.isFIFO() ? 'named pipe' : 'socket';
    throw new WritError('USAGE', `${file} is a ${what}`, { hint: 'name a file' });
  }
  return readBytes(createReadStream(file), file, limit);
}

/** The stream's bytes to its end; `name` is for messages only. Throws as `readFileBytes`. */
export async function readBytes(stream: Readable, name: string, limit: ReadLimit): Promise<Buffer> {
  try {
    return await bytesOf(stream, name, limit);
  } catch (error) {
    if (error instanceof WritError) throw error;
    throw unreadable(name, error);
  }
}

async function bytesOf(stream: Readable, name: string, limit: ReadLimit): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<unknown>) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    size += bytes.length;
    if (size > limit.maxBytes) {
      const { tooLarge, maxBytes, hint } = limit;
      throw new WritError(tooLarge, `${name} is larger than ${maxBytes} bytes`, { hint });
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function inputLimit({ tooLarge }: TextFaults): ReadLimit {
  return { maxBytes: MAX_INPUT_BYTES, tooLarge, hint: 'name large data instead of holding it' };
}

/** Without its byte order mark. */
function textOf(bytes: Buffer, name: string, { notText }: TextFaults): string {
  if (isUtf8(bytes)) return new TextDecoder('utf-8').decode(bytes);
  const place = badPlace(bytes);
  throw new WritError(notText, `${name}:${place.line}: the line is not UTF-8 text`, {
    hint: 'save it as UTF-8, without UTF-16 and code pages',
    details: place,
  });
}

/** Where the first line that is not UTF-8 stops being it, both from 1: no character but the line end has its byte. */
function badPlace(bytes: Buffer): { readonly line: number; readonly column: number } {
  let line = 1;
  for (let from = 0; ; line++) {
    const end = bytes.indexOf(0x0a, from);
    const text = bytes.subarray(from, end < 0 ? bytes.length : end);
    if (end < 0 || !isUtf8(text)) return { line, column: text.toString().indexOf('\ufffd') + 1 };
    from = end + 1;
  }
}

function unreadable(file: string, error: unknown): WritError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new WritError('NOT_FOUND', `there is no file ${file === '' ? '""' : file}`, { cause: error });
  }
  return new WritError('USAGE', `${file} can't be read (${code})`, {
    ...(code === 'EACCES' ? { hint: 'have its owner give you the right to read it' } : {}),
    cause: error,
  });
}
