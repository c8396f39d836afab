// A program that embeds Writ and is killed while its run waits: its function is given a token, which goes to a file.
// argv: home, dist, workflow as JSON text. It says `told` when the function was called; it never ends by itself.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [home, dist, text] = process.argv.slice(2);
const { identify, openWrit } = await import(pathToFileURL(path.join(dist, 'open.js')).href);
const provider = {
  functionIds: ['tool::test_order'],
  async invoke({ input }) {
    writeFileSync(path.join(home, 'token.txt'), input.token, { mode: 0o600 });
    return { accepted: input.token };
  },
};
const writ = await openWrit({
  data: path.join(home, '.writ'),
  policies: path.join(home, 'policies'),
  functions: [provider],
  wasmPool: 0,
});
const alice = await identify(writ, path.join(home, 'alice.key'));
const run = await writ.start({ workflow: { text, file: null }, input: { order: 7 } }, alice);
process.stdout.write(`started ${run}\n`);
await writ.drive(run, { stopAt: 'finished', signal: new AbortController().signal });
process.stdout.write('ended\n');
