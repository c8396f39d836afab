import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { checkInput } from '../input.js';
import { withDefaults } from '../input-default.js';
import { parseWorkflow, type ParseOptions, validate } from '../parse.js';
import type { Plan, PlanNode, TaskNode } from '../plan.js';

function planOf(text: string, options?: ParseOptions): Plan {
  const { plan, diagnostics } = parseWorkflow(text, options);
  expect(diagnostics.filter((one) => one.severity === 'error')).toEqual([]);
  if (plan === null) throw new Error('no plan');
  return plan;
}

function task(plan: Plan, key: string): TaskNode {
  const node = plan.nodes[key];
  if (node?.kind !== 'task') throw new Error(`no task ${key}`);
  return node;
}

/** `code line:column path` of every finding. */
function found(text: string, options?: ParseOptions): readonly string[] {
  return validate(text, options).diagnostics.map((one) =>
    `${one.code} ${one.line}:${one.column} ${one.path}`.trim(),
  );
}

/** A workflow of one step with these further lines. */
function step(...lines: readonly string[]): string {
  return [
    'id: w',
    'steps:',
    '  - name: One',
    '    functionId: agent::chat',
    ...lines.map((line) => `    ${line}`),
  ].join('\n');
}

describe('a workflow of steps', () => {
  it('becomes a chain of tasks', () => {
    const plan = planOf(`
id: review
description: reviews
agents: [writer, critic]
timeoutMs: 600000
ceilings: { functions: [agent::chat] }
steps:
  - name: Write Up
    functionId: agent::chat
    outputVar: draft
  - name: Critique
    functionId: agent::chat
    agent: critic
    mode: conditional
    condition: "{{Write Up.ok}} == true"
    promptTemplate: "Judge {{draft}}"
    errorMode: skip
    timeoutMs: 5000
    approval: sync
    idempotent: true
  - name: Store
    functionId: tool::wasm
    config: { module: hash, input: "{{draft}}" }
    sandbox: { driver: wasm, limits: { memoryMiB: 64 } }
`);
    expect(plan).toMatchObject({
      v: 3,
      dialect: 'steps',
      id: 'review',
      name: 'review',
      start: 'write_up',
      agents: ['writer', 'critic'],
      timeoutMs: 600000,
      ceilings: { functions: ['agent::chat'] },
      inputs: null,
      onMissing: 'error',
    });
    expect(Object.keys(plan.nodes)).toEqual(['write_up', 'critique', 'store']);
    expect(task(plan, 'write_up')).toEqual({
      kind: 'task',
      name: 'Write Up',
      line: 8,
      column: 11,
      call: { kind: 'function', functionId: 'agent::chat', agent: null, fallback: 'writer' },
      when: null,
      flow: { language: 'template', prompt: '{{input}}', config: null, outputVar: 'draft' },
      loop: null,
      collects: false,
      timeoutMs: 120000,
      retry: [],
      catch: [],
      onFailure: 'fail',
      approval: null,
      sandbox: null,
      idempotent: false,
      next: 'critique',
    });
    expect(task(plan, 'critique')).toMatchObject({
      call: { agent: 'critic' },
      when: '{{Write Up.ok}} == true',
      onFailure: 'skip',
      timeoutMs: 5000,
      approval: { mode: 'sync', approverRoles: [], quorum: null },
      idempotent: true,
    });
    expect(task(plan, 'store')).toMatchObject({
      flow: { prompt: null, config: { module: 'hash', input: '{{draft}}' } },
      sandbox: { driver: 'wasm', limits: { memoryMiB: 64 } },
      next: null,
    });
  });

  it('asks for the output of the step before when a later prompt is left out', () => {
    const plan = planOf(`${step()}\n  - name: Two\n    functionId: agent::chat`);
    expect(task(plan, 'two').flow).toMatchObject({ prompt: '{{output}}' });
  });

  it('retries with full jitter by default, and as the step says', () => {
    const retrier = (text: string) => task(planOf(text), 'one').retry;
    expect(retrier(step('errorMode: retry'))).toEqual([
      {
        errorEquals: ['States.ALL'],
        intervalMs: 500,
        maxAttempts: 3,
        backoffRate: 2,
        maxDelayMs: 30000,
        jitter: 'full',
      },
    ]);
    const lines = [
      'errorMode: retry',
      'maxRetries: 5',
      'retry: {initialMs: 10, factor: 1.5, maxMs: 90, jitter: none}',
    ];
    expect(retrier(step(...lines))).toMatchObject([
      { intervalMs: 10, maxAttempts: 5, backoffRate: 1.5, maxDelayMs: 90, jitter: 'none' },
    ]);
    expect(retrier(step('errorMode: retry', 'maxRetries: 0'))).toEqual([]);
    expect(retrier(step())).toEqual([]);
  });

  it('makes the id of the name, and the name of the id', () => {
    expect(planOf('name: Feature Build\nsteps: [{name: A, functionId: "agent::chat"}]').id).toBe(
      'feature-build',
    );
    expect(planOf('id: a.b\nsteps: [{name: A, functionId: "agent::chat"}]').name).toBe('a.b');
    expect(found('steps: [{name: A, functionId: "agent::chat"}]')).toEqual(['DOC_MISSING_FIELD 1:1']);
    expect(found('name: "🌊"\nsteps: [{name: A, functionId: "agent::chat"}]')).toEqual([
      'DOC_MISSING_FIELD 1:7 name',
    ]);
  });

  it('gives every step a key that is a name', () => {
    const keys = (name: string) => Object.keys(planOf(step().replace('One', JSON.stringify(name))).nodes);
    expect(keys('Post-Mortem')).toEqual(['post_mortem']);
    expect(keys('1st check!')).toEqual(['step_1st_check']);
    expect(keys('7')).toEqual(['step_7']);
    expect(keys('Grüße 検査')).toEqual(['grüße_検査']);
  });

  it.each<[string, string]>([
    ['fn::wasm', 'tool::wasm'],
    ['wasm::execute', 'tool::wasm'],
    ['hand::trigger', 'hand::run'],
    ['security::check_capability', 'security::check'],
    ['health::check', 'tool::health_check'],
    ['http::request', 'tool::http_request'],
    ['mcp::files::read.text', 'mcp::files::read.text'],
  ])('resolves the alias %s to %s', (alias, target) => {
    const plan = planOf(step().replace('agent::chat', alias));
    expect(task(plan, 'one').call).toMatchObject({ functionId: target });
  });

  it('reads the hand and the sandbox out of an alias', () => {
    const hand = planOf(step('config: {input: 1}').replace('agent::chat', 'hand::run::researcher'));
    expect(task(hand, 'one')).toMatchObject({
      call: { functionId: 'hand::run' },
      flow: { config: { input: 1, handId: 'researcher' } },
    });
    const docker = planOf(step('config: {argv: [ls]}').replace('agent::chat', 'security::docker_exec'));
    expect(task(docker, 'one')).toMatchObject({
      call: { functionId: 'tool::shell_exec' },
      sandbox: { driver: 'docker', image: null, limits: {} },
    });
    expect(found(step('config: {handId: b}').replace('agent::chat', 'hand::run::a'))).toEqual([
      'DOC_BAD_VALUE 4:17 steps[0].functionId',
    ]);
    expect(
      found(step('config: {argv: [ls]}', 'sandbox: wasm').replace('agent::chat', 'security::docker_exec')),
    ).toEqual(['DOC_BAD_VALUE 4:17 steps[0].functionId']);
  });

  it.each<[Json, object]>([
    ['none', { mode: 'none' }],
    ['auto', { mode: 'none' }],
    ['async', { mode: 'async' }],
    ['two-person', { mode: 'two-person' }],
    [
      { mode: 'sync', expiresSeconds: 2_592_000 },
      { mode: 'sync', expiresSeconds: 2_592_000 },
    ],
    [
      { approverRoles: ['ops'], quorum: 2 },
      { mode: 'sync', approverRoles: ['ops'], quorum: 2 },
    ],
    [
      {
        mode: 'async',
        expiresSeconds: 60,
        onExpire: 'deny',
        reasonRequired: true,
        separationOfDuties: false,
      },
      { mode: 'async', expiresSeconds: 60, reasonRequired: true, separationOfDuties: false },
    ],
  ])('keeps the approval %j', (approval, expected) => {
    const plan = planOf(step(`approval: ${JSON.stringify(approval)}`));
    expect(task(plan, 'one').approval).toMatchObject(expected);
  });

  it.each<[readonly string[], readonly string[]]>([
    // fields
    [['aproval: sync'], ['DOC_UNKNOWN_FIELD 5:5 steps[0].aproval']],
    [['timeoutMs: soon'], ['DOC_WRONG_TYPE 5:16 steps[0].timeoutMs']],
    [['timeoutMs: 0'], ['DOC_BAD_VALUE 5:16 steps[0].timeoutMs']],
    [['timeoutMs: 86400001'], ['DOC_BAD_VALUE 5:16 steps[0].timeoutMs']],
    [['timeoutMs: 1.5'], ['DOC_WRONG_TYPE 5:16 steps[0].timeoutMs']],
    [['timeoutMs:'], ['DOC_WRONG_TYPE 5:15 steps[0].timeoutMs']],
    [['mode: Sequential'], ['DOC_BAD_VALUE 5:11 steps[0].mode']],
    [['errorMode: ignore'], ['DOC_BAD_VALUE 5:16 steps[0].errorMode']],
    [['maxRetries: 101', 'errorMode: retry'], ['DOC_BAD_VALUE 5:17 steps[0].maxRetries']],
    [['config: text'], ['DOC_WRONG_TYPE 5:13 steps[0].config']],
    [['outputVar: my-var'], ['DOC_BAD_VALUE 5:16 steps[0].outputVar']],
    [['outputVar: input'], ['DOC_BAD_VALUE 5:16 steps[0].outputVar']],
    [['outputVar: __proto__'], ['DOC_BAD_VALUE 5:16 steps[0].outputVar']],
    [['idempotent: "yes"'], ['DOC_WRONG_TYPE 5:17 steps[0].idempotent']],
    [['retry: {maxMs: 1, jiter: full}', 'errorMode: retry'], ['DOC_UNKNOWN_FIELD 5:23 steps[0].retry.jiter']],
    // gates and sandboxes
    [['approval: yes please'], ['DOC_BAD_VALUE 5:15 steps[0].approval']],
    // 30 days and a second: no policy lets a request wait so long, which is said before anything runs.
    [['approval: {expiresSeconds: 2592001}'], ['DOC_BAD_VALUE 5:32 steps[0].approval.expiresSeconds']],
    [['approval: {mode: sync, approvers: [a]}'], ['DOC_UNKNOWN_FIELD 5:28 steps[0].approval.approvers']],
    [['approval: {onExpire: approve}'], ['DOC_BAD_VALUE 5:26 steps[0].approval.onExpire']],
    [['approval: {mode: two-person, quorum: 1}'], ['DOC_BAD_VALUE 5:42 steps[0].approval.quorum']],
    [['approval: true'], ['DOC_WRONG_TYPE 5:15 steps[0].approval']],
    [['sandbox: host'], ['DOC_BAD_VALUE 5:14 steps[0].sandbox']],
    [['sandbox: {limits: {}}'], ['DOC_MISSING_FIELD 5:5 steps[0].sandbox']],
    [['sandbox: {driver: docker, image: tools}'], []],
    [['sandbox: {driver: docker, image: "alpine:3"}'], ['DOC_BAD_VALUE 5:38 steps[0].sandbox.image']],
    [['sandbox: {driver: docker, image: "a@sha256:12"}'], ['DOC_BAD_VALUE 5:38 steps[0].sandbox.image']],
    [['sandbox: {driver: wasm, image: tools}'], ['DOC_BAD_VALUE 5:36 steps[0].sandbox.image']],
    [['sandbox: {driver: docker, profile: strict, mounts: []}'], []],
    [['sandbox: {driver: docker, profile: loose}'], ['DOC_BAD_VALUE 5:40 steps[0].sandbox.profile']],
    [
      ['sandbox: {driver: docker, mounts: [{source: /, target: /h}]}'],
      ['DOC_BAD_VALUE 5:40 steps[0].sandbox.mounts[0]'],
    ],
    [['sandbox: {driver: docker, network: host}'], ['DOC_UNSUPPORTED 5:40 steps[0].sandbox.network']],
    [['sandbox: {driver: docker, network: none}'], []],
    [['sandbox: {driver: docker, egress: ["api.test:443"], credentials: [bank-api]}'], []],
    [['sandbox: {driver: docker, network: egress, egress: ["[::1]:80"]}'], []],
    [['sandbox: {driver: docker, network: egress}'], ['DOC_BAD_VALUE 5:40 steps[0].sandbox.network']],
    [
      ['sandbox: {driver: docker, network: none, egress: ["a.test:1"]}'],
      ['DOC_BAD_VALUE 5:54 steps[0].sandbox.egress'],
    ],
    [
      ['sandbox: {driver: docker, credentials: [bank-api]}'],
      ['DOC_BAD_VALUE 5:44 steps[0].sandbox.credentials'],
    ],
    [['sandbox: {driver: docker, limits: {egressBytes: 1}}'], ['DOC_BAD_VALUE 5:39 steps[0].sandbox.limits']],
    [['sandbox: {driver: wasm, egress: ["a.test:1"]}'], ['DOC_UNSUPPORTED 5:37 steps[0].sandbox.egress']],
    ...['A.test:1', 'a.test', '*.test:1', 'a.test:*', 'http://a.test:80', 'a.test.:1', 'a b:1'].map(
      (host): [string[], string[]] => [
        [`sandbox: {driver: docker, egress: ["${host}"]}`],
        ['DOC_BAD_VALUE 5:40 steps[0].sandbox.egress[0]'],
      ],
    ),
    [['sandbox: {driver: docker, privileged: true}'], ['DOC_UNKNOWN_FIELD 5:31 steps[0].sandbox.privileged']],
    [
      ['sandbox: {driver: wasm, limits: {memoryMiB: 0}}'],
      ['DOC_BAD_VALUE 5:49 steps[0].sandbox.limits.memoryMiB'],
    ],
    // modes
    [['mode: fanout', 'items: [1]', 'concurrency: 2', 'promptTemplate: "{{item}}"'], []],
    [['mode: fanout', 'promptTemplate: "{{item}} {{index}}"', 'concurrency: 100'], []],
    [
      ['mode: fanout', 'concurrency: 0', 'items: [1]', 'config: {model: "{{item}}"}'],
      ['DOC_BAD_VALUE 6:18 steps[0].concurrency'],
    ],
    [['mode: fanout', 'items: 7', 'config: {model: "{{item}}"}'], ['DOC_WRONG_TYPE 6:12 steps[0].items']],
    [
      ['mode: fanout', 'items: a == b', 'config: {model: "{{item}}"}'],
      ['DOC_EXPRESSION 6:12 steps[0].items'],
    ],
    [
      ['mode: fanout', 'items: "{{a}} {{b}}"', 'config: {model: "{{item}}"}'],
      ['DOC_EXPRESSION 6:19 steps[0].items'],
    ],
    [
      ['mode: fanout', 'items: ["{{a b}}"]', 'config: {model: "{{item}}"}'],
      ['DOC_TEMPLATE 6:14 steps[0].items[0]'],
    ],
    [['mode: collect'], ['DOC_COLLECT_WITHOUT_FANOUT 5:11 steps[0].mode']],
    [['mode: loop', 'until: {path: ok, equals: true}', 'onExhausted: fail', 'maxIterations: 1000'], []],
    [['mode: loop', 'until: quality_score > 0.9'], []],
    [['mode: loop', 'until: all tests pass'], []],
    [['mode: loop', 'until: LGTM'], ['DOC_UNTIL_WORD 6:12 steps[0].until']],
    [['mode: loop', 'until: ""'], ['DOC_BAD_VALUE 6:12 steps[0].until']],
    [['mode: loop', 'until: 7'], ['DOC_WRONG_TYPE 6:12 steps[0].until']],
    [['mode: loop', 'until: score = 1'], ['DOC_EXPRESSION 6:18 steps[0].until']],
    [['mode: loop', 'until: {pth: ok}'], ['DOC_UNKNOWN_FIELD 6:13 steps[0].until.pth']],
    [['mode: loop', 'until: {path: ok}'], ['DOC_MISSING_FIELD 6:12 steps[0].until']],
    [['mode: loop', 'until: {path: "a ==", equals: 1}'], ['DOC_EXPRESSION 6:20 steps[0].until.path']],
    [['mode: loop', 'until: {path: ok, word: 7}'], ['DOC_WRONG_TYPE 6:29 steps[0].until.word']],
    [['mode: loop', 'until: {path: ok, word: " "}'], ['DOC_BAD_VALUE 6:29 steps[0].until.word']],
    [['mode: loop', 'maxIterations: 0'], ['DOC_BAD_VALUE 6:20 steps[0].maxIterations']],
    [['mode: loop', 'maxIterations: 1001'], ['DOC_BAD_VALUE 6:20 steps[0].maxIterations']],
    [['mode: conditional'], ['DOC_MISSING_FIELD 3:5 steps[0]']],
    [['mode: conditional', 'condition: a == 1'], []],
    // warnings
    [['until: LGTM'], ['DOC_FIELD_IGNORED 5:5 steps[0].until']],
    [['items: [1]'], ['DOC_FIELD_IGNORED 5:5 steps[0].items']],
    [['maxRetries: 2'], ['DOC_FIELD_IGNORED 5:5 steps[0].maxRetries']],
    [['maxRetries: 0', 'errorMode: retry'], ['DOC_FIELD_IGNORED 6:5 steps[0].errorMode']],
    [['mode: fanout', 'concurrency: 2'], ['DOC_FIELD_IGNORED 6:5 steps[0].concurrency']],
    [['mode: fanout', 'items: [1]'], ['DOC_FIELD_IGNORED 6:5 steps[0].items']],
    [['mode: loop', 'maxIterations: 2', 'onExhausted: fail'], ['DOC_FIELD_IGNORED 7:5 steps[0].onExhausted']],
    [['mode: loop'], ['DOC_MISSING_FIELD 5:11 steps[0].mode']],
    [['mode: loop', 'maxIterations: 2'], []],
    [['condition: a == 1'], []],
    [['x-note: anything'], []],
    // expressions
    [['condition: "a = 1"'], ['DOC_EXPRESSION 5:19 steps[0].condition']],
    [['condition: ""'], ['DOC_BAD_VALUE 5:16 steps[0].condition']],
    [[`condition: ${'a'.repeat(2001)}`], ['DOC_BAD_VALUE 5:16 steps[0].condition']],
    [['condition: "\'success\'"'], ['DOC_EXPRESSION 5:16 steps[0].condition']],
    [['condition: "false"'], []],
    [['mode: loop', `until: '"done"'`], ['DOC_EXPRESSION 6:12 steps[0].until']],
    [['mode: loop', 'until: output == "done"'], []],
    [['mode: loop', 'until: output == done'], ['DOC_UNKNOWN_NAME 6:22 steps[0].until']],
    [['mode: loop', 'until: done == output'], []],
    [['mode: loop', 'until: output == {{done}}'], []],
    [['condition: "{{a.status}} == success"'], ['DOC_UNKNOWN_NAME 5:33 steps[0].condition']],
    [['condition: "b && !(a != success)"'], ['DOC_UNKNOWN_NAME 5:29 steps[0].condition']],
    [['condition: "\'success\' == a && a == {{success}} && a == success.x"'], []],
    [['condition: a > least'], []],
    [['condition: a == True'], ['DOC_UNKNOWN_NAME 5:21 steps[0].condition']],
    [["condition: \"'{{a}}' == 'x'\""], ['DOC_EXPRESSION 5:16 steps[0].condition']],
    [['promptTemplate: "x {{#if a}}"'], ['DOC_TEMPLATE 5:24 steps[0].promptTemplate']],
    [['promptTemplate: "{{__proto__.x}}"'], ['DOC_UNKNOWN_NAME 5:24 steps[0].promptTemplate']],
    [['condition: constructor == 1'], ['DOC_UNKNOWN_NAME 5:16 steps[0].condition']],
    [['promptTemplate: "{{item}}"'], ['DOC_UNKNOWN_NAME 5:24 steps[0].promptTemplate']],
    [['promptTemplate: "{{One}}"'], ['DOC_UNKNOWN_NAME 5:24 steps[0].promptTemplate']],
    [['promptTemplate: "{{ite}} {{inputt}}"'], ['DOC_UNKNOWN_NAME 5:32 steps[0].promptTemplate']],
    [['promptTemplate: ab {{> p}}'], ['DOC_TEMPLATE 5:24 steps[0].promptTemplate']],
    [['promptTemplate: "{{#if a = 1}}{{/if}}"'], ['DOC_TEMPLATE 5:22 steps[0].promptTemplate']],
    [['config: {tools: [b, "{{c d}}"]}'], ['DOC_TEMPLATE 5:26 steps[0].config.tools[1]']],
  ])('%j is told with its place', (lines, expected) => {
    expect(found(step(...lines))).toEqual(expected);
  });

  it.each([
    ['condition: "{{a.status}} == success"', "a text stands in quotes: 'success'"],
    ['until: "status == done"\n    mode: loop', "a text stands in quotes: 'done'"],
    ['condition: a == True', 'the value is written true'],
    ['mode: conditional', 'when the step runs, such as condition: "{{previous_step.status}} == \'success\'"'],
    ['mode: loop', 'write until: …, which ends it, and maxIterations: N, the most it may take'],
  ])('of %s says what to write', (line, hint) => {
    expect(validate(step(line)).diagnostics.map((one) => one.hint)).toEqual([hint]);
  });

  it('says of a word without quotes what to write where the inputs are declared, too: nothing can give it', () => {
    const inputs = 'inputs: {type: object, properties: {status: {type: string}}}';
    const text = `${inputs}\n${step('condition: "{{status}} == success"')}`;
    expect(validate(text)).toMatchObject({
      ok: false,
      diagnostics: [{ code: 'DOC_UNKNOWN_NAME', hint: "a text stands in quotes: 'success'" }],
    });
  });

  it.each(['empty', 'keep'])(
    'says of a word without quotes what to write with onMissing: %s, too',
    (onMissing) => {
      const told = (condition: string, inputs = '') =>
        validate(`onMissing: ${onMissing}\n${inputs}${step(`condition: "${condition}"`)}`).diagnostics;
      const severity = 'warning';
      expect(told('{{a.status}} == success')).toMatchObject([
        { severity, hint: "a text stands in quotes: 'success'" },
      ]);
      expect(told('ready == True')).toMatchObject([{ severity, hint: 'the value is written true' }]);
      expect(told('constructor')).toMatchObject([{ severity, code: 'DOC_UNKNOWN_NAME' }]);
      expect(told('{{later}} == 1')).toEqual([]);
      const declared = 'inputs: {type: object, properties: {status: {type: string}}}\n';
      expect(told('{{status}} == success', declared)).toMatchObject([{ severity, code: 'DOC_UNKNOWN_NAME' }]);
    },
  );

  it('finds everything in one pass, in the order of the text', () => {
    const text = `id: "bad id"
stepz: 1
steps:
  - name: A
    functionId: agent::chatt
    mode: lop
  - name: a
    functionId: tool::wasm
    timeoutMs: -1
  - functionId: 7
`;
    expect(found(text)).toEqual([
      'DOC_BAD_VALUE 1:5 id',
      'DOC_UNKNOWN_FIELD 2:1 stepz',
      'DOC_UNKNOWN_FUNCTION 5:17 steps[0].functionId',
      'DOC_BAD_VALUE 6:11 steps[0].mode',
      'DOC_DUPLICATE_FIELD 7:11 steps[1].name',
      'DOC_REQUEST_INCOMPLETE 8:17 steps[1].functionId',
      'DOC_BAD_VALUE 9:16 steps[1].timeoutMs',
      'DOC_MISSING_FIELD 10:5 steps[2]',
      'DOC_WRONG_TYPE 10:17 steps[2].functionId',
    ]);
  });

  it('stops telling after 200 findings, and is invalid then', () => {
    const fields = Array.from({ length: 300 }, (_, i) => `f${i}: 1`);
    const { ok, diagnostics } = validate(`${step()}\n${fields.join('\n')}`);
    expect(ok).toBe(false);
    expect(diagnostics).toHaveLength(201);
    expect(diagnostics.at(-1)?.message).toContain('only the first 200');
  });

  it('warns when two steps keep their output under one name, unless they are alternatives', () => {
    const steps = (...each: readonly string[]): string =>
      ['id: w', 'agents: [a]', 'steps:']
        .concat(
          each.map((rest, i) => `  - {name: S${i}, functionId: agent::chat, promptTemplate: x, ${rest}}`),
        )
        .join('\n');
    const twice = steps('outputVar: a', 'outputVar: b', 'outputVar: a');
    expect(found(twice)).toEqual([
      expect.stringMatching(/^DOC_OUTPUT_VAR_TWICE 6:\d+ steps\[2\]\.outputVar$/),
    ]);
    expect(validate(twice)).toMatchObject({ ok: true });
    const either = ['outputVar: a, condition: "input == 1"', 'outputVar: a, condition: "input == 2"'];
    expect(found(steps(...either))).toEqual([]);
    expect(found(steps('outputVar: a', either[1] ?? ''))).toHaveLength(1);
    expect(found(steps('outputVar: a', 'outputVar: b'))).toEqual([]);
  });

  it('says what was meant', () => {
    const hint = (text: string) => validate(text).diagnostics[0]?.hint;
    expect(hint(step('aproval: sync'))).toBe('did you mean "approval"?');
    expect(hint(step('output_var: x'))).toBe('did you mean "outputVar"?');
    expect(hint(step('prompt: x'))).toBe('did you mean "promptTemplate"?');
    expect(hint(step('maxRetry: 2'))).toBe('did you mean "maxRetries"?');
    expect(hint(step('retries: 2'))).toBe('did you mean "maxRetries" or "retry"?');
    expect(hint(step('zz: 2'))).toBeUndefined();
    const after = (text: string) => validate(text).diagnostics.map((one) => one.hint);
    const named = (prompt: string) =>
      `id: w\nagents: [a]\ninputs: {}\nsteps:\n  - {name: Tech Spec, functionId: agent::chat, promptTemplate: x, outputVar: tech_spec}\n  - {name: B, functionId: agent::chat, promptTemplate: '${prompt}'}\n`;
    expect(after(named('{{Tech Spce.x}}'))).toEqual(['did you mean "Tech Spec"?']);
    expect(after(named('{{tech_spc}}'))).toEqual(['did you mean "tech_spec"?']);
    expect(after(named('{{frobnicate tech_spec}}'))).toEqual([expect.stringMatching(/^only if, unless/)]);
    expect(hint(step('mode: sequentail'))).toBe('did you mean "sequential"?');
    expect(hint(step().replace('agent::chat', 'tool::wasn'))).toBe('did you mean "tool::wasm"?');
    expect(hint('id: w\nstep:\n  - name: A')).toBe('did you mean "steps"?');
  });

  it('says what else may stand where a condition or a head of #if goes wrong', () => {
    const hintOf = (line: string) => validate(step(line)).diagnostics[0]?.hint;
    expect(hintOf('condition: a == True')).toBe('the value is written true');
    expect(hintOf('condition: not a')).toBe('use &&, || and !');
    expect(hintOf('condition: a contains 1')).toBe('operators: ==, !=, <, <=, >, >=, &&, || and !');
    expect(hintOf('condition: "{{#if a}}1{{/if}}"')).toBe('put operators outside of {{ }}');
    expect(hintOf('promptTemplate: "{{#if not a}}x{{/if}}"')).toContain('{{#if (and done (not late))}}');
  });

  it.each([
    [step('promptTemplate: Review: this'), 'stands in quotes: "Review: the draft"'],
    [step('promptTemplate: "Review'), 'text that begins with a quote ends with the same'],
    [step('mode sequential', 'timeoutMs: 1'), 'a field is written name: value'],
    ['id: a\nsteps:\n\t- name: A\n', 'indent with spaces'],
    [step('promptTemplate: @file'), 'put the text in quotes'],
    [step('promptTemplate: "{{name"'), '{{ as text is written \\{{'],
    ['id: a\nsteps:\n  - name: A\n', 'the function to call'],
  ])('says what to do about %j', (text, hint) => {
    expect(validate(text).diagnostics[0]?.hint).toContain(hint);
  });

  it('says of braces without quotes that they need them, and nothing else', () => {
    for (const line of [
      'promptTemplate: {{goal}}',
      'condition: {{goal}} == 1',
      'config: { model: {{goal}} }',
    ]) {
      const { diagnostics } = validate(step(line));
      expect(diagnostics).toMatchObject([
        { code: 'DOC_SYNTAX', hint: expect.stringContaining('"{{goal}}"') },
      ]);
    }
    expect(validate(step('mode: [')).diagnostics[0]?.hint).not.toContain('{{');
  });

  it('says of inputs that are no JSON Schema where they are none, each place once', () => {
    const inputs = 'inputs: {type: objct, properties: {a: string, b: {type: string, minLength: -1}}}';
    const { diagnostics } = validate(`${inputs}\n${step()}`);
    expect(diagnostics.map(({ path, line, column }) => `${path} ${line}:${column}`)).toEqual([
      'inputs.type 1:16',
      'inputs.properties.a 1:39',
      'inputs.properties.b.minLength 1:76',
    ]);
    expect(diagnostics[0]).toMatchObject({
      message: 'inputs is no JSON Schema: type has a value that it can not have',
      hint: expect.stringContaining('object, string'),
    });
  });

  it('says of a bound what it is, in words', () => {
    const message = (text: string) => validate(text).diagnostics.map((one) => one.message);
    expect(message('id: w\nsteps: []')).toEqual(['"steps" is empty']);
    expect(message(step('mode: loop', `until: ${'x'.repeat(3000)}`))).toEqual([
      '"until" has more than 2000 characters',
      `any output with the word "${'x'.repeat(60)}…" ends the loop, "not ${'x'.repeat(60)}… yet" too`,
    ]);
    expect(message(step(`approval: {mode: sync, quorum: 0}`))).toEqual(['"quorum" must be >= 1, not 0']);
  });

  it('knows only the functions it is given', () => {
    expect(found(step(), { functions: new Set(['tool::wasm']) })).toEqual([
      'DOC_UNKNOWN_FUNCTION 4:17 steps[0].functionId',
    ]);
    expect(found(step().replace('agent::chat', 'my::own'), { functions: new Set(['my::own']) })).toEqual([]);
  });

  it.each(['constructor', '__proto__', 'Prototype', '!!!', '🌊'])('refuses the step name %s', (name) => {
    expect(found(step().replace('One', JSON.stringify(name)))).toEqual(['DOC_BAD_VALUE 3:11 steps[0].name']);
  });

  it('warns when a request can not be complete', () => {
    const text = step().replace('agent::chat', 'tool::shell_exec');
    expect(found(text)).toEqual(['DOC_REQUEST_INCOMPLETE 4:17 steps[0].functionId']);
    expect(validate(text).ok).toBe(true);
    expect(found(`${text}\n    config: {command: ls}`)).toEqual([]);
  });

  it.each<[string, string]>([
    ['[]', 'DOC_WRONG_TYPE 1:1'],
    ['just text', 'DOC_WRONG_TYPE 1:1'],
    ['a: 1', 'DOC_INVALID 1:1'],
    ['id: w\nsteps: []', 'DOC_BAD_VALUE 2:8 steps'],
    ['id: w\nsteps: {a: 1}', 'DOC_WRONG_TYPE 2:8 steps'],
    ['id: w\nsteps: [1]', 'DOC_WRONG_TYPE 2:9 steps[0]'],
  ])('%j is no workflow', (text, expected) => {
    expect(found(text)).toContain(expected);
    expect(parseWorkflow(text).plan).toBeNull();
  });

  it('keeps the document as its author spelled it', () => {
    expect(parseWorkflow('id: w\nx-note: 1\nsteps: [{name: A, functionId: "agent::chat"}]').document).toEqual(
      {
        id: 'w',
        'x-note': 1,
        steps: [{ name: 'A', functionId: 'agent::chat' }],
      },
    );
  });
});

