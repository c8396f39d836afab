// A real pseudo-terminal of 80 by 24 around one command, by util-linux `script`, else by Python's pty module. What is
// typed goes through the kernel's line discipline as a person's keys do; what comes out is every byte that was drawn.
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { MAIN } from '../cli/writ.js';
import { descendantsOf, gone } from '../processes.js';

type Maker = (command: string) => readonly [string, ...string[]];

const PYTHON = 'import os,pty,sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(["sh","-c",sys.argv[1]])))';

/** How to make a terminal here; null when this machine has neither. */
export const terminalMaker: Maker | null = succeeds('script', '--version')
  ? (command) => ['script', '-qefc', command, '/dev/null']
  : succeeds('python3', '-c', 'import os, pty; os.waitstatus_to_exitcode')
    ? (command) => ['python3', '-c', PYTHON, command]
    : null;

/** util-linux's `script` says so; the one of BSD has other options and fails here. */
function succeeds(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

export interface TerminalSession {
  /** One write; keys that must arrive one by one need what they do on the screen awaited in between. */
  type(keys: string): void;
  /** Makes the terminal so wide, as a person does who drags its edge; what is awaited next is drawn after that. */
  resize(columns: number): void;
  /** Resolves when this text is drawn after the last `type` or `resize`; rejects when the command ends without it. */
  shows(text: string): Promise<void>;
  /** Who is at the terminal now, by process id. */
  processes(): readonly number[];
  /** Everything drawn so far, as bytes for the terminal. */
  drawn(): string;
  /** The command's exit code, and whether the terminal reads lines and echoes again when it has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly restored: boolean }>;
}

/** Runs the built `writ` on a terminal of its own, which ends with the test. */
export function onTerminal(
  words: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): TerminalSession {
  if (terminalMaker === null) throw new Error('no pseudo-terminal here');
  const writ = [process.execPath, MAIN, ...words].map(quote).join(' ');
  // Until the prompt has the keys, Ctrl+C is a signal to everybody at the terminal: this shell must outlive it to see
  // how the command left the terminal.
  const [command, ...args] = terminalMaker(
    `trap : INT; stty rows 24 cols 80; ${writ}; code=$?; echo; stty -a; exit $code`,
  );
  const child = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'inherit'] });
  // Everything a test waits for listens until the end.
  child.setMaxListeners(0);
  child.stdout.setMaxListeners(0);
  let drawn = '';
  let typedAt = 0;
  child.stdout.on('data', (chunk: Buffer) => (drawn += chunk.toString()));
  child.stdin.on('error', () => undefined); // keys typed after the end
  const ended = new Promise<{ code: number | null; restored: boolean }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, restored: / icanon /u.test(drawn) && / echo /u.test(drawn) });
    });
  });
  const processes = (): number[] =>
    hasEnded(child) || child.pid === undefined ? [] : [child.pid, ...descendantsOf(child.pid)];
  // A test that fails leaves its command waiting for keys.
  onTestFinished(async () => {
    const left = processes();
    for (const pid of left) end(pid);
    await ended;
    await gone(left);
  });
  return {
    processes,
    type(keys) {
      typedAt = drawn.length;
      child.stdin.write(keys);
    },
    resize(columns) {
      typedAt = drawn.length;
      const [, shell = 0] = processes();
      execFileSync('stty', ['-F', readlinkSync(`/proc/${shell}/fd/0`), 'cols', String(columns)]);
    },
    shows: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (plain(drawn.slice(typedAt)).includes(text)) resolve();
        };
        child.stdout.on('data', look);
        child.on('close', () =>
          reject(new Error(`${JSON.stringify(text)} was never drawn: ${plain(drawn)}`)),
        );
        look();
      }),
    drawn: () => drawn,
    ended,
  };
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Without the control sequences. */
export function plain(drawn: string): string {
  return drawn.replaceAll(/\u001b(?:\[[0-?]*[ -/]*[@-~]|[^[])/gu, '');
}
