// Runs the built `writ` as its users do: a process of its own, no terminal, nothing of this machine's settings.
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

/** The built command. */
export const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Ran {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Place {
  /** Working directory, empty at first. */
  readonly folder: string;
  readonly run: (words: readonly string[], options?: RunOptions) => Promise<Ran>;
  /** As `run`, with --json; the one value of stdout, parsed. */
  readonly json: (
    words: readonly string[],
    options?: RunOptions,
  ) => Promise<Ran & { readonly value: unknown }>;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Runs as this user and group; only root may. */
  readonly uid?: number;
}

/** A place where nothing was set up yet. Fails when dist is not built. */
export function newPlace(): Place {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build`);
  const folder = mkdtempSync(join(tmpdir(), 'writ-cli-'));
  const run = async (words: readonly string[], options: RunOptions = {}): Promise<Ran> => {
    const { exitCode, stdout, stderr } = await execa(process.execPath, [MAIN, ...words], {
      cwd: folder,
      extendEnv: false,
      env: { ...environmentOf(folder), ...options.env },
      input: options.input ?? '',
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
      reject: false,
    });
    return { code: exitCode, stdout, stderr };
  };
  return {
    folder,
    run,
    async json(words, options) {
      const ran = await run([...words, '--json'], options);
      const value: unknown = JSON.parse(ran.stdout);
      return { ...ran, value };
    },
  };
}

/** All that a command sees of the environment: nothing of this machine's user. */
export function environmentOf(folder: string): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_STATE_HOME: join(folder, 'state'),
  };
}
