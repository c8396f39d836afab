// The log directory that a verification is given: whatever lies in it is for the report to say, but what this user may
// not read is the command's affair.
import { stat } from 'node:fs/promises';
import { openTileDirectory, type TileDirectory } from './adapters/store/tile-directory.js';
import { WritError } from './errors.js';

/** The log directory, empty when there is none; USAGE on anything else and on what this user may not read. */
export async function openReadable(dir: string): Promise<TileDirectory> {
  const found = await stat(dir).catch(() => null);
  if (found?.isDirectory() === false) {
    throw new WritError('USAGE', `${dir} is no log directory`, {
      hint: 'give the directory that holds the file checkpoint, usually <data>/audit',
    });
  }
  const directory = openTileDirectory(dir);
  return {
    ...directory,
    get: (path) => directory.get(path).catch(unreadable),
    async *list(under) {
      try {
        yield* directory.list(under);
      } catch (error) {
        unreadable(error);
      }
    },
  };
}

/** What is kept from this user is no finding about the log: the command was given files it can't read. */
function unreadable(error: unknown): never {
  if (!(error instanceof WritError) || error.code !== 'STORE_READ_ONLY') throw error;
  throw new WritError('USAGE', error.message, {
    hint: 'verify as a user who may read every file of the log, or verify a copy',
    cause: error,
  });
}
