// How a run goes on, as lines on stderr: what a command prints where no terminal redraws.
import { stepNames } from '../../engine/step-path.js';
import type { Writ } from '../../runtime/writ.js';
import type { Context } from '../context.js';
import { ProgressLines } from './progress.js';

/**
 * A line on stderr for every entry of the run that this process commits, items of a map counted together; call the
 * result to stop.
 */
export async function showProgress(context: Context, writ: Writ, runId: string): Promise<() => void> {
  const { output } = context;
  const lines = new ProgressLines(stepNames(await writ.compiled(runId)));
  const stop = writ.onEntry((notice) => {
    if (notice.run !== runId) return;
    for (const line of lines.linesFor(notice)) output.note(line);
  });
  return () => {
    stop();
    for (const line of lines.rest()) output.note(line);
  };
}
