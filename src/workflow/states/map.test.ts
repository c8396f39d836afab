import { describe, expect, it } from 'vitest';
import { ITEMS, RUNS, found, machine, planOf, warned } from '../../../test/workflow/machine.js';

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
