import { describe, expect, it } from 'vitest';
import { parseWorkflow, type ParseOptions, validate } from '../parse.js';
import type { Plan } from '../plan.js';

const DIGEST = `sha256:${'a1'.repeat(32)}`;

function planOf(text: string, options?: ParseOptions): Plan {
  const { plan, diagnostics } = parseWorkflow(text, options);
  expect(diagnostics.filter((one) => one.severity === 'error')).toEqual([]);
  if (plan === null) throw new Error('no plan');
  return plan;
}

/** `code line:column path` of every error. */
function found(text: string, options?: ParseOptions): readonly string[] {
  return validate(text, options)
    .diagnostics.filter((one) => one.severity === 'error')
    .map((one) => `${one.code} ${one.line}:${one.column} ${one.path}`.trim());
}

/** The same of every warning. */
function warned(text: string, options?: ParseOptions): readonly string[] {
  return validate(text, options)
    .diagnostics.filter((one) => one.severity === 'warning')
    .map((one) => `${one.code} ${one.line}:${one.column} ${one.path}`.trim());
}

/** A plain States Language document in YAML: line 3 holds the first of these lines, indented by two. */
function machine(...lines: readonly string[]): string {
  return ['StartAt: A', 'States:', ...lines.map((line) => `  ${line}`)].join('\n');
}

/** The same in JSONata; the first state is on line 4. */
function query(...lines: readonly string[]): string {
  return `QueryLanguage: JSONata\n${machine(...lines)}`;
}

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
    ['Approval: sync, Branches: [{StartAt: B, States: {B: {Type: Succeed}}}]', ['DOC_UNSUPPORTED 3:23']],
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
    expect(found(machine(`A: ${nested(20)}`))).toEqual(['DOC_TOO_LARGE 1:1']);
  });
});

const ITEMS = 'ItemProcessor: {StartAt: I, States: {I: {Type: Pass, End: true}}}';
const RUNS =
  'ItemProcessor: {ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}, StartAt: I, States: {I: {Type: Pass, End: true}}}';

