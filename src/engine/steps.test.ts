import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import type { Each, Loop } from '../workflow/plan.js';
import {
  groupPlan,
  retrier,
  runOf,
  stepError,
  stepsPlan,
  type Run,
  type StepDraft,
} from '../../test/property/plans.js';

const FAILED = stepError('FUNCTION_FAILED');
const IMPLIED: Each = { items: { kind: 'implied' }, concurrency: 4 };

const input = (run: Run, stepPath?: string): Json => run.task(stepPath).input;

describe('a fanout group (dialect 1)', () => {
  const group = groupPlan(
    [{ name: 'Plan', outputVar: 'plan' }],
    [
      { name: 'A', prompt: 'a {{plan}} {{output}}', outputVar: 'a' },
      { name: 'B', prompt: 'b {{input.x}}' },
    ],
    [{ name: 'C', collects: true, prompt: '{{fanout}} {{output}} {{a}} {{B}}' }],
  );

  it('starts together, each seeing what was there before the group', () => {
    const run = runOf(group, { x: 1 }).ok('p');
    expect(run.tasks()).toEqual(['a', 'b']);
    expect([input(run, 'a'), input(run, 'b')]).toEqual([{ message: 'a p p' }, { message: 'b 1' }]);
  });

  it('gives collect the results in step order, whichever ended first', () => {
    const run = runOf(group, { x: 1 }).ok('p').ok('rb', 1, 'b').ok('ra', 2, 'a');
    expect(input(run)).toEqual({
      message: '["ra","rb"] ["ra","rb"] ra rb',
      fanoutResults: ['ra', 'rb'],
      fanoutErrors: [],
    });
  });

  it.each(['tool::wasm', 'tool::shell_exec', 'tool::http_request', 'tool::health_check', 'security::check'])(
    '%s collects by its template: its request has no place for more',
    (functionId) => {
      const call = { kind: 'function', functionId, agent: null, fallback: null } as const;
      const collect = { name: 'C', collects: true, call, config: { stdin: 'of {{fanout}}' } };
      const run = runOf(groupPlan([], [{ name: 'A' }, { name: 'B' }], [collect]))
        .ok('ra', 1, 'a')
        .ok('rb', 2, 'b');
      expect(input(run)).toEqual({ stdin: 'of ["ra","rb"]' });
    },
  );

  it('errorMode skip gives null and says why; the sibling runs once', () => {
    const plan = groupPlan(
      [],
      [{ name: 'A', onFailure: 'skip' }, { name: 'B' }],
      [{ name: 'C', collects: true, prompt: '{{B}}|{{A}}' }],
    );
    const run = runOf(plan).bad(FAILED, 1, 0, 'a').ok('rb', 2, 'b');
    expect(input(run)).toEqual({
      message: 'rb|',
      fanoutResults: [null, 'rb'],
      fanoutErrors: [{ step: 'A', index: null, code: 'FUNCTION_FAILED', message: 'cause of Tool.Failed' }],
    });
    expect(run.state().outcomes['a']?.status).toBe('skipped');
  });

  it('a member whose condition is false gives null without an error', () => {
    const plan = groupPlan(
      [],
      [{ name: 'A', when: 'false' }, { name: 'B' }],
      [{ name: 'C', collects: true }],
    );
    const run = runOf(plan).ok('rb');
    expect(input(run)).toEqual({ fanoutResults: [null, 'rb'], fanoutErrors: [] });
    expect(run.notes()).toMatchObject([{ kind: 'skipped', stepPath: 'a', reason: 'condition' }]);
  });

  it('errorMode fail stops the sibling and fails the run', () => {
    const plan = groupPlan([], [{ name: 'A' }, { name: 'B' }], []);
    const run = runOf(plan).send({ kind: 'started', stepPath: 'b', nowMs: 0 }).bad(FAILED, 1, 0, 'a');
    expect(run.task()).toMatchObject({ stepPath: 'b', isStopping: true });
    expect(run.send({ kind: 'stopped', nowMs: 2 }).finish().error).toEqual(FAILED);
  });

  it('errorMode retry runs only that member again', () => {
    const plan = groupPlan([], [{ name: 'A', retry: [retrier({ intervalMs: 1 })] }, { name: 'B' }], []);
    const run = runOf(plan).ok('rb', 0, 'b').bad(FAILED, 0, 0, 'a').tick(1);
    expect(run.task()).toMatchObject({ stepPath: 'a', attempt: 2 });
    expect(run.ok('ra', 2).finish().output).toEqual(['ra', 'rb']);
  });
});