/** A workflow of steps named A, B, … that call agent::chat, each with its further lines. */
function steps(...each: readonly (readonly string[])[]): string {
  const list = each.map((lines, i) =>
    [
      `  - name: ${String.fromCharCode(65 + i)}`,
      '    functionId: agent::chat',
      ...lines.map((line) => `    ${line}`),
    ].join('\n'),
  );
  return ['id: w', 'steps:', ...list].join('\n');
}

describe('a fanout group', () => {
  it('is one fork for steps that stand side by side, and the chain goes through it', () => {
    const plan = planOf(
      steps(
        ['outputVar: list'],
        ['mode: fanout', 'promptTemplate: "{{item}}"', 'concurrency: 7'],
        ['mode: fanout', 'errorMode: skip'],
        ['mode: collect'],
        ['mode: fanout', 'items: input.docs', 'config: {systemPrompt: "{{item.text}}"}'],
      ),
    );
    expect(Object.keys(plan.nodes)).toEqual(['a', 'group:b', 'b', 'c', 'd', 'group:e', 'e']);
    expect(plan.start).toBe('a');
    expect(task(plan, 'a').next).toBe('group:b');
    expect(plan.nodes['group:b']).toEqual({
      kind: 'fork',
      form: 'group',
      name: 'B + C',
      line: 6,
      column: 11,
      lanes: [
        { start: 'b', each: { items: { kind: 'implied' }, concurrency: 7 } },
        { start: 'c', each: null },
      ],
      flow: null,
      retry: [],
      catch: [],
      next: 'd',
    });
    expect([task(plan, 'b').next, task(plan, 'c').next, task(plan, 'e').next]).toEqual([null, null, null]);
    expect(task(plan, 'c')).toMatchObject({ onFailure: 'skip', flow: { prompt: '{{output}}' } });
    expect(task(plan, 'd')).toMatchObject({
      collects: true,
      flow: { prompt: '{{fanout}}' },
      next: 'group:e',
    });
    expect(plan.nodes['group:e']).toMatchObject({
      name: 'E',
      lanes: [
        { start: 'e', each: { items: { kind: 'template', template: '{{[input].[docs]}}' }, concurrency: 4 } },
      ],
      next: null,
    });
  });

  it('may be the first, and asks for the input then', () => {
    const plan = planOf(steps(['mode: fanout'], ['mode: fanout'], []));
    expect(plan.start).toBe('group:a');
    expect([task(plan, 'a'), task(plan, 'b')].map((one) => one.flow)).toMatchObject([
      { prompt: '{{input}}' },
      { prompt: '{{input}}' },
    ]);
    expect(task(plan, 'c').flow).toMatchObject({ prompt: '{{output}}' });
  });

  it.each<[string, object]>([
    ['[1, "{{goal}}", {a: 2}]', { kind: 'list', list: [1, '{{goal}}', { a: 2 }] }],
    ['[]', { kind: 'list', list: [] }],
    ['"{{docs}}"', { kind: 'template', template: '{{docs}}' }],
    ['"{{ Check It.list }}"', { kind: 'template', template: '{{ Check It.list }}' }],
    ['Check It.list[0]', { kind: 'template', template: '{{[Check It].[list].[0]}}' }],
    ["docs['a]b'].c", { kind: 'template', template: '{{[docs].[a\\]b].[c]}}' }],
    ['"{{docs[0].list}}"', { kind: 'template', template: '{{docs[0].list}}' }],
    [`"{{docs['a b'].list}}"`, { kind: 'template', template: '{{[docs].[a b].[list]}}' }],
  ])('goes through items: %s', (items, expected) => {
    const plan = planOf(
      steps([], ['mode: fanout', `items: ${items}`, 'promptTemplate: "{{item}}"']).replace(
        'name: A',
        'name: Check It',
      ),
    );
    expect(plan.nodes['group:b']).toMatchObject({ lanes: [{ each: { items: expected } }] });
  });

  it('is of items only when the request itself names the item', () => {
    const each = (line: string) => {
      const node = planOf(step('mode: fanout', line)).nodes['group:one'];
      return node?.kind === 'fork' ? node.lanes[0]?.each : undefined;
    };
    for (const line of [
      'promptTemplate: "{{item}}"',
      'promptTemplate: "{{#if item.x > 1}}a{{/if}}"',
      'promptTemplate: "{{#each l}}{{../item}}{{/each}}"',
      'config: {tools: [{b: "x {{json item.c}}"}]}',
    ]) {
      expect(each(line), line).not.toBeNull();
    }
    for (const line of [
      'promptTemplate: "item {{input.item}}"',
      'promptTemplate: "{{#each l}}{{item}}{{/each}}"',
      'promptTemplate: "{{#each l as |item|}}{{item}}{{/each}}"',
      'config: {responseSchema: {item: 1}}',
    ]) {
      expect(each(line), line).toBeNull();
    }
  });

  it('may be collected later, and by more than one step', () => {
    expect(found(steps(['mode: fanout'], [], ['mode: collect'], ['mode: collect']))).toEqual([]);
    expect(found(steps(['mode: collect'], ['mode: fanout']))).toEqual([
      'DOC_COLLECT_WITHOUT_FANOUT 5:11 steps[0].mode',
    ]);
  });
});

