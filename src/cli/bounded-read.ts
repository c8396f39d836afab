// Bytes from outside, read whole but never more than a limit, and only as UTF-8.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { WritError, type ErrorCode } from '../errors.js';

/** Largest document or run input the command line reads: 16 MiB. */
export const MAX_INPUT_BYTES = 16 * 1024 * 1024;

/** The file's text. Throws NOT_FOUND, `tooLarge` beyond MAX_INPUT_BYTES, `notText` when it is not UTF-8. */
export async function readTextFile(file: string, tooLarge: ErrorCode, notText: ErrorCode): Promise<string> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(file)).isDirectory();
  } catch (error) {
    throw unreadable(file, error);
  }
  if (isFolder) {
    throw new WritError('USAGE', `${file} is a directory`, { hint: 'name a file' });
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
      throw new WritError(tooLarge, `${name} is larger than ${MAX_INPUT_BYTES} bytes`);
    }
    chunks.push(bytes);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new WritError(notText, `${name} is not UTF-8 text`, { cause: error });
  }
}

function unreadable(file: string, error: unknown): WritError {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new WritError('NOT_FOUND', `there is no file ${file}`, { cause: error });
  }
  return new WritError('USAGE', `${file} can't be read (${code})`, { cause: error });
}
