// `writ validate FILE…`: every diagnostic of every file in one pass. Without an initialised data directory only the
// documents are checked, and stderr says what was not.
import { existsSync } from 'node:fs';
import { WritError } from '../errors.js';
import type { Diagnostic, WorkflowSource } from '../runtime/writ.js';
import { withWrit, type Context } from './context.js';
import { printable } from './output.js';
import { countDiagnostics, renderDiagnostics } from './render-diagnostics.js';
import { readWorkflowSource } from './workflow-source.js';

type Check = (
  source: WorkflowSource,
) => Promise<{ readonly ok: boolean; readonly diagnostics: readonly Diagnostic[] }>;

/** `all`: document, functions, agents, ceilings. `document`: what can be known without policies and packages. */
type Scope = 'all' | 'document';

/** Exit 0 when no file has an error, else 2. */
export async function validateFiles(context: Context, files: readonly string[]): Promise<number> {
  const sources = await Promise.all(files.map(readWorkflowSource));
  if (!existsSync(context.data)) return checkDocuments(context, sources);
  try {
    return await withWrit(context, (writ) =>
      report(context, sources, 'all', (source) => writ.validate(source)),
    );
  } catch (error) {
    if (!(error instanceof WritError) || error.code !== 'NOT_INITIALISED') throw error;
    return checkDocuments(context, sources);
  }
}

async function checkDocuments(context: Context, sources: readonly WorkflowSource[]): Promise<number> {
  const { validate } = await import('../workflow/index.js');
  context.output.note(
    `writ: note: no data directory at ${printable(context.data)}; agents, functions and ceilings were not checked`,
  );
  return report(context, sources, 'document', async (source) =>
    validate(source.text, source.file === null ? {} : { file: source.file }),
  );
}

async function report(
  context: Context,
  sources: readonly WorkflowSource[],
  scope: Scope,
  check: Check,
): Promise<number> {
  const { output } = context;
  const found: (Diagnostic & { readonly file: string | null })[] = [];
  let ok = true;
  for (const source of sources) {
    const result = await check(source);
    ok &&= result.ok;
    found.push(...result.diagnostics.map((one) => ({ ...one, file: source.file })));
    const file = source.file ?? 'workflow';
    if (result.diagnostics.length > 0) {
      output.line(renderDiagnostics(file, source.text, result.diagnostics, output.colors));
      output.line();
    }
    const verdict = result.ok ? output.colors.green('valid') : output.colors.red('invalid');
    const counts = countDiagnostics(result.diagnostics);
    output.line(`${printable(file)}: ${verdict}${counts === '' ? '' : ` (${counts})`}`);
  }
  if (output.json) output.value({ ok, checked: scope, diagnostics: found });
  return ok ? 0 : 2;
}
