// The names a dialect 1 workflow has: keys of its steps, and what templates and conditions may say where.
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

export interface WorkflowNames {
  /** Every name a template of the workflow may use; does not change any more. */
  readonly all: ReadonlySet<string>;
  /** Position of the first step that gives a name, for the names that steps give. */
  readonly givenBy: ReadonlyMap<string, number>;
}

export function workflowNames(steps: readonly StepNames[], inputs: readonly string[]): WorkflowNames {
  const givenBy = new Map<string, number>();
  steps.forEach(({ name, outputVar }, i) => {
    const given = name === undefined ? [] : [name, stepSlug(name)];
    for (const one of outputVar === undefined ? given : [...given, outputVar]) {
      if (one !== '' && !givenBy.has(one)) givenBy.set(one, i);
    }
  });
  return { all: new Set([...FIXED_NAMES, ...inputs, ...givenBy.keys()]), givenBy };
}

/** Where a step stands, as far as it decides which names have a value. */
export interface StepPlace {
  readonly index: number;
  readonly mode: string;
  /** Position of the first step that begins together with this one: its own, or the first of its fanout group. */
  readonly together: number;
  /** Runs once per item. */
  readonly each: boolean;
  /** A fanout group has ended before. */
  readonly afterGroup: boolean;
}

/** Why a name of the workflow never has a value in this step; null when it may have one. */
export function neverSet(name: string, place: StepPlace, givenBy: WorkflowNames['givenBy']): string | null {
  switch (name) {
    case 'item':
    case 'index':
      return place.each ? null : 'only a fanout over items has it';
    case 'iteration':
    case 'maxIterations':
    case 'feedback':
      return place.mode === 'loop' ? null : 'only a step of mode loop has it';
    case 'fanout':
    case '__fanout':
      return place.afterGroup ? null : 'no fanout step stands before this one';
    case 'previous_step':
      return place.together > 0 ? null : 'no step stands before this one';
    case 'output':
      return place.together > 0 || place.mode === 'loop' ? null : 'no step stands before this one';
    default:
      break;
  }
  const giver = givenBy.get(name);
  if (FIXED_NAMES.has(name) || giver === undefined || giver < place.together) return null;
  if (giver === place.index) return place.mode === 'loop' ? null : 'it is what this step gives';
  return giver < place.index || place.mode === 'fanout'
    ? 'the step that gives it does not end before this one begins'
    : 'the step that gives it comes later';
}
