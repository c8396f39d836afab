// What a later step is sure to lack is said before the first one has run: a model provider, a key, a secret or a server
// that is not configured here, or in a file that can't be used. What the first step lacks is its own failure, as nothing has run before it.
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { sandboxKind } from './sandbox-kind.js';
import { foresee, type Outlook } from '../plan/foreseen-call.js';
import { Foresight } from '../plan/foresight.js';
import type { Guard } from '../guard-parts.js';
import { outline } from '../plan/outline.js';

/**
 * Throws FUNCTION_UNAVAILABLE or CONFIG_INVALID, and names the step. A step that may be left out, by its condition, for want of items or by
 * `errorMode: skip`, is not looked at, and neither are the ways of dialect 2, of which only one is taken.
 */
export async function refuseUnavailable(
  guard: Guard,
  { plan, input, agents }: Pick<Outlook, 'plan' | 'agents'> & { readonly input: Json },
): Promise<void> {
  if (plan.dialect !== 'steps') return;
  const outlook = { guard, plan, agents, foresight: new Foresight(plan, input) };
  // It lacks the same, and comes before: whoever reads the message looks there first.
  let first: { readonly step: string; readonly message: string } | null = null;
  for (const { key, group, map } of outline(plan)) {
    const node = plan.nodes[key];
    const isFirst = key === plan.start || group === plan.start;
    if (node?.kind !== 'task' || map !== null) continue;
    if (node.when !== null || node.onFailure === 'skip' || sandboxKind(node) !== null) continue;
    const { problem } = await foresee(outlook, key, node);
    if (problem?.code !== 'FUNCTION_UNAVAILABLE' && problem?.code !== 'CONFIG_INVALID') continue;
    if (isFirst) {
      first ??= { step: node.name, message: problem.message };
      continue;
    }
    const step = first?.message === problem.message ? first.step : node.name;
    throw new WritError(problem.code, `step "${step}" could not run: ${problem.message}`, {
      ...(problem.hint === undefined ? {} : { hint: problem.hint }),
      details: { step },
      cause: problem,
    });
  }
}
