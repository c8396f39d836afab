// How the states of a run stand, also those that call nothing and so have no attempt: from what the engine keeps of every
// node that a cursor has come to. Names of the document only, no data.
import type { Frame, Seen } from '../../engine/state.js';
import type { Guard } from '../guard-parts.js';
import type { RunRecord } from '../ports.js';
import { load } from './context.js';
import { finishedState, planOf } from './state.js';
import type { StepStatus } from '../view/step-status.js';

/** By node key. Empty for a run of a version that kept no books of it. Throws NOT_FOUND. */
export async function standings(guard: Guard, runId: string): Promise<ReadonlyMap<string, StepStatus>> {
  const { store } = guard;
  const run = await load(guard, runId);
  const over = finishedState(run);
  if (over !== null) {
    // It came to it and did not leave it: its fork or its run was stopped.
    const seen = Object.entries(over.seen ?? {});
    return new Map(seen.map(([key, one]) => [key, statusOf(one) ?? 'cancelled']));
  }
  const [seen, frames] = [await store.parts(runId, 'seen/'), await store.parts(runId, 'frame/')];
  const standing = new Set(Array.from(frames.values(), (frame) => (frame as unknown as Frame).node)); // our own
  return new Map(
    Array.from(seen, ([part, one]) => {
      const key = part.slice('seen/'.length);
      const isLeft = one === 3 || (one === 2 && !standing.has(key));
      return [key, (isLeft ? statusOf(one) : null) ?? under(run, key)];
    }),
  );
}

function statusOf(seen: Seen): StepStatus | null {
  return seen === 1 ? null : seen === 2 ? 'completed' : 'failed';
}

function under(run: RunRecord, key: string): StepStatus {
  return planOf(run).nodes[key]?.kind === 'wait' || run.status === 'waiting' ? 'waiting' : 'running';
}
