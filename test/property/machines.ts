// State machines made at random: sound in form, with paths, expressions and numbers that may or may not fit what they meet.
import fc from 'fast-check';
import type { Json } from '../../src/json.js';

type Fields = Record<string, Json>;

const PATHS = ['$', '$.a', '$.list', '$.list[0]', '$.list[*].a', '$.n', '$.text', '$.no', '$$.State.Name'];
const CALLS = [
  ...["States.Format('{}', $.a)", 'States.ArrayRange(0, $.n, 1)', 'States.ArrayLength($.list)'],
  ...['States.StringToJson($.text)', 'States.JsonToString($)', 'States.MathAdd($.n, 1)', '$v', '$v.a'],
  ...['States.ArrayGetItem($.list, $.n)', 'States.ArrayPartition($.list, $.n)', 'States.UUID()'],
];
const QUERIES = [
  ...['$states.input', '$states.input.a', '$states.input.list', '$states.input.list[a > 1]', '$v', '$v.a'],
  ...['$sum($states.input.list)', '$count($states.input.list)', '$states.input.n / 0', '$error("no")'],
  ...['$parse($states.input.text)', '$states.context.State.Name', '[1..3]', '$range(0, 4, 2)', '{"a": 1}'],
  ...[
    '$states.input.n',
    '$states.input.n > 1',
    '$partition([1..5], 2)',
    'function($x){$x}',
    '"a"',
    '-1',
    '0.5',
  ],
].map((text) => `{% ${text} %}`);
const NAMES = ['States.ALL', 'States.TaskFailed', 'States.Timeout', 'Odd', 'States.QueryEvaluationError'];

const path = fc.constantFrom(...PATHS.filter((one) => !one.includes('*')));
const query = fc.constantFrom(...QUERIES);
const number = fc.constantFrom(0, 1, 2, 5);

/** Some of `fields`, each at random. */
function some(fields: Record<string, fc.Arbitrary<Json>>): fc.Arbitrary<Fields> {
  return fc.record(fields, { requiredKeys: [] }).map((given) => ({ ...given }) as Fields);
}
function fixed(fields: Fields, more: fc.Arbitrary<Fields> = fc.constant({})): fc.Arbitrary<Fields> {
  return more.map((given) => ({ ...fields, ...given }));
}
function both(...parts: readonly fc.Arbitrary<Fields>[]): fc.Arbitrary<Fields> {
  return fc.tuple(...parts).map((given) => Object.assign({}, ...given) as Fields);
}

const payload = fc.dictionary(
  fc.constantFrom('a.$', 'list.$', 'n.$', 'text.$'),
  fc.constantFrom(...PATHS, ...CALLS),
  { maxKeys: 2 },
);
const queried = fc.oneof(query, fc.dictionary(fc.constantFrom('a', 'list', 'n'), query, { maxKeys: 2 }));
const errors = fc.constantFrom(...NAMES).map((name) => [name]);
const retry = some({
  IntervalSeconds: fc.constantFrom(1, 3),
  MaxAttempts: fc.nat(2),
  BackoffRate: number,
}).chain((given) =>
  errors.map((ErrorEquals): Json => [{ ErrorEquals, ...given, BackoffRate: 1.5, JitterStrategy: 'FULL' }]),
);

const paths = both(
  some({ InputPath: fc.constantFrom('$', '$.a', null), OutputPath: fc.constantFrom('$', '$.r', null) }),
);
const results = some({
  ResultPath: fc.constantFrom('$', '$.r', '$.list[0]', null),
  ResultSelector: payload,
});
const data = (name: string): fc.Arbitrary<Fields> =>
  some({ Parameters: payload, Assign: fc.constantFrom<Json>({ [`${name}.$`]: '$' }, { [name]: { a: 1 } }) });
const queries = (name: string): fc.Arbitrary<Fields> =>
  both(
    fc.constant({ QueryLanguage: 'JSONata' }),
    some({ Output: queried, Assign: query.map((value) => ({ [name]: value })) }),
  );

