import { describe, expect, it } from 'vitest';
import { machine, planOf } from '../../../test/workflow/machine.js';

describe('a person who fills in a form', () => {
  it('is what a Task calls', () => {
    const plan = planOf(
      machine(
        'A: {Type: Task, End: true, Parameters: {Claim.$: $.claim}, HeartbeatSeconds: 60, ResultPath: $.answer,',
        '    Human: {Form: {type: object, required: [Verdict]}, ApproverRoles: [adjuster], Quorum: 2, ExpiresSeconds: 60, OnExpire: deny}}',
      ),
    );
    expect(plan.nodes['A']).toMatchObject({
      call: {
        kind: 'function',
        functionId: 'human::form',
        waits: 'person',
        form: {
          schema: { type: 'object', required: ['Verdict'] },
          approval: { mode: 'sync', approverRoles: ['adjuster'], quorum: 2, expiresSeconds: 60 },
        },
      },
      flow: { parameters: { 'Claim.$': '$.claim' } },
      limits: { heartbeat: 60 },
      approval: null,
    });
  });
});