describe('a map in a group (dialect 1)', () => {
  const over = (items: Each['items'], concurrency = 4): ReturnType<typeof groupPlan> =>
    groupPlan(
      [{ name: 'List' }],
      [{ name: 'Each', prompt: '{{index}}:{{item}}', each: { items, concurrency }, outputVar: 'all' }],
      [{ name: 'After', prompt: '{{all}} {{output}}' }],
    );

  it('goes through the output before it, at most so many at once, in index order', () => {
    const run = runOf(over({ kind: 'implied' }, 2)).ok(['x', 'y', 'z']);
    expect(run.ready()).toEqual(['each[0]', 'each[1]']);
    expect(input(run, 'each[1]')).toEqual({ message: '1:y' });
    expect(run.ok('Y', 1, 'each[1]').ready()).toEqual(['each[0]', 'each[2]']);
    expect(run.task('each[2]')).toMatchObject({ item: 2, attempt: 1 });
  });

  it('gives a list in item order, and alone in its group it is the output', () => {
    const run = runOf(over({ kind: 'implied' }))
      .ok(['x', 'y'])
      .ok('Y', 1, 'each[1]')
      .ok('X', 2, 'each[0]');
    expect(input(run)).toEqual({ message: '["X","Y"] ["X","Y"]' });
  });

  it.each<[string, Each['items'], Json, Json, number]>([
    [
      'a list in the document, templates in it',
      { kind: 'list', list: ['{{input.a}}', 'b'] },
      { a: 1 },
      'no list',
      2,
    ],
    ['a path', { kind: 'template', template: '{{input.names}}' }, { names: ['q'] }, 'no list', 1],
    ['a list that was answered as JSON text', { kind: 'implied' }, {}, '[1,2,3]', 3],
    ['the input, where the output is no list', { kind: 'implied' }, ['a', 'b'], 'no list', 2],
    ['input.items, where neither is', { kind: 'implied' }, { items: [1] }, 'no list', 1],
  ])('takes its items from %s', (_, items, given, output, count) => {
    expect(runOf(over(items), given).ok(output).tasks()).toHaveLength(count);
  });

  it('of no list at all has failed; of an empty one is over', () => {
    expect(
      runOf(over({ kind: 'implied' }), {})
        .ok('text')
        .finish().error?.code,
    ).toBe('STEP_FANOUT_NO_ITEMS');
    expect(input(runOf(over({ kind: 'implied' }), {}).ok([]))).toEqual({ message: '[] []' });
  });

  it.each<[Json, string]>([
    [{ a: 1 }, 'an object'],
    ['abc', 'text'],
    [0, 'a number'],
    [null, 'null'],
  ])('of what `items` names and is no list, says what it is: %j', (names, kind) => {
    const items: Each['items'] = { kind: 'template', template: '{{[input].[names]}}' };
    expect(runOf(over(items), { names }).ok('text').finish().error).toMatchObject({
      code: 'STEP_FANOUT_NO_ITEMS',
      message: expect.stringContaining(`no list to go through: its items are ${kind}`),
    });
    // And what is not there is told as the document writes it.
    expect(runOf(over(items), {}).ok('text').finish().error?.message).toContain('names input.names, which');
  });

  it('skips single items', () => {
    const plan = groupPlan(
      [],
      [{ name: 'Each', each: IMPLIED, onFailure: 'skip' }],
      [{ name: 'After', collects: true }],
    );
    const run = runOf(plan, ['x', 'y']).ok('X', 1, 'each[0]').bad(FAILED, 2, 0, 'each[1]');
    expect(input(run)).toMatchObject({
      fanoutResults: ['X', null],
      fanoutErrors: [{ step: 'Each', index: 1 }],
    });
  });

  it('that may be skipped is, where it has no list or can not work it out; its siblings are not', () => {
    const wrong: Each['items'] = { kind: 'template', template: '{{input.nobody}}' };
    for (const [items, code] of [
      [{ kind: 'implied' }, 'STEP_FANOUT_NO_ITEMS'],
      [wrong, 'STEP_TEMPLATE_UNRESOLVED'],
    ] as const) {
      const each: StepDraft & { readonly each: Each } = {
        name: 'Each',
        each: { items, concurrency: 4 },
        onFailure: 'skip',
        outputVar: 'all',
      };
      const after = { name: 'After', collects: true, prompt: '{{all}}|{{output}}' };
      const alone = runOf(groupPlan([], [each], [after]), {});
      const why = [
        { step: 'Each', index: null, code, message: expect.stringContaining('step "Each"') as string },
      ];
      expect(input(alone)).toEqual({ message: '|[]', fanoutResults: [], fanoutErrors: why });
      expect(alone.notes()).toMatchObject([{ kind: 'skipped', stepPath: 'each', reason: 'error' }]);
      const two = runOf(groupPlan([], [each, { name: 'Other' }], [after]), {});
      expect(two.tasks()).toEqual(['other']);
      expect(input(two.ok('o'))).toMatchObject({ fanoutResults: [null, 'o'], fanoutErrors: why });
      // And what may not be skipped fails the run, whoever stands beside it.
      const strict = runOf(
        groupPlan([], [each, { ...each, name: 'Strict', onFailure: 'fail' }], [after]),
        {},
      );
      expect(strict.finish().error?.code).toBe(code);
    }
  });

  it('fails with the first item that does, and starts no other', () => {
    const plan = groupPlan([], [{ name: 'Each', each: { ...IMPLIED, concurrency: 1 } }], []);
    expect(runOf(plan, ['x', 'y']).bad(FAILED).finish().error).toEqual(FAILED);
  });
});

