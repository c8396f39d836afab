// What commander refuses, as our own error: USAGE, exit 2, with its suggestion as the hint.
import { CommanderError } from 'commander';
import { WritError } from '../errors.js';

/** Help and version end a command without failing; null then. `wasHelp` = a group was called without its command. */
export function usageError(error: CommanderError): WritError | null {
  if (error.exitCode === 0) return null;
  if (error.code === 'commander.help') {
    return new WritError('USAGE', 'a command is missing', { hint: 'add --help to see the commands' });
  }
  const [first = '', ...rest] = error.message.split('\n');
  const message = first.replace(/^error: /u, '');
  const suggestion = /^\(Did you mean (.*)\?\)$/u.exec(rest.join(' '))?.[1];
  const hint =
    suggestion === undefined ? 'add --help to see what is possible' : `did you mean ${suggestion}?`;
  return new WritError('USAGE', message, { hint });
}