/** The same machine under other names. */
function twinOf(inner: Fields, mark: string): Fields {
  return JSON.parse(JSON.stringify(inner).replace(/#[^"]*/g, `$&'${mark}`)) as Fields;
}

interface Shape {
  readonly next: string;
  readonly inner: Fields;
  /** What it assigns: its own, as an outer one is only read. */
  readonly variable: string;
}

/** What a state is, without its way out. */
function bodies({ next, inner, variable }: Shape): fc.Arbitrary<Fields> {
  const caught = errors.map((ErrorEquals) => ({ ErrorEquals, Next: next }));
  const handled = some({ Retry: retry, Catch: caught.map((one): Json => [{ ...one, ResultPath: '$.r' }]) });
  const handledByQuery = some({
    Retry: retry,
    Catch: fc.tuple(caught, query).map(([one, Output]): Json => [{ ...one, Output }]),
  });
  const rule = fc.oneof(
    fc
      .tuple(
        path,
        fc.constantFrom<Fields>({ IsPresent: true }, { NumericLessThan: 2 }, { StringMatches: 'a*' }),
      )
      .map(([Variable, test]): Fields => ({ Variable, ...test })),
    fc.tuple(path, path).map(([Variable, other]): Fields => ({ Variable, StringEqualsPath: other })),
  );
  const task = fc.constantFrom<Fields>(
    { Type: 'Task', Resource: 'arn:aws:states:::lambda:invoke' },
    { Type: 'Task', Resource: 'tool::wasm', TimeoutSeconds: 9, HeartbeatSeconds: 3 },
  );
  const distributed = { ...inner, ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' } };
  const reader = {
    Resource: 'arn:aws:states:::s3:getObject',
    ReaderConfig: { InputType: 'CSV', CSVHeaderLocation: 'FIRST_ROW' },
  };
  return fc.oneof(
    both(
      fixed({ Type: 'Pass' }, paths),
      data(variable),
      some({ ResultPath: fc.constantFrom('$', '$.r', null) }),
    ),
    fixed({ Type: 'Pass' }, queries(variable)),
    fc
      .constantFrom<Fields>({ SecondsPath: '$.n' }, { Seconds: 3 }, { TimestampPath: '$.text' })
      .chain((when) => fixed({ Type: 'Wait', ...when }, paths)),
    both(
      fixed({ Type: 'Wait' }, queries(variable)),
      query.map((Seconds) => ({ Seconds })),
    ),
    both(task, paths, data(variable), results, handled),
    both(
      task,
      queries(variable),
      some({ Arguments: queried, TimeoutSeconds: fc.constant(60) }),
      handledByQuery,
    ),
    fc.array(rule, { minLength: 1, maxLength: 2 }).map((rules) => ({
      Type: 'Choice',
      Choices: rules.map((one, at) => (at === 0 ? { ...one, Next: next } : { Not: one, Next: next })),
      ...(rules.length === 2 ? {} : { Default: next }),
    })),
    query.map((Condition) => ({
      Type: 'Choice',
      QueryLanguage: 'JSONata',
      Choices: [{ Condition, Next: next, Assign: { [variable]: 1 }, Output: '{% $states.input %}' }],
      Default: next,
    })),
    both(fixed({ Type: 'Parallel', Branches: [inner, twinOf(inner, next)] }, paths), results, handled),
    both(
      fixed({ Type: 'Parallel', Branches: [inner] }),
      queries(variable),
      some({ Arguments: queried }),
      handledByQuery,
    ),
    both(
      fixed({ Type: 'Map', ItemProcessor: inner, ItemsPath: '$.list' }, paths),
      some({ ItemSelector: payload, MaxConcurrency: number }),
      results,
      handled,
    ),
    both(
      fixed({ Type: 'Map', ItemProcessor: inner }),
      queries(variable),
      some({ Items: query, ItemSelector: queried, MaxConcurrency: fc.oneof(query, number) }),
      handledByQuery,
    ),
    both(
      fixed({ Type: 'Map', ItemProcessor: distributed }),
      some({
        ItemsPath: fc.constantFrom('$.list', '$.no'),
        ItemBatcher: number.map((MaxItemsPerBatch) => ({ MaxItemsPerBatch, BatchInput: { b: 1 } })),
        ToleratedFailurePercentage: fc.constantFrom(0, 50, 100),
        ToleratedFailureCountPath: fc.constantFrom('$.n', '$.text'),
      }).map((given) =>
        'ToleratedFailurePercentage' in given ? { ...given, ToleratedFailureCountPath: '$.n' } : given,
      ),
      handled,
    ),
    both(
      fixed({
        Type: 'Map',
        ItemProcessor: distributed,
        ItemReader: { ...reader, Parameters: { Bucket: 'b', 'Key.$': '$.text' } },
        ResultWriter: { Resource: 'arn:aws:states:::s3:putObject', Parameters: { Bucket: 'b', Prefix: 'p' } },
      }),
      some({ ItemSelector: fc.constant<Json>({ 'a.$': '$$.Map.Item.Value' }) }),
    ),
  );
}

const ENDS: readonly Fields[] = [
  { Type: 'Succeed' },
  { Type: 'Succeed' },
  { Type: 'Succeed', QueryLanguage: 'JSONata', Output: '{% $states.input %}' },
  { Type: 'Fail', Error: 'Odd', CausePath: '$.text' },
  { Type: 'Fail', QueryLanguage: 'JSONata', Error: 'Odd', Cause: '{% $states.input.text %}' },
];

function machine(prefix: string, depth: number): fc.Arbitrary<Fields> {
  const name = (i: number): string => `${prefix}${i}`;
  const leaf = (at: string): Fields => ({
    StartAt: `${at}#0`,
    States: { [`${at}#0`]: { Type: 'Pass', End: true } },
  });
  const state = (i: number): fc.Arbitrary<Fields> =>
    (depth === 0 ? fc.constant(leaf(name(i))) : machine(`${name(i)}#`, depth - 1)).chain((inner) =>
      bodies({ next: name(i + 1), inner, variable: depth === 0 ? 'w' : 'v' }).map((body) =>
        body['Type'] === 'Choice' ? body : { ...body, Next: name(i + 1) },
      ),
    );
  return fc.nat(3).chain((count) =>
    fc
      .tuple(fc.constantFrom(...ENDS), ...Array.from({ length: count }, (_, i) => state(i)))
      .map(([end, ...states]) => ({
        StartAt: name(0),
        States: Object.fromEntries([...states, end].map((one, i) => [name(i), one])),
      })),
  );
}

/** Branches and items of one state. */
export const smallMachines = machine('s', 0);
export const machines = fc.oneof(smallMachines, machine('s', 1));

/** Inputs that fit the paths of `machines`, or do not. */
export const inputs: fc.Arbitrary<Json> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constant<Json>({ a: { a: 2 }, list: [{ a: 1 }, { a: 2 }], n: 1, text: 'k.csv', r: 1 }),
  },
  {
    weight: 4,
    arbitrary: some({
      a: fc.constantFrom<Json>('a', 1, null, { a: 2 }, []),
      list: fc.constantFrom<Json>([], [1, 2, 3], [{ a: 1 }, { a: 2 }], { a: 1 }, 'x'),
      n: fc.constantFrom<Json>(0, 1, 2, -1, 2.5, '3', null),
      text: fc.constantFrom<Json>('k.csv', '{"a": 1}', '2020-01-01T00:00:05Z', 'abc', 7),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Json>(null, 'text', 5, [1, { a: 1 }], []) },
);
