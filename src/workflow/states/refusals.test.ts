// What AWS refuses when a state machine is created, and what it takes, as people have measured it there.
import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { validate } from '../parse.js';

type State = Readonly<Record<string, Json>>;

/** `code path` of every error of a machine of one state. */
function errorsOf(state: State, top: State = {}): readonly string[] {
  const machine = { StartAt: 'S', ...top, States: { S: state, X: { Type: 'Succeed' } } };
  const text = JSON.stringify(
    JSON.stringify(state).includes('"X"') ? machine : { ...machine, States: { S: state } },
  );
  return validate(text)
    .diagnostics.filter(({ severity }) => severity === 'error')
    .map(({ code, path }) => `${code} ${path}`);
}

const JSONATA = { QueryLanguage: 'JSONata' };
const ITEMS = { StartAt: 'I', States: { I: { Type: 'Pass', End: true } } };
const map = (fields: State): State => ({
  Type: 'Map',
  ItemProcessor: { ...ITEMS, ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' } },
  End: true,
  ...fields,
});
const task = (fields: State): State => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke',
  ...fields,
});
const caught = (fields: State): State =>
  task({ Catch: [{ ErrorEquals: ['States.ALL'], Next: 'X', ...fields }] });

describe('$states.errorOutput', () => {
  it.each<[string, State]>([
    ['output', { Type: 'Pass', Output: '{% $states.errorOutput %}', End: true }],
    ['output.a[0]', { Type: 'Pass', Output: { a: ['{% $string($states.errorOutput.Error) %}'] }, End: true }],
    ['assign.e', { Type: 'Pass', Assign: { e: '{% $states.errorOutput %}' }, End: true }],
    ['arguments.e', task({ Arguments: { e: '{% $states.errorOutput %}' }, End: true })],
    ['cause', { Type: 'Fail', Cause: '{% $states.errorOutput.Cause %}' }],
    ['items', map({ Items: '{% [$states.errorOutput] %}' })],
  ])('is refused in %s', (at, state) => {
    expect(errorsOf(state, JSONATA)).toEqual([`DOC_EXPRESSION states.S.${at}`]);
  });

  it('is there in the output and the variables of a catcher', () => {
    const fields = { Output: '{% $states.errorOutput %}', Assign: { e: '{% $states.errorOutput.Error %}' } };
    expect(errorsOf({ ...caught(fields), End: true }, JSONATA)).toEqual([]);
  });

  it('is no word of its own: a member of that name elsewhere is one', () => {
    const Output = '{% $states.input.errorOutput & $e.errorOutput & "$states.errorOutput" %}';
    expect(errorsOf({ Type: 'Pass', Output, End: true }, JSONATA)).toEqual([]);
  });
});

describe('$states.result', () => {
  it.each<[string, State]>([
    ['arguments', task({ Arguments: '{% $states.result %}', End: true })],
    ['seconds', { Type: 'Wait', Seconds: '{% $states.result.s %}', End: true }],
    ['choices[0].condition', { Type: 'Choice', Choices: [{ Condition: '{% $states.result %}', Next: 'X' }] }],
    ['itemSelector.a', map({ ItemSelector: { a: '{% $states.result %}' } })],
  ])('is refused in %s, which comes before it', (at, state) => {
    expect(errorsOf(state, JSONATA)).toEqual([`DOC_EXPRESSION states.S.${at}`]);
  });

  it.each<[string, State]>([
    ['output', { Type: 'Pass', Output: '{% $states.result %}', End: true }],
    ['assign.r', { Type: 'Wait', Seconds: 1, Assign: { r: '{% $states.result %}' }, End: true }],
    ['output', { Type: 'Succeed', Output: '{% $states.result %}' }],
  ])('is refused in %s of a state that has none', (at, state) => {
    expect(errorsOf(state, JSONATA)).toEqual([`DOC_EXPRESSION states.S.${at}`]);
  });

  it('is there in output and assign', () => {
    const fields = { Output: '{% $states.result %}', Assign: { r: '{% $states.result.a %}' }, End: true };
    expect(errorsOf(task(fields), JSONATA)).toEqual([]);
  });
});

describe('a number of a Map by path', () => {
  it.each([
    ['maxConcurrencyPath', { MaxConcurrencyPath: '$$.Execution.Input.n' }],
    ['toleratedFailureCountPath', { ToleratedFailureCountPath: '$$.Execution.Input.n' }],
    ['toleratedFailurePercentagePath', { ToleratedFailurePercentagePath: '$$.Execution.Input.n' }],
    ['itemBatcher.maxItemsPerBatchPath', { ItemBatcher: { MaxItemsPerBatchPath: '$$.Execution.Input.n' } }],
  ])('%s is not read from the context', (at, fields) => {
    expect(errorsOf(map(fields))).toEqual([`DOC_EXPRESSION states.S.${at}`]);
  });

  it('may be read from the input or a variable, and the items from the context', () => {
    expect(errorsOf(map({ MaxConcurrencyPath: '$.n', ToleratedFailureCountPath: '$count.n' }))).toEqual([]);
    expect(errorsOf(map({ ItemsPath: '$$.Execution.Input.list' }))).toEqual([]);
  });
});

describe('a bound of 0', () => {
  it('is taken where it means none', () => {
    const ItemReader = { Resource: 'artifact:read', ReaderConfig: { InputType: 'JSON', MaxItems: 0 } };
    const ItemBatcher = { MaxItemsPerBatch: 0, MaxInputBytesPerBatch: 1000 };
    expect(errorsOf(map({ ItemReader, ItemBatcher, MaxConcurrency: 0, ToleratedFailureCount: 0 }))).toEqual(
      [],
    );
  });
});
