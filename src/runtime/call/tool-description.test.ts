// What a model is told of a function: its sentence and schema, and nothing of what is not registered.
import { describe, expect, it } from 'vitest';
import type { Callables } from './callable.js';
import type { FunctionProvider } from '../ports.js';
import { describeFunction } from './tool-description.js';

const provider: FunctionProvider = {
  functionIds: ['claims::score', 'claims::plain'],
  describe: (id) => (id === 'claims::score' ? 'Scores a claim.' : null),
  schemas: (id) => ({ input: id === 'claims::score' ? { type: 'object' } : null, output: null }),
  invoke: () => Promise.resolve(null),
};
const callables: Callables = {
  packages: { resolve: () => Promise.resolve(null) },
  modules: { names: () => Promise.resolve([]), module: () => Promise.resolve(null) },
  drivers: {},
  providers: [provider],
  builtIn: [{ functionIds: ['audit::erase'], invoke: () => Promise.resolve(null) }],
};

describe('a function that a model may be offered', () => {
  it('is described by its provider', () => {
    expect(describeFunction(callables, 'claims::score')).toEqual({
      description: 'Scores a claim.',
      inputSchema: { type: 'object' },
    });
    expect(describeFunction(callables, 'claims::plain')).toEqual({ description: '', inputSchema: null });
  });

  it('has a schema that allows nothing unknown where it runs in a sandbox', () => {
    expect(describeFunction(callables, 'tool::wasm')).toMatchObject({
      inputSchema: { additionalProperties: false, required: ['module'] },
    });
  });

  it('is not there when it is not registered, or the runner keeps it for itself', () => {
    expect(describeFunction(callables, 'claims::other')).toBeNull();
    expect(describeFunction(callables, 'audit::erase')).toBeNull();
  });
});
