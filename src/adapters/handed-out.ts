// Files that this installation has handed out: looked at for what was erased, and removed. A path was recorded when
// its file was made; what lies there now may be anything, so nothing is followed and nothing but a file is read.
import { constants } from 'node:fs';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import type { CopyFiles } from '../runtime/ports.js';

const CHUNK_BYTES = 1 << 20;

export const handedOutFiles: CopyFiles = {
  async look(path, texts) {
    let file: FileHandle;
    try {
      file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      return isAbsent(error) ? 'absent' : 'unreadable';
    }
    try {
      if (!(await file.stat()).isFile()) return 'unreadable';
      return (await isTorn(file)) || (await holds(file, texts)) ? 'holds' : 'clean';
    } catch {
      // Whatever went wrong: what the file holds is not known.
      return 'unreadable';
    } finally {
      await file.close();
    }
  },
  async remove(path) {
    try {
      await unlink(path);
      return true;
    } catch (error) {
      return isAbsent(error);
    }
  },
};

/** What a file of ours begins with: JSON, JSON lines, a page. */
const BEGINNINGS = ['{"', '<!'];
/** What ends an object, a page and a line: text that stands in the clear, so a name of the payload is before it. */
const ENDS = ['}', '>', '\n'];

/**
 * A file of ours that a crash cut short: it may end in bytes of a payload whose name, which comes after them, was never
 * written, so it counts as holding what was erased.
 */
async function isTorn(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  const textAt = async (at: number, length: number): Promise<string> => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
    return buffer.subarray(0, bytesRead).toString('latin1');
  };
  return size > 1 && BEGINNINGS.includes(await textAt(0, 2)) && !ENDS.includes(await textAt(size - 1, 1));
}

/** Memory does not grow with the file; a text may lie across two chunks. */
async function holds(file: FileHandle, texts: readonly string[]): Promise<boolean> {
  const needles = texts.map((text) => Buffer.from(text));
  const overlap = Math.max(0, ...needles.map((needle) => needle.length - 1));
  const buffer = Buffer.alloc(overlap + CHUNK_BYTES);
  let kept = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, kept, CHUNK_BYTES, null);
    if (bytesRead === 0) return false;
    const window = buffer.subarray(0, kept + bytesRead);
    if (needles.some((needle) => window.includes(needle))) return true;
    const tail = window.subarray(Math.max(0, window.length - overlap));
    tail.copy(buffer, 0);
    kept = tail.length;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
