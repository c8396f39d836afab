import { expect, it } from 'vitest';
import { openRunQueue } from './run-queue.js';

it('begins nothing that waits once it is told to stop, whatever ends then', async () => {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const queue = openRunQueue((run) => {
    begun.push(run);
    return new Promise((resolve) => {
      ends.push(resolve);
    });
  });
  for (let at = 0; at < 10; at++) queue.wake(`run_${at}`);
  const stopped = queue.stop();
  for (const end of ends) end();
  await stopped;
  expect(begun).toEqual(['run_0', 'run_1', 'run_2', 'run_3']);
});
