// A runner in a process of its own that has opened everything, looked at its sandboxes and now waits: argv = its data and
// its policies. Prints its resident memory in MiB; the children of its pool are not counted.
import { setTimeout } from 'node:timers/promises';
import { openWrit } from '../../dist/open.js';

const [data, policies] = process.argv.slice(2);
const writ = await openWrit({ data, policies });
await writ.doctor();
await setTimeout(3_000);
console.log(Math.round(process.memoryUsage().rss / 2 ** 20));
await writ.close();
