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

/** `code line:column path` of every finding. */
function found(text: string, options?: ParseOptions): readonly string[] {
  return validate(text, options).diagnostics.map((one) =>
    `${one.code} ${one.line}:${one.column} ${one.path}`.trim(),
  );
}

/** A native document whose states are these lines. */
function machine(...lines: readonly string[]): string {
  return [
    'apiVersion: agentrc.workflow/v0.1',
    'kind: AgentWorkflow',
    'metadata: { name: m }',
    'spec:',
    '  startAt: A',
    '  states:',
    ...lines.map((line) => `    ${line}`),
  ].join('\n');
}

/** One Task that ends the run, with these further fields on line 7. */
function task(fields: string): string {
  return machine(`A: { type: Task, resource: "tool::wasm", end: true, ${fields} }`);
}

describe('a state machine', () => {
  it('becomes a plan', () => {
    const plan = planOf(`apiVersion: agentrc.workflow/v1
kind: AgentWorkflow
metadata: { name: claims, description: reviews claims }
spec:
  startAt: Triage
  timeoutSeconds: 3600
  ceilings: { sandbox: { network: none } }
  inputs: { type: object, required: [claim] }
  states:
    Triage:
      type: Task
      agent: ghcr.example:5000/bank/triage@${DIGEST}
      inputPath: $.claim
      resultPath: $.triage
      timeoutSeconds: 120
      idempotent: true
      approval: { mode: sync, approverRoles: [adjuster], quorum: 1 }
      sandbox: wasm
      retry:
        - { errorEquals: [Runner.Timeout, Tool.TemporaryFailure], intervalSeconds: 2, maxAttempts: 3, backoffRate: 2.0 }
        - { errorEquals: [States.ALL], maxDelaySeconds: 9, jitterStrategy: FULL }
      catch:
        - { errorEquals: [Approval.Denied], resultPath: null, next: Denied }
        - { errorEquals: [States.ALL], next: Risk }
      next: Risk
    Risk:
      type: Choice
      choices:
        - { variable: $.triage.risk, stringEquals: high, next: Note }
        - and: [{ variable: $.n, isPresent: true }, { not: { variable: $.n, numericLessThanPath: $.limit } }]
          next: Pause
      default: Done
    Note: { type: Pass, result: { a.$: $.kept }, resultPath: $.note, next: Pause }
    Pause: { type: Wait, seconds: 0, next: Done }
    Done: { type: Succeed, outputPath: $.triage }
    Denied: { type: Fail, error: Claims.Denied, cause: a person said no }
`);
    expect(plan).toMatchObject({
      dialect: 'states',
      id: 'claims',
      name: 'claims',
      description: 'reviews claims',
      start: 'Triage',
      timeoutMs: 3600000,
      ceilings: { sandbox: { network: 'none' } },
      inputs: { required: ['claim'] },
      agents: [],
    });
    expect(plan.nodes['Triage']).toEqual({
      kind: 'task',
      name: 'Triage',
      line: 10,
      column: 5,
      call: { kind: 'agent', name: 'ghcr.example:5000/bank/triage', digest: DIGEST },
      when: null,
      flow: { language: 'jsonpath', inputPath: '$.claim', resultPath: '$.triage', outputPath: '$' },
      loop: null,
      collects: false,
      timeoutMs: 120000,
      retry: [
        {
          errorEquals: ['Runner.Timeout', 'Tool.TemporaryFailure'],
          intervalMs: 2000,
          maxAttempts: 3,
          backoffRate: 2,
          maxDelayMs: null,
          jitter: 'none',
        },
        {
          errorEquals: ['States.ALL'],
          intervalMs: 1000,
          maxAttempts: 3,
          backoffRate: 2,
          maxDelayMs: 9000,
          jitter: 'full',
        },
      ],
      catch: [
        { errorEquals: ['Approval.Denied'], resultPath: null, next: 'Denied' },
        { errorEquals: ['States.ALL'], resultPath: '$', next: 'Risk' },
      ],
      onFailure: 'fail',
      approval: {
        mode: 'sync',
        approverRoles: ['adjuster'],
        quorum: 1,
        expiresSeconds: null,
        reasonRequired: false,
        separationOfDuties: null,
      },
      sandbox: { driver: 'wasm', image: null, limits: {} },
      idempotent: true,
      next: 'Risk',
    });
    expect(plan.nodes['Risk']).toMatchObject({
      kind: 'choice',
      default: 'Done',
      choices: [
        { rule: { variable: '$.triage.risk', operator: 'stringEquals', operand: 'high' }, next: 'Note' },
        {
          rule: {
            and: [
              { variable: '$.n', operator: 'isPresent', operand: true },
              { not: { variable: '$.n', operator: 'numericLessThanPath', operand: '$.limit' } },
            ],
          },
          next: 'Pause',
        },
      ],
    });
    expect(plan.nodes['Note']).toMatchObject({
      kind: 'pass',
      result: { 'a.$': '$.kept' },
      flow: { language: 'jsonpath', inputPath: '$', resultPath: '$.note', outputPath: '$' },
    });
    expect(plan.nodes['Pause']).toMatchObject({ kind: 'wait', until: { seconds: 0 }, next: 'Done' });
    expect(plan.nodes['Done']).toMatchObject({
      kind: 'succeed',
      flow: { inputPath: '$', outputPath: '$.triage' },
    });
    expect(plan.nodes['Denied']).toMatchObject({
      kind: 'fail',
      error: { text: 'Claims.Denied' },
      cause: { text: 'a person said no' },
    });
  });

  it('reads keyword keys with either case of the first letter, and leaves user data alone', () => {
    const plan = planOf(`ApiVersion: agentrc.workflow/v0.1
Kind: AgentWorkflow
Metadata: { Name: m }
Spec:
  StartAt: start
  States:
    start: { Type: Pass, Result: { Next: x, next: y }, InputPath: null, Next: Start }
    Start: { Type: Choice, Choices: [{ Not: { Variable: $.a, IsNull: false }, Next: end }], Default: end }
    end: { Type: Succeed }
`);
    expect(Object.keys(plan.nodes)).toEqual(['start', 'Start', 'end']);
    expect(plan.nodes['start']).toMatchObject({
      result: { Next: 'x', next: 'y' },
      flow: { inputPath: null, resultPath: '$' },
    });
    expect(found(machine('A: { type: Succeed, Type: Succeed }'))).toEqual([
      'DOC_DUPLICATE_FIELD 7:25 spec.states.A.type',
    ]);
  });

  it('reads plain States Language', () => {
    const text = JSON.stringify(
      {
        Comment: 'plain',
        StartAt: 'Hash',
        TimeoutSeconds: 60,
        States: {
          Hash: { Type: 'Task', Resource: 'tool::wasm', Next: 'End', Comment: 'x' },
          End: { Type: 'Succeed' },
        },
      },
      null,
      2,
    );
    const plan = planOf(text, { file: 'flows/My Flow.asl.json' });
    expect(plan).toMatchObject({ id: 'my-flow', start: 'Hash', description: 'plain', timeoutMs: 60000 });
    expect(plan.nodes['Hash']).toMatchObject({
      call: { kind: 'function', functionId: 'tool::wasm', agent: null },
    });
    expect(planOf(text).id).toBe('workflow');
    expect(plan.maxDataBytes).toBe(262_144);
    expect(found(text.replace('"Comment": "x"', '"Aproval": "sync"'))).toEqual([
      'DOC_UNKNOWN_FIELD 10:7 states.Hash.aproval',
    ]);
  });

  it.each<[string, readonly string[]]>([
    // agents
    ['agent: "x:1.2"', ['DOC_AGENT_TAG']],
    ['agent: x', ['DOC_AGENT_TAG']],
    [`agent: "x:1.2@${DIGEST}"`, ['DOC_AGENT_TAG']],
    ['agent: "host:5000/x"', ['DOC_AGENT_TAG']],
    ['agent: x@sha256:...', ['DOC_DIGEST_ELIDED']],
    ['agent: x@sha256:abc', ['DOC_DIGEST_ELIDED']],
    [`agent: x@${DIGEST.toUpperCase().replace('SHA', 'sha')}`, ['DOC_DIGEST_ELIDED']],
    [`agent: x@sha512:${'a'.repeat(128)}`, ['DOC_BAD_VALUE']],
    [`agent: "@${DIGEST}"`, ['DOC_BAD_VALUE']],
    [`agent: "x y@${DIGEST}"`, ['DOC_BAD_VALUE']],
    [`agent: "../x@${DIGEST}"`, ['DOC_BAD_VALUE']],
    ['resource: no::such', ['DOC_UNKNOWN_FUNCTION']],
    ['resource: "arn:aws:states:::states:startExecution.sync:2"', ['DOC_UNKNOWN_FUNCTION']],
    ['resource: no::such.waitForTaskToken', ['DOC_UNKNOWN_FUNCTION']],
    ['resource: hand::run::x', ['DOC_UNSUPPORTED']],
    [`resource: tool::wasm, agent: x@${DIGEST}`, ['DOC_BAD_VALUE']],
    ['comment: nothing to call', ['DOC_MISSING_FIELD']],
    ['human: {}', ['DOC_MISSING_FIELD']],
    ['human: {form: {type: object}}, resource: tool::wasm', ['DOC_BAD_VALUE']],
    ['human: {form: {pattern: x}}', ['DOC_UNSUPPORTED']],
    ['human: {form: {}, onExpire: allow}', ['DOC_BAD_VALUE']],
  ])('a Task with %s', (fields, expected) => {
    const text = machine(`A: { type: Task, end: true, ${fields} }`);
    expect(found(text).map((one) => one.split(' ')[0])).toEqual(expected);
    expect(found(text)[0]).toMatch(/ 7:\d+ spec\.states\.A/);
    expect(parseWorkflow(text).plan).toBeNull();
  });

  it.each<[string, readonly string[]]>([
    ['parameters: {a.$: nope}', ['DOC_EXPRESSION 7:75 spec.states.A.parameters["a.$"]']],
    ['parameters: [{b: {a.$: 7}}]', ['DOC_EXPRESSION 7:80 spec.states.A.parameters[0].b["a.$"]']],
    ['parameters: {a.$: $.a, a: 1}', ['DOC_DUPLICATE_FIELD 7:75 spec.states.A.parameters["a.$"]']],
    [`parameters: {a.$: "States.MathAdd(1, '2')"}`, ['DOC_EXPRESSION 7:75 spec.states.A.parameters["a.$"]']],
    [
      `resultSelector: {a.$: "States.Format('{}', States.Nope())"}`,
      ['DOC_EXPRESSION 7:79 spec.states.A.resultSelector["a.$"]'],
    ],
    [
      `resultSelector: {a.$: 'States.StringToJson(''{"a":"\\"b"}'')'}`,
      ['DOC_EXPRESSION 7:79 spec.states.A.resultSelector["a.$"]'],
    ],
    ['assign: {a b: 1}', ['DOC_BAD_VALUE 7:66 spec.states.A.assign["a b"]']],
    ['assign: {a-b: 1}', ['DOC_BAD_VALUE 7:66 spec.states.A.assign.a-b']],
    ['assign: {states: 1}', ['DOC_BAD_VALUE 7:66 spec.states.A.assign.states']],
    [`assign: {${'v'.repeat(80)}: 1}`, []],
    [`assign: {${'v'.repeat(81)}: 1}`, [`DOC_BAD_VALUE 7:66 spec.states.A.assign.${'v'.repeat(81)}`]],
    ['assign: 1', ['DOC_WRONG_TYPE 7:65 spec.states.A.assign']],
    ['credentials: {}', ['DOC_MISSING_FIELD 7:57 spec.states.A.credentials']],
    ['credentials: {role: x}', ['DOC_MISSING_FIELD 7:57 spec.states.A.credentials']],
    ['credentials: {RoleArn: x}', []],
    ['credentials: {roleArn.$: $.role}', []],
    ['credentials: {roleArn.$: role}', ['DOC_EXPRESSION 7:82 spec.states.A.credentials["roleArn.$"]']],
    ['heartbeatSeconds: 9, timeoutSeconds: 10', []],
    ['heartbeatSeconds: 10, timeoutSeconds: 10', ['DOC_BAD_VALUE 7:75 spec.states.A.heartbeatSeconds']],
    ['heartbeatSeconds: 0', ['DOC_BAD_VALUE 7:75 spec.states.A.heartbeatSeconds']],
    [
      'heartbeatSeconds: 5, heartbeatSecondsPath: $.h',
      ['DOC_BAD_VALUE 7:78 spec.states.A.heartbeatSecondsPath'],
    ],
    ['timeoutSeconds: 5, timeoutSecondsPath: $.t', ['DOC_BAD_VALUE 7:76 spec.states.A.timeoutSecondsPath']],
    ['timeoutSecondsPath: "$.t[*]"', ['DOC_EXPRESSION 7:77 spec.states.A.timeoutSecondsPath']],
    ['timeoutSeconds: "{% 5 %}"', ['DOC_WRONG_TYPE 7:73 spec.states.A.timeoutSeconds']],
    ['arguments: {}', ['DOC_UNKNOWN_FIELD 7:57 spec.states.A.arguments']],
    ['output: {}', ['DOC_UNKNOWN_FIELD 7:57 spec.states.A.output']],
    ['queryLanguage: SQL', ['DOC_BAD_VALUE 7:72 spec.states.A.queryLanguage']],
    ['sandbox: {driver: docker, mounts: []}', []],
    [
      'sandbox: {driver: docker, mounts: [{source: /, target: /h}]}',
      ['DOC_BAD_VALUE 7:92 spec.states.A.sandbox.mounts[0]'],
    ],
    ['aproval: sync', ['DOC_UNKNOWN_FIELD 7:57 spec.states.A.aproval']],
    ['x-note: 1', ['DOC_UNKNOWN_FIELD 7:57 spec.states.A.x-note']],
    ['result: 1', ['DOC_UNKNOWN_FIELD 7:57 spec.states.A.result']],
    ['timeoutSeconds: 0', ['DOC_BAD_VALUE 7:73 spec.states.A.timeoutSeconds']],
    ['timeoutSeconds: "1"', ['DOC_WRONG_TYPE 7:73 spec.states.A.timeoutSeconds']],
    ['next: A', ['DOC_BAD_VALUE 7:5 spec.states.A', 'DOC_BAD_VALUE 7:46 spec.states.A.end']],
    ['inputPath: claim', ['DOC_EXPRESSION 7:68 spec.states.A.inputPath']],
    ['inputPath: "$.items[*]"', []],
    ['inputPath: "$.items[?(@.a == )]"', ['DOC_EXPRESSION 7:68 spec.states.A.inputPath']],
    ['outputPath: $variable', []],
    ['resultPath: $$.x', ['DOC_EXPRESSION 7:69 spec.states.A.resultPath']],
    ['resultPath: "$.a[0:2]"', ['DOC_EXPRESSION 7:69 spec.states.A.resultPath']],
    ['resultPath: 7', ['DOC_WRONG_TYPE 7:69 spec.states.A.resultPath']],
    ['retry: [{errorEquals: []}]', ['DOC_BAD_VALUE 7:79 spec.states.A.retry[0].errorEquals']],
    ['retry: [{intervalSeconds: 1}]', ['DOC_MISSING_FIELD 7:65 spec.states.A.retry[0]']],
    [
      'retry: [{errorEquals: [X], backoffRate: 0.5}]',
      ['DOC_BAD_VALUE 7:97 spec.states.A.retry[0].backoffRate'],
    ],
    ['retry: [{errorEquals: [Policy.Denied]}]', ['DOC_BAD_VALUE 7:80 spec.states.A.retry[0].errorEquals[0]']],
    [
      'retry: [{errorEquals: [Approval.Timeout]}]',
      ['DOC_BAD_VALUE 7:80 spec.states.A.retry[0].errorEquals[0]'],
    ],
    ['retry: [{errorEquals: [States.ALL, X]}]', ['DOC_BAD_VALUE 7:79 spec.states.A.retry[0].errorEquals']],
    [
      'retry: [{errorEquals: [States.ALL]}, {errorEquals: [X]}]',
      ['DOC_BAD_VALUE 7:79 spec.states.A.retry[0].errorEquals'],
    ],
    [
      'catch: [{errorEquals: [States.Runtime], next: A}]',
      ['DOC_BAD_VALUE 7:5 spec.states.A', 'DOC_FIELD_IGNORED 7:80 spec.states.A.catch[0].errorEquals[0]'],
    ],
    [
      'catch: [{errorEquals: [Integrity.Digest], next: A}]',
      ['DOC_BAD_VALUE 7:5 spec.states.A', 'DOC_FIELD_IGNORED 7:80 spec.states.A.catch[0].errorEquals[0]'],
    ],
    ['catch: [{errorEquals: [X]}]', ['DOC_MISSING_FIELD 7:65 spec.states.A.catch[0]']],
    ['catch: [{errorEquals: [X], next: B}]', ['DOC_UNKNOWN_STATE 7:90 spec.states.A.catch[0].next']],
    [
      'catch: [{errorEquals: [X], next: A, assign: {a: 1}, output: 1}]',
      ['DOC_BAD_VALUE 7:5 spec.states.A', 'DOC_UNKNOWN_FIELD 7:109 spec.states.A.catch[0].output'],
    ],
    [
      'catch: [{errorEquals: [States.Nope], next: A, resultPath: "$.a[*]"}]',
      [
        'DOC_BAD_VALUE 7:5 spec.states.A',
        'DOC_UNKNOWN_NAME 7:80 spec.states.A.catch[0].errorEquals[0]',
        'DOC_EXPRESSION 7:115 spec.states.A.catch[0].resultPath',
      ],
    ],
  ])('a Task field %s is told with its place', (fields, expected) => {
    expect(found(task(fields))).toEqual(expected);
  });

  it.each<[readonly string[], readonly string[]]>([
    [['A: { type: Parallel, branches: [], end: true }'], ['DOC_BAD_VALUE 7:36 spec.states.A.branches']],
    [
      ['A: { type: Map, itemProcessor: {}, end: true }'],
      [
        'DOC_MISSING_FIELD 7:21 spec.states.A.itemProcessor',
        'DOC_MISSING_FIELD 7:21 spec.states.A.itemProcessor',
      ],
    ],
    [['A: { type: task, end: true }'], ['DOC_BAD_VALUE 7:16 spec.states.A.type']],
    [['A: { end: true }'], ['DOC_MISSING_FIELD 7:5 spec.states.A']],
    [['A: 1'], ['DOC_WRONG_TYPE 7:8 spec.states.A', 'DOC_NO_TERMINAL_STATE 6:3 spec.states'].reverse()],
    [['A: { type: Pass }'], ['DOC_NO_TERMINAL_STATE 6:3 spec.states', 'DOC_MISSING_FIELD 7:5 spec.states.A']],
    [
      ['A: { type: Pass, next: A }'],
      ['DOC_NO_TERMINAL_STATE 6:3 spec.states', 'DOC_BAD_VALUE 7:5 spec.states.A'],
    ],
    [
      ['A: { type: Pass, next: b }', 'B: { type: Succeed }'],
      ['DOC_UNKNOWN_STATE 7:28 spec.states.A.next', 'DOC_UNREACHABLE_STATE 8:5 spec.states.B'],
    ],
    [['A: { type: Succeed }', 'B: { type: Succeed }'], ['DOC_UNREACHABLE_STATE 8:5 spec.states.B']],
    [['A: { type: Succeed, next: A }'], ['DOC_UNKNOWN_FIELD 7:25 spec.states.A.next']],
    [['A: { type: Pass, approval: sync, end: true }'], []],
    [
      ['A: { type: Pass, approval: { mode: two-person, quorum: 1 }, end: true }'],
      ['DOC_BAD_VALUE 7:60 spec.states.A.approval.quorum'],
    ],
    [['A: { type: Succeed, approval: sync }'], ['DOC_UNKNOWN_FIELD 7:25 spec.states.A.approval']],
    [['A: { type: Fail, errorPath: $.e }'], []],
    [['A: { type: Fail, error: x, errorPath: $.e }'], ['DOC_BAD_VALUE 7:32 spec.states.A.errorPath']],
    [['A: { type: Fail, cause: x, causePath: $.e }'], ['DOC_BAD_VALUE 7:32 spec.states.A.causePath']],
    [['A: { type: Fail, causePath: "States.Nope()" }'], ['DOC_EXPRESSION 7:33 spec.states.A.causePath']],
    [['A: { type: Fail, assign: {a: 1} }'], ['DOC_UNKNOWN_FIELD 7:22 spec.states.A.assign']],
    [['A: { type: Fail, next: A }'], ['DOC_UNKNOWN_FIELD 7:22 spec.states.A.next']],
    [['A: { type: Succeed, parameters: {} }'], ['DOC_UNKNOWN_FIELD 7:25 spec.states.A.parameters']],
    [['A: { type: Wait, end: true }'], ['DOC_BAD_VALUE 7:5 spec.states.A']],
    [['A: { type: Wait, seconds: 1, timestampPath: $.t, end: true }'], ['DOC_BAD_VALUE 7:5 spec.states.A']],
    [['A: { type: Wait, seconds: -1, end: true }'], ['DOC_BAD_VALUE 7:31 spec.states.A.seconds']],
    [['A: { type: Wait, timestamp: tomorrow, end: true }'], ['DOC_BAD_VALUE 7:33 spec.states.A.timestamp']],
    [
      [`${'x'.repeat(81)}: { type: Succeed }`, `A: { type: Pass, next: ${'x'.repeat(81)} }`],
      [`DOC_BAD_VALUE 7:5 spec.states.${'x'.repeat(81)}`],
    ],
    [
      ['A: { type: Pass, next: __proto__ }', '__proto__: { type: Succeed }'],
      ['DOC_BAD_VALUE 8:5 spec.states.__proto__'],
    ],
  ])('%j is told with its place', (lines, expected) => {
    expect(found(machine(...lines))).toEqual(expected);
  });

  it.each<[string, readonly string[]]>([
    ['variable: $.a, stringEquals: x', ['DOC_MISSING_FIELD 7:35 spec.states.A.choices[0]']],
    ['next: B', ['DOC_BAD_VALUE 7:35 spec.states.A.choices[0]']],
    ['variable: $.a, next: B', ['DOC_BAD_VALUE 7:35 spec.states.A.choices[0]']],
    [
      'variable: $.a, isNull: true, isPresent: true, next: B',
      ['DOC_BAD_VALUE 7:35 spec.states.A.choices[0]'],
    ],
    [
      'variable: $.a, not: {variable: $.b, isNull: true}, next: B',
      ['DOC_BAD_VALUE 7:35 spec.states.A.choices[0]'],
    ],
    ['and: [], next: B', ['DOC_BAD_VALUE 7:41 spec.states.A.choices[0].and']],
    [
      'and: [{variable: $.a, isNull: true, next: B}], next: B',
      ['DOC_BAD_VALUE 7:72 spec.states.A.choices[0].and[0].next'],
    ],
    [
      'variable: $.a, stringEquals: 1, next: B',
      ['DOC_WRONG_TYPE 7:65 spec.states.A.choices[0].stringEquals'],
    ],
    [
      'variable: $.a, numericEquals: "1", next: B',
      ['DOC_WRONG_TYPE 7:66 spec.states.A.choices[0].numericEquals'],
    ],
    [
      'variable: $.a, timestampEquals: today, next: B',
      ['DOC_BAD_VALUE 7:68 spec.states.A.choices[0].timestampEquals'],
    ],
    [
      'variable: $.a, stringEqualsPath: b, next: B',
      ['DOC_EXPRESSION 7:69 spec.states.A.choices[0].stringEqualsPath'],
    ],
    ['variable: "$.a[*]", isNull: true, next: B', ['DOC_EXPRESSION 7:46 spec.states.A.choices[0].variable']],
    [
      'variable: $.a, stringEqual: x, next: B',
      [
        'DOC_BAD_VALUE 7:35 spec.states.A.choices[0]',
        'DOC_UNKNOWN_FIELD 7:51 spec.states.A.choices[0].stringEqual',
      ],
    ],
    ['condition: true, next: B', ['DOC_UNKNOWN_FIELD 7:36 spec.states.A.choices[0].condition']],
    ['variable: $.a, isNull: true, next: C', ['DOC_UNKNOWN_STATE 7:71 spec.states.A.choices[0].next']],
  ])('a rule {%s} is told with its place', (rule, expected) => {
    const text = machine(`A: { type: Choice, choices: [ {${rule}} ], default: B }`, 'B: { type: Succeed }');
    expect(found(text)).toEqual(expected);
  });

  it('warns of a Choice without default', () => {
    const text = machine(
      'A: { type: Choice, choices: [{variable: $.a, isNull: true, next: B}] }',
      'B: { type: Succeed }',
    );
    expect(validate(text)).toMatchObject({
      ok: true,
      diagnostics: [{ code: 'DOC_MISSING_FIELD', severity: 'warning' }],
    });
    expect(parseWorkflow(text).plan?.nodes['A']).toMatchObject({ default: null });
  });

  it('refuses what is not quite native', () => {
    const text = machine('A: { type: Succeed }');
    expect(found(text.replace('v0.1', 'v9'))).toEqual(['DOC_BAD_VALUE 1:13 apiVersion']);
    expect(found(text.replace('AgentWorkflow', 'Workflow'))).toEqual(['DOC_BAD_VALUE 2:7 kind']);
    expect(found(text.replace('name: m', 'name: a b'))).toEqual(['DOC_BAD_VALUE 3:19 metadata.name']);
    expect(found(text.replace('{ name: m }', '{ }'))).toEqual(['DOC_MISSING_FIELD 3:1 metadata']);
    expect(found(text.replace('  startAt: A\n', ''))).toEqual(['DOC_MISSING_FIELD 4:1 spec']);
    expect(found(text.replace('startAt: A', 'startAt: a'))).toEqual(['DOC_UNKNOWN_STATE 5:12 spec.startAt']);
  });

  it('reads 10,000 states in one pass', () => {
    const states = Array.from({ length: 9999 }, (_, i) => [
      `s${i}`,
      { Type: 'Pass', Next: i === 9998 ? 'end' : `s${i + 1}` },
    ]);
    const text = JSON.stringify({
      StartAt: 's0',
      States: { ...Object.fromEntries(states), end: { Type: 'Succeed' } },
    });
    expect(Object.keys(planOf(text).nodes)).toHaveLength(10_000);
  });
});
