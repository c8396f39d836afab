import { expect, it } from 'vitest';
import { WritError } from '../../errors.js';
import type { Plan } from '../../workflow/plan.js';
import { openFunctionRegistry, withRepeatableCalls } from './function-registry.js';
import type { FunctionProvider } from '../ports.js';

const provider = (...functionIds: string[]): FunctionProvider => ({
  functionIds,
  invoke: () => Promise.resolve(null),
});

const refusal = (act: () => void): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof WritError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('it was not refused');
};

it('shows what is added later in the list that was handed out before', () => {
  const first = provider('claims::one');
  const registry = openFunctionRegistry([first]);
  const { providers } = registry;
  const later = provider('claims::two', 'claims::three');
  registry.add(later);
  expect(providers).toEqual([first, later]);
});

it('refuses an id that somebody has, and then takes none of the ids offered with it', () => {
  const registry = openFunctionRegistry([provider('claims::one')]);
  const both = provider('claims::two', 'claims::one');
  expect(refusal(() => registry.add(both))).toBe('USAGE: the function claims::one is registered already');
  expect(registry.providers).toHaveLength(1);
  registry.add(provider('claims::two'));
  expect(refusal(() => registry.add(provider('claims::x', 'claims::x')))).toContain('claims::x');
  expect(refusal(() => openFunctionRegistry([provider('a::b'), provider('a::b')]))).toContain('a::b');
});

it('refuses names of the runner itself', () => {
  const registry = openFunctionRegistry([]);
  expect(refusal(() => registry.add(provider('audit::erase')))).toBe(
    'USAGE: audit::erase is a function of writ itself',
  );
  registry.add(provider('auditors::erase'));
});

it('marks the steps that call what may be called again, and leaves every other as it is', () => {
  const task = (functionId: string, idempotent = false) => ({
    kind: 'task' as const,
    call: { kind: 'function' as const, functionId, agent: null, fallback: null },
    idempotent,
  });
  const plan = {
    id: 'w',
    nodes: {
      a: task('claims::again'),
      b: task('claims::once'),
      c: task('claims::once', true),
      d: { kind: 'succeed' },
    },
  } as unknown as Plan;
  const again = { ...provider('claims::again', 'claims::once'), idempotent: ['claims::again'] };
  const marked = withRepeatableCalls(plan, [provider('x::y'), again]);
  expect(marked).toEqual({ ...plan, nodes: { ...plan.nodes, a: task('claims::again', true) } });
  expect(withRepeatableCalls(plan, [provider('claims::again')])).toBe(plan);
});
