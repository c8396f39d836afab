// Content-addressed reading and writing of one OCI image layout directory. A path is made only of the directory and
// 64 checked hex digits; bytes are bounded before they are read and hashed before anybody sees them.
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WritError } from '../../errors.js';
import { isDigest, type Digest } from '../../json.js';

/** `sha256:` and the hex digits of `bytes`. */
export function digestOf(bytes: Uint8Array): Digest {
  const text = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (!isDigest(text)) throw new WritError('INTERNAL', 'sha256 gave no digest');
  return text;
}

/** The bytes `digest` names, or null when the layout has none. Throws INTEGRITY_DIGEST, INTEGRITY_SIZE, STORE_IO. */
export async function readBlob(layout: string, digest: Digest, maxBytes: number): Promise<Uint8Array | null> {
  const bytes = await readBounded(blobPath(layout, digest), maxBytes);
  if (bytes === null) return null;
  const actual = digestOf(bytes);
  if (actual !== digest) {
    throw new WritError('INTEGRITY_DIGEST', `package blob ${digest} holds bytes that hash to ${actual}`, {
      hint: 'the package store was changed; restore it, or import the package again',
      details: { expected: digest, actual },
    });
  }
  return bytes;
}

/** Durable and atomic: the blob is whole under its digest, or not there. */
export async function writeBlob(layout: string, bytes: Uint8Array): Promise<void> {
  await writeAtomically(blobPath(layout, digestOf(bytes)), bytes);
}

/** At most `maxBytes` of a regular file, or null when there is none. Links are not followed. */
export async function readBounded(path: string, maxBytes: number): Promise<Uint8Array | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (isMissing(cause)) return null;
    throw new WritError('STORE_IO', 'a file of the package store could not be opened', { cause });
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) {
      throw new WritError('INTEGRITY_PACKAGE', 'an entry of the package store is no regular file');
    }
    if (stat.size > maxBytes) throw tooLarge(maxBytes);
    // One byte more than was announced: a file that grows while it is read is refused, not cut.
    const buffer = Buffer.alloc(stat.size + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > stat.size) throw tooLarge(stat.size);
    return new Uint8Array(buffer.subarray(0, length));
  } catch (error) {
    if (error instanceof WritError) throw error;
    throw new WritError('STORE_IO', 'a file of the package store could not be read', { cause: error });
  } finally {
    await file.close();
  }
}

/** Writes beside the target, flushes, renames: a crash leaves the old file or the new one. Throws STORE_*. */
export async function writeAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.tmp-${randomBytes(8).toString('hex')}`);
  try {
    await mkdir(directory, { recursive: true });
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    const parent = await open(directory, 'r');
    try {
      await parent.sync();
    } finally {
      await parent.close();
    }
  } catch (cause) {
    await rm(temporary, { force: true });
    throw writeError(directory, cause);
  }
}

function writeError(directory: string, cause: unknown): WritError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : '';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new WritError('STORE_FULL', `cannot write to ${directory}: the disk is full`, {
      hint: 'free space and start again; nothing was lost',
      cause,
    });
  }
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return new WritError('STORE_READ_ONLY', `cannot write to ${directory}: no permission`, {
      hint: 'give this user write access to the data directory and everything in it',
      cause,
    });
  }
  return new WritError('STORE_IO', `cannot write to ${directory}`, {
    hint: 'check the disk and start again',
    cause,
  });
}

function blobPath(layout: string, digest: Digest): string {
  // Checked here too: a path must never depend on a type assertion somewhere else.
  if (!isDigest(digest))
    throw new WritError('INTEGRITY_PACKAGE', 'a package digest is not sha256 and 64 hex digits');
  return join(layout, 'blobs', 'sha256', digest.slice('sha256:'.length));
}

function tooLarge(maxBytes: number): WritError {
  return new WritError(
    'INTEGRITY_SIZE',
    `a file of the package store is larger than the ${maxBytes} bytes it may have`,
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
