// One of several threads that make keys in new folders at the same moments. Runs against the built product.
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { createPersonKey } from '../../dist/adapters/keys/person-key.js';

const { home, name, arrived, threads, rounds } = workerData;
const count = new Int32Array(arrived);
const refused = [];
for (let round = 1; round <= rounds; round += 1) {
  Atomics.add(count, 0, 1);
  while (Atomics.load(count, 0) < threads * round);
  try {
    createPersonKey(path.join(home, String(round), 'a', 'b', `${name}.key`), 'alice');
  } catch (error) {
    refused.push(error.message);
  }
}
parentPort.postMessage(refused);
