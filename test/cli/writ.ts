// Runs the built `writ` as its users do: a process of its own, no terminal, nothing of this machine's settings.
import { fork } from 'node:child_process';
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

/** Carries out one command in a folder. */
export type Carrier = (folder: string, words: readonly string[], options: RunOptions) => Promise<Ran>;

/** A process for each command, as users have it. */
const inProcesses: Carrier = async (folder, words, options) => {
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

/**
 * The built command line in one process for all commands of a test file (host.mjs), one after the other: starting node
 * costs more than most commands do. For tests that are not about the process, and where no command waits for another one;
 * a command under another user still has a process of its own.
 */
export const hosted: Carrier = (folder, words, options) => {
  if (options.uid !== undefined) return inProcesses(folder, words, options);
  host ??= startHost();
  return host(folder, words, options);
};
let host: Carrier | null = null;

function startHost(): Carrier {
  const child = fork(fileURLToPath(new URL('host.mjs', import.meta.url)), { stdio: ['ignore', 2, 2, 'ipc'] });
  // It ends when this process does, which closes the channel.
  child.unref();
  child.channel?.unref();
  const open = new Map<number, { done: (ran: Ran) => void; failed: (error: Error) => void }>();
  child.on('message', ({ id, ...ran }: Ran & { id: number }) => {
    open.get(id)?.done(ran);
    open.delete(id);
  });
  child.on('exit', (code, signal) => {
    host = null;
    for (const { failed } of open.values()) failed(new Error(`the host ended with ${signal ?? code}`));
  });
  let last = 0;
  return (folder, words, options) =>
    new Promise((done, failed) => {
      last += 1;
      open.set(last, { done, failed });
      const env = { ...environmentOf(folder), ...options.env };
      child.send({ id: last, words, cwd: folder, env, input: options.input ?? '' }, (error) => {
        if (error !== null) failed(error);
      });
    });
}

/** A place where nothing was set up yet. Fails when dist is not built. */
export function newPlace(carry: Carrier = inProcesses): Place {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build`);
  return placeAt(mkdtempSync(join(tmpdir(), 'writ-cli-')), carry);
}

/** What is set up in a folder already. */
export function placeAt(folder: string, carry: Carrier = inProcesses): Place {
  const run = (words: readonly string[], options: RunOptions = {}): Promise<Ran> =>
    carry(folder, words, options);
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
