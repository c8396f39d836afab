// The functions that steps can call, by provider, looked up when a document is checked and when a step runs: what is
// registered later can be called from then on, by runs that have started too. An id has one owner, for good.
import { WritError } from '../../errors.js';
import { isRunnersOwn } from '../../policy/ceiling/facts.js';
import type { Plan, PlanNode } from '../../workflow/plan.js';
import type { FunctionProvider } from '../ports.js';

export interface FunctionRegistry {
  /** Grows with `add`; whoever holds this list sees what is added later. */
  readonly providers: readonly FunctionProvider[];
  /** All of the provider's ids or none. Throws USAGE for an id of writ itself, and for one that is taken. */
  add(provider: FunctionProvider): void;
}

export function openFunctionRegistry(first: readonly FunctionProvider[]): FunctionRegistry {
  const providers: FunctionProvider[] = [];
  const taken = new Set<string>();
  const add = (provider: FunctionProvider): void => {
    const ids = new Set<string>();
    for (const id of provider.functionIds) {
      if (isRunnersOwn(id)) {
        throw new WritError('USAGE', `${id} is a function of writ itself`, {
          hint: 'give the function another name than audit::… and human::…',
        });
      }
      if (taken.has(id) || ids.has(id)) {
        throw new WritError('USAGE', `the function ${id} is registered already`, {
          hint: 'give one of the two another name',
        });
      }
      ids.add(id);
    }
    for (const id of ids) taken.add(id);
    providers.push(provider);
  };
  for (const provider of first) add(provider);
  return { providers, add };
}

/** A step that calls a function which may be called again with the same key is idempotent, whether it says so or not. */
export function withRepeatableCalls(plan: Plan, providers: readonly FunctionProvider[]): Plan {
  const repeatable = new Set(providers.flatMap((one) => one.idempotent ?? []));
  if (repeatable.size === 0) return plan;
  const marked = (node: PlanNode): PlanNode =>
    node.kind === 'task' && node.call.kind === 'function' && repeatable.has(node.call.functionId)
      ? { ...node, idempotent: true }
      : node;
  return {
    ...plan,
    nodes: Object.fromEntries(Object.entries(plan.nodes).map(([key, node]) => [key, marked(node)])),
  };
}