describe('a loop', () => {
  it('keeps until, iterations and what follows when they are used up', () => {
    const loop = (...lines: readonly string[]) => task(planOf(step('mode: loop', ...lines)), 'one').loop;
    expect(loop()).toEqual({ maxIterations: 10, until: null, onExhausted: 'continue' });
    expect(loop('maxIterations: 3', 'until: "LGTM"', 'onExhausted: fail')).toEqual({
      maxIterations: 3,
      until: { kind: 'phrase', phrase: 'LGTM' },
      onExhausted: 'fail',
    });
    expect(loop('until: quality_score > 0.9')?.until).toEqual({
      kind: 'expression',
      expression: 'quality_score > 0.9',
    });
    expect(loop('until: {contains: lgtm}')?.until).toEqual({ kind: 'contains', text: 'lgtm' });
    expect(loop('until: {path: a.b, lte: 2, x-why: y}')?.until).toEqual({
      kind: 'test',
      path: 'a.b',
      operator: 'lte',
      operand: 2,
    });
    // Without `until` every loop uses up its iterations, so that alone can be no failure.
    expect(loop('onExhausted: fail')?.onExhausted).toBe('continue');
  });
});

describe('the acting agent', () => {
  const fallbacks = (agents: string, n: number) => {
    const plan = planOf(
      steps(...Array.from({ length: n }, () => ['mode: fanout'])).replace(
        'steps:',
        `agents: ${agents}\nsteps:`,
      ),
    );
    return Object.values(plan.nodes).flatMap((node) =>
      node.kind === 'task' && node.call.kind === 'function' ? [node.call.fallback] : [],
    );
  };
  it.each<[string, number, readonly (string | null)[]]>([
    ['[x, y, z]', 3, ['x', 'y', 'z']],
    ['[x, y]', 3, ['x', 'x', 'x']],
    ['[]', 2, [null, null]],
  ])('of a step that names none: %s for %j steps', (agents, n, expected) => {
    expect(fallbacks(agents, n)).toEqual(expected);
  });
});

