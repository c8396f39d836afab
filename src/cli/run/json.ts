// A run under --json: the run, and one result for each step in the words of the dialect (AgentOS page).
import { stepResult, type StepResult } from '../../library/run-report.js';
import type { RunView } from '../../runtime/writ.js';

export type RunJson = Omit<RunView, 'steps'> & { readonly results: readonly StepResult[] };

/** Outputs and log indices are in it when they are in the view. */
export function runJson({ steps, ...run }: RunView): RunJson {
  return { ...run, results: steps.map(stepResult) };
}
