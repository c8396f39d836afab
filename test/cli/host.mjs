// The built command line in one process for many commands: for tests that are about what a command says and does, not
// about its process. Each has its own working directory, environment, streams and exit code; one runs at a time.
import { Readable, Writable } from 'node:stream';
import { invoke } from '../../dist/cli/invocation.js';

let last = Promise.resolve();
process.on('message', (order) => {
  last = last.then(() => carryOut(order)).then((ran) => process.send(ran));
});

async function carryOut({ id, words, cwd, env, input }) {
  process.chdir(cwd);
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  const [stdout, stderr] = [collector(), collector()];
  const stdin = Readable.from(input === '' ? [] : [Buffer.from(input)]);
  const streams = { stdin, stdout: stdout.stream, stderr: stderr.stream };
  const code = await invoke({ ...streams, env: process.env, nowMs: () => Date.now() }, words);
  return { id, code, stdout: stdout.text(), stderr: stderr.text() };
}

function collector() {
  const chunks = [];
  const stream = new Writable({
    write(chunk, _, done) {
      chunks.push(chunk);
      done();
    },
  });
  return {
    stream,
    text: () =>
      Buffer.concat(chunks)
        .toString()
        .replace(/\r?\n$/u, ''),
  };
}
