import { describe, expect, it } from 'vitest';
import { found, machine, planOf } from '../../../test/workflow/machine.js';
import { parseWorkflow, validate } from '../parse.js';

describe('a Parallel', () => {
  it('becomes a fork with a lane per branch, its states flat in the plan', () => {
    const plan = planOf(
      machine(
        'A:',
        '  Type: Parallel',
        '  Parameters: {x.$: $.y}',
        '  ResultSelector: {first.$: "$[0]"}',
        '  ResultPath: $.r',
        '  Assign: {v.$: $.first}',
        '  Retry: [{ErrorEquals: [X]}]',
        '  Catch: [{ErrorEquals: [States.ALL], Next: C, Assign: {e.$: $.Error}}]',
        '  Branches:',
        '    - {StartAt: B1, States: {B1: {Type: Pass, Next: B2}, B2: {Type: Succeed}}}',
        '    - StartAt: P',
        '      States:',
        '        P:',
        '          Type: Parallel',
        '          End: true',
        '          Branches: [{StartAt: Q, States: {Q: {Type: Pass, End: true}}}]',
        '  Next: C',
        'C: {Type: Succeed}',
      ),
    );
    expect(Object.keys(plan.nodes)).toEqual(['A', 'B1', 'B2', 'P', 'Q', 'C']);
    expect(plan.nodes['A']).toEqual({
      kind: 'fork',
      form: 'parallel',
      name: 'A',
      line: 3,
      column: 3,
      lanes: [
        { start: 'B1', each: null },
        { start: 'P', each: null },
      ],
      flow: {
        language: 'jsonpath',
        inputPath: '$',
        parameters: { 'x.$': '$.y' },
        resultSelector: { 'first.$': '$[0]' },
        resultPath: '$.r',
        outputPath: '$',
        assign: { 'v.$': '$.first' },
      },
      retry: [expect.objectContaining({ errorEquals: ['X'], maxAttempts: 3 })],
      catch: [{ errorEquals: ['States.ALL'], resultPath: '$', assign: { 'e.$': '$.Error' }, next: 'C' }],
      next: 'C',
    });
    expect(plan.nodes['P']).toMatchObject({ lanes: [{ start: 'Q', each: null }], next: null, line: 15 });
    expect(plan.nodes['Q']).toMatchObject({ kind: 'pass', next: null, line: 18, column: 46 });
  });

  it.each<[string, readonly string[]]>([
    ['Branches: []', ['DOC_BAD_VALUE 3:33']],
    ['End: true', ['DOC_MISSING_FIELD 3:3']],
    [
      'Branches: [{StartAt: B, States: {B: {Type: Pass}}}]',
      ['DOC_NO_TERMINAL_STATE 3:47', 'DOC_MISSING_FIELD 3:56'],
    ],
    [
      'Branches: [{StartAt: B, States: {B: {Type: Pass, Next: C}}}]',
      ['DOC_NO_TERMINAL_STATE 3:47', 'DOC_UNKNOWN_STATE 3:78'],
    ],
    ['Branches: [{StartAt: C, States: {B: {Type: Pass, End: true}}}]', ['DOC_UNKNOWN_STATE 3:44']],
    ['Branches: [{States: {B: {Type: Pass, End: true}}}]', ['DOC_MISSING_FIELD 3:34']],
    ['Branches: [{StartAt: C, States: {C: {Type: Pass, End: true}}}]', ['DOC_BAD_VALUE 4:3']],
    [
      'Branches: [{StartAt: B, ProcessorConfig: {}, States: {B: {Type: Pass, End: true}}}]',
      ['DOC_UNKNOWN_FIELD 3:47'],
    ],
    ['Approval: often, Branches: [{StartAt: B, States: {B: {Type: Succeed}}}]', ['DOC_BAD_VALUE 3:33']],
  ])('with %s is refused at its place', (fields, expected) => {
    const text = machine(`A: {Type: Parallel, ${fields}, Next: C}`, 'C: {Type: Succeed}').replace(
      'End: true, Next: C',
      'Next: C',
    );
    expect(found(text).map((one) => one.split(' ').slice(0, 2).join(' '))).toEqual(expected);
  });

  it('says of a target in another scope that it is in another scope', () => {
    const branch = '{StartAt: B, States: {B: {Type: Pass, Next: C}, D: {Type: Succeed}}}';
    const { diagnostics } = validate(
      machine(`A: {Type: Parallel, Next: C, Branches: [${branch}]}`, 'C: {Type: Pass, Next: D}'),
    );
    const told = diagnostics.filter(({ code }) => code === 'DOC_UNKNOWN_STATE');
    expect(told.map(({ message, hint }) => [message, hint?.includes('another scope')])).toEqual([
      ['there is no state "C" in this scope', true],
      ['there is no state "D" in this scope', true],
    ]);
  });

  it('nests to 20 scopes as far as a document may nest', () => {
    const nested = (depth: number): string =>
      depth === 0
        ? '{Type: Pass, End: true}'
        : `{Type: Parallel, End: true, Branches: [{StartAt: s${depth}, States: {s${depth}: ${nested(depth - 1)}}}]}`;
    expect(found(machine(`A: ${nested(10)}`))).toEqual([]);
    expect(found(machine(`A: ${nested(20)}`))).toEqual([expect.stringMatching(/^DOC_TOO_LARGE 3:\d+$/)]);
  });

  it('has paths for its states by their places in the plan, whatever they stand in', () => {
    const text = machine(
      'A: {Type: Parallel, End: true, Branches: [{StartAt: B, States: {B: {Type: Pass, End: true}}}]}',
    );
    const { plan, partAt } = parseWorkflow(text);
    const paths = Object.values(plan?.nodes ?? {}).map(
      ({ line, column }) => partAt({ line, column }, [])?.path,
    );
    expect(paths).toEqual(['states.A', 'states.A.branches[0].states.B']);
    expect(partAt({ line: 1, column: 1 }, [])).toBeNull();
  });
});
