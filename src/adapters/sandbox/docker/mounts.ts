// Folders of the host that a step may see. Policy has said which; here is what nobody can allow: what the runner, the
// engine and the host live on, anything reached through a link, and what is neither a folder nor a file. Checked when a
// step is judged and again right before its container is made.
import { lstat, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { WritError } from '../../../errors.js';
import type { SandboxMount } from '../../../runtime/ports.js';

/** Neither these, nor anything below, nor a folder that holds one of them. */
const NEVER: readonly string[] = [
  '/boot',
  '/dev',
  '/etc',
  '/proc',
  '/root',
  '/run',
  '/sys',
  '/var/lib/containerd',
  '/var/lib/docker',
  '/var/run',
];
const MAX_MOUNTS = 20;
/** Where in a container they can be: nothing of an image or of ours lies there. */
const TARGETS = '/mnt/';
const ABSOLUTE = /^(?:\/(?!\.{1,2}(?:\/|$))[^/\u0000-\u001f\u007f:]{1,255})+$/;

/**
 * `own`: folders and sockets of the runner and the engine. Throws SANDBOX_SPEC_INVALID, SANDBOX_UNSUPPORTED; the message
 * names the folder as the step wrote it.
 */
export async function checkMounts(mounts: readonly SandboxMount[], own: readonly string[]): Promise<void> {
  if (mounts.length > MAX_MOUNTS)
    throw invalid(`more than ${MAX_MOUNTS} mounts`, 'mount one folder above them');
  const never = [...NEVER, ...own.map((path) => path.replace(/\/+$/, '')).filter((path) => path !== '')];
  for (const [index, { source, target }] of mounts.entries()) {
    if (!ABSOLUTE.test(source) || source.length > 4_096)
      throw invalid(
        `mount ${index + 1} has a source that is no absolute, normalised path`,
        'write it out in full',
      );
    if (!ABSOLUTE.test(target) || !target.startsWith(TARGETS))
      throw invalid(`mount ${index + 1} has a target that is not below ${TARGETS}`, `choose ${TARGETS}data`);
    if (mounts.some((other, at) => at !== index && isWithin(other.target, target)))
      throw invalid(`mount ${index + 1} hides another one`, 'choose targets beside one another');
    if (never.some((path) => isWithin(source, path) || isWithin(path, source)) || isHome(source))
      throw refused(`${source} is never shown to a sandbox`);
    if (source.split('/').some((part) => part.startsWith('.')))
      throw refused(`${source} is hidden, and such folders hold keys and settings`);
    await checkPlace(source);
  }
}

async function checkPlace(source: string): Promise<void> {
  let real: string;
  try {
    real = await realpath(source);
    const info = await lstat(source);
    if (real === source && (info.isDirectory() || info.isFile())) return;
  } catch (cause) {
    throw new WritError('SANDBOX_SPEC_INVALID', `there is no ${source} to mount`, {
      hint: 'the path is one of the machine that the engine runs on',
      cause,
    });
  }
  throw refused(
    real === source ? `${source} is neither a folder nor a file` : `${source} leads through a link`,
  );
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** A home itself; a folder in it is like any other. */
function isHome(source: string): boolean {
  return source === '/home' || /^\/home\/[^/]+$/.test(source) || isWithin(homedir(), source);
}

function invalid(why: string, hint: string): WritError {
  return new WritError('SANDBOX_SPEC_INVALID', `the sandbox request is not usable: ${why}`, { hint });
}

function refused(why: string): WritError {
  return new WritError('SANDBOX_UNSUPPORTED', `the docker sandbox mounts no such thing: ${why}`, {
    hint: 'put what the step needs into a folder of its own, outside of homes and system folders',
  });
}
