// How a registered function is described to a model that may ask for it: a sentence and the JSON Schema of its request.
// It is said here and checked by the guard: a model that does not keep to it is refused like anybody else.
import type { Json } from '../../json.js';
import { registeredFunctions, type Callables } from './callable.js';

export interface ToolDescription {
  readonly description: string;
  /** null = any object. */
  readonly inputSchema: Json | null;
}

const text = { type: 'string' };

/** Those that run in a sandbox have no provider to ask. */
const SANDBOXED: ReadonlyMap<string, ToolDescription> = new Map([
  [
    'tool::wasm',
    {
      description:
        'Runs a WASM program in a sandbox; `module` is its name, `args` its arguments, `input` what it reads.',
      inputSchema: {
        type: 'object',
        additionalProperties: false,
        required: ['module'],
        properties: { module: text, args: { type: 'array', items: text }, input: {} },
      },
    },
  ],
  [
    'tool::shell_exec',
    {
      description: 'Runs a command in a sandbox: `argv` is the program and its arguments, no shell.',
      inputSchema: {
        type: 'object',
        additionalProperties: false,
        required: ['argv'],
        properties: {
          argv: { type: 'array', minItems: 1, items: text },
          cwd: text,
          env: { type: 'object', additionalProperties: text },
          stdin: text,
        },
      },
    },
  ],
]);

/** null when nothing of that id is registered. */
export function describeFunction(callables: Callables, functionId: string): ToolDescription | null {
  if (!registeredFunctions(callables).has(functionId)) return null;
  const sandboxed = SANDBOXED.get(functionId);
  if (sandboxed !== undefined) return sandboxed;
  const provider = [...(callables.builtIn ?? []), ...callables.providers].find((one) =>
    one.functionIds.includes(functionId),
  );
  return {
    description: provider?.describe?.(functionId) ?? '',
    inputSchema: provider?.schemas?.(functionId).input ?? null,
  };
}
