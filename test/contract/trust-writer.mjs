// A second process for the trust store: remembers one log at ever larger sizes and prints how often its own record was
// missing or smaller afterwards. Runs against the built product. argv: trust file, origin, number of writes.
import process from 'node:process';
import { openTrustStore } from '../../dist/adapters/store/trust-store.js';

const [file, origin, writes] = process.argv.slice(2);
const trust = openTrustStore(file);
let [missing, smaller] = [0, 0];
// The other process has begun, too.
process.stdout.write('ready\n');
await new Promise((resolve) => {
  process.stdin.once('data', resolve);
});
for (let size = 1; size <= Number(writes); size++) {
  await trust.write(origin, { vkey: `${origin}+k`, checkpoint: `${origin}\n${size}\nroot\n` });
  const record = await trust.read(origin);
  if (record === null) missing += 1;
  else if (Number(record.checkpoint.split('\n')[1]) < size) smaller += 1;
}
process.stdout.write(`${JSON.stringify({ missing, smaller })}\n`);
process.stdin.destroy();
