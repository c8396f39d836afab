// A program as the engine shows it, and what is told of it.
import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Program } from './program.js';
import { supervise, type Supervision } from './supervise.js';

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
  const made: { -readonly [name in keyof Program]: Program[name] } = {
    stream,
    start: () => {
      if (endsItself) end(126);
      return Promise.resolve();
    },
    exited: () => code,
    isUnstarted: () => isUnstarted,
    speaks: () => Promise.resolve(!isUnstarted),
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

  it('hole: a program that ended before anybody looked had used any CPU time', async () => {
    const ended = async (usedMs: number): Promise<unknown> => {
      const one = program('hi', { isUnstarted: false, endsItself: true });
      one.cpuMs = () => Promise.resolve(usedMs);
      const used = { ...limits, accounts: true, cpuMs: 50 };
      return (await supervise(one, used, new AbortController().signal)).end;
    };
    expect(await ended(50)).toEqual({ kind: 'exit', code: 126 });
    expect(await ended(51)).toEqual({ kind: 'timeout', limit: 'cpuMs' });
  });

  it('says of a program that was lost with its engine nothing else, whatever CPU time it had used', async () => {
    const one = program('hi', { isUnstarted: false, endsItself: true });
    const error = new Error('the engine is gone');
    one.exited = () => Promise.reject(error);
    one.cpuMs = () => Promise.resolve(51);
    const used = { ...limits, accounts: true, cpuMs: 50 };
    const { end } = await supervise(one, used, new AbortController().signal);
    expect(end).toEqual({ kind: 'lost', error });
  });

  it('kills again what was not there yet when it was killed', async () => {
    const stopping = new AbortController();
    const slow = program('hi', { isUnstarted: false, endsItself: false });
    const kill = slow.kill;
    let isStarted = false;
    let kills = 0;
    slow.kill = async () => {
      kills += 1;
      // The engine says that nothing of that name runs.
      if (isStarted) await kill();
    };
    slow.start = async () => {
      stopping.abort();
      while (kills === 0) await new Promise(setImmediate);
      isStarted = true;
    };
    const { end } = await supervise(slow, limits, stopping.signal);
    expect(end).toEqual({ kind: 'cancelled' });
    expect(await slow.exited()).toBe(137);
  });

  it("shows nobody the engine's words as they come, and all that a program says, in order", async () => {
    const shown = async (isUnstarted: boolean, speaks: Program['speaks']): Promise<string> => {
      let seen = '';
      const onOutput: Supervision['onOutput'] = (_stream, bytes) => {
        seen += Buffer.from(bytes).toString();
      };
      const one = program(ENGINE_WORDS, { isUnstarted, endsItself: true });
      one.speaks = speaks;
      await supervise(one, { ...limits, onOutput }, new AbortController().signal);
      return seen;
    };
    expect(await shown(true, () => Promise.resolve(false))).toBe('');
    expect(await shown(false, () => Promise.resolve(true))).toBe(ENGINE_WORDS);
    // Nobody can tell while it runs: its end does.
    expect(await shown(true, () => Promise.reject(new Error('gone')))).toBe('');
    expect(await shown(false, () => Promise.reject(new Error('gone')))).toBe(ENGINE_WORDS);
    const never = new Promise<boolean>(() => {
      // nobody answers
    });
    expect(await shown(false, () => never)).toBe(ENGINE_WORDS);
  });

  it('tells a program that never started from one that ended', async () => {
    const { signal } = new AbortController();
    const never = program(ENGINE_WORDS, { isUnstarted: true, endsItself: true });
    const told = await supervise(never, limits, signal);
    expect(told.end).toEqual({ kind: 'unstarted', said: ENGINE_WORDS });
    expect(told.stdout.bytes).toHaveLength(0);
    // Nor is it one that said too much, where the engine says more than the program might have.
    const quiet = program(ENGINE_WORDS, { isUnstarted: true, endsItself: true });
    expect(await supervise(quiet, { ...limits, outputBytes: 10 }, signal)).toMatchObject({
      end: { kind: 'unstarted', said: ENGINE_WORDS },
      stdout: { bytes: { length: 0 }, truncated: false },
    });
    const ended = program('hi', { isUnstarted: false, endsItself: true });
    expect((await supervise(ended, limits, signal)).end).toEqual({ kind: 'exit', code: 126 });
  });
});