describe('a loop (dialect 1)', () => {
  const loop = (fields: Partial<Loop> = {}): Loop => ({
    maxIterations: 3,
    until: { kind: 'phrase', phrase: 'LGTM' },
    onExhausted: 'continue',
    ...fields,
  });
  const looping = (fields: Partial<Loop> = {}): ReturnType<typeof stepsPlan> =>
    stepsPlan([
      { name: 'Draft' },
      {
        name: 'Loop',
        loop: loop(fields),
        prompt: '{{iteration}}/{{maxIterations}} {{output}}{{#if iteration}} {{feedback}}{{/if}}',
      },
      { name: 'After', prompt: '{{output}}' },
    ]);

  it('goes on until its output says so; each iteration is another attempt with an input of its own', () => {
    const run = runOf(looping()).ok('draft');
    expect(run.task()).toMatchObject({ attempt: 1, iteration: 0, input: { message: '0/3 draft' } });
    run.ok({ content: 'no', feedback: 'shorter' });
    expect(run.task()).toMatchObject({ attempt: 2, iteration: 1 });
    expect(input(run)).toEqual({ message: '1/3 {"content":"no","feedback":"shorter"} shorter' });
    expect(input(run.ok('LGTM now'))).toEqual({ message: 'LGTM now' });
    expect(run.notes()).toEqual([{ kind: 'loop-ended', stepPath: 'loop', iterations: 2, converged: true }]);
  });

  it('says why where the output gives no feedback', () => {
    const run = runOf(looping()).ok('draft').ok('not yet');
    expect(input(run)).toMatchObject({ message: expect.stringMatching(/^1\/3 not yet .*LGTM/) as string });
  });

  it('sees under its own names what the iteration before has given, and nothing in the first', () => {
    const prompt = '[{{verdict}}|{{Loop}}|{{loop}}]';
    const run = runOf(stepsPlan([{ name: 'Loop', loop: loop(), prompt, outputVar: 'verdict' }]));
    expect(input(run)).toEqual({ message: '[||]' });
    expect(input(run.ok('fix it'))).toEqual({ message: '[fix it|fix it|fix it]' });
  });

  it.each<[string, Loop['until']]>([
    ['outputVar', { kind: 'expression', expression: "{{verdict}} == 'good'" }],
    ['name', { kind: 'expression', expression: "{{My Loop}} == 'good'" }],
    ['slug', { kind: 'test', path: 'my_loop', operator: 'equals', operand: 'good' }],
  ])('ends at what this very iteration has given, asked for by its own %s', (_, until) => {
    const run = runOf(
      stepsPlan([
        { name: 'My Loop', loop: loop({ until }), outputVar: 'verdict' },
        { name: 'After', prompt: '{{verdict}}' },
      ]),
    );
    expect(input(run.ok('bad').ok('good'))).toEqual({ message: 'good' });
    expect(run.notes()).toEqual([
      { kind: 'loop-ended', stepPath: 'my_loop', iterations: 2, converged: true },
    ]);
  });

  it('that is used up goes on with its last output, and says so', () => {
    const run = runOf(looping()).ok('draft').ok(1).ok(2).ok(3);
    expect(input(run)).toEqual({ message: '3' });
    expect(run.notes()).toEqual([{ kind: 'loop-ended', stepPath: 'loop', iterations: 3, converged: false }]);
  });

  it('onExhausted: fail fails the step', () => {
    const run = runOf(looping({ onExhausted: 'fail' }))
      .ok('draft')
      .ok(1)
      .ok(2)
      .ok(3);
    expect(run.finish().error?.code).toBe('STEP_LOOP_EXHAUSTED');
  });

  it('without until goes through all iterations, which is what was asked for', () => {
    const run = runOf(looping({ until: null, maxIterations: 1 }))
      .ok('draft')
      .ok('x');
    expect(run.notes()).toEqual([{ kind: 'loop-ended', stepPath: 'loop', iterations: 1, converged: true }]);
  });

  it('retries the iteration that failed, with the same iteration and input', () => {
    const plan = stepsPlan([
      { name: 'Loop', loop: loop(), prompt: '{{iteration}} {{output}}', retry: [retrier({ intervalMs: 1 })] },
    ]);
    const run = runOf(plan).ok('first');
    const before = run.task();
    const again = run.bad(FAILED, 5).tick(6).task();
    expect(again).toMatchObject({ attempt: before.attempt + 1, iteration: 1, input: before.input });
    expect(again.idempotencyKey).toBe(before.idempotencyKey);
  });

  it('gives each iteration a key of its own', () => {
    const run = runOf(looping()).ok('draft');
    const first = run.task().idempotencyKey;
    expect(run.ok('no').task().idempotencyKey).not.toBe(first);
  });
});

describe('what a chat has said (dialect 1)', () => {
  const chat = { kind: 'function', functionId: 'agent::chat', agent: null, fallback: null } as const;
  const plan = stepsPlan([
    { name: 'Ask', call: chat, outputVar: 'answer' },
    { name: 'B', prompt: '{{answer}}|{{output}}|{{Ask.model}}' },
  ]);

  it('is its content where text is wanted, and all of it under the name of the step', () => {
    expect(input(runOf(plan).ok({ content: 'yes', model: 'm' }))).toEqual({ message: 'yes|yes|m' });
  });
});
