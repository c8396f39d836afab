// What a person sees who writes a workflow in an editor: the published schema in the real language server.
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LanguageServer, type Position } from './language-server.js';

const server = new LanguageServer();
beforeAll(() => server.open());
afterAll(() => server.close());

// As an installed package names it.
const { resolve } = createRequire(import.meta.url);
const SCHEMA = { steps: resolve('writ/schema/steps.json'), states: resolve('writ/schema/states.json') };
let dialect: keyof typeof SCHEMA = 'steps';
let count = 0;

/** A document with `¦` where the cursor is. */
async function opened(...lines: readonly string[]) {
  const text = [`# yaml-language-server: $schema=${SCHEMA[dialect]}`, ...lines].join('\n');
  const before = text.slice(0, Math.max(0, text.indexOf('¦'))).split('\n');
  const position: Position = { line: before.length - 1, character: before.at(-1)?.length ?? 0 };
  const uri = `file:///editor/${++count}.yaml`;
  const problems = await server.problems(uri, text.replace('¦', ''));
  return { uri, position, problems };
}

async function completions(...lines: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { uri, position } = await opened(...lines);
  return server.completions(uri, position);
}

const STEP = ['id: w', 'steps:', '  - name: One', '    functionId: agent::chat'];

describe('an editor with the published schema', () => {
  it('offers the fields of a workflow', async () => {
    const found = await completions('id: w', '¦');
    expect([...found.keys()]).toEqual(
      expect.arrayContaining(['name', 'description', 'agents', 'steps', 'inputs', 'ceilings', 'onMissing']),
    );
    expect(found.get('onMissing')).toContain('fails the step before anything runs');
  });

  it('offers every field of a step that is not there yet, with what it means', async () => {
    const found = await completions(...STEP, '    ¦');
    const fields = ['mode', 'errorMode', 'promptTemplate', 'config', 'timeoutMs', 'maxRetries', 'retry'];
    const more = ['outputVar', 'condition', 'maxIterations', 'until', 'onExhausted', 'items', 'concurrency'];
    const ours = ['agent', 'approval', 'sandbox', 'idempotent'];
    expect([...found.keys()]).toEqual(expect.arrayContaining([...fields, ...more, ...ours]));
    expect(found.has('functionId')).toBe(false);
    for (const field of [...fields, ...more, ...ours]) expect(found.get(field), field).not.toBe('');
  });

  it('offers the modes and error modes', async () => {
    expect([...(await completions(...STEP, '    mode: ¦')).keys()]).toEqual(
      expect.arrayContaining(['sequential', 'fanout', 'collect', 'conditional', 'loop']),
    );
    expect([...(await completions(...STEP, '    errorMode: ¦')).keys()]).toEqual(
      expect.arrayContaining(['fail', 'skip', 'retry']),
    );
  });

  it('offers the fields of until, approval and sandbox', async () => {
    expect([...(await completions(...STEP, '    until:', '      ¦')).keys()]).toEqual(
      expect.arrayContaining(['path', 'equals', 'contains', 'gte']),
    );
    expect([...(await completions(...STEP, '    approval:', '      ¦')).keys()]).toEqual(
      expect.arrayContaining(['mode', 'approverRoles', 'quorum', 'expiresSeconds']),
    );
    expect([...(await completions(...STEP, '    sandbox:', '      ¦')).keys()]).toEqual(
      expect.arrayContaining(['driver', 'image', 'limits']),
    );
  });

  it.each([
    ['    mo¦de: loop', 'again until'],
    ['    app¦roval: sync', 'Whether a person decides before the step runs'],
    ['    timeo¦utMs: 5', 'really stopped'],
    ['    age¦nt: x', 'asked for by policy'],
  ])('explains the field under the cursor: %s', async (line, words) => {
    const { uri, position } = await opened(...STEP, line);
    expect(await server.hover(uri, position)).toContain(words);
  });

  it.each<[string, RegExp, number]>([
    ['    aproval: sync', /Property aproval is not allowed/, 5],
    ['    mode: lop', /Value is not accepted.*"loop"/s, 5],
    ['    timeoutMs: soon', /Expected "integer"/, 5],
    ['    mode: conditional', /Missing property "condition"/, 3],
    ['    sandbox: {driver: docker, image: "alpine:3"}', /does not match the pattern/, 5],
    ['    sandbox: {limits: {}}', /Missing property "driver"/, 5],
  ])('marks what is wrong: %s', async (line, message, at) => {
    const { problems } = await opened(...STEP, line);
    expect(problems.map((one) => [one.message, one.range.start.line])).toEqual([
      [expect.stringMatching(message), at],
    ]);
  });

  it('finds nothing wrong with a workflow that uses every field', async () => {
    const { problems } = await opened(
      'id: w',
      'name: W',
      'description: d',
      'agents: [a]',
      'inputs: {type: object}',
      'timeoutMs: 1000',
      'ceilings: {}',
      'onMissing: keep',
      'x-owner: claims',
      'steps:',
      '  - name: One',
      '    functionId: agent::chat',
      '    mode: loop',
      '    errorMode: retry',
      '    promptTemplate: "{{input}}"',
      '    config: {model: small}',
      '    timeoutMs: 5',
      '    maxRetries: 1',
      '    retry: {initialMs: 1, factor: 2, maxMs: 3, jitter: none}',
      '    outputVar: out',
      '    condition: a == 1',
      '    maxIterations: 3',
      '    until: {path: ok, equals: true}',
      '    onExhausted: fail',
      '    agent: a',
      '    approval: {mode: two-person, approverRoles: [r], quorum: 2, expiresSeconds: 60, onExpire: deny}',
      '    sandbox: {driver: docker, image: tools, network: none, limits: {memoryMiB: 64, pids: 10}}',
      '    idempotent: true',
      '    x-note: fine',
      '  - name: Two',
      '    functionId: agent::chat',
      '    mode: fanout',
      '    items: input.docs',
      '    concurrency: 8',
    );
    expect(problems).toEqual([]);
  });
});

