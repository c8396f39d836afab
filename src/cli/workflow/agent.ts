// `writ agent import | check`: AgentOS's TOML files as files of ours, and what is wrong with those that are here. An
// import shows everything it leaves out, and never overwrites a file.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory } from '../../adapters/store/durable-file.js';
import { WritError } from '../../errors.js';
import { readTextFile } from '../bounded-read.js';
import type { Context } from '../context.js';
import { refuseInside } from '../audit/out-path.js';
import { printable } from '../output.js';
import { countDiagnostics, renderDiagnostics } from './render-diagnostics.js';

/** YAML on stdout, or with `out` in `out/agents/NAME.yaml` or `out/hands/ID.yaml`. Warnings go to stderr. */
export async function importAgentFile(
  context: Context,
  file: string,
  { out }: { readonly out?: string },
): Promise<number> {
  const { output } = context;
  const text = await readTextFile(file, { tooLarge: 'DOC_TOO_LARGE', notText: 'DOC_SYNTAX' });
  const { importToml } = await import('../../workflow/agents/toml-import.js');
  const { kind, name, yaml, warnings } = importToml(text, printable(file));
  const path = out === undefined ? null : join(out, `${kind}s`, `${name}.yaml`);
  if (path !== null) {
    await refuseInside(context.data, [path]);
    await writeNew(path, yaml);
  }
  for (const warning of warnings) output.note(`writ: warning: ${printable(warning)}`);
  if (output.json) output.value({ kind, name, file: path, yaml, warnings });
  else output.line(path === null ? yaml.trimEnd() : printable(path));
  return 0;
}

/** Every finding in agents, hands and models.yaml beside the policies. Exit 0 when no file has an error, else 2. */
export async function checkAgentFiles(context: Context): Promise<number> {
  const { output } = context;
  const { projectOf, readAgentFiles } = await import('../../agent-files.js');
  const { withReferences } = await import('./agent-references.js');
  const folder = projectOf(context.policies);
  const read = withReferences(await readAgentFiles(folder, context.env));
  const found = read.flatMap(({ path, diagnostics }) => diagnostics.map((one) => ({ ...one, file: path })));
  const ok = !found.some(({ severity }) => severity === 'error');
  if (output.json) {
    output.value({ ok, folder, files: read.map(({ path }) => path), diagnostics: found });
    return ok ? 0 : 2;
  }
  for (const { path, text, diagnostics } of read) {
    if (diagnostics.length > 0) {
      output.line(renderDiagnostics(path, text, diagnostics, output.colors));
      output.line();
    }
    const bad = diagnostics.some(({ severity }) => severity === 'error');
    const counts = countDiagnostics(diagnostics);
    const verdict = bad ? output.colors.red('invalid') : output.colors.green('valid');
    output.line(`${printable(path)}: ${verdict}${counts === '' ? '' : ` (${counts})`}`);
  }
  if (read.length === 0) output.note(`no agents/*.yaml, hands/*.yaml or models.yaml in ${printable(folder)}`);
  return ok ? 0 : 2;
}

async function writeNew(path: string, text: string): Promise<void> {
  try {
    await makeDirectory(dirname(path), 0o777);
    await writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new WritError(
      'USAGE',
      code === 'EEXIST' ? `${path} is there already` : `can't write ${path} (${code})`,
      {
        hint: code === 'EEXIST' ? 'remove it first, or choose another --out' : 'choose another --out',
        cause: error,
      },
    );
  }
}