describe('a prompt', () => {
  it('is only for functions that take one', () => {
    const health = step('promptTemplate: "{{x}}"').replace('agent::chat', 'tool::health_check');
    expect(found(health)).toEqual(['DOC_FIELD_IGNORED 5:5 steps[0].promptTemplate']);
    expect(task(planOf(health), 'one').flow).toMatchObject({ prompt: null });
    const own = { functions: new Set(['claims::score']) };
    const score = step().replace('agent::chat', 'claims::score');
    expect(task(planOf(score, own), 'one').flow).toMatchObject({ prompt: null });
    const asked = step('promptTemplate: hi').replace('agent::chat', 'claims::score');
    expect(found(asked, own)).toEqual([]);
    expect(task(planOf(asked, own), 'one').flow).toMatchObject({ prompt: 'hi' });
  });
});

describe('names that have no value where they stand', () => {
  it.each<[readonly (readonly string[])[], readonly string[]]>([
    [[['promptTemplate: "{{later}}"'], ['outputVar: later']], ['5:24']],
    [[['promptTemplate: "{{B.x}}"'], []], ['5:24']],
    [[['outputVar: a1'], ['promptTemplate: "{{a1}} {{A}} {{output}}"']], []],
    [
      [
        [
          'mode: loop',
          'maxIterations: 2',
          'outputVar: r',
          'promptTemplate: "{{r}} {{A}} {{output}} {{feedback}}"',
        ],
      ],
      [],
    ],
    [[['outputVar: r', 'promptTemplate: "{{r}}"']], ['6:24']],
    [
      [
        ['mode: fanout', 'outputVar: r'],
        ['mode: fanout', 'promptTemplate: "{{r}}"'],
      ],
      ['10:24'],
    ],
    [[['mode: fanout', 'promptTemplate: "{{index}}"']], ['6:24']],
    [[['promptTemplate: "{{fanout}}"']], ['5:24']],
    [[['promptTemplate: "{{previous_step.status}} {{output}}"']], ['5:24', '5:49']],
    [[['mode: fanout'], ['promptTemplate: "{{fanout}} {{__fanout}} {{previous_step.status}}"']], []],
  ])('%j are told as warnings', (each, expected) => {
    const { ok, diagnostics } = validate(steps(...each));
    expect(ok).toBe(true);
    expect(diagnostics.map((one) => `${one.line}:${one.column}`)).toEqual(expected);
    expect(new Set(diagnostics.map((one) => one.code)).size).toBeLessThan(2);
  });
});

