import { expect, it } from 'vitest';
import { WritError } from '../errors.js';
import { checkPayload, triggerFunctionId, type TriggerFunctionId } from './trigger-request.js';

function refusal(act: () => unknown): { readonly code: string; readonly text: string } {
  try {
    act();
  } catch (error) {
    if (error instanceof WritError) return { code: error.code, text: `${error.message} | ${error.hint}` };
    throw error;
  }
  throw new Error('it was not refused');
}

const problem = (id: TriggerFunctionId, payload: unknown): string => {
  const { code, text } = refusal(() => checkPayload(id, payload));
  expect(code).toBe('FUNCTION_REQUEST_INVALID');
  return text;
};

it('knows the functions of the AgentOS page, and no other', () => {
  for (const name of [
    ...[
      'create',
      'run',
      'status',
      'get_run',
      'get_run_state',
      'list',
      'runs',
      'results',
      'cancel',
      'resume',
      'redrive',
    ],
  ]) {
    expect(triggerFunctionId(`workflow::${name}`)).toBe(`workflow::${name}`);
  }
  for (const id of ['', 'workflow::', 'workflow::constructor', 'toString', '__proto__', 'agent::chat']) {
    expect(refusal(() => triggerFunctionId(id)).code).toBe('FUNCTION_NOT_FOUND');
  }
});

it('says what is meant by a misspelled id, and how an own function is called', () => {
  expect(refusal(() => triggerFunctionId('workflow::creat')).text).toContain(
    'did you mean "workflow::create"?',
  );
  expect(refusal(() => triggerFunctionId('claims::score')).text).toContain('called by a step of a workflow');
});

it('takes the payloads of the AgentOS page', () => {
  const all: readonly [TriggerFunctionId, unknown][] = [
    ['workflow::create', { steps: [] }],
    ['workflow::run', { workflowId: 'w' }],
    [
      'workflow::run',
      { workflowId: 'w', input: null, agentId: 'coder-001', agents: { coder: 'x' }, wait: true },
    ],
    ['workflow::run', { workflowId: 'w', input: undefined, agentId: undefined }],
    ['workflow::status', { runId: 'r' }],
    ['workflow::get_run', { runId: 'r' }],
    ['workflow::get_run_state', { runId: 'r' }],
    ['workflow::list', {}],
    ['workflow::list', { limit: 10, offset: 20 }],
    ['workflow::runs', { workflowId: 'w', limit: -1, offset: -1 }],
    ['workflow::results', { runId: 'r' }],
    ['workflow::cancel', { runId: 'r' }],
    ['workflow::resume', { runId: 'r', lost: 'rerun' }],
    ['workflow::redrive', { runId: 'r', lost: 'rerun' }],
  ];
  for (const [id, payload] of all) expect(() => checkPayload(id, payload)).not.toThrow();
});

it('refuses an unknown field and says which one is meant', () => {
  const typo = problem('workflow::run', { workflowId: 'w', inputs: {} });
  expect(typo).toBe('workflow::run has no field "inputs" | did you mean "input"?');
  expect(problem('workflow::status', { runId: 'r', zzzzzzzzzz: 1 })).toContain('its fields: runId');
  expect(problem('workflow::list', JSON.parse('{"__proto__": 1}'))).toContain('__proto__');
});

it('refuses what is missing or of another type, and never repeats a value', () => {
  expect(problem('workflow::run', {})).toContain("must have required property 'workflowId'");
  const secret = 'hunter2'.repeat(50);
  for (const payload of [
    { workflowId: secret },
    { workflowId: 'w', agentId: 7 },
    { workflowId: 'w', agents: { coder: 1 } },
    { workflowId: 'w', wait: secret },
    [secret],
    secret,
    null,
    7,
  ]) {
    expect(problem('workflow::run', payload)).not.toContain('hunter2');
  }
  expect(problem('workflow::list', { limit: 1.5 })).toContain('limit must be integer');
  expect(problem('workflow::list', { limit: '10' })).toContain('limit must be integer');
  expect(problem('workflow::create', 'id: x')).toContain('give the definition as an object');
  expect(problem('workflow::create', [])).toContain('object');
  expect(problem('workflow::resume', { runId: 'r', lost: 'forget' })).toContain('lost');
  expect(problem('workflow::redrive', { runId: 'r', lost: 'fail' })).toContain('lost');
  expect(problem('workflow::status', { runId: '' })).toContain('runId');
});
