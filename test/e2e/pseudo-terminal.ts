// A real pseudo-terminal of 80 by 24 around one command, by util-linux `script`, else by Python's pty module. What is
// typed goes through the kernel's line discipline as a person's keys do; what comes out is every byte that was drawn.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { onTestFinished, vi } from 'vitest';
import { MAIN } from '../cli/writ.js';

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
  /** Resolves when this text is drawn after the last `type`; rejects when the command ends without it. */
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
  const processes = (): number[] => (hasEnded(child) ? [] : family(child.pid));
  // A test that fails leaves its command waiting for keys.
  onTestFinished(async () => {
    const left = processes();
    for (const pid of left) end(pid);
    await ended;
    // Killed is not gone yet: on a busy machine a process may be seen for a while as it gives its memory back.
    await vi.waitUntil(() => !left.some(isThere), { timeout: 30_000, interval: 5 });
  });
  return {
    processes,
    type(keys) {
      typedAt = drawn.length;
      child.stdin.write(keys);
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

/** `pid` and all that it has started, and they have. */
function family(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
    return [pid, ...children.flatMap(family)];
  } catch {
    // It has ended meanwhile, or this machine does not say: then its terminal goes, and tells them.
    return [pid];
  }
}

/** Not ended, nor only waiting for its parent to hear of it. */
export function isThere(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
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
