// The engine's events about memory, of this runner's containers. They tell what exit codes hide: a child that was
// killed for memory while its parent went on, a program started later in a container.
import type Dockerode from 'dockerode';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { ask } from './engine.js';

/** An event line longer than that is none of ours. */
const MAX_LINE_BYTES = 64 * 1024;
/** Containers remembered; each is asked about once, right after it has ended. */
const MAX_REMEMBERED = 1_000;

export interface MemoryEvents {
  /**
   * Whether the engine has told that `id` ran out of memory; waits up to `withinMs` for it. `unknown` when the stream
   * has broken: then nothing is known of what happened meanwhile.
   */
  ranOut(id: string, withinMs: number): Promise<boolean | 'unknown'>;
  /** Nothing more will be told. */
  isBroken(): boolean;
  close(): void;
}

/** Subscribes before anything starts. Throws EngineError. */
export async function watchMemory(engine: Dockerode, label: string): Promise<MemoryEvents> {
  const stream = await ask(
    'events',
    engine.getEvents({ filters: { type: ['container'], event: ['oom'], label: [label] } }),
  );
  const seen = new Set<string>();
  const waiting = new Map<string, () => void>();
  let broken = false;
  let pending = '';
  stream.on('data', (chunk: Buffer) => {
    pending += chunk.toString('utf8');
    const lines = pending.split('\n');
    pending = lines.pop() ?? '';
    if (pending.length > MAX_LINE_BYTES) pending = '';
    for (const line of lines) {
      const id = containerOf(line);
      if (id === null) continue;
      seen.add(id);
      for (const old of seen) if (seen.size > MAX_REMEMBERED) seen.delete(old);
      waiting.get(id)?.();
    }
  });
  const lost = (): void => {
    broken = true;
    for (const wake of waiting.values()) wake();
  };
  stream.on('error', lost).once('end', lost).once('close', lost);
  // An idle runner may end.
  if ('socket' in stream && stream.socket instanceof Socket) stream.socket.unref();
  return {
    async ranOut(id, withinMs) {
      if (!seen.has(id) && !broken && withinMs > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, withinMs);
          waiting.set(id, () => {
            clearTimeout(timer);
            resolve();
          });
        });
        waiting.delete(id);
      }
      if (seen.delete(id)) return true;
      return broken ? 'unknown' : false;
    },
    isBroken: () => broken,
    close() {
      if (stream instanceof Readable) stream.destroy();
    },
  };
}

function containerOf(line: string): string | null {
  try {
    const { Action, Actor } = Object(JSON.parse(line)) as { Action?: unknown; Actor?: unknown };
    const { ID } = Object(Actor) as { ID?: unknown };
    return Action === 'oom' && typeof ID === 'string' ? ID : null;
  } catch {
    return null; // not a line of the engine's: it tells nothing
  }
}
