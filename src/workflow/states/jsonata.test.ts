import { describe, expect, it } from 'vitest';
import { ITEMS, RUNS, found, machine, planOf, query } from '../../../test/workflow/machine.js';

describe('JSONata', () => {
  it('keeps expressions as they are written, in every field that takes one', () => {
    const plan = planOf(
      query(
        'A: {Type: Task, Resource: "tool::wasm", TimeoutSeconds: "{% $t %}", HeartbeatSeconds: "{% 1 %}", Arguments: {a: "{% $states.input.x %}"},',
        '    Output: "{% $states.result %}", Assign: {v: "{% 1 + 2 %}"},',
        '    Catch: [{ErrorEquals: [X], Output: {e: "{% $states.errorOutput %}"}, Next: F}], Next: W}',
        'W: {Type: Wait, Seconds: "{% 5 %}", Next: U}',
        'U: {Type: Wait, Timestamp: "{% $now() %}", Next: V}',
        'V: {Type: Wait, Timestamp: "2026-01-31T09:00:00Z", Next: C}',
        'C: {Type: Choice, Choices: [{Condition: "{% $v = 3 %}", Assign: {w: 1}, Output: {}, Next: M}, {Condition: true, Next: M}], Default: F}',
        `M: {Type: Map, ${RUNS}, Items: {a: 1}, MaxConcurrency: "{% 2 %}", ItemSelector: {x: "{% $states.context.Map.Item.Value %}"}, Next: N}`,
        'N: {Type: Map, ItemProcessor: {StartAt: J, States: {J: {Type: Pass, End: true}}}, Next: S}',
        'S: {Type: Succeed, Output: "{% $states.input %}"}',
        'F: {Type: Fail, Error: "{% $e %}", Cause: plain}',
      ),
    );
    expect(plan.nodes['A']).toMatchObject({
      flow: {
        language: 'jsonata',
        arguments: { a: '{% $states.input.x %}' },
        output: '{% $states.result %}',
        assign: { v: '{% 1 + 2 %}' },
      },
      timeoutMs: null,
      limits: { timeout: { query: '{% $t %}' }, heartbeat: { query: '{% 1 %}' } },
      catch: [{ output: { e: '{% $states.errorOutput %}' }, next: 'F' }],
    });
    expect(plan.nodes['W']).toMatchObject({ until: { seconds: { query: '{% 5 %}' } } });
    expect(plan.nodes['U']).toMatchObject({ until: { timestamp: { query: '{% $now() %}' } } });
    expect(plan.nodes['V']).toMatchObject({ until: { timestamp: { text: '2026-01-31T09:00:00Z' } } });
    expect(plan.nodes['C']).toMatchObject({
      choices: [
        { rule: { query: '{% $v = 3 %}' }, assign: { w: 1 }, output: {}, next: 'M' },
        { rule: { query: true }, next: 'M' },
      ],
    });
    expect(plan.nodes['M']).toMatchObject({
      lanes: [
        {
          each: {
            items: { kind: 'value', value: { a: 1 } },
            concurrency: { query: '{% 2 %}' },
            selector: { x: '{% $states.context.Map.Item.Value %}' },
          },
        },
      ],
    });
    expect(plan.nodes['N']).toMatchObject({
      lanes: [{ each: { items: { kind: 'value', value: '{% $states.input %}' } } }],
    });
    expect(plan.nodes['F']).toMatchObject({ error: { query: '{% $e %}' }, cause: { text: 'plain' } });
  });

  it('can be the language of one state in a JSONPath document, and not the other way round', () => {
    const one = machine(
      'A: {Type: Pass, QueryLanguage: JSONata, Output: "{% 1 %}", Next: B}',
      'B: {Type: Pass, InputPath: $.x, End: true}',
    );
    expect(planOf(one).nodes['A']).toMatchObject({ flow: { language: 'jsonata', output: '{% 1 %}' } });
    expect(planOf(one).nodes['B']).toMatchObject({ flow: { language: 'jsonpath' } });
    expect(found(query('A: {Type: Pass, QueryLanguage: JSONPath, End: true}'))).toEqual([
      'DOC_BAD_VALUE 4:34 states.A.queryLanguage',
    ]);
  });

  it.each<[string, readonly string[]]>([
    ['Type: Pass, InputPath: $.a, End: true', ['DOC_UNKNOWN_FIELD 4:19 states.A.inputPath']],
    ['Type: Pass, Parameters: {}, End: true', ['DOC_UNKNOWN_FIELD 4:19 states.A.parameters']],
    ['Type: Pass, Result: 1, End: true', ['DOC_UNKNOWN_FIELD 4:19 states.A.result']],
    ['Type: Pass, ResultPath: null, End: true', ['DOC_UNKNOWN_FIELD 4:19 states.A.resultPath']],
    ['Type: Succeed, OutputPath: $', ['DOC_UNKNOWN_FIELD 4:22 states.A.outputPath']],
    ['Type: Wait, SecondsPath: $.s, End: true', ['DOC_UNKNOWN_FIELD 4:19 states.A.secondsPath']],
    ['Type: Wait, Seconds: soon, End: true', ['DOC_WRONG_TYPE 4:28 states.A.seconds']],
    ['Type: Wait, Timestamp: soon, End: true', ['DOC_BAD_VALUE 4:30 states.A.timestamp']],
    ['Type: Fail, CausePath: $.c', ['DOC_UNKNOWN_FIELD 4:19 states.A.causePath']],
    ['Type: Pass, Output: "{% 1 + %}", End: true', ['DOC_EXPRESSION 4:27 states.A.output']],
    ['Type: Pass, Output: {a: [1, "{% $x[ %}"]}, End: true', ['DOC_EXPRESSION 4:35 states.A.output.a[1]']],
    ['Type: Pass, Output: "{% 1", End: true', ['DOC_EXPRESSION 4:27 states.A.output']],
    ['Type: Pass, Output: "{%}", End: true', ['DOC_EXPRESSION 4:27 states.A.output']],
    ['Type: Pass, Output: "{% 1 %} ", End: true', []],
    ['Type: Pass, Output: " {% 1", End: true', []],
    ['Type: Pass, Comment: "{% 1", End: true', []],
    [
      'Type: Pass, Assign: {v: {w: ["{% 420. %}"]}}, End: true',
      ['DOC_EXPRESSION 4:36 states.A.assign.v.w[0]'],
    ],
    ['Type: Pass, Output: "{% $.store[?(@.a < 1)].b %}", End: true', ['DOC_EXPRESSION 4:27 states.A.output']],
    [`Type: Map, ${ITEMS}, ItemsPath: $.a, End: true`, ['DOC_UNKNOWN_FIELD 4:85 states.A.itemsPath']],
    [`Type: Map, ${ITEMS}, Items: text, End: true`, ['DOC_BAD_VALUE 4:92 states.A.items']],
    [`Type: Map, ${ITEMS}, Items: {a: 1}, End: true`, ['DOC_BAD_VALUE 4:92 states.A.items']],
    [
      `Type: Map, ${ITEMS}, MaxConcurrency: many, End: true`,
      ['DOC_WRONG_TYPE 4:101 states.A.maxConcurrency'],
    ],
  ])('{%s} is told with its place', (fields, expected) => {
    expect(found(query(`A: {${fields}}`))).toEqual(expected);
  });

  it.each<[string, readonly string[]]>([
    ['Next: B', ['DOC_MISSING_FIELD 4:32 states.A.choices[0]']],
    ['Condition: 1, Next: B', ['DOC_WRONG_TYPE 4:44 states.A.choices[0].condition']],
    ['Condition: "yes", Next: B', ['DOC_WRONG_TYPE 4:44 states.A.choices[0].condition']],
    ['Condition: "{% 1 = %}", Next: B', ['DOC_EXPRESSION 4:44 states.A.choices[0].condition']],
    [
      'Variable: $.a, IsNull: true, Next: B',
      [
        'DOC_MISSING_FIELD 4:32 states.A.choices[0]',
        'DOC_UNKNOWN_FIELD 4:33 states.A.choices[0].variable',
        'DOC_BAD_VALUE 4:48 states.A.choices[0].isNull',
      ],
    ],
    ['Condition: true', ['DOC_MISSING_FIELD 4:32 states.A.choices[0]']],
  ])('a rule {%s} is told with its place', (rule, expected) => {
    expect(
      found(query(`A: {Type: Choice, Choices: [ {${rule}}], Default: B}`, 'B: {Type: Succeed}')),
    ).toEqual(expected);
  });

  it('is refused as a whole where the operator has switched it off', () => {
    expect(found(query('A: {Type: Succeed}'), { jsonata: false })).toEqual([
      'DOC_JSONATA_OFF 1:16 queryLanguage',
    ]);
    expect(found(machine('A: {Type: Succeed, QueryLanguage: JSONata}'), { jsonata: false })).toEqual([
      'DOC_JSONATA_OFF 3:37 states.A.queryLanguage',
    ]);
    expect(found(machine('A: {Type: Succeed}'), { jsonata: false })).toEqual([]);
  });
});
