import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import { retrier, runOf, stepError, stepsPlan, type Run, type StepDraft } from '../../test/property/plans.js';

const FAILED = stepError('FUNCTION_FAILED');

/** What the template of the last step becomes after `outputs` of the steps before. */
function message(run: Run): Json | undefined {
  const { input } = run.task();
  return typeof input === 'object' && input !== null && 'message' in input ? input.message : undefined;
}

function steps(...drafts: readonly StepDraft[]): (input?: Json) => Run {
  return (input = {}) => runOf(stepsPlan(drafts), input);
}

describe('what a step sees (dialect 1)', () => {
  it('is rendered into a request once, and a retry gets the same', () => {
    const run = steps({
      name: 'A',
      prompt: 'Do {{goal}}',
      config: { n: '{{count}}' },
      retry: [retrier({ intervalMs: 1 })],
    })({ goal: 'it', count: 3 });
    expect(run.task().input).toEqual({ message: 'Do it', n: 3 });
    expect(run.bad(FAILED, 0).tick(1).task().input).toEqual({ message: 'Do it', n: 3 });
  });

  it.each<[string, string, Json]>([
    ['an input property by its name', '{{x}}', 'input'],
    ['a step by its name before an input property', '{{Step One}}', 'step'],
    ['a step by its slug', '{{step_one}}', 'step'],
    ['the input as a whole', '{{input.x}}', 'input'],
    ['the input under its other name', '{{workflow_input.x}}', 'input'],
    ['the run', '{{run.id}}', 'run_1'],
    ['when the run started', '{{run.startedAt}}', '1970-01-01T00:00:00.000Z'],
    ['the workflow', '{{workflow.id}}', 'claims'],
    ['the output of the step before', '{{output}}', 'step'],
  ])('names %s', (_, prompt, expected) => {
    const run = steps({ name: 'Step One' }, { name: 'B', prompt })({ x: 'input', step_one: 'input' });
    expect(message(run.ok('step'))).toBe(expected);
  });

  it('outputVar comes before step name; an input can not stand in for a step that has said nothing yet', () => {
    const run = steps(
      { name: 'a', outputVar: 'b' },
      { name: 'b' },
      { name: 'c', prompt: '{{a}} {{b}} {{c}}' },
    )({ a: 'input', b: 'input', c: 'input' });
    expect(message(run.ok('first').ok('second'))).toBe('first first ');
  });

  it.each([
    'run',
    'workflow',
    'workflow_input',
    'previous_step',
    'output',
    'fanout',
    'item',
    'index',
    'iteration',
    'feedback',
  ])('an input property can not pass for the fixed name %s', (name) => {
    const plan = stepsPlan([{ name: 'A', prompt: `[{{${name}}}]` }], { onMissing: 'empty' });
    expect(message(runOf(plan, { [name]: 'forged' }))).not.toContain('[forged]');
    const whole = stepsPlan([{ name: 'A', prompt: `{{input.${name}}}` }]);
    expect(message(runOf(whole, { [name]: 'mine' }))).toBe('mine');
  });

  it('input is the input of the run at every step, whatever the steps give', () => {
    const run = steps({ name: 'A' }, { name: 'B' }, { name: 'C', prompt: '{{input.x}}' })({ x: 1 });
    expect(message(run.ok({ x: 2 }).ok({ x: 3 }))).toBe('1');
    expect(run.state().input).toEqual({ x: 1 });
  });

  it('a value is not expanded again', () => {
    const run = steps(
      { name: 'A', outputVar: 'a' },
      { name: 'B', prompt: '{{a}} {{x}}' },
    )({ x: '{{run.id}}' });
    expect(message(run.ok('{{input}}'))).toBe('{{input}} {{run.id}}');
  });

  it('constructor and __proto__ never resolve', () => {
    const input = JSON.parse('{"constructor": "c", "__proto__": "p"}') as Json;
    const plan = stepsPlan([{ name: 'A', prompt: '[{{input.constructor}}{{input.__proto__}}]' }], {
      onMissing: 'empty',
    });
    expect(message(runOf(plan, input))).toBe('[]');
  });

  it('an unknown name fails the step before anything is called', () => {
    const run = steps({ name: 'A', prompt: '{{nobody}}' })();
    expect(run.finish()).toMatchObject({ status: 'failed', error: { code: 'STEP_TEMPLATE_UNRESOLVED' } });
    expect(run.state().transitions).toBe(1);
  });

  it('a name of the plan that has no value yet prints empty', () => {
    expect(
      message(
        steps({ name: 'A', prompt: '[{{later}}{{B}}{{output}}]' }, { name: 'B', outputVar: 'later' })(),
      ),
    ).toBe('[]');
  });
});

