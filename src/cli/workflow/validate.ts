// `writ validate FILE…`: every diagnostic of every file in one pass; of several, one that can't be read is a finding like
// any other. Without an initialised data directory only the documents are checked, and stderr says what was not.
import { existsSync } from 'node:fs';
import { WritError } from '../../errors.js';
import type { Diagnostic, WorkflowSource } from '../../runtime/writ.js';
import { withWrit, type Context } from '../context.js';
import { printable, type Output } from '../output.js';
import { countDiagnostics, renderDiagnostics } from './render-diagnostics.js';
import { readWorkflowSource } from './source.js';

type Check = (
  source: WorkflowSource,
) => Promise<{ readonly ok: boolean; readonly diagnostics: readonly Diagnostic[] }>;

/** `all`: document, functions, agents, ceilings. `document`: what can be known without policies and packages. */
type Scope = 'all' | 'document';

/** Exit 0 when no file has an error, else 2. Throws as `readWorkflowSource` does when the only file can't be read. */
export async function validateFiles(context: Context, files: readonly string[]): Promise<number> {
  const sources = await Promise.all(files.map((file) => readOrTell(file, files.length === 1)));
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

/** A file that was named, and its text or why there is none. */
type Read = WorkflowSource | { readonly file: string; readonly unreadable: WritError };

async function readOrTell(file: string, isOnly: boolean): Promise<Read> {
  try {
    return await readWorkflowSource(file);
  } catch (error) {
    if (isOnly || !(error instanceof WritError)) throw error;
    return { file, unreadable: error };
  }
}

async function checkDocuments(context: Context, sources: readonly Read[]): Promise<number> {
  const { validate } = await import('../../workflow/index.js');
  context.output.note(
    `writ: note: no data directory at ${printable(context.data)}; agents, functions and ceilings were not checked`,
  );
  return report(context, sources, 'document', async (source) =>
    validate(source.text, source.file === null ? {} : { file: source.file }),
  );
}

async function report(
  context: Context,
  sources: readonly Read[],
  scope: Scope,
  check: Check,
): Promise<number> {
  const { output } = context;
  const found: (Diagnostic & { readonly file: string | null })[] = [];
  let ok = true;
  for (const source of sources) {
    const file = source.file ?? 'workflow';
    const result = 'unreadable' in source ? unreadable(source.unreadable) : await check(source);
    const { diagnostics } = result;
    ok &&= result.ok;
    found.push(...diagnostics.map((one) => ({ ...one, file: source.file })));
    if ('unreadable' in source) tellUnreadable(output, file, source.unreadable);
    else if (diagnostics.length > 0) {
      output.line(renderDiagnostics(file, source.text, diagnostics, output.colors));
    }
    if (diagnostics.length > 0) output.line();
    const verdict = result.ok ? output.colors.green('valid') : output.colors.red('invalid');
    const counts = countDiagnostics(diagnostics);
    output.line(`${printable(file)}: ${verdict}${counts === '' ? '' : ` (${counts})`}`);
  }
  if (output.json) output.value({ ok, checked: scope, diagnostics: found });
  return ok ? 0 : 2;
}

/** Where in a file stands what can't be read has often no better answer than its beginning. */
function unreadable({ code, message, hint, details }: WritError): Awaited<ReturnType<Check>> {
  const { line, column } = {
    line: 1,
    column: 1,
    ...(details as { line?: number; column?: number } | undefined),
  };
  const one = { code, severity: 'error' as const, message, line, column, path: '' };
  return { ok: false, diagnostics: [hint === undefined ? one : { ...one, hint }] };
}

/** Without a frame: there is no text to show. */
function tellUnreadable(output: Output, file: string, { code, message, hint }: WritError): void {
  output.line(`${printable(file)}: ${output.colors.red('error')} ${code}: ${printable(message)}`);
  if (hint !== undefined) output.line(`  hint: ${printable(hint)}`);
}