describe('a Map', () => {
  it('becomes a fork with one lane that runs once per item', () => {
    const plan = planOf(
      machine(
        `A: {Type: Map, ${ITEMS}, ItemsPath: $.list, ItemSelector: {v.$: $$.Map.Item.Value}, MaxConcurrency: 2, End: true}`,
      ),
    );
    expect(plan.nodes['A']).toMatchObject({
      kind: 'fork',
      form: 'map',
      lanes: [
        {
          start: 'I',
          each: {
            items: { kind: 'path', path: '$.list' },
            concurrency: 2,
            selector: { 'v.$': '$$.Map.Item.Value' },
            distributed: null,
          },
        },
      ],
      next: null,
    });
    expect(plan.nodes['I']).toMatchObject({ kind: 'pass', next: null });
  });

  it('reads the older names, and gives items the parameters', () => {
    const plan = planOf(
      machine(
        'A: {Type: Map, End: true, Parameters: {a: 1}, MaxConcurrencyPath: $.n,',
        '    Iterator: {StartAt: I, States: {I: {Type: Succeed}}}}',
      ),
    );
    expect(plan.nodes['A']).toMatchObject({
      lanes: [
        {
          each: {
            items: { kind: 'path', path: '$' },
            concurrency: { path: '$.n' },
            selector: { a: 1 },
          },
        },
      ],
    });
    expect(plan.nodes['A']).not.toHaveProperty('flow.parameters');
  });

  it('reads what DISTRIBUTED adds, with the keys of AWS', () => {
    const plan = planOf(
      machine(
        `A: {Type: Map, End: true, Label: L-1, ${RUNS},`,
        '    ItemReader: {Resource: "arn:aws:states:::s3:getObject", Parameters: {Bucket: b, Key.$: $.k},',
        '                 ReaderConfig: {InputType: CSV, CSVHeaderLocation: GIVEN, CSVHeaders: [x, y], CSVDelimiter: PIPE, MaxItemsPath: $.m}},',
        '    ItemBatcher: {MaxItemsPerBatch: 5, MaxInputBytesPerBatchPath: $.bytes, BatchInput: {Note.$: $.note}},',
        '    ResultWriter: {Resource: "arn:aws:states:::s3:putObject", Parameters: {Bucket: b, Prefix: p},',
        '                   WriterConfig: {Transformation: COMPACT, OutputType: JSONL}},',
        '    ToleratedFailureCountPath: $.c, ToleratedFailurePercentage: 12.5}',
      ),
    );
    expect(plan.nodes['A']).toMatchObject({
      lanes: [
        {
          each: {
            items: {
              kind: 'reader',
              reader: {
                resource: 'arn:aws:states:::s3:getObject',
                parameters: { Bucket: 'b', 'Key.$': '$.k' },
                config: {
                  inputType: 'CSV',
                  csvHeaderLocation: 'GIVEN',
                  csvHeaders: ['x', 'y'],
                  csvDelimiter: 'PIPE',
                  maxItems: { path: '$.m' },
                  itemsPointer: null,
                },
              },
            },
            distributed: {
              executionType: 'STANDARD',
              label: 'L-1',
              batcher: {
                maxItems: 5,
                maxInputBytes: { path: '$.bytes' },
                batchInput: { 'Note.$': '$.note' },
              },
              writer: {
                resource: 'arn:aws:states:::s3:putObject',
                parameters: { Bucket: 'b', Prefix: 'p' },
                transformation: 'COMPACT',
                outputType: 'JSONL',
              },
              toleratedCount: { path: '$.c' },
              toleratedPercentage: 12.5,
            },
          },
        },
      ],
    });
  });

  it('is DISTRIBUTED, with a warning, when it names no mode and has a reader', () => {
    const text = machine(`A: {Type: Map, ${ITEMS}, ItemReader: {Resource: "artifact:read"}, End: true}`);
    expect(planOf(text).nodes['A']).toMatchObject({ lanes: [{ each: { distributed: { label: null } } }] });
    expect(warned(text)).toEqual(['DOC_MISSING_FIELD 3:3 states.A']);
  });

  it.each<[string, readonly string[]]>([
    ['Comment: x', ['DOC_MISSING_FIELD 3:3 states.A']],
    [
      `${ITEMS}, Iterator: {}`,
      expect.arrayContaining(['DOC_BAD_VALUE 3:85 states.A.iterator']) as readonly string[],
    ],
    [`${ITEMS}, ItemSelector: {}, Parameters: {}`, ['DOC_BAD_VALUE 3:103 states.A.parameters']],
    [`${ITEMS}, Items: []`, ['DOC_UNKNOWN_FIELD 3:85 states.A.items']],
    [`${ITEMS}, ItemsPath: items`, ['DOC_EXPRESSION 3:96 states.A.itemsPath']],
    [`${ITEMS}, MaxConcurrency: -1`, ['DOC_BAD_VALUE 3:101 states.A.maxConcurrency']],
    [`${ITEMS}, MaxConcurrency: "1"`, ['DOC_WRONG_TYPE 3:101 states.A.maxConcurrency']],
    [
      `${ITEMS}, MaxConcurrency: 1, MaxConcurrencyPath: $.n`,
      ['DOC_BAD_VALUE 3:104 states.A.maxConcurrencyPath'],
    ],
    [`${RUNS}, Label: ""`, ['DOC_BAD_VALUE 3:155 states.A.label']],
    [`${RUNS}, Label: ${'x'.repeat(40)}`, []],
    [`${RUNS}, Label: ${'x'.repeat(41)}`, ['DOC_BAD_VALUE 3:155 states.A.label']],
    ...[
      ' ',
      '?',
      '*',
      '<',
      '>',
      '{',
      '}',
      '[',
      ']',
      '\\"',
      '#',
      '%',
      '\\\\',
      '^',
      '|',
      '~',
      '`',
      '$',
      '&',
      ',',
      ';',
      ':',
      '/',
      '\\u0007',
    ].map((char): [string, readonly string[]] => [
      `${RUNS}, Label: "a${char}b"`,
      ['DOC_BAD_VALUE 3:155 states.A.label'],
    ]),
    [`${RUNS}, ToleratedFailurePercentage: 101`, ['DOC_BAD_VALUE 3:176 states.A.toleratedFailurePercentage']],
    [
      `${RUNS}, ToleratedFailureCount: 1, ToleratedFailureCountPath: $.c`,
      ['DOC_BAD_VALUE 3:174 states.A.toleratedFailureCountPath'],
    ],
    [`${RUNS}, ItemBatcher: {}`, ['DOC_MISSING_FIELD 3:148 states.A.itemBatcher']],
    [
      `${RUNS}, ItemBatcher: {MaxItemsPerBatch: -1}`,
      ['DOC_BAD_VALUE 3:180 states.A.itemBatcher.maxItemsPerBatch'],
    ],
    [`${RUNS}, ItemReader: {Resource: "s3:read"}`, ['DOC_BAD_VALUE 3:171 states.A.itemReader.resource']],
    [`${RUNS}, ResultWriter: {Resource: "x"}`, ['DOC_BAD_VALUE 3:173 states.A.resultWriter.resource']],
    [`${ITEMS}, ItemsPath: null`, ['DOC_WRONG_TYPE 3:96 states.A.itemsPath']],
    [`${RUNS}, ResultWriter: {}`, ['DOC_MISSING_FIELD 3:148 states.A.resultWriter']],
    [`${RUNS}, ItemReader: {Resource: "file:read"}`, ['DOC_UNSUPPORTED 3:171 states.A.itemReader.resource']],
    [
      `${RUNS}, ItemReader: {Resource: "artifact:read", ReaderConfig: {InputType: CSV}}`,
      ['DOC_MISSING_FIELD 3:188 states.A.itemReader.readerConfig'],
    ],
    [
      `${RUNS}, ItemReader: {Resource: "artifact:read", ReaderConfig: {InputType: CSV, CSVHeaderLocation: GIVEN}}`,
      ['DOC_MISSING_FIELD 3:188 states.A.itemReader.readerConfig'],
    ],
    [
      `${RUNS}, ItemReader: {Resource: "artifact:read", ReaderConfig: {InputType: CSV, CSVHeaderLocation: GIVEN, CSVHeaders: [a, b, a]}}`,
      ['DOC_BAD_VALUE 3:264 states.A.itemReader.readerConfig.csvHeaders[2]'],
    ],
    [
      `${RUNS}, ItemReader: {Resource: "artifact:read", ReaderConfig: {InputType: JSON, ItemsPointer: a/b}}`,
      ['DOC_BAD_VALUE 3:234 states.A.itemReader.readerConfig.itemsPointer'],
    ],
    [
      `${RUNS}, ItemReader: {Resource: "artifact:read", ReaderConfig: {MaxItems: -1}}`,
      ['DOC_BAD_VALUE 3:213 states.A.itemReader.readerConfig.maxItems'],
    ],
    [
      'ItemReader: {Resource: "artifact:read"}, ItemProcessor: {ProcessorConfig: {Mode: INLINE}, StartAt: I, States: {I: {Type: Succeed}}}',
      ['DOC_BAD_VALUE 3:18 states.A.itemReader'],
    ],
    [
      'ItemProcessor: {StartAt: I, States: {I: {Type: Pass}}}',
      [
        'DOC_NO_TERMINAL_STATE 3:46 states.A.itemProcessor.states',
        'DOC_MISSING_FIELD 3:55 states.A.itemProcessor.states.I',
      ],
    ],
    [
      'ItemProcessor: {ProcessorConfig: {Mode: REMOTE}, StartAt: I, States: {I: {Type: Succeed}}}',
      ['DOC_BAD_VALUE 3:58 states.A.itemProcessor.processorConfig.mode'],
    ],
  ])('with %s is told with its place', (fields, expected) => {
    expect(found(machine(`A: {Type: Map, ${fields}, End: true}`))).toEqual(expected);
  });

  it('warns of what a reader makes useless, and of what is not read yet', () => {
    const reader =
      'ItemReader: {Resource: "file:read", ReaderConfig: {InputType: MANIFEST, ManifestType: ATHENA_DATA}}';
    expect(warned(machine(`A: {Type: Map, ${reader}, ItemsPath: $.a, End: true, ${RUNS}}`))).toEqual([
      'DOC_FIELD_IGNORED 3:90 states.A.itemReader.readerConfig.manifestType',
      'DOC_FIELD_IGNORED 3:119 states.A.itemsPath',
    ]);
  });

  it('warns of tolerated failures and a label where no run of its own may fail', () => {
    const text = machine(`A: {Type: Map, ${ITEMS}, ToleratedFailureCount: 1, Label: x, End: true}`);
    expect(warned(text)).toEqual([
      'DOC_FIELD_IGNORED 3:85 states.A.toleratedFailureCount',
      'DOC_FIELD_IGNORED 3:111 states.A.label',
    ]);
  });
});

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