describe('previous_step', () => {
  const see = (prompt: string): StepDraft => ({ name: 'Last', prompt });

  it.each<[string, string, Json, string]>([
    ['has the properties of the output', '{{previous_step.score}}', { score: 7 }, '7'],
    ['has status where the output has none', '{{previous_step.status}}', { score: 7 }, 'success'],
    ["has the output's own status first", '{{previous_step.status}}', { status: 'degraded' }, 'degraded'],
    ['has a status for an output that is no object', '{{previous_step.status}}', 'text', 'success'],
    ['has durationMs', '{{previous_step.durationMs}}', 'text', '25'],
  ])('%s', (_, prompt, output, expected) => {
    expect(message(steps({ name: 'A' }, see(prompt))().ok(output, 25))).toBe(expected);
  });

  it('tells that the step was skipped and why', () => {
    const run = steps(
      { name: 'A', onFailure: 'skip' },
      see('{{previous_step.status}} {{previous_step.error.code}}'),
    )();
    expect(message(run.bad(FAILED))).toBe('skipped FUNCTION_FAILED');
  });

  it('is not there at the first step', () => {
    const run = runOf(stepsPlan([{ name: 'A', prompt: '[{{previous_step.status}}]' }]));
    expect(message(run)).toBe('[]');
  });
});

describe("a chat's answer", () => {
  const chat = { kind: 'function', functionId: 'agent::chat', agent: null, fallback: null } as const;
  const answer: Json = {
    content: '{"severity": "P0", "model": "mine"}',
    model: 'm-1',
    usage: { inputTokens: 7 },
  };

  it.each([
    ['is its text by the name of its step', '{{Triage Step}}', '{"severity": "P0", "model": "mine"}'],
    ['is its text by the slug', '{{triage_step}}', '{"severity": "P0", "model": "mine"}'],
    ['opens the JSON in that text', '{{Triage Step.severity}}', 'P0'],
    ['has its own fields behind those', '{{Triage Step.usage.inputTokens}} {{Triage Step.model}}', '7 mine'],
    ['can still be asked for its text', '{{Triage Step.content}}', '{"severity": "P0", "model": "mine"}'],
    [
      'is seen by previous_step with both',
      '{{previous_step.severity}} {{previous_step.usage.inputTokens}}',
      'P0 7',
    ],
    ['leaves previous_step its status', '{{previous_step.status}}', 'success'],
  ])('%s', (_, prompt, expected) => {
    const run = steps({ name: 'Triage Step', call: chat }, { name: 'B', prompt })().ok(answer);
    expect(message(run)).toBe(expected);
  });

  it('is compared like that in a condition', () => {
    const when =
      "{{Triage.severity}} == 'P0' && {{previous_step.severity}} == 'P0' && Triage.usage.inputTokens == 7";
    const run = steps({ name: 'Triage', call: chat }, { name: 'B', when })().ok(answer);
    expect(run.task().stepPath).toBe('b');
  });

  it('hides nothing of a step whose name an outputVar has taken', () => {
    const run = steps(
      { name: 'A', call: chat },
      { name: 'B', outputVar: 'A' },
      { name: 'C', prompt: '[{{default A.usage "none"}}]' },
    )()
      .ok(answer)
      .ok('text');
    expect(message(run)).toBe('[none]');
  });
});

