import { describe, expect, it } from 'vitest';
import { DIGEST, found, planOf } from '../../../test/workflow/machine.js';

describe('the compact form', () => {
  const text = `version: agentrc.workflow/v0.1
name: review-and-notify
description: reviews, then tells
agents:
  reviewer: example/code-reviewer@${DIGEST}
  notifier: example/slack-notifier@${DIGEST}
states:
  Review:
    type: task
    agent: reviewer
    next: Notify
    timeout_seconds: 60
    input_path: $.pull_request
    retry: { max_attempts: 2 }
  Notify: { type: task, agent: notifier, end: true, parameters: { keep_this: 1 } }
`;

  it('compiles to the plan of its native form', () => {
    const plan = planOf(text);
    expect(plan).toMatchObject({
      id: 'review-and-notify',
      description: 'reviews, then tells',
      start: 'Review',
      maxDataBytes: null,
    });
    expect(plan.nodes['Review']).toMatchObject({
      kind: 'task',
      line: 8,
      column: 3,
      call: { kind: 'agent', name: 'example/code-reviewer', digest: DIGEST },
      flow: { inputPath: '$.pull_request' },
      timeoutMs: 60_000,
      retry: [{ errorEquals: ['States.ALL'], maxAttempts: 2, intervalMs: 1000 }],
      next: 'Notify',
    });
    expect(plan.nodes['Notify']).toMatchObject({
      call: { name: 'example/slack-notifier' },
      flow: { parameters: { keep_this: 1 } },
    });
  });

  it.each<[string, string, readonly string[]]>([
    ['v0.1', 'v9', ['DOC_BAD_VALUE 1:10 version']],
    [': review-and-notify', ': a b', ['DOC_BAD_VALUE 2:7 name']],
    [`slack-notifier@${DIGEST}`, 'slack-notifier:latest', ['DOC_AGENT_TAG 6:13 agents.notifier']],
    [`slack-notifier@${DIGEST}`, 'slack-notifier@sha256:...', ['DOC_DIGEST_ELIDED 6:13 agents.notifier']],
    ['agent: reviewer', 'agent: reviever', ['DOC_UNKNOWN_NAME 10:12 states.Review.agent']],
    ['agent: reviewer', 'agent: reviewer:1', ['DOC_AGENT_TAG 10:12 states.Review.agent']],
    ['type: task\n', 'type: tusk\n', ['DOC_BAD_VALUE 9:11 states.Review.type']],
    ['max_attempts: 2', 'max_attempts: -1', ['DOC_BAD_VALUE 14:28 states.Review.retry[0].maxAttempts']],
    ['max_attempts: 2', 'max_attempt: 2', ['DOC_UNKNOWN_FIELD 14:14 states.Review.retry[0].maxAttempt']],
    [
      'next: Notify',
      'next: notify',
      [
        'DOC_NO',
        'DOC_UNKNOWN_STATE 11:11 states.Review.next',
        'DOC_UNREACHABLE_STATE 15:3 states.Notify',
      ].slice(1),
    ],
    [
      '    next: Notify\n',
      '    next: Notify\n    Next: Notify\n',
      ['DOC_DUPLICATE_FIELD 12:5 states.Review.next'],
    ],
    ['description', 'descripton', ['DOC_UNKNOWN_FIELD 3:1 descripton']],
  ])('with %j as %j is told with its place', (from, to, expected) => {
    expect(found(text.replace(from, to))).toEqual(expected);
  });

  it('may name its first state', () => {
    const last = text.replace('states:', 'start_at: Notify\nstates:');
    expect(found(last)).toEqual(['DOC_UNREACHABLE_STATE 9:3 states.Review']);
  });
});
