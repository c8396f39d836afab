// `writ keys create | show | list | token`: a person's own signing key. The private key stays in its file (mode 0600) and
// is never printed; an existing file is never overwritten.
import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { WritError } from '../errors.js';
import type { Context } from './context.js';
import { asWritError } from './failure.js';
import { printable, type Environment } from './output.js';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u;
const SUFFIX = '.key';

/** `$XDG_CONFIG_HOME/writ/keys`, by default `~/.config/writ/keys`. */
function keyFolder(env: Environment): string {
  const config = env['XDG_CONFIG_HOME'] ?? '';
  return join(config === '' ? join(homedir(), '.config') : config, 'writ', 'keys');
}

export async function createKey(
  context: Context,
  name: string,
  flags: { readonly out?: string },
): Promise<number> {
  const { output } = context;
  if (!NAME.test(name)) {
    throw new WritError('USAGE', `a key's name is 1 to 64 letters, digits, dots, hyphens or underscores`, {
      hint: 'for example: writ keys create alice',
    });
  }
  const file = resolve(flags.out ?? join(keyFolder(context.env), `${name}${SUFFIX}`));
  const { createPersonKey } = await import('../adapters/keys/person-key.js');
  const { publicKey } = createPersonKey(file, name);
  if (output.json) {
    output.value({ name, file, publicKey });
    return 0;
  }
  output.line(`file        ${printable(file)}`);
  output.line(`public key  ${publicKey}`);
  output.line();
  output.line(
    `to enrol, have the key put into \`keys\` of the person in ${printable(join(context.policies, 'approvers.yaml'))};`,
  );
  output.line(
    'somebody who is not listed there yet is a new entry of `people`, and a member of a role in roles/:',
  );
  output.line(`  - id: user:${name}`);
  output.line(`    keys: ["${publicKey}"]`);
  output.line();
  output.line('to act with it: --key FILE, or WRIT_KEY');
  return 0;
}

export async function showKey(context: Context, file: string): Promise<number> {
  const { output } = context;
  const { loadPersonKey } = await import('../adapters/keys/person-key.js');
  const { name, publicKey } = loadPersonKey(file);
  if (output.json) output.value({ name, file, publicKey });
  else output.line(`${printable(name)}  ${publicKey}`);
  return 0;
}

export async function listKeys(context: Context): Promise<number> {
  const { output } = context;
  const folder = keyFolder(context.env);
  const { loadPersonKey } = await import('../adapters/keys/person-key.js');
  const files = (await namesIn(folder)).filter((name) => name.endsWith(SUFFIX)).sort();
  const keys: { name: string; file: string; publicKey: string }[] = [];
  for (const file of files.map((name) => join(folder, name))) {
    try {
      const { name, publicKey } = loadPersonKey(file);
      keys.push({ name, file, publicKey });
    } catch (error) {
      output.note(`writ: warning: ${printable(asWritError(error).message)}`);
    }
  }
  if (output.json) {
    output.value({ keys });
    return 0;
  }
  if (keys.length === 0) output.note(`no key in ${printable(folder)}`);
  for (const { name, file, publicKey } of keys) {
    output.line(`${printable(name)}  ${publicKey}  ${printable(file)}`);
  }
  return 0;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** A bearer token for `writ serve`, made with the key; it ends after five minutes. */
export async function showToken(context: Context, file: string, audience: string): Promise<number> {
  const { output } = context;
  const { loadPersonKey } = await import('../adapters/keys/person-key.js');
  const { ownToken } = await import('../server/own-token.js');
  const token = ownToken(loadPersonKey(file), audience, context.nowMs());
  if (output.json) output.value({ token });
  else output.line(token);
  return 0;
}
