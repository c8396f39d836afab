// One command from its words to its exit code, at the edges it is given. Whatever fails is told in one form.
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { printFailure } from './failure.js';
import { createOutput } from './output.js';
import { createProgram, wantsJson, type Terminal } from './program.js';
import { usageError } from './usage.js';

/** Gives the exit code of the process. Rejects for nothing that the command does. */
export async function invoke(terminal: Terminal, words: readonly string[]): Promise<number> {
  const program = createProgram(terminal, version());
  try {
    await program.command.parseAsync(words, { from: 'user' });
    return program.exitCode();
  } catch (thrown) {
    const failure = thrown instanceof CommanderError ? usageError(thrown) : thrown;
    if (failure === null) return 0;
    const { stdout, stderr, env } = terminal;
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
