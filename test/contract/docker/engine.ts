// The Docker engine that tests run against: whether there is one, our images in it, and what of ours is left there.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { openDockerDriver } from '../../../src/adapters/sandbox/docker/index.js';
import { openLocks } from '../../../src/adapters/store/locks.js';
import { isDigest, type Digest } from '../../../src/json.js';
import type { SandboxDriver, SandboxProgram } from '../../../src/runtime/ports.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const SECCOMP = path.join(ROOT, 'sandbox/seccomp.json');

export const docker = new Docker({ socketPath: '/var/run/docker.sock' });

/** Why tests of containers can't run here; null = they can. A title shows it. */
export const noEngine: string | null = await docker.ping().then(
  () => null,
  (error: unknown) => `no Docker engine: ${error instanceof Error ? error.message : String(error)}`,
);

/** A suffix of titles: what is skipped says why. */
export const skipped = noEngine === null ? '' : ` (skipped: ${noEngine})`;

/** Ids of the images of sandbox/images, built from this machine's programs. */
export function images<Name extends string>(...names: readonly Name[]): Record<Name, Digest> {
  const out = execFileSync(process.execPath, ['sandbox/images/build.mjs', ...names], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const ids = Object.fromEntries(
    out
      .trim()
      .split('\n')
      .map((line) => line.split(' ')),
  );
  for (const name of names) if (!isDigest(String(ids[name]))) throw new Error(`no image ${name}: ${out}`);
  return ids as Record<Name, Digest>;
}

export function imageProgram(digest: Digest): SandboxProgram {
  return { kind: 'image', digest, repository: null };
}

export interface TestDriver {
  /** Another runner of the same installation, with the same locks. */
  readonly open: (change?: {
    readonly socketPath?: string;
    readonly runtime?: string;
    readonly poolSize?: number;
    readonly never?: readonly string[];
  }) => SandboxDriver;
  /** Where locks are. */
  readonly home: string;
}

export function installation(): TestDriver {
  const home = mkdtempSync(path.join(tmpdir(), 'writ-docker-'));
  return {
    home,
    open: (change = {}) =>
      openDockerDriver({
        locks: openLocks(home),
        installation: home,
        seccomp: () => Promise.resolve(readFileSync(SECCOMP, 'utf8')),
        ...change,
      }),
  };
}

/** Containers of an installation (its name, as its runners were given it), running or not. */
export async function left(name: string): Promise<string[]> {
  const owner = createHash('sha256').update(name).digest('hex').slice(0, 32);
  const filters = { label: [`writ.installation=${owner}`] };
  const found = await docker.listContainers({ all: true, filters });
  return found.map(({ Id, State }) => `${Id.slice(0, 12)} ${State}`);
}

export const PROBE = readFileSync(new URL('probe.py', import.meta.url), 'utf8');

/** Python without its user's and site's files, and the probe. */
export function probeArgv(args: readonly string[]): readonly string[] {
  return ['/usr/bin/python3', '-IS', '-c', PROBE, ...args];
}
