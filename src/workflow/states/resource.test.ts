import { describe, expect, it } from 'vitest';
import { found, machine, planOf } from '../../../test/workflow/machine.js';

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