describe('places inside a text', () => {
  it.each<[readonly string[], string]>([
    [['promptTemplate: >', '  Design the', '  feature', '', '  now {{#if x}} {{/unless}}'], '9:14'],
    [['promptTemplate: |-', '  one', '    two {{> part}}'], '7:13'],
    [['promptTemplate: one', '  two {{a b}}'], '6:11'],
    [["promptTemplate: 'it''s {{a b}}'"], '5:28'],
    [['promptTemplate: "a\\tb \\u00e9\\x41 {{a b}}"'], '5:38'],
    [['promptTemplate: "folded', '', '  here \\', '  and {{a b}}"'], '8:11'],
    [['condition: >-', '  a == 1', '  && b = 2'], '7:12'],
    [['mode: loop', 'until: |', '  score =', '  1'], '7:13'],
  ])('%j', (lines, place) => {
    const { diagnostics } = validate(step(...lines));
    expect(diagnostics.map((one) => `${one.line}:${one.column}`)).toEqual([place]);
  });

  it('are those of the anchor for an alias', () => {
    const text = `id: w
x-prompts:
  - &p "ask {{a b}}"
steps:
  - { name: A, functionId: "agent::chat", promptTemplate: *p }
`;
    expect(found(text)).toEqual(['DOC_TEMPLATE 3:13 steps[0].promptTemplate']);
  });
});

