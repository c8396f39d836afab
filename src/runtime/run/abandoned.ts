// Runs in the middle of their way that no living process advances: whoever did was killed.
import { hasFunctionOf } from '../call/callable.js';
import type { Guard } from '../guard-parts.js';
import { planOf } from './state.js';

/**
 * Oldest first. Of a program that embeds Writ only those whose functions are registered here, too: in another process their
 * next step would fail, and the program itself can still go on with them. Cheap while none is on its way and nothing changes.
 */
export function openAbandonedRuns(
  { store, callables }: Pick<Guard, 'store' | 'callables'>,
  isHeld: (runId: string) => boolean,
): () => Promise<readonly string[]> {
  /** The store's change counter when all runs that had not ended waited. */
  let quietAt = -1;
  return async () => {
    const counter = store.changeCounter();
    if (counter === quietAt) return [];
    const onTheirWay = (await store.unfinishedRuns()).filter(({ status }) => status === 'running');
    if (onTheirWay.length === 0) quietAt = counter;
    const found: string[] = [];
    for (const { id } of onTheirWay) {
      if (isHeld(id)) continue;
      const run = await store.run(id);
      // It may have gone on, or ended, since.
      if (run?.status !== 'running') continue;
      const nodes = Object.values(planOf(run).nodes);
      if (nodes.every((node) => node.kind !== 'task' || hasFunctionOf(callables, node))) found.push(id);
    }
    return found;
  };
}
