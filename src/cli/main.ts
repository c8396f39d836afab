#!/usr/bin/env node
// The `writ` command: one process, one command, one exit code (ARCHITECTURE 6). It ends by running out of work, not
// by process.exit, so what a command opened it has also closed.
import { invoke } from './invocation.js';
import { ignoreBrokenPipes } from './output.js';

const { argv, env, stdin, stdout, stderr } = process;

ignoreBrokenPipes(stdout, stderr);
process.exitCode = await invoke({ stdin, stdout, stderr, env, nowMs: () => Date.now() }, argv.slice(2));
