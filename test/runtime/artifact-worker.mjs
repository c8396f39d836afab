// Starts a run and kills itself with SIGKILL as soon as the last file of its results is there: the commit that says so
// never happens.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { identify, openWrit } from '../crash/built.mjs';

const [home, policies, text] = process.argv.slice(2);
const data = path.join(home, 'data');
const writ = await openWrit({ data, policies, trustFile: path.join(home, 'trust.json'), wasmPool: 0 });
const principal = await identify(writ, path.join(home, 'alice.key'));
const runId = await writ.start({ workflow: { text, file: null }, input: [1, 2] }, principal);
process.stdout.write(runId);
const look = () => {
  // The results and their manifest.
  if (referencesIn(path.join(data, 'artifacts', 'names')) === 2) process.kill(process.pid, 'SIGKILL');
  setImmediate(look);
};
look();
await writ.drive(runId, { stopAt: 'waiting', signal: new AbortController().signal });
process.stderr.write('it was not killed in time');

function referencesIn(folder) {
  try {
    return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.json')).length;
  } catch {
    return 0; // not there yet
  }
}