describe('a value that can not be read', () => {
  it.each([
    ['id: w\nsteps: !!js/function "x"\n', 'DOC_UNSUPPORTED 2:22 steps'],
    [step('timeoutMs: !!timestamp 2020-01-01'), 'DOC_UNSUPPORTED 5:28 steps[0].timeoutMs'],
    [step('mode: .nan'), 'DOC_BAD_VALUE 5:11 steps[0].mode'],
    [step().replace('agent::chat', '!chat x'), 'DOC_UNSUPPORTED 4:23 steps[0].functionId'],
    ['!mine {id: w}', 'DOC_UNSUPPORTED 1:7'],
  ])('is told once, and nothing that would follow from its absence: %j', (text, expected) => {
    expect(found(text)).toEqual([expected]);
    expect(parseWorkflow(text).plan).toBeNull();
  });

  it('hides no other fault of the document', () => {
    expect(found(step('mode: .nan', 'stepz: 1', 'timeoutMs: -1'))).toEqual([
      'DOC_BAD_VALUE 5:11 steps[0].mode',
      'DOC_UNKNOWN_FIELD 6:5 steps[0].stepz',
      'DOC_BAD_VALUE 7:16 steps[0].timeoutMs',
    ]);
  });
});

describe('a functionId that is none', () => {
  it.each(['no id', 'agent:chat', 'Agent::chat', 'mcp::', '::chat'])('is told once: %s', (id) => {
    const functions = new Set(['agent::chat']);
    const text = step().replace('functionId: agent::chat', `functionId: "${id}"`);
    expect(found(text, { functions })).toEqual(['DOC_BAD_VALUE 4:17 steps[0].functionId']);
    expect(found(text)).toEqual(['DOC_BAD_VALUE 4:17 steps[0].functionId']);
  });
});

