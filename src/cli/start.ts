// One process, one command, one exit code. It ends by running out of work, not by process.exit, so what a command opened
// it has also closed.
import { invoke } from './invocation.js';
import { ignoreBrokenPipes } from './output.js';

const { argv, env, stdin, stdout, stderr } = process;

ignoreBrokenPipes(stdout, stderr);
// A command is over when it says so, and not when all that it waits for (a child that is dying) holds no process.
const held = setInterval(() => undefined, 2 ** 30);
const over = invoke({ stdin, stdout, stderr, env, nowMs: () => Date.now() }, argv.slice(2));
process.exitCode = await over.finally(() => clearInterval(held));
