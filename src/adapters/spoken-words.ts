// What steps say while they run, from the process that runs them to those on this machine that watch: a unix socket for
// each run that speaks, in the data directory. Nothing is stored, nobody waits for a watcher, and where no socket can be
// had, watchers see less and the run is as it is.
import { mkdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { isObject, readJson } from '../json.js';
import type { ProgressNotice } from '../runtime/ports.js';

/** Longest path of a socket that every system takes, in bytes. */
const MAX_PATH_BYTES = 100;
const MAX_WATCHERS = 16;
/** The end of what a step has said, in characters, for who begins to watch; and of how many steps. */
const MAX_KEPT = 4_096;
const MAX_STEPS = 32;
/** A watcher that takes in so little that this much waits for it is let go. */
const MAX_UNSENT_BYTES = 256 * 1024;
const MAX_LINE = 64 * 1024;
/** How often it is looked whether the run speaks yet. */
const LOOK_MS = 300;

export interface SpokenWords {
  /** Passes it on; never throws, and waits for nothing. */
  tell(notice: ProgressNotice): void;
  /** The step says no more. */
  stepEnded(run: string, stepPath: string): void;
  /** The run says no more. */
  runEnded(run: string): void;
  /** Resolves when no socket is left. */
  close(): Promise<void>;
}

/** The side of the process that runs steps. `folder` is made, for its owner only, when the first word is spoken. */
export function openSpokenWords(folder: string): SpokenWords {
  const runs = new Map<string, Speaker>();
  return {
    tell({ run, stepPath, text }) {
      let speaker = runs.get(run);
      if (speaker === undefined) runs.set(run, (speaker = new Speaker(folder, run)));
      speaker.say(stepPath, text);
    },
    stepEnded: (run, stepPath) => runs.get(run)?.end(stepPath),
    runEnded(run) {
      void runs.get(run)?.close();
      runs.delete(run);
    },
    async close() {
      await Promise.all([...runs.values()].map((one) => one.close()));
      runs.clear();
    },
  };
}

class Speaker {
  readonly #said = new Map<string, string>();
  readonly #watchers = new Set<Socket>();
  readonly #listening: Promise<Server | null>;

  constructor(folder: string, run: string) {
    this.#listening = listen(folder, run, (watcher) => this.#welcome(watcher));
  }

  say(stepPath: string, text: string): void {
    const said = `${this.#said.get(stepPath) ?? ''}${text}`.slice(-MAX_KEPT);
    this.#said.delete(stepPath);
    this.#said.set(stepPath, said);
    const [oldest] = this.#said.keys();
    if (this.#said.size > MAX_STEPS && oldest !== undefined) this.#said.delete(oldest);
    // A line is as long as a watcher reads.
    for (let at = 0; at < text.length; at += MAX_KEPT) {
      this.#tell({ stepPath, text: text.slice(at, at + MAX_KEPT) });
    }
  }

  end(stepPath: string): void {
    if (this.#said.delete(stepPath)) this.#tell({ stepPath, isOver: true });
  }

  /** The socket's file goes with its server. */
  async close(): Promise<void> {
    const server = await this.#listening;
    for (const watcher of this.#watchers) watcher.destroy();
    await new Promise<void>((resolve) => {
      if (server === null) resolve();
      else server.close(() => resolve());
    });
  }

  #welcome(watcher: Socket): void {
    if (this.#watchers.size >= MAX_WATCHERS) {
      watcher.destroy();
      return;
    }
    this.#watchers.add(watcher);
    watcher.on('close', () => this.#watchers.delete(watcher));
    // One that went away is no fault of the run.
    watcher.on('error', () => watcher.destroy());
    watcher.resume();
    for (const [stepPath, text] of this.#said) watcher.write(lineOf({ stepPath, text }));
  }

  #tell(word: Word): void {
    if (this.#watchers.size === 0) return;
    const line = lineOf(word);
    for (const watcher of this.#watchers) {
      if (watcher.writableLength > MAX_UNSENT_BYTES) watcher.destroy();
      else watcher.write(line);
    }
  }
}

/** Null where there can be no socket: too long a path, no right to write, a file system without sockets. */
async function listen(
  folder: string,
  run: string,
  welcome: (watcher: Socket) => void,
): Promise<Server | null> {
  const path = socketOf(folder, run);
  if (path === null) return null;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // Of a process that was killed: whoever speaks now is the one that runs the steps.
    await rm(path, { force: true });
  } catch {
    // Watching is no condition of running.
    return null;
  }
  const server = createServer(welcome);
  return new Promise((resolve) => {
    server.on('error', () => resolve(null));
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}

export interface Listener {
  says(stepPath: string, text: string): void;
  /** The step says no more, or nobody tells what it says: what was heard of it is over. */
  ends(stepPath: string): void;
}

/** The side of a process that watches: from now on, until the result is called. It never keeps a process alive. */
export function listenToRun(folder: string, run: string, listener: Listener): () => void {
  const path = socketOf(folder, run);
  if (path === null) return () => undefined;
  const heard = new Set<string>();
  let socket: Socket | null = null;
  const isOver = (): void => {
    socket = null;
    for (const stepPath of heard) listener.ends(stepPath);
    heard.clear();
  };
  const look = (): void => {
    if (socket !== null) return;
    socket = connect(path);
    socket.unref();
    let rest = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE) socket?.destroy();
      for (const line of lines) {
        const word = readWord(line);
        if (word === null) continue;
        if (word.text === undefined) {
          if (heard.delete(word.stepPath)) listener.ends(word.stepPath);
          continue;
        }
        heard.add(word.stepPath);
        listener.says(word.stepPath, word.text);
      }
    });
    // The run does not speak yet, or no longer.
    socket.on('error', () => undefined);
    socket.on('close', isOver);
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  look();
  return () => {
    clearInterval(timer);
    socket?.removeListener('close', isOver).destroy();
  };
}

interface Word {
  readonly stepPath: string;
  readonly text?: string;
  readonly isOver?: true;
}

function lineOf(word: Word): string {
  return `${JSON.stringify(word)}\n`;
}

function readWord(line: string): Word | null {
  try {
    const value = readJson(line);
    if (!isObject(value)) return null;
    const { stepPath, text } = value;
    if (typeof stepPath !== 'string') return null;
    return typeof text === 'string' ? { stepPath, text } : { stepPath };
  } catch {
    // Half of a line, of a speaker that was killed.
    return null;
  }
}

function socketOf(folder: string, run: string): string | null {
  const path = join(folder, `${run}.sock`);
  return /^[\w-]+$/.test(run) && Buffer.byteLength(path) <= MAX_PATH_BYTES ? path : null;
}
