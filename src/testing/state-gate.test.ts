// Approvals of states that call nothing, in simulations.
import { describe, expect, it } from 'vitest';
import { simulate, testState } from './index.js';

const approval = { mode: 'sync', approverRoles: ['role:reviewer'] };

const machine = (gate: object): object => ({
  apiVersion: 'agentrc.workflow/v0.1',
  kind: 'AgentWorkflow',
  metadata: { name: 'gated' },
  spec: {
    startAt: 'P',
    states: {
      P: {
        type: 'Parallel',
        ...gate,
        branches: [{ startAt: 'A', states: { A: { type: 'Task', resource: 'f::one', end: true } } }],
        catch: [{ errorEquals: ['Approval.Denied'], resultPath: '$.denied', next: 'Caught' }],
        next: 'Faulty',
      },
      Caught: { type: 'Succeed' },
      Faulty: { type: 'Pass', parameters: { 'x.$': '$.absent' }, end: true },
    },
  },
});

describe('an approval of a Parallel in a simulation', () => {
  it('is had, and leaves the numbers of events as they are', async () => {
    const mocks = { A: [{ return: 1 }] };
    const without = await simulate(machine({}), { mocks });
    const withGate = await simulate(machine({ approval }), { mocks });
    expect(withGate).toMatchObject({ status: 'FAILED', error: without.error, cause: without.cause });
    expect(without.cause).toMatch(/event id #\d+/);
  });

  it('is had when the state is tested by itself', async () => {
    const definition = { Type: 'Pass', Approval: 'sync', Result: 1, End: true };
    expect(await testState(definition, { input: {} })).toMatchObject({ status: 'SUCCEEDED', output: 1 });
  });

  it('is denied where the mocks say so, and goes to the catcher that names it', async () => {
    const mocks = { P: [{ approve: false, throw: { cause: 'not today' } }] };
    const { output, status } = await simulate(machine({ approval }), { input: {}, mocks });
    expect(status).toBe('SUCCEEDED');
    expect(output).toEqual({ denied: { Error: 'Approval.Denied', Cause: 'not today' } });
  });
});
