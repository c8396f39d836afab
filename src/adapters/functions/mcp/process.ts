// An MCP server as a child process, spoken to over stdin and stdout, one JSON-RPC message a line. It gets PATH and the
// variables that are listed, nothing else of the runner's environment; it leads a process group of its own, so that
// what it starts ends with it. It does not keep the runner alive, and does not outlive it.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { JSONRPCMessageSchema, type JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';

/** Longest message, either way. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const STDERR_TAIL = 2_000;
/** From end of input to SIGTERM, and from there to SIGKILL. */
const GRACE_MS = 1_000;

export interface ServerProcess {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** No server outlives the runner, unless the runner itself is killed: then they see the end of their input. */
const RUNNING = new Set<ProcessTransport>();

function killAll(): void {
  for (const transport of RUNNING) transport.kill('SIGKILL');
}

/** A transport of the MCP SDK; `stderr` is the last of what the server has written there. */
export class ProcessTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #server: ServerProcess;
  #child: ChildProcessByStdio<Writable, Readable, Readable> | null = null;
  #exited: Promise<void> = Promise.resolve();
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #stderr = '';
  #isKilled = false;

  constructor(server: ServerProcess) {
    this.#server = server;
  }

  get stderr(): string {
    return this.#stderr.trim();
  }

  /** null before the start and after the end. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  async start(): Promise<void> {
    const { command, args, env, cwd } = this.#server;
    const child = spawn(command, args, {
      env,
      cwd,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      shell: false,
    });
    this.#child = child;
    // Whoever waits for an answer holds the process; an idle server does not.
    child.unref();
    for (const stream of [child.stdin, child.stdout, child.stderr])
      if (stream instanceof Socket) stream.unref();
    RUNNING.add(this);
    process.off('exit', killAll).once('exit', killAll);
    this.#exited = new Promise((resolve) => {
      const ended = (): void => {
        RUNNING.delete(this);
        this.#child = null;
        resolve();
        this.onclose?.();
      };
      child.once('exit', (code, signal) => {
        if (!this.#isKilled) this.onerror?.(new Error(`the server has ended (${signal ?? `code ${code}`})`));
        // The leader is gone; what it started goes too. What it has written is still read, but not waited for for long.
        this.kill('SIGKILL');
        setTimeout(() => {
          child.stdout.destroy();
          child.stderr.destroy();
        }, GRACE_MS).unref();
      });
      child.once('close', ended);
      child.once('error', () => {
        if (child.pid === undefined) ended();
      });
    });
    child.stdin.on('error', (error) => this.onerror?.(error));
    child.stdout.on('data', (part: Buffer) => {
      this.#read(part);
    });
    child.stderr.on('data', (part: Buffer) => {
      this.#stderr = `${this.#stderr}${part.toString()}`.slice(-STDERR_TAIL);
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
  }

  send(message: JSONRPCMessage): Promise<void> {
    const child = this.#child;
    if (child === null) return Promise.reject(new Error('the server has ended'));
    return new Promise((resolve, reject) => {
      child.stdin.write(`${JSON.stringify(message)}\n`, (error) => {
        if (error == null) resolve();
        else reject(error);
      });
    });
  }

  /** Resolves when the process has ended, by itself or not. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    child.stdin.end();
    const terminate = setTimeout(() => {
      this.kill('SIGTERM');
    }, GRACE_MS);
    const kill = setTimeout(() => {
      this.kill('SIGKILL');
    }, 2 * GRACE_MS);
    await this.#exited;
    clearTimeout(terminate);
    clearTimeout(kill);
  }

  /** attacker-controlled: lines of any length, of any bytes. */
  #read(part: Buffer): void {
    for (let rest = part; rest.length > 0;) {
      const end = rest.indexOf(0x0a);
      const piece = end === -1 ? rest : rest.subarray(0, end);
      this.#pendingBytes += piece.length;
      if (this.#pendingBytes > MAX_MESSAGE_BYTES) {
        this.#pending = [];
        this.kill('SIGKILL');
        this.onerror?.(new Error(`a message of the server is longer than ${MAX_MESSAGE_BYTES} bytes`));
        return;
      }
      this.#pending.push(piece);
      if (end === -1) return;
      const line = Buffer.concat(this.#pending).toString();
      this.#pending = [];
      this.#pendingBytes = 0;
      this.#take(line);
      rest = rest.subarray(end + 1);
    }
  }

  #take(line: string): void {
    if (line.trim() === '') return;
    let message: JSONRPCMessage;
    try {
      message = JSONRPCMessageSchema.parse(JSON.parse(line));
    } catch (error) {
      // Something printed among the messages; the protocol goes on.
      this.onerror?.(error instanceof Error ? error : new Error('not a message'));
      return;
    }
    this.onmessage?.(message);
  }

  /** The process and everything it has started, as far as that stayed in its group. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    this.#isKilled = true;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      // ESRCH: nobody of the group is left, which is what was wanted.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}
