// `writ artifact put | list | get`: files for distributed Maps, and what those have written. Bytes of an artifact go to a
// pipe or a file, never to a terminal.
import { writeFile } from 'node:fs/promises';
import { WritError } from '../errors.js';
import { MAX_ARTIFACT_BYTES } from '../runtime/ports.js';
import type { DataDeclaration } from '../runtime/run/data.js';
import { readBytes, readFileBytes, type ReadLimit } from './bounded-read.js';
import { whoActs, withPublishedWrit, withWrit, type Context } from './context.js';
import { refuseInside } from './audit/out-path.js';
import { printable } from './output.js';
import { renderTable } from './table.js';

const LIMIT: ReadLimit = { maxBytes: MAX_ARTIFACT_BYTES, tooLarge: 'USAGE', hint: 'cut it into several' };

/** Prints the digest. `file` `-` = stdin. */
export async function putArtifact(
  context: Context,
  file: string,
  { name, data }: { readonly name?: string; readonly data?: DataDeclaration },
): Promise<number> {
  const { output, stdin } = context;
  const bytes = await (file === '-' ? readBytes(stdin, 'stdin', LIMIT) : readFileBytes(file, LIMIT));
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const principal = await whoActs(context, writ);
    const { digest, size, isRedacted } = await writ.artifacts.put(bytes, name ?? null, principal, data);
    if (output.json) output.value({ digest, size, name: name ?? null, redacted: isRedacted });
    else output.line(digest);
    if (isRedacted) output.note('values of secrets were replaced by their handles');
    return 0;
  });
}

export async function listArtifacts(context: Context, prefix: string): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const found = await writ.artifacts.list(prefix, await whoActs(context, writ));
    if (output.json) {
      output.value({ artifacts: found.map(({ name, digest, size }) => ({ name, digest, size })) });
    } else if (found.length > 0) {
      const rows = found.map(({ name, digest, size }) => [name, String(size), digest]);
      output.line(renderTable(output.colors, ['name', 'bytes', 'digest'], rows));
    }
    if (found.length === 0) output.note('no artifact that you may read has such a name');
    return 0;
  });
}

/** The bytes to stdout, or to a new file; with --json as base64. */
export async function getArtifact(
  context: Context,
  which: string,
  { out }: { readonly out?: string },
): Promise<number> {
  const { output, stdout } = context;
  if (out !== undefined) await refuseInside(context.data, [out]);
  else if (stdout.isTTY && !output.json) {
    throw new WritError('USAGE', 'the bytes of an artifact are not written to a terminal', {
      hint: 'name a file with --out, or lead the output into one',
    });
  }
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const { digest, bytes } = await writ.artifacts.get(which, await whoActs(context, writ));
    if (out !== undefined) await writeNew(out, bytes);
    if (output.json) {
      const where = out === undefined ? { base64: Buffer.from(bytes).toString('base64') } : { file: out };
      output.value({ digest, size: bytes.length, ...where });
    } else if (out === undefined) stdout.write(bytes);
    else output.line(`${printable(out)}: ${bytes.length} bytes, ${digest}`);
    return 0;
  });
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const what = code === 'EEXIST' ? `${path} is there already` : `can't write ${path} (${code})`;
    throw new WritError('USAGE', what, { hint: 'choose another --out', cause: error });
  }
}
