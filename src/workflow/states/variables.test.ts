import { describe, expect, it } from 'vitest';
import { found, machine } from '../../../test/workflow/machine.js';

describe('variables across scopes', () => {
  const inner = (assign: string, kind = 'Parallel') =>
    kind === 'Parallel'
      ? `Branches: [{StartAt: I, States: {I: {Type: Pass, Assign: {${assign}}, End: true}}}]`
      : `ItemProcessor: {ProcessorConfig: {Mode: ${kind}}, StartAt: I, States: {I: {Type: Pass, Assign: {${assign}}, End: true}}}`;

  it('may not be assigned inside when a state before assigns them outside', () => {
    expect(
      found(
        machine(
          'A: {Type: Pass, Assign: {v: 1}, Next: B}',
          `B: {Type: Parallel, End: true, ${inner('w: 1, v: 2')}}`,
        ),
      ),
    ).toEqual(['DOC_BAD_VALUE 4:98 states.B.branches[0].states.I.assign.v']);
    expect(
      found(
        machine(
          'A: {Type: Pass, Assign: {v.$: $.x}, Next: B}',
          `B: {Type: Map, End: true, ${inner('v: 2', 'INLINE')}}`,
        ),
      ),
    ).toEqual([
      expect.stringMatching(/^DOC_BAD_VALUE 4:\d+ states\.B\.itemProcessor\.states\.I\.assign\.v$/),
    ]);
  });

  it('may be assigned inside when only the Parallel itself, or a state after it, assigns them outside', () => {
    expect(
      found(
        machine(
          `A: {Type: Parallel, Assign: {v: 1}, Catch: [{ErrorEquals: [X], Assign: {v: 2}, Next: B}], Next: B, ${inner('v: 3')}}`,
          'B: {Type: Pass, Assign: {v: 4}, End: true}',
        ),
      ),
    ).toEqual([]);
  });

  it('may not when a Choice rule or a catcher before assigns them, or a scope further out', () => {
    expect(
      found(
        machine(
          'A: {Type: Choice, Choices: [{Variable: $.a, IsNull: true, Assign: {v: 1}, Next: B}], Default: B}',
          `B: {Type: Parallel, End: true, ${inner('v: 2')}}`,
        ),
      ),
    ).toEqual(['DOC_BAD_VALUE 4:92 states.B.branches[0].states.I.assign.v']);
    const deep = `Branches: [{StartAt: P, States: {P: {Type: Parallel, End: true, ${inner('v: 2')}}}}]`;
    expect(
      found(machine('A: {Type: Pass, Assign: {v: 1}, Next: B}', `B: {Type: Parallel, End: true, ${deep}}`)),
    ).toEqual([expect.stringMatching(/states\.P\.branches\[0\]\.states\.I\.assign\.v$/)]);
  });

  it('are none in the runs of a DISTRIBUTED Map, which may assign every name', () => {
    expect(
      found(
        machine(
          'A: {Type: Pass, Assign: {v: 1}, Next: B}',
          `B: {Type: Map, End: true, ${inner('v: 2', 'DISTRIBUTED')}}`,
        ),
      ),
    ).toEqual([]);
  });
});
