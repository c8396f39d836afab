// `writ secrets list | set | remove`: which values are never stored or shown. A value comes from stdin, so that it is
// in no argument list and no shell history; nothing here ever prints one.
import { WritError } from '../errors.js';
import { notFound } from '../runtime/not-found.js';
import type { Context } from './context.js';
import { printable } from './output.js';

/** More than any secret may have, with its line end. */
const MAX_BYTES = 8_192;

export async function listSecrets(context: Context): Promise<number> {
  const { output } = context;
  const names = (await known(context)).current().map((one) => one.name);
  if (output.json) output.value({ secrets: names });
  else for (const name of names) output.line(printable(name));
  if (names.length === 0) output.note('no secret is known');
  return 0;
}

/** One line end at the end of stdin is not part of the value. */
export async function setSecret(context: Context, name: string): Promise<number> {
  const { output, stdin } = context;
  if (stdin.isTTY === true) {
    throw new WritError('USAGE', 'the value comes from stdin, not from a terminal that shows it', {
      hint: `for example: pass show ${printable(name)} | writ secrets set ${printable(name)}`,
    });
  }
  const value = await readValue(stdin);
  const replaced = (await known(context)).set(name, value);
  if (output.json) output.value({ name, replaced });
  else output.line(`«secret ${printable(name)}» stands for it from now on, in whatever is stored or shown`);
  if (replaced) output.note('replaced; the former value is no longer recognised');
  output.note('what was stored before is not changed: erase it, and change the secret if it was there');
  return 0;
}

export async function removeSecret(context: Context, name: string): Promise<number> {
  const removed = (await known(context)).remove(name);
  if (!removed) throw notFound('secret', name);
  if (context.output.json) context.output.value({ name });
  else context.output.line(printable(name));
  return 0;
}

async function known({ data }: Context): ReturnType<typeof import('../open.js').openSecrets> {
  const { openSecrets } = await import('../open.js');
  return openSecrets(data);
}

async function readValue(stdin: Context['stdin']): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin as AsyncIterable<unknown>) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    size += bytes.length;
    if (size > MAX_BYTES) throw new WritError('SECRET_INVALID', `the value has more than ${MAX_BYTES} bytes`);
    chunks.push(bytes);
  }
  const all = Buffer.concat(chunks);
  const end = all.at(-1) === 0x0a ? (all.at(-2) === 0x0d ? 2 : 1) : 0;
  return new Uint8Array(all.subarray(0, all.length - end));
}
