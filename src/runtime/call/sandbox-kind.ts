// In which sandbox a step runs, if in one.
import type { TaskNode } from '../../workflow/plan.js';
import { SHELL_EXEC } from './shell-call.js';

/** Modules run in WASM and commands in a container, unless the step says otherwise; a provider's function outside. */
export function sandboxKind(node: TaskNode): 'wasm' | 'docker' | null {
  if (node.call.kind === 'function' && node.call.functionId === SHELL_EXEC)
    return node.sandbox?.driver ?? 'docker';
  if (node.call.kind === 'function' && node.call.functionId !== 'tool::wasm') return null;
  return node.sandbox?.driver ?? 'wasm';
}
