// Bytes from outside, read whole but never more than a limit, and only as UTF-8. Nothing that may never end its silence
// is opened by name: who writes into a pipe gives it to stdin.
import { isUtf8 } from 'node:buffer';
import { createReadStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { WritError, type ErrorCode } from '../errors.js';

/** Largest document or run input the command line reads: 16 MiB. */
export const MAX_INPUT_BYTES = 16 * 1024 * 1024;

/** The file's text. Throws NOT_FOUND, `tooLarge` beyond MAX_INPUT_BYTES, `notText` when it is not UTF-8. */
export async function readTextFile(file: string, tooLarge: ErrorCode, notText: ErrorCode): Promise<string> {
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
  try {
    return await readText(createReadStream(file), file, tooLarge, notText);
  } catch (error) {
    if (error instanceof WritError) throw error;
    throw unreadable(file, error);
  }
}

/** The stream's text to its end; `name` is for messages only. */
export async function readText(
  stream: Readable,
  name: string,
  tooLarge: ErrorCode,
  notText: ErrorCode,
): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<unknown>) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    size += bytes.length;
    if (size > MAX_INPUT_BYTES) {
      throw new WritError(tooLarge, `${name} is larger than ${MAX_INPUT_BYTES} bytes`, {
        hint: 'name large data instead of holding it',
      });
    }
    chunks.push(bytes);
  }
  const bytes = Buffer.concat(chunks);
  // Without its byte order mark.
  if (isUtf8(bytes)) return new TextDecoder('utf-8').decode(bytes);
  throw new WritError(notText, `${name}:${badLine(bytes)}: the line is not UTF-8 text`, {
    hint: 'save it as UTF-8, without UTF-16 and code pages',
  });
}

/** The first line that is not UTF-8, from 1: no character but the line end has its byte. */
function badLine(bytes: Buffer): number {
  let line = 1;
  for (let from = 0; ; line++) {
    const end = bytes.indexOf(0x0a, from);
    if (end < 0 || !isUtf8(bytes.subarray(from, end))) return line;
    from = end + 1;
  }
}

function unreadable(file: string, error: unknown): WritError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new WritError('NOT_FOUND', `there is no file ${file}`, { cause: error });
  }
  return new WritError('USAGE', `${file} can't be read (${code})`, {
    ...(code === 'EACCES' ? { hint: 'have its owner give you the right to read it' } : {}),
    cause: error,
  });
}
