// Folders of the host that hold the sockets of steps. A runner's folder can be entered by nobody else; its name says
// whose it is, so that what a killed runner left is found and removed by the next one of the same installation.
import { rmSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WritError } from '../../../errors.js';

const PREFIX = 'writ-egress-';
/** A socket's path may have 107 bytes; what stands after the base has 85. */
const MAX_BASE = 22;

/** `owner`: of an installation, `runner`: hexadecimal ids. */
export interface FolderName {
  readonly owner: string;
  readonly runner: string;
}

/** A new and empty folder of this runner. Throws SANDBOX_UNAVAILABLE. */
export async function makeFolder(name: FolderName): Promise<string> {
  const own = folderOf(name);
  try {
    await mkdir(own, { recursive: true, mode: 0o700 });
    const { uid, mode } = await lstat(own);
    // Somebody else made it, who can't have known its name: nothing is put there.
    if (uid !== process.getuid?.() || (mode & 0o777) !== 0o700) throw new Error("not the runner's");
    return await mkdtemp(join(own, 'w'));
  } catch (cause) {
    throw new WritError('SANDBOX_UNAVAILABLE', `no folder for the socket of a way out in ${base()}`, {
      hint: 'it has to be writable, with space left',
      cause,
    });
  }
}

/** Everything of this runner's. */
export function removeFolders(name: FolderName): void {
  rmSync(folderOf(name), { recursive: true, force: true });
}

/** Removes the folders of runners that are dead. */
export async function reapFolders(owner: string, isDead: (runner: string) => boolean): Promise<void> {
  const prefix = `${PREFIX}${owner.slice(0, OWNER_DIGITS)}-`;
  for (const name of await readdir(base())) {
    if (!name.startsWith(prefix)) continue;
    const path = join(base(), name);
    const info = await lstat(path).catch(() => null); // another runner was faster
    if (info?.isDirectory() !== true || info.uid !== process.getuid?.()) continue;
    if (isDead(name.slice(prefix.length))) await rm(path, { recursive: true, force: true });
  }
}

const OWNER_DIGITS = 8;

function folderOf({ owner, runner }: FolderName): string {
  return join(base(), `${PREFIX}${owner.slice(0, OWNER_DIGITS)}-${runner}`);
}

function base(): string {
  const own = tmpdir();
  return own.length <= MAX_BASE ? own : '/tmp';
}
