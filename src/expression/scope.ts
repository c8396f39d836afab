// What a dialect 1 template or condition can see. Values are data: they are never expanded or parsed again.
import type { Json } from '../json.js';

export interface Scope {
  /** By name: fixed names, outputVars, step names and slugs, input properties; precedence is already applied. */
  readonly values: ReadonlyMap<string, Json>;
  /**
   * Names that exist in the plan but may have no value yet; a template prints them empty. One set for all scopes of a
   * plan, never changed: what was parsed with it is kept by it.
   */
  readonly known: ReadonlySet<string>;
  /** What a name outside `values` and `known` does in a template. */
  readonly onMissing: 'error' | 'empty' | 'keep';
}
