// A file of lines that is looked up by key: read once from start to end, then by position. Memory is one line and, for
// each line, its key and place. The file is somebody else's: its length, lines and kind are bounded or refused.
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { WritError } from '../errors.js';

/** Longest line: base64 of the largest payload and the rest of its object. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;

export interface LineFile {
  /** The line of `key` without its newline; null when there is none. Throws USAGE when the file was cut meanwhile. */
  line(key: string): Promise<Uint8Array | null>;
  close(): Promise<void>;
}

/**
 * Opens a regular file whose every line ends with a newline. `keyOf` reads a line strictly: what it throws as
 * WritError becomes USAGE with the number of the line. Throws USAGE on two lines of one key, on a line that is too
 * long, and on a file that can't be read.
 */
export async function openLineFile(file: string, keyOf: (line: Uint8Array) => string): Promise<LineFile> {
  const handle = await opened(file);
  try {
    const places = await placesOf(file, handle, keyOf);
    return {
      async line(key) {
        const place = places.get(key);
        if (place === undefined) return null;
        const bytes = new Uint8Array(place.length);
        for (let at = 0; at < bytes.length;) {
          const { bytesRead } = await handle.read(bytes, at, bytes.length - at, place.offset + at);
          if (bytesRead === 0) throw refused(file, 'it was cut while it was read');
          at += bytesRead;
        }
        return bytes;
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

interface Place {
  readonly offset: number;
  readonly length: number;
}

async function placesOf(
  file: string,
  handle: FileHandle,
  keyOf: (line: Uint8Array) => string,
): Promise<Map<string, Place>> {
  const places = new Map<string, Place>();
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let rest: Buffer[] = [];
  let length = 0;
  let offset = 0;
  const finish = (end: Buffer): void => {
    const line = Buffer.concat([...rest, end]);
    const number = places.size + 1;
    let key: string;
    try {
      key = keyOf(line);
    } catch (error) {
      if (!(error instanceof WritError)) throw error;
      throw refused(file, `line ${number}: ${error.message}`, error);
    }
    if (places.has(key)) throw refused(file, `line ${number}: a second one of ${key}`);
    places.set(key, { offset, length: line.length });
    offset += line.length + 1;
    rest = [];
    length = 0;
  };
  for (let position = 0; ;) {
    const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0 && end < bytesRead; end = chunk.indexOf(10, start)) {
      finish(chunk.subarray(start, end));
      start = end + 1;
    }
    length += bytesRead - start;
    if (length > MAX_LINE_BYTES) throw refused(file, `line ${places.size + 1} is too long`);
    // The chunk is filled again: what is kept of it is copied.
    rest.push(Buffer.from(chunk.subarray(start, bytesRead)));
  }
  if (length > 0) throw refused(file, 'the last line does not end with a newline');
  return places;
}

async function opened(file: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    // Non-blocking: opening a FIFO somebody put there must not wait for a writer.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw refused(file, 'it can not be opened', error);
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw refused(file, 'it is no regular file');
}

function refused(file: string, reason: string, cause?: unknown): WritError {
  return new WritError('USAGE', `can't read ${file}: ${reason}`, {
    hint: 'give a file that writ audit export --payloads wrote',
    cause,
  });
}
