// Which entries of the log are about which step of a run: where an auditor finds what `results` says.
import type { Store } from '../ports.js';

/** Log indices (decimal, in order) by step path; a decision about an approval counts for the step that it is about. */
export async function stepEntries(
  store: Pick<Store, 'stepMentions'>,
  run: string,
  stepPaths: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const byStep = new Map<string, string[]>();
  const stepOfApproval = new Map<string, string>();
  for (const { index, stepPath, approvalId } of await store.stepMentions(run, stepPaths)) {
    const step = stepPath ?? stepOfApproval.get(approvalId ?? '');
    if (step === undefined) continue;
    if (approvalId !== null) stepOfApproval.set(approvalId, step);
    const own = byStep.get(step) ?? [];
    own.push(index.toString());
    byStep.set(step, own);
  }
  return byStep;
}
