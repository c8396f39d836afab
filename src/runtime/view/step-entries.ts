// Which entries of the log are about which step of a run: where an auditor finds what `results` says.
import { parseEntry } from '../../audit/entry.js';
import type { Store } from '../ports.js';

/**
 * Log indices (decimal, in order) by step path; a decision about an approval counts for the step that it is about. Only
 * entries that may be about `stepPaths` are read. Throws AUDIT_ENTRY_INVALID.
 */
export async function stepEntries(
  store: Pick<Store, 'entriesOfSteps'>,
  run: string,
  stepPaths: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const byStep = new Map<string, string[]>();
  const stepOfApproval = new Map<string, string>();
  for (const { bytes, index } of await store.entriesOfSteps(run, stepPaths)) {
    const { stepPath, approvalId } = parseEntry(bytes).data;
    const approval = typeof approvalId === 'string' ? approvalId : null;
    const step = typeof stepPath === 'string' ? stepPath : stepOfApproval.get(approval ?? '');
    if (step === undefined) continue;
    if (approval !== null) stepOfApproval.set(approval, step);
    const own = byStep.get(step) ?? [];
    own.push(index.toString());
    byStep.set(step, own);
  }
  return byStep;
}
