// `node test/model-server/main.mjs [--port N] [--key TEXT] [--script FILE.json]`: the stand-in as a program. Prints its base URL and runs
// until it is stopped.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startModelServer } from './server.mjs';

const { values } = parseArgs({
  options: { port: { type: 'string' }, key: { type: 'string' }, script: { type: 'string' } },
});
const port = Number(values.port ?? '0');
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  process.stderr.write('model-server: --port is a number from 0 to 65535\n');
  process.exit(2);
}
const script = values.script === undefined ? [] : JSON.parse(readFileSync(values.script, 'utf8'));
const server = await startModelServer({ port, key: values.key ?? null, script });
process.stdout.write(`${server.url}\n`);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    void server.close().then(() => process.exit(0));
  });
}