const MACHINE = [
  'apiVersion: agentrc.workflow/v0.1',
  'kind: AgentWorkflow',
  'metadata: {name: m}',
  'spec:',
  '  startAt: A',
  '  states:',
  '    A:',
];

describe('an editor with the schema of state machines', () => {
  beforeAll(() => {
    dialect = 'states';
  });

  it('offers the types of states, and the fields of the one that is chosen', async () => {
    expect([...(await completions(...MACHINE, '      type: ¦')).keys()]).toEqual(
      expect.arrayContaining(['Task', 'Choice', 'Pass', 'Wait', 'Succeed', 'Fail', 'Parallel', 'Map']),
    );
    const found = await completions(...MACHINE, '      type: Map', '      ¦');
    const fields = ['itemProcessor', 'itemsPath', 'items', 'itemReader', 'toleratedFailureCount', 'catch'];
    expect([...found.keys()]).toEqual(expect.arrayContaining(fields));
    for (const field of fields) expect(found.get(field), field).not.toBe('');
    expect(found.has('branches')).toBe(false);
  });

  it('offers the fields of nested states, readers and rules', async () => {
    const inner = [
      '      type: Map',
      '      itemProcessor:',
      '        startAt: I',
      '        states:',
      '          I:',
    ];
    expect([
      ...(await completions(...MACHINE, ...inner, '            type: Task', '            ¦')).keys(),
    ]).toEqual(expect.arrayContaining(['agent', 'resource', 'human', 'heartbeatSeconds', 'credentials']));
    const reader = ['      type: Map', '      itemReader:', '        readerConfig:', '          ¦'];
    expect([...(await completions(...MACHINE, ...reader)).keys()]).toEqual(
      expect.arrayContaining(['inputType', 'csvHeaders', 'maxItems', 'itemsPointer']),
    );
    const rule = ['      type: Choice', '      choices:', '        - ¦'];
    expect([...(await completions(...MACHINE, ...rule)).keys()]).toEqual(
      expect.arrayContaining(['variable', 'stringEquals', 'condition', 'and', 'next']),
    );
  });

  it.each([
    ['      heartbeat¦Seconds: 5', 'between two signs of life'],
    ['      resultSel¦ector: {}', 'what is kept of the result'],
    ['      retr¦y: []', 'tried again'],
  ])('explains the field under the cursor: %s', async (line, words) => {
    const { uri, position } = await opened(...MACHINE, '      type: Task', line);
    expect(await server.hover(uri, position)).toContain(words);
  });

  it.each<[string, RegExp]>([
    ['      heartbeatSecs: 5', /Property heartbeatSecs is not allowed/],
    ['      timeoutSeconds: soon', /does not match the pattern|Incorrect type/],
    ['      retry: [{maxAttempts: 1}]', /Missing property "errorEquals"/],
    ['      human: {}', /Missing property "form"/],
  ])('marks what is wrong: %s', async (line, message) => {
    const { problems } = await opened(...MACHINE, '      type: Task', line);
    expect(problems.map((one) => [one.message, one.range.start.line])).toEqual([
      [expect.stringMatching(message), 9],
    ]);
  });

  it('finds nothing wrong with the fields of either query language', async () => {
    const { problems } = await opened(
      ...MACHINE,
      '      type: Task',
      '      resource: tool::wasm',
      '      timeoutSeconds: "{% $t %}"',
      '      heartbeatSecondsPath: $.h',
      '      credentials: {roleArn: r}',
      '      arguments: {a: "{% 1 %}"}',
      '      parameters: {a.$: $.a}',
      '      assign: {v: 1}',
      '      next: B',
      '    B:',
      '      type: Choice',
      '      choices: [{condition: "{% true %}", next: C}, {not: {variable: $.a, isNull: true}, next: C}]',
      '      default: C',
      '    C:',
      '      type: Map',
      '      itemProcessor: {processorConfig: {mode: DISTRIBUTED}, startAt: I, states: {I: {type: Succeed}}}',
      '      itemReader: {resource: "artifact:read", readerConfig: {inputType: CSV, csvHeaderLocation: FIRST_ROW}}',
      '      maxConcurrency: 3',
      '      toleratedFailurePercentage: 2.5',
      '      end: true',
    );
    expect(problems).toEqual([]);
  });
});