describe('the time of a sandbox', () => {
  const limited = (ms: number, own = '') =>
    validate(step(`sandbox: {driver: docker, limits: {timeoutMs: ${ms}}}`, ...(own === '' ? [] : [own])));
  it('is told to be without effect where the step has less, by its own word or by default', () => {
    const told = (ms: number, own?: string) =>
      limited(ms, own)
        .diagnostics.filter(({ code }) => code === 'DOC_FIELD_IGNORED')
        .map(({ severity, path, message }) => [severity, path, message]);
    const path = 'steps[0].sandbox.limits.timeoutMs';
    const message = (ms: number) => `"timeoutMs" of the sandbox has no effect: the step has ${ms} ms`;
    expect(told(120_001)).toEqual([['warning', path, message(120_000)]]);
    expect(told(5_001, 'timeoutMs: 5000')).toEqual([['warning', path, message(5_000)]]);
    expect(told(120_000)).toEqual([]);
    expect(told(5_000, 'timeoutMs: 5000')).toEqual([]);
  });
});

describe('declared inputs', () => {
  const inputs =
    'inputs: {type: object, required: [goal], properties: {goal: {type: string}}, additionalProperties: false}';

  it('make unknown names errors at load', () => {
    const text = `${inputs}\n${step('promptTemplate: "{{goal}} {{gaol}} {{input.x}} {{feedback}} {{One}}"', 'condition: "{{gaol}} == 1"')}`;
    expect(found(text)).toEqual([
      'DOC_UNKNOWN_NAME 6:33 steps[0].promptTemplate',
      'DOC_UNKNOWN_NAME 6:42 steps[0].promptTemplate',
      'DOC_UNKNOWN_NAME 6:54 steps[0].promptTemplate',
      'DOC_UNKNOWN_NAME 6:67 steps[0].promptTemplate',
      'DOC_UNKNOWN_NAME 7:19 steps[0].condition',
    ]);
    // What exists but has no value here is only a warning.
    expect(validate(text).diagnostics.map((one) => one.severity)).toEqual([
      'error',
      'error',
      'warning',
      'warning',
      'error',
    ]);
    // Of texts onMissing says enough; a condition is false all the same.
    expect(found(`onMissing: keep\n${text}`)).toEqual(['DOC_UNKNOWN_NAME 8:19 steps[0].condition']);
    expect(validate(`onMissing: keep\n${text}`).ok).toBe(true);
    expect(validate(text.replace(inputs, 'inputs: {type: object}')).ok).toBe(true);
  });

  it('that are closed refuse a misspelt part of the input at load, as deep as they say', () => {
    const claim = 'claim: {type: object, additionalProperties: false, properties: {amount: {type: number}}}';
    const closed = `inputs: {type: object, additionalProperties: false, properties: {${claim}, list: {type: array}, text: {type: string}}}`;
    const told = (text: string, condition = 'true') =>
      validate(
        `${closed}\n${step(`promptTemplate: "${text}"`, `condition: "${condition}"`)}`,
      ).diagnostics.map(({ message }) => /names "([^"]+)"/.exec(message)?.[1]);
    expect(
      told('{{input.claim.amuont}} {{claim.amuont}} {{workflow_input.clam}}', 'claim.x > input.y'),
    ).toEqual(['input.claim.amuont', 'claim.amuont', 'workflow_input.clam', 'claim.x', 'input.y']);
    const typo = validate(`${closed}\n${step('promptTemplate: "{{input.claim.amuont}}"')}`).diagnostics;
    expect(typo.map(({ hint }) => hint)).toEqual(['did you mean "amount"?']);
    // What a text or a list holds is not declared; nor is what a step gives under the name of an input.
    expect(told('{{input.claim.amount}} {{list.[0].x}} {{text.length}} {{json input}}')).toEqual([]);
    const given = `${step('promptTemplate: "{{claim.amuont}}"')}\n    outputVar: claim\n    mode: loop\n    maxIterations: 2`;
    expect(found(`${closed}\n${given}`)).toEqual([]);
    expect(
      found(
        `${closed.replace('object, additionalProperties: false', 'object')}\n${step('promptTemplate: "{{input.clam}}"')}`,
      ),
    ).toEqual([]);
  });

  it('are checked before a run, without showing what was given', () => {
    const plan = planOf(`${inputs}\n${step()}`);
    expect(checkInput(plan, { goal: 'x' })).toEqual([]);
    expect(checkInput(plan, { goal: 'x', secret: 's3cr3t' })).toMatchObject([
      { code: 'INPUT_INVALID', path: '' },
    ]);
    const problems = checkInput(plan, { goal: 42 });
    expect(problems).toMatchObject([{ path: 'goal', message: 'goal must be string' }]);
    expect(JSON.stringify(checkInput(plan, 's3cr3t'))).not.toContain('s3cr3t');
    expect(checkInput(planOf(step()), 'anything')).toEqual([]);
  });

  it.each<[string, Json, Json]>([
    ['{a: {default: 1}, b: {default: [x]}}', { b: 2 }, { b: 2, a: 1 }],
    ['{a: {properties: {b: {default: 1}}}}', { a: {} }, { a: { b: 1 } }],
    ['{a: {properties: {b: {default: 1}}}}', {}, {}],
    ['{a: {default: {}, properties: {b: {default: 1}}}}', {}, { a: { b: 1 } }],
    [
      '{a: {items: {properties: {b: {default: 1}}}}}',
      { a: [{}, { b: 2 }, 7] },
      { a: [{ b: 1 }, { b: 2 }, 7] },
    ],
    ['{a: {default: null}, __proto__: {default: 1}}', {}, JSON.parse('{"a": null, "__proto__": 1}') as Json],
    ['{a: {default: 1}}', { a: null }, { a: null }],
    ['{a: {default: 1}}', 'text', 'text'],
    ['{a: {default: 1}}', ['a'], ['a']],
  ])('with defaults %s make of %j an input that has them', (properties, given, input) => {
    const { inputs: schema } = planOf(`inputs: {properties: ${properties}}\n${step()}`);
    const before = JSON.stringify(given);
    expect(JSON.stringify(withDefaults(schema ?? {}, given))).toBe(JSON.stringify(input));
    expect(JSON.stringify(given)).toBe(before);
  });

  it('say which default never fits, and which one is not filled in', () => {
    const line =
      'inputs: {default: {}, properties: {n: {type: integer, default: x}, m: {anyOf: [{default: 1}]}, default: {type: string}}, examples: [{default: 1}]}';
    const { diagnostics } = validate(`${line}\n${step()}`);
    expect(diagnostics.map(({ code, severity, path }) => [code, severity, path])).toEqual([
      ['DOC_FIELD_IGNORED', 'warning', 'inputs.default'],
      ['DOC_INVALID', 'error', 'inputs.properties.n.default'],
      ['DOC_FIELD_IGNORED', 'warning', 'inputs.properties.m.anyOf[0].default'],
    ]);
    expect(diagnostics[1]?.message).toBe(
      'the default does not fit its own schema: the value must be integer',
    );
  });

  it.each<[string, string]>([
    ['inputs: {type: objct}', 'DOC_INVALID 1:16 inputs.type'],
    ['inputs: {requierd: [a]}', 'DOC_INVALID 1:9 inputs'],
    ['inputs: {$ref: "https://elsewhere.example/schema"}', 'DOC_UNSUPPORTED 1:10 inputs.$ref'],
    ['inputs: {$async: true}', 'DOC_UNSUPPORTED 1:10 inputs.$async'],
    ['inputs: {items: {uniqueItems: true}}', 'DOC_UNSUPPORTED 1:18 inputs.items.uniqueItems'],
    ['inputs: {properties: {a: {pattern: "^(a+)+$"}}}', 'DOC_UNSUPPORTED 1:27 inputs.properties.a.pattern'],
    ['inputs: {patternProperties: {}}', 'DOC_UNSUPPORTED 1:10 inputs.patternProperties'],
    ['inputs: text', 'DOC_WRONG_TYPE 1:9 inputs'],
  ])('%s is refused at load', (line, expected) => {
    expect(found(`${line}\n${step()}`)).toEqual([expected]);
  });

  it('may have a property called pattern, and formats', () => {
    const line = 'inputs: {properties: {pattern: {type: string, format: email}}}';
    const plan = planOf(`${line}\n${step()}`);
    expect(checkInput(plan, { pattern: 'a@b.example' })).toEqual([]);
    expect(checkInput(plan, { pattern: 'no' })).toHaveLength(1);
  });

  it.each(['$ref', '$dynamicRef'])('can not reach what was not looked at through %s', (keyword) => {
    const line = `inputs: {properties: {x: {${keyword}: "#/examples/0"}}, examples: [{pattern: "^(a+)+$"}]}`;
    expect(found(`${line}\n${step()}`)).toEqual([`DOC_UNSUPPORTED 1:27 inputs.properties.x.${keyword}`]);
  });
});

