// The names a dialect 1 workflow has: keys of its steps, and what templates and conditions may say.
import { FIXED_NAMES } from '../../expression/names.js';

/**
 * Key and variable name of a step: lower case, every run of other characters than letters and digits one `_`
 * (`Check Status` is `check_status`). Begins with a letter or `_`; empty when the name has no letter or digit.
 */
export function stepSlug(name: string): string {
  const slug = slugWith(name, '_');
  return /^\p{N}/u.test(slug) ? `step_${slug}` : slug;
}

/** Id of a workflow that gives none: `Feature Build` is `feature-build`. Empty when nothing of the name fits. */
export function workflowSlug(name: string): string {
  return slugWith(name.normalize('NFKD').replaceAll(/[^\x20-\x7e]/g, ''), '-').slice(0, 256);
}

function slugWith(name: string, separator: string): string {
  return name
    .normalize('NFC')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((part) => part !== '')
    .join(separator);
}

export interface StepNames {
  readonly name: string | undefined;
  readonly outputVar: string | undefined;
}

/** Every name a template of the workflow may use. */
export function workflowNames(steps: readonly StepNames[], inputs: readonly string[]): ReadonlySet<string> {
  const names = new Set([...FIXED_NAMES, ...inputs]);
  for (const { name, outputVar } of steps) {
    if (name !== undefined) names.add(name).add(stepSlug(name));
    if (outputVar !== undefined) names.add(outputVar);
  }
  names.delete('');
  return names;
}
