// When what a person said needs no signature of theirs. Policy decides where that is enough; the log only has to say so.
import type { Facts } from './facts.js';

/** Assurances that are no key of the person's own. */
const UNSIGNED: ReadonlySet<unknown> = new Set(['os', 'oidc', 'token']);

/** Something unsigned says so by its assurance, and claims no signature. */
export function isUnsigned({ data }: Facts): boolean {
  return data.get('signature') === null && UNSIGNED.has(data.get('assurance'));
}
