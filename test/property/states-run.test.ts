// State machines made at random, run to their end on the virtual clock and tested state by state: whatever they meet, the
// run ends, says how, and says the same when it is run again.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isObject, type Json } from '../../src/json.js';
import {
  simulate,
  testState,
  validate,
  type Mock,
  type Mocks,
  type TestStateOptions,
} from '../../src/testing/index.js';
import { inputs, machines } from './machines.js';

const ANSWERS: readonly Mock[] = [
  { return: { a: 1, list: [1, 2], n: 2, text: 'k.csv' } },
  { return: null },
  { return: 'text', delaySeconds: 5 },
  { throw: { error: 'Odd', cause: 'why' } },
  { throw: { error: 'States.TaskFailed' }, delaySeconds: 1 },
  { timeout: true },
];
const answers = fc.oneof(
  fc.constant('echo' as const),
  fc.array(fc.constantFrom(...ANSWERS), { maxLength: 4 }),
);
const ERROR = /^(States\.[A-Za-z]+|Odd|Simulate\.NoMockLeft)$/;

/** Of a machine and those in it. */
function stateNames(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap((item: Json) => stateNames(item));
  if (!isObject(value)) return [];
  const own = isObject(value['States']) ? Object.keys(value['States']) : [];
  return [...own, ...Object.values(value).flatMap(stateNames)];
}

describe('a state machine made at random', () => {
  it('runs to its end, and to the same end twice', async () => {
    const ends = { SUCCEEDED: 0, FAILED: 0 };
    const given = fc.array(answers, { minLength: 1, maxLength: 3 });
    const property = fc.asyncProperty(machines, inputs, given, async (machine, input, played) => {
      const { diagnostics } = validate(JSON.stringify(machine));
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
      const mocks: Mocks = {
        ...Object.fromEntries(
          stateNames(machine).map((name, i) => [name, played[i % played.length] ?? 'echo']),
        ),
        $s3: { 'b/k.csv': 'a,n\n1,2\n3,4\n' },
      };
      const options = { input, mocks, maxTransitions: 500 };
      const first = await simulate(machine, options);
      ends[first.status]++;
      if (first.status === 'FAILED') expect(first.error).toMatch(ERROR);
      else expect(first.output).toEqual(JSON.parse(JSON.stringify(first.output)));
      expect(await simulate(machine, options)).toEqual(first);
    });
    await fc.assert(property, { numRuns: 40 });
    expect(Math.min(ends.SUCCEEDED, ends.FAILED)).toBeGreaterThan(0);
  });

  it('has states that can be tested alone', async () => {
    const options: fc.Arbitrary<TestStateOptions> = fc.record(
      {
        variables: fc.constantFrom<Json>({ v: { a: 1 } }, {}),
        stateConfiguration: fc.record({
          retrierRetryCount: fc.nat(2),
          mapIterationFailureCount: fc.nat(2),
          mapItemReaderData: fc.constantFrom('a,n\n1,2', ''),
        }),
        inspectionLevel: fc.constantFrom('INFO', 'DEBUG', 'TRACE'),
      },
      { requiredKeys: [] },
    );
    const mock = fc.constantFrom<NonNullable<TestStateOptions['mock']>>(
      ...[{ result: '[{"a": 1}]' }, { result: '"text"' }, { result: '{"n": 2}' }],
      ...[{ errorOutput: { error: 'Odd', cause: 'why' } }, { errorOutput: {} }],
    );
    const property = fc.asyncProperty(
      fc.tuple(machines, inputs, fc.nat()),
      options,
      mock,
      async ([machine, input, at], more, given) => {
        const names = stateNames(machine);
        const stateName = names[at % names.length] ?? '';
        const tested = await testState(machine, { ...more, input, stateName, mock: given });
        expect(['SUCCEEDED', 'FAILED', 'RETRIABLE', 'CAUGHT_ERROR']).toContain(tested.status);
        if (tested.status === 'FAILED' && tested.error !== undefined) expect(tested.error).toMatch(ERROR);
        expect(tested.inspectionData !== undefined).toBe((more.inspectionLevel ?? 'INFO') !== 'INFO');
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });
});
