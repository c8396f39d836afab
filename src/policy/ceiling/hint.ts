// What to do about a request that a ceiling refuses, by what the refusing field bounds.
import { UNKNOWN_AMOUNT } from './budget.js';
import type { LayerName } from './ceiling.js';
import type { Violation } from './violation.js';

/** `ceiling`: as whoever reads it knows the one that refuses; what a step says of itself has no owner but its author. */
export function ceilingHint(
  { field, limit, requested }: Violation,
  ceiling = 'the ceiling',
  layer?: LayerName,
): string {
  const isOutside = field === 'sandbox.allowed' && requested === 'no sandbox';
  if (requested === UNKNOWN_AMOUNT)
    return 'a call fits under a budget once its least cost is known: set the prices of the model';
  if (layer === 'step') {
    return isOutside
      ? `take sandbox out of the step, or call what runs in ${limit}: this runs outside every sandbox`
      : `the step itself says so: change its ${field}`;
  }
  const owner = `have the owner of ${ceiling}`;
  switch (field) {
    case 'validity.notBefore':
      return `wait until then, or ${owner} let it hold earlier`;
    case 'validity.notAfter':
      return `${owner} let it hold longer, or remove it: nothing runs under it any more`;
    case 'agents.requireSigners':
      return `have ${limit} sign the package, with the key that package-signers.yaml has`;
    case 'agents.requireDigest':
      return 'call the package by its digest: REPOSITORY@sha256:…';
  }
  if (isOutside) return `it runs outside every sandbox: ${owner} add "none" to sandbox.allowed`;
  if (field.endsWith('.deny')) return `do without it, or ${owner} take it out of ${field}`;
  return /\.(?:allow|allowed|labelsAllowed)$/.test(field)
    ? `ask for what ${field} lets through, or ${owner} add it there`
    : `stay under ${field}, or ${owner} raise it`;
}
