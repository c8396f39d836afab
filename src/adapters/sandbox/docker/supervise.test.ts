// A program as the engine shows it, and what is told of it.
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { supervise, type Program, type Supervision } from './supervise.js';

const ENGINE_WORDS = 'OCI runtime exec failed: exec failed: unable to start container process\r\n';

/** One whose stream says `text` on stdout, and which is over once it is killed, or at once. */
function program(text: string, { isUnstarted, endsItself }: { isUnstarted: boolean; endsItself: boolean }) {
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const body = Buffer.from(text);
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, body.length]);
  let over: (code: number) => void = () => undefined;
  const code = new Promise<number>((resolve) => {
    over = resolve;
  });
  const end = (exitCode: number): void => {
    stream.push(Buffer.concat([header, body]));
    stream.push(null);
    over(exitCode);
  };
  const made: Program = {
    stream,
    start: () => {
      if (endsItself) end(126);
      return Promise.resolve();
    },
    exited: () => code,
    isUnstarted: () => isUnstarted,
    kill: () => {
      end(137);
      return Promise.resolve();
    },
    cpuMs: () => Promise.resolve(null),
  };
  return made;
}

const limits: Supervision = {
  stdin: new Uint8Array(0),
  timeoutMs: 60_000,
  cpuMs: null,
  accounts: false,
  outputBytes: 1_000,
  onOutput: undefined,
};

describe('supervise', () => {
  it("does not tell the engine's words as the output of a program that was killed while it started", async () => {
    const killed = program(ENGINE_WORDS, { isUnstarted: true, endsItself: false });
    const { end, stdout, stderr } = await supervise(killed, limits, AbortSignal.abort());
    expect(end).toEqual({ kind: 'cancelled' });
    expect([stdout.bytes.length, stderr.bytes.length]).toEqual([0, 0]);
  });

  it('keeps what a killed program has said itself, the same words too', async () => {
    const killed = program(ENGINE_WORDS, { isUnstarted: false, endsItself: false });
    const { end, stdout } = await supervise(killed, limits, AbortSignal.abort());
    expect(end).toEqual({ kind: 'cancelled' });
    expect(Buffer.from(stdout.bytes).toString()).toBe(ENGINE_WORDS);
  });

  it('tells a program that never started from one that ended', async () => {
    const { signal } = new AbortController();
    const never = program(ENGINE_WORDS, { isUnstarted: true, endsItself: true });
    const told = await supervise(never, limits, signal);
    expect(told.end).toEqual({ kind: 'unstarted', said: ENGINE_WORDS });
    expect(told.stdout.bytes).toHaveLength(0);
    const ended = program('hi', { isUnstarted: false, endsItself: true });
    expect((await supervise(ended, limits, signal)).end).toEqual({ kind: 'exit', code: 126 });
  });
});
