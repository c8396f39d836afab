// Runs in the middle of their way that no living process advances: whoever did was killed.
import { hasFunctionOf } from '../call/callable.js';
import type { Guard } from '../guard-parts.js';
import { planOf } from './state.js';

/**
 * Oldest first. Of a program that embeds Writ only those whose functions are registered here, too: in another process their
 * next step would fail, and the program itself can still go on with them.
 */
export async function abandonedRuns(
  { store, callables }: Pick<Guard, 'store' | 'callables'>,
  isHeld: (runId: string) => boolean,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { id, status } of await store.unfinishedRuns()) {
    if (status !== 'running' || isHeld(id)) continue;
    const run = await store.run(id);
    // It may have gone on, or ended, since.
    if (run?.status !== 'running') continue;
    const nodes = Object.values(planOf(run).nodes);
    if (nodes.every((node) => node.kind !== 'task' || hasFunctionOf(callables, node))) found.push(id);
  }
  return found;
}