describe('a condition', () => {
  const plan = (when: string): StepDraft[] => [
    { name: 'A', outputVar: 'a' },
    { name: 'B', outputVar: 'b', when },
    { name: 'C', prompt: '{{output}}|{{b}}|{{previous_step.status}}' },
  ];

  it('that is true runs the step', () => {
    const run = runOf(stepsPlan(plan('a == 5'))).ok(5);
    expect(run.task().stepPath).toBe('b');
    expect(message(run.ok('did'))).toBe('did|did|success');
  });

  it.each(['a == 6', "a == '5'", 'nothing.here == 5'])(
    'that is false (%s) skips it and leaves output and variable',
    (when) => {
      const run = runOf(stepsPlan(plan(when))).ok(5);
      expect(run.task().stepPath).toBe('c');
      expect(message(run)).toBe('5||skipped');
      expect(run.state().outcomes['b']).toEqual({
        status: 'skipped',
        output: null,
        durationMs: 0,
        error: null,
      });
      expect(run.state().main?.attempts).toEqual({ a: 1, c: 1 });
    },
  );

  it('reads a value as data, never as part of the expression', () => {
    const run = runOf(stepsPlan(plan("a == 'go'"))).ok("x' == 'x' || 'a");
    expect(run.task().stepPath).toBe('c');
  });

  it('that skips the last step ends the run with the output before', () => {
    const run = runOf(stepsPlan([{ name: 'A' }, { name: 'B', when: 'false' }])).ok({ kept: true });
    expect(run.finish()).toMatchObject({ status: 'completed', output: { kept: true } });
  });
});

describe('errorMode', () => {
  const after: StepDraft = { name: 'B', prompt: '[{{a}}]' };

  it('skip goes on, records the error, and leaves the outputVar unset', () => {
    const run = steps({ name: 'A', outputVar: 'a', onFailure: 'skip' }, after)().bad(FAILED, 40);
    expect(message(run)).toBe('[]');
    expect(run.state().outcomes['a']).toEqual({
      status: 'skipped',
      output: null,
      durationMs: 40,
      error: { code: 'FUNCTION_FAILED', message: 'cause of Tool.Failed' },
    });
  });

  it('skip covers a template that can not be rendered', () => {
    const run = steps({ name: 'A', prompt: '{{nobody}}', onFailure: 'skip' }, { name: 'B' })();
    expect(run.task().stepPath).toBe('b');
    expect(run.state().outcomes['a']).toMatchObject({
      status: 'skipped',
      error: { code: 'STEP_TEMPLATE_UNRESOLVED' },
    });
  });

  it.each([
    'POLICY_NO_MATCH',
    'CEILING_TOOLS',
    'APPROVAL_DENIED',
    'APPROVAL_EXPIRED',
    'STORE_IO',
    'INTEGRITY_DIGEST',
  ] as const)('skip never covers %s: the run fails', (code) => {
    const run = steps({ name: 'A', onFailure: 'skip' }, after)().bad(stepError(code));
    expect(run.finish()).toMatchObject({ status: 'failed', error: { code } });
  });

  it('retry ends with the last error, and a refusal among the retries ends it at once', () => {
    const A: StepDraft = { name: 'A', retry: [retrier({ intervalMs: 1, backoffRate: 1, maxAttempts: 2 })] };
    const last = stepError('SANDBOX_TIMEOUT');
    expect(
      steps(A, after)().bad(FAILED, 0).tick(1).bad(FAILED, 1).tick(2).bad(last, 2).finish().error,
    ).toEqual(last);
    const denied = stepError('APPROVAL_DENIED');
    expect(steps(A, after)().bad(FAILED, 0).tick(1).bad(denied, 1).finish().error).toEqual(denied);
  });

  it('retry does not run a step again whose request is wrong', () => {
    const wrong = stepError('FUNCTION_REQUEST_INVALID');
    expect(
      steps({ name: 'A', retry: [retrier()] })()
        .bad(wrong)
        .finish().error,
    ).toEqual(wrong);
  });

  it('fail ends the run with the error', () => {
    expect(steps({ name: 'A' }, after)().bad(FAILED).finish()).toMatchObject({
      status: 'failed',
      error: FAILED,
      output: null,
    });
  });
});
