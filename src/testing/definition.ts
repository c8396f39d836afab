// A definition under test, compiled: given as text, or as the object that an author keeps in code.
import { WritError } from '../errors.js';
import { parseWorkflow, type Plan } from '../workflow/index.js';

/** Functions of any name are known: nothing is called. Throws DOC_INVALID; its details hold the diagnostics. */
export function planOf(definition: unknown, type: 'STANDARD' | 'EXPRESS' = 'STANDARD'): Plan {
  const text = typeof definition === 'string' ? definition : JSON.stringify(definition);
  const { plan, diagnostics } = parseWorkflow(text, { functions: 'any', type });
  if (plan !== null) return plan;
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  const where = first === undefined ? '' : ` (${first.path === '' ? `line ${first.line}` : first.path})`;
  throw new WritError('DOC_INVALID', `the definition is invalid: ${first?.message ?? 'no plan'}${where}`, {
    hint: first?.hint ?? '`validate` tells all that is wrong with it',
    details: { diagnostics },
  });
}