describe('what a Task calls in plain States Language', () => {
  const task = (resource: string, more = '') =>
    machine(`A: {Type: Task, Resource: "${resource}"${more}, End: true}`);

  it.each([
    [
      'arn:aws:lambda:us-east-1:123456789012:function:f',
      undefined,
      'arn:aws:lambda:us-east-1:123456789012:function:f',
    ],
    [
      'arn:aws:lambda:region-1:1234567890:function:f:live',
      undefined,
      'arn:aws:lambda:region-1:1234567890:function:f:live',
    ],
    ['arn:aws:lambda:::function:f:$LATEST', undefined, 'arn:aws:lambda:::function:f:$LATEST'],
    ['arn:aws:states:::lambda:invoke', undefined, 'arn:aws:states:::lambda:invoke'],
    ['arn:aws-cn:states:::sqs:sendMessage.waitForTaskToken', 'token', 'arn:aws-cn:states:::sqs:sendMessage'],
    ['arn:aws:states:::states:startExecution.sync', 'job', 'arn:aws:states:::states:startExecution'],
    ['arn:aws:states:::states:startExecution.sync:2', 'job', 'arn:aws:states:::states:startExecution'],
    ['arn:aws:states:::aws-sdk:dynamodb:query', undefined, 'arn:aws:states:::aws-sdk:dynamodb:query'],
    [
      'arn:aws:states:::aws-sdk:sfn:startExecution.waitForTaskToken',
      'token',
      'arn:aws:states:::aws-sdk:sfn:startExecution',
    ],
    [
      'arn:aws:states:eu-west-9:000000000000:activity:review',
      'token',
      'arn:aws:states:eu-west-9:000000000000:activity:review',
    ],
    ['arn:aws:swf:us-east-1:123456789012:task:X', undefined, 'arn:aws:swf:us-east-1:123456789012:task:X'],
    ['tool::wasm.waitForTaskToken', 'token', 'tool::wasm'],
    ['foo:bar', undefined, 'foo:bar'],
  ])('may be %s', (resource, waits, functionId) => {
    expect(planOf(task(resource)).nodes['A']).toMatchObject({
      call: { kind: 'function', functionId, ...(waits === undefined ? {} : { waits }) },
    });
  });

  it.each([
    ['arn:aws:states:::lambda:call', 'DOC_BAD_VALUE'],
    ['arn:aws:states:::dynamodb:query', 'DOC_BAD_VALUE'],
    ['arn:aws:states:::dynamodb:getItem.sync', 'DOC_BAD_VALUE'],
    ['arn:aws:states:::lambda:invoke.sync', 'DOC_BAD_VALUE'],
    ['arn:aws:states:::glue:startJobRun.sync:2', 'DOC_BAD_VALUE'],
    ['arn:aws:states:::states:startExecution.sync:3', 'DOC_BAD_VALUE'],
    ['arn:aws:states:::lambda:invoke:x', 'DOC_BAD_VALUE'],
    ['arn:aws:states:::constructor:constructor', 'DOC_BAD_VALUE'],
    ['arn:aws:states:::nosuch:thing', 'DOC_BAD_VALUE'],
    ['arn:aws:states:::aws-sdk:s3', 'DOC_BAD_VALUE'],
    ['arn:aws:states:::aws-sdk:s3:GetObject', 'DOC_BAD_VALUE'],
    ['arn:aws:states:::aws-sdk:s3:getObject.sync', 'DOC_BAD_VALUE'],
    ['arn:aws:lambda:us-east-1:123456789012:function:f:', 'DOC_BAD_VALUE'],
    ['arn:aws:lambda:us-east-1:123456789012:function:f:$*#$7485', 'DOC_BAD_VALUE'],
    ['tool::wasmm', 'DOC_UNKNOWN_FUNCTION'],
    ['plain', 'DOC_UNKNOWN_FUNCTION'],
  ])('may not be %s', (resource, code) => {
    expect(found(task(resource))).toEqual([`${code} 3:29 states.A.resource`]);
  });

  it('is an error where the registered functions are known, and never one where every call is mocked', () => {
    const functions = new Set(['tool::wasm']);
    expect(found(task('arn:aws:states:::lambda:invoke'), { functions })).toEqual([
      'DOC_UNKNOWN_FUNCTION 3:29 states.A.resource',
    ]);
    expect(found(task('tool::wasm'), { functions })).toEqual([]);
    expect(found(task('my::own'), { functions: 'any' })).toEqual([]);
  });

  it('waits for nothing in an EXPRESS machine, or in an EXPRESS item', () => {
    for (const resource of [
      'arn:aws:states:::sqs:sendMessage.waitForTaskToken',
      'arn:aws:states:::states:startExecution.sync:2',
      'arn:aws:states:us-east-1:123456789012:activity:a',
    ]) {
      expect(found(task(resource), { type: 'EXPRESS' })).toEqual(['DOC_BAD_VALUE 3:29 states.A.resource']);
      const items = (type: string) =>
        machine(
          'A:',
          '  Type: Map',
          '  End: true',
          '  ItemProcessor:',
          `    ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: ${type}}`,
          '    StartAt: I',
          `    States: {I: {Type: Task, Resource: "${resource}", End: true}}`,
        );
      expect(found(items('STANDARD'))).toEqual([]);
      expect(found(items('EXPRESS'))).toEqual([
        'DOC_BAD_VALUE 9:42 states.A.itemProcessor.states.I.resource',
      ]);
      expect(found(items('STANDARD'), { type: 'EXPRESS' })[0]).toBe('DOC_BAD_VALUE 3:3 states.A');
    }
    expect(found(task('arn:aws:states:::sqs:sendMessage'), { type: 'EXPRESS' })).toEqual([]);
  });
});

