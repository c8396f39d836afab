// What a dialect 1 template or condition can see. Values are data: they are never expanded or parsed again.
import type { Json } from '../json.js';
import { descend } from './value.js';

export interface Scope {
  /** By name: fixed names, outputVars, step names and slugs, input properties; precedence is already applied. */
  readonly values: ReadonlyMap<string, Json>;
  /** Where members that a value lacks are looked for: a chat's value is its text, and `usage` stands beside it. */
  readonly behind?: ReadonlyMap<string, Json>;
  /**
   * Names that exist in the plan but may have no value yet; a template prints them empty. One set for all scopes of a
   * plan, never changed: what was parsed with it is kept by it.
   */
  readonly known: ReadonlySet<string>;
  /** What a name outside `values` and `known` does in a template. */
  readonly onMissing: 'error' | 'empty' | 'keep';
}

/** What a path leads to; undefined when its head has no value, or nothing is there. */
export function valueAt(
  { values, behind }: Scope,
  head: string,
  segments: readonly (string | number)[],
  open?: (value: Json) => Json,
): Json | undefined {
  const value = values.get(head);
  if (value === undefined) return undefined;
  const own = descend(value, segments, open);
  const whole = own === undefined ? behind?.get(head) : undefined;
  return whole === undefined ? own : descend(whole, segments, open);
}
