// A workflow named on the command line: a file or the id of a registered one. A name counts as a file only when
// it looks like one, so that a file that happens to lie here can't stand in for a registered workflow.
import { WritError } from '../../errors.js';
import type { WorkflowSource } from '../../runtime/writ.js';
import { readTextFile } from '../bounded-read.js';
import type { Output } from '../output.js';

export function looksLikeFile(name: string): boolean {
  return /[/\\]|\.(?:ya?ml|json)$/iu.test(name);
}

/** Throws NOT_FOUND, DOC_TOO_LARGE, DOC_SYNTAX (not UTF-8). */
export async function readWorkflowSource(file: string): Promise<WorkflowSource> {
  return { text: await readTextFile(file, { tooLarge: 'DOC_TOO_LARGE', notText: 'DOC_SYNTAX' }), file };
}

/** Runs `action`; when it refuses the document, shows every diagnostic with its frame before passing the error on. */
export async function explainingDiagnostics<T>(
  output: Output,
  source: WorkflowSource,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof WritError && error.kind === 'document' && !output.json) {
      await noteDiagnostics(output, source, error.details?.['diagnostics']);
    }
    throw error;
  }
}

async function noteDiagnostics(output: Output, source: WorkflowSource, value: unknown): Promise<void> {
  const diagnostics = Array.isArray(value) ? value.filter(isDiagnostic) : [];
  if (diagnostics.length === 0) return;
  const { renderDiagnostics } = await import('./render-diagnostics.js');
  output.note(renderDiagnostics(source.file ?? 'workflow', source.text, diagnostics, output.colors));
  output.note('');
}

type Diagnostics = Parameters<typeof import('./render-diagnostics.js').renderDiagnostics>[2];

function isDiagnostic(value: unknown): value is Diagnostics[number] {
  if (typeof value !== 'object' || value === null) return false;
  const one: Partial<Record<string, unknown>> = { ...value };
  return (
    typeof one['code'] === 'string' &&
    typeof one['message'] === 'string' &&
    typeof one['path'] === 'string' &&
    typeof one['line'] === 'number' &&
    typeof one['column'] === 'number' &&
    (one['severity'] === 'error' || one['severity'] === 'warning')
  );
}