describe('whatever stands in a document', () => {
  const names = [
    ...[
      'name',
      'functionId',
      'mode',
      'errorMode',
      'promptTemplate',
      'config',
      'timeoutMs',
      'maxRetries',
      'retry',
    ],
    ...['outputVar', 'condition', 'maxIterations', 'until', 'onExhausted', 'items', 'concurrency', 'agent'],
    ...['approval', 'sandbox', 'idempotent', 'x-y', 'other', '__proto__'],
  ];
  const words = [
    'fanout',
    'collect',
    'loop',
    'agent::chat',
    'a b',
    '{{item}}',
    '{{#if',
    'LGTM',
    'x > 1',
    'A',
    '',
  ];
  const value = fc.oneof(fc.constantFrom(...words), fc.jsonValue({ maxDepth: 2 }));
  const anyStep = fc
    .array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 8 })
    .map(Object.fromEntries);

  it('is told or compiled, never thrown; and there is a plan exactly when nothing is wrong', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 4 }), fc.boolean(), (list, fragment) => {
        const right = list.map((one: object, i) => ({ name: `S${i}`, functionId: 'agent::chat', ...one }));
        const { plan, diagnostics } = parseWorkflow(JSON.stringify({ id: 'w', steps: right }, null, 1), {
          fragment,
        });
        expect(plan === null).toBe(diagnostics.some((one) => one.severity === 'error'));
        for (const one of diagnostics) expect(one.line).toBeGreaterThan(0);
        if (plan === null) return;
        const seen = new Set<string>();
        for (let key: string | null = plan.start; key !== null;) {
          const node: PlanNode | undefined = plan.nodes[key];
          seen.add(key);
          if (node?.kind === 'fork') for (const lane of node.lanes) seen.add(lane.start);
          key = node?.kind === 'fork' || node?.kind === 'task' ? node.next : null;
        }
        expect([...seen].sort()).toEqual(Object.keys(plan.nodes).sort());
      }),
      { numRuns: 300 },
    );
  });
});

describe('a choice', () => {
  it.each([
    '{toString: null}',
    '{toString: 0, valueOf: 0}',
    '{__proto__: null}',
    '[{toString: null}]',
    'null',
  ])('that %s was written for is told with those there are', (value) => {
    expect(
      parseWorkflow(`id: w\nsteps: [{name: A, functionId: "agent::chat", errorMode: ${value}}]`),
    ).toMatchObject({
      plan: null,
      diagnostics: [
        {
          code: 'DOC_BAD_VALUE',
          path: 'steps[0].errorMode',
          hint: expect.stringMatching(/^one of /) as string,
        },
      ],
    });
  });
});

describe('a fragment', () => {
  it('is a bare list of steps, with or without its key', () => {
    const steps = '- name: One\n  functionId: agent::chat';
    expect(planOf(`steps:\n${steps}`, { fragment: true }).id).toBe('fragment');
    expect(planOf(steps, { fragment: true }).start).toBe('one');
    expect(found(steps)).toEqual(['DOC_WRONG_TYPE 1:1']);
  });

  it('may be a part of one step: names and types are checked, no plan comes out', () => {
    expect(parseWorkflow('promptTemplate: x', { fragment: true })).toMatchObject({
      plan: null,
      diagnostics: [],
    });
    expect(found('promptTemplat: x', { fragment: true })).toEqual(['DOC_UNKNOWN_FIELD 1:1 promptTemplat']);
    expect(found('timeoutMs: x', { fragment: true })).toEqual(['DOC_WRONG_TYPE 1:12 timeoutMs']);
    expect(found('mode: loop\nuntil: LGTM', { fragment: true })).toEqual([]);
    expect(found('mode: lop', { fragment: true })).toEqual(['DOC_BAD_VALUE 1:7 mode']);
  });
});
