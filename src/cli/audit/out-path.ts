// Where a command may write what it makes: anywhere but in the data directory, whose files belong to the store, the log
// and its key alone.
import { realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { WritError } from '../../errors.js';

/** Throws USAGE when one of these paths, links followed, is the data directory or lies in it. */
export async function refuseInside(data: string, paths: readonly string[]): Promise<void> {
  const root = await realPlace(resolve(data));
  for (const path of paths) {
    const way = relative(root, await realPlace(resolve(path)));
    if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) continue;
    throw new WritError('USAGE', `${path} lies in the data directory ${data}`, {
      hint: 'name a place outside it: the files there belong to writ',
    });
  }
}

/** `path` with the links on its way resolved, as far as it exists. */
async function realPlace(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    // Not there yet, or nothing that this user may enter: its parent says where it would be.
    const parent = dirname(path);
    return parent === path ? path : join(await realPlace(parent), basename(path));
  }
}
