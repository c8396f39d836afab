// Commands we print for people to copy: exact for this data directory and these policies, quoted for a POSIX shell.
import { DEFAULT_DATA, DEFAULT_POLICIES, type Context } from './context.js';

export function commandLine(
  context: Pick<Context, 'data' | 'policies' | 'env'>,
  ...words: readonly string[]
): string {
  const { data, policies, env } = context;
  const flags: string[] = [];
  // A value that came from the environment is still there for the next command.
  if (data !== (env['WRIT_DATA'] ?? DEFAULT_DATA)) flags.push('--data', data);
  if (policies !== (env['WRIT_POLICIES'] ?? DEFAULT_POLICIES)) flags.push('--policies', policies);
  return ['writ', ...words, ...flags].map(quote).join(' ');
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