describe('the compact form', () => {
  const text = `version: agentrc.workflow/v0.1
name: review-and-notify
description: reviews, then tells
agents:
  reviewer: example/code-reviewer@${DIGEST}
  notifier: example/slack-notifier@${DIGEST}
states:
  Review:
    type: task
    agent: reviewer
    next: Notify
    timeout_seconds: 60
    input_path: $.pull_request
    retry: { max_attempts: 2 }
  Notify: { type: task, agent: notifier, end: true, parameters: { keep_this: 1 } }
`;

  it('compiles to the plan of its native form', () => {
    const plan = planOf(text);
    expect(plan).toMatchObject({
      id: 'review-and-notify',
      description: 'reviews, then tells',
      start: 'Review',
      maxDataBytes: null,
    });
    expect(plan.nodes['Review']).toMatchObject({
      kind: 'task',
      line: 8,
      column: 3,
      call: { kind: 'agent', name: 'example/code-reviewer', digest: DIGEST },
      flow: { inputPath: '$.pull_request' },
      timeoutMs: 60_000,
      retry: [{ errorEquals: ['States.ALL'], maxAttempts: 2, intervalMs: 1000 }],
      next: 'Notify',
    });
    expect(plan.nodes['Notify']).toMatchObject({
      call: { name: 'example/slack-notifier' },
      flow: { parameters: { keep_this: 1 } },
    });
  });

  it.each<[string, string, readonly string[]]>([
    ['v0.1', 'v9', ['DOC_BAD_VALUE 1:10 version']],
    [': review-and-notify', ': a b', ['DOC_BAD_VALUE 2:7 name']],
    [`slack-notifier@${DIGEST}`, 'slack-notifier:latest', ['DOC_AGENT_TAG 6:13 agents.notifier']],
    [`slack-notifier@${DIGEST}`, 'slack-notifier@sha256:...', ['DOC_DIGEST_ELIDED 6:13 agents.notifier']],
    ['agent: reviewer', 'agent: reviever', ['DOC_UNKNOWN_NAME 10:12 states.Review.agent']],
    ['agent: reviewer', 'agent: reviewer:1', ['DOC_AGENT_TAG 10:12 states.Review.agent']],
    ['type: task\n', 'type: tusk\n', ['DOC_BAD_VALUE 9:11 states.Review.type']],
    ['max_attempts: 2', 'max_attempts: -1', ['DOC_BAD_VALUE 14:28 states.Review.retry[0].maxAttempts']],
    ['max_attempts: 2', 'max_attempt: 2', ['DOC_UNKNOWN_FIELD 14:14 states.Review.retry[0].maxAttempt']],
    [
      'next: Notify',
      'next: notify',
      [
        'DOC_NO',
        'DOC_UNKNOWN_STATE 11:11 states.Review.next',
        'DOC_UNREACHABLE_STATE 15:3 states.Notify',
      ].slice(1),
    ],
    [
      '    next: Notify\n',
      '    next: Notify\n    Next: Notify\n',
      ['DOC_DUPLICATE_FIELD 12:5 states.Review.next'],
    ],
    ['description', 'descripton', ['DOC_UNKNOWN_FIELD 3:1 descripton']],
  ])('with %j as %j is told with its place', (from, to, expected) => {
    expect(found(text.replace(from, to))).toEqual(expected);
  });

  it('may name its first state', () => {
    const last = text.replace('states:', 'start_at: Notify\nstates:');
    expect(found(last)).toEqual(['DOC_UNREACHABLE_STATE 9:3 states.Review']);
  });
});

