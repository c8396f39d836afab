#!/usr/bin/env node
// The `writ` command: one process, one command, one exit code (ARCHITECTURE 6). It ends by running out of work, not
// by process.exit, so what a command opened it has also closed.
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { printFailure } from './failure.js';
import { createOutput, ignoreBrokenPipes } from './output.js';
import { createProgram, wantsJson, type Terminal } from './program.js';
import { usageError } from './usage.js';

const { argv, env, stdin, stdout, stderr } = process;
const terminal: Terminal = { stdin, stdout, stderr, env, nowMs: () => Date.now() };

ignoreBrokenPipes(stdout, stderr);
process.exitCode = await main(argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const program = createProgram(terminal, version());
  try {
    await program.command.parseAsync(words, { from: 'user' });
    return program.exitCode();
  } catch (thrown) {
    const failure = thrown instanceof CommanderError ? usageError(thrown) : thrown;
    if (failure === null) return 0;
    const output = createOutput({ stdout, stderr, json: wantsJson(words), env });
    return printFailure(output, failure, (env['WRIT_DEBUG'] ?? '') !== '');
  }
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const value: unknown = JSON.parse(text);
  if (
    typeof value === 'object' &&
    value !== null &&
    'version' in value &&
    typeof value.version === 'string'
  ) {
    return value.version;
  }
  throw new Error('package.json has no version');
}
