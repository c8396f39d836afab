// From a document to a registered workflow: checked whole first, kept only when somebody who may says so. The same
// content under an id is the same version.
import { isErrorCode, WritError, type ErrorCode } from '../../errors.js';
import type { Plan } from '../../workflow/plan.js';
import type { CheckedWorkflow } from './check.js';
import type { Clock, Store, WorkflowRecord } from '../ports.js';
import { workflowHash } from '../run/state.js';
import type { Diagnostic, WorkflowSource } from '../writ.js';

/** A valid document, not yet kept. */
export interface Prepared {
  readonly plan: Plan;
  readonly agents: CheckedWorkflow['agents'];
  readonly record: WorkflowRecord;
  readonly isKnown: boolean;
}

/** `author`: who registers it, should it be new. Throws DOC_INVALID with every finding in `details.diagnostics`, or INTEGRITY_* when a package is not its digest. */
export async function prepareWorkflow(
  source: WorkflowSource,
  checked: CheckedWorkflow,
  { store, clock, author }: { readonly store: Store; readonly clock: Clock; readonly author: string },
): Promise<Prepared> {
  const { plan, text, document, diagnostics, agents } = checked;
  const errors = diagnostics.filter((one) => one.severity === 'error');
  if (plan === null || document === null || errors.length > 0) throw invalid(source, errors, diagnostics);
  const hash = workflowHash(document);
  const known = await store.workflow(plan.id, hash);
  if (known !== null) return { plan, agents, record: known, isKnown: true };
  const record: WorkflowRecord = {
    id: plan.id,
    hash,
    version: ((await store.workflow(plan.id))?.version ?? 0) + 1,
    name: plan.name,
    source: text,
    file: source.file,
    createdAtMs: clock.nowMs(),
    author,
  };
  return { plan, agents, record, isKnown: false };
}

/** The source that is registered under `id` now. Throws NOT_FOUND. */
export async function storedSource(store: Store, id: string): Promise<WorkflowSource> {
  const workflow = await store.workflow(id);
  if (workflow !== null) return { text: workflow.source, file: workflow.file };
  throw new WritError('NOT_FOUND', `there is no workflow ${JSON.stringify(id)}`, {
    hint: 'give a file, or register one: writ workflow create FILE (shipped ones: writ workflow templates)',
  });
}

function invalid(
  source: WorkflowSource,
  errors: readonly Diagnostic[],
  diagnostics: readonly Diagnostic[],
): WritError {
  const first = errors.find((one) => isIntegrityCode(one.code)) ?? errors[0];
  const where = `${source.file ?? 'workflow'}:${first?.line ?? 1}:${first?.column ?? 1}`;
  // Bytes that are not what their digest says are no mistake in the document.
  const code = errors.map((one) => one.code).find(isIntegrityCode) ?? 'DOC_INVALID';
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const all = source.file === null ? 'they are in details.diagnostics' : `writ validate ${source.file}`;
  const own = first?.hint === undefined ? [] : [first.hint];
  const hint = [...own, ...(own.length === 0 || errors.length > 1 ? [`see every finding: ${all}`] : [])];
  return new WritError(code, `${where}: ${first?.message ?? 'invalid document'}${more}`, {
    hint: hint.join('; '),
    details: { file: source.file, diagnostics },
  });
}

function isIntegrityCode(code: string): code is ErrorCode {
  return code.startsWith('INTEGRITY_') && isErrorCode(code);
}
