// The names that mean the same in every template and condition, and those that never resolve.
// A document may not give these names to anything else; data never decides what one of them means.

/** Names the runner itself fills (AgentOS page). No outputVar may take one. */
export const FIXED_NAMES: ReadonlySet<string> = new Set([
  'input',
  'workflow_input',
  'previous_step',
  'output',
  'fanout',
  '__fanout',
  'item',
  'index',
  'iteration',
  'maxIterations',
  'feedback',
  'run',
  'workflow',
]);

/** Names that lead to a prototype in JavaScript. They never resolve, whatever the data holds. */
export const BLOCKED_NAMES: ReadonlySet<string> = new Set(['constructor', '__proto__', 'prototype']);