describe('a person who fills in a form', () => {
  it('is what a Task calls', () => {
    const plan = planOf(
      machine(
        'A: {Type: Task, End: true, Parameters: {Claim.$: $.claim}, HeartbeatSeconds: 60, ResultPath: $.answer,',
        '    Human: {Form: {type: object, required: [Verdict]}, ApproverRoles: [adjuster], Quorum: 2, ExpiresSeconds: 60, OnExpire: deny}}',
      ),
    );
    expect(plan.nodes['A']).toMatchObject({
      call: {
        kind: 'function',
        functionId: 'human::form',
        waits: 'person',
        form: {
          schema: { type: 'object', required: ['Verdict'] },
          approval: { mode: 'sync', approverRoles: ['adjuster'], quorum: 2, expiresSeconds: 60 },
        },
      },
      flow: { parameters: { 'Claim.$': '$.claim' } },
      limits: { heartbeat: 60 },
      approval: null,
    });
  });
});

describe('limits and loops', () => {
  it('are those of AWS in plain documents, and by choice', () => {
    expect(planOf(machine('A: {Type: Succeed}')).maxDataBytes).toBe(262_144);
    expect(planOf(`AwsLimits: false\n${machine('A: {Type: Succeed}')}`).maxDataBytes).toBeNull();
    const native = (more: string) =>
      `apiVersion: agentrc.workflow/v0.1\nkind: AgentWorkflow\nmetadata: {name: m}\nspec: {startAt: A, states: {A: {type: Succeed}}${more}}`;
    expect(planOf(native('')).maxDataBytes).toBeNull();
    expect(planOf(native(', awsLimits: true')).maxDataBytes).toBe(262_144);
  });

  it('counts the states of every scope', () => {
    const states = Array.from(
      { length: 5001 },
      (_, i) => `"s${i}":{"Type":"Pass","${i === 5000 ? 'End":true' : `Next":"s${i + 1}"`}}`,
    );
    const branch = (names: readonly string[], start: string) =>
      `{"StartAt":"${start}","States":{${names.join()}}}`;
    const other = states.map((state) => state.replaceAll('"s', '"t'));
    const text = `{"StartAt":"A","States":{"A":{"Type":"Parallel","End":true,"Branches":[${branch(states, 's0')},${branch(other, 't0')}]}}}`;
    expect(found(text).map((one) => one.split(' ')[0])).toContain('DOC_TOO_LARGE');
  });

  it('warns of a loop in which nothing waits, and of no other', () => {
    const loop = (type: string) =>
      machine(
        'A: {Type: Pass, Next: B}',
        `B: {${type}, Next: C}`,
        'C: {Type: Choice, Choices: [{Variable: $.a, IsPresent: true, Next: D}], Default: A}',
        'D: {Type: Succeed}',
      );
    expect(warned(loop('Type: Pass'))).toEqual(['DOC_BAD_VALUE 3:3 states.A']);
    expect(warned(loop('Type: Wait, Seconds: 1'))).toEqual([]);
    expect(warned(loop('Type: Task, Resource: "arn:aws:states:::sqs:sendMessage.waitForTaskToken"'))).toEqual(
      [],
    );
    expect(warned(machine('A: {Type: Pass, Next: B}', 'B: {Type: Pass, End: true}'))).toEqual([]);
  });
});
