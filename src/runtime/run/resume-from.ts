// `resume --from STEP`: whether a run can go on from there. What has an outcome is never run again in the same run: its
// results are in the log, and later steps were made of them. So a run goes on from the step that it stands at, and a
// lost attempt of that step is run again.
import { WritError } from '../../errors.js';
import { nearest } from '../../expression/nearest.js';
import { isObject } from '../../json.js';
import type { Plan } from '../../workflow/plan.js';
import { taskAt } from '../../workflow/state-gate.js';
import type { RunRecord, Store } from '../ports.js';
import { planOf } from './state.js';

/** Throws USAGE when the run has no such step, or does not stand there. `step`: a name, or a step path without items. */
export async function requireStandsAt(
  store: Pick<Store, 'parts'>,
  run: RunRecord,
  step: string,
): Promise<void> {
  const plan = planOf(run);
  const key = keyOf(plan, step);
  const stands = new Set<string>();
  const lost = new Set<string>();
  for (const frame of (await store.parts(run.id, 'frame/')).values()) {
    if (!isObject(frame) || !isObject(frame['task']) || typeof frame['node'] !== 'string') continue;
    stands.add(frame['node']);
    // Nobody advances the run now: what was running is lost, whether or not somebody has found out.
    const { phase } = frame['task'];
    if (phase === 'lost' || phase === 'running') lost.add(frame['node']);
  }
  const names = (keys: ReadonlySet<string>): string =>
    Array.from(keys, (one) => `"${plan.nodes[one]?.name ?? one}"`).join(', ');
  if (!stands.has(key)) {
    const where = stands.size === 0 ? 'between two steps' : `at ${names(stands)}`;
    throw new WritError('USAGE', `run ${run.id} stands ${where}, and can't go back to "${step}"`, {
      hint: `what has an outcome is not run again in the same run; run it anew: writ workflow run ${run.workflowId}`,
    });
  }
  const others = new Set([...lost].filter((one) => one !== key));
  if (others.size === 0) return;
  throw new WritError('USAGE', `attempts of ${names(others)} were lost too`, {
    hint: `what becomes of all of them: writ workflow resume ${run.id} --rerun-lost, or --fail-lost`,
  });
}

function keyOf(plan: Plan, step: string): string {
  const tasks = Object.entries(plan.nodes).filter(([, node]) => taskAt(node) !== null);
  const found = tasks.find(([key, { name }]) => key === step || name === step);
  if (found !== undefined) return found[0];
  const names = tasks.map(([, { name }]) => name);
  const near = nearest(step, names);
  throw new WritError('USAGE', `${plan.id} has no step "${step}"`, {
    hint: near ?? `its steps: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}`,
  });
}
