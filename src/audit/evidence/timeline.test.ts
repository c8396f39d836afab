// What a page says of approvals and answers follows from what was checked: no text that a log's writer put beside a vote,
// and no other attempt's answer, makes it look like more.
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../json.js';
import { checkEntry } from '../entry-schema.js';
import { storyOf } from './timeline.js';
import type { ShownEntry } from './report.js';

const ABOUT = { approvalId: 'apr_1', subjectDigest: 'a'.repeat(64) };

function shownEntries(...told: readonly (readonly [type: string, data: JsonObject])[]): ShownEntry[] {
  return told.map(([type, data], i) => ({
    index: BigInt(i),
    entry: checkEntry({
      ...{ actor: { id: 'user:a', via: 'cli' }, commit: {}, data, policy: null, prev: null, run: 'r' },
      ...{ seq: i, tenant: 't', time: '2026-03-01T09:30:00.000Z', type, v: 1, workflow: null },
    }),
    leafHash: '0'.repeat(64),
    signature: null,
  }));
}

function stateAfter(...told: readonly (readonly [type: string, data: JsonObject])[]): string | undefined {
  const entries = shownEntries(['approval.requested', { ...ABOUT, stepPath: 's', attempt: 1 }], ...told);
  return storyOf('r', entries, new Set()).approvals[0]?.state;
}
const vote = (decision: string, state?: string) =>
  ['approval.decided', { ...ABOUT, decision, ...(state === undefined ? {} : { state }) }] as const;

describe('the state of an approval', () => {
  it.each([
    ['approve', 'approved', 'approved'],
    ['approve', undefined, 'approved'],
    ['approve', 'pending', 'requested'],
    ['deny', 'denied', 'denied'],
    ['deny', 'approved', 'denied'],
    ['revoke', 'approved', 'revoked'],
    ['approve', 'approved by the regulator', 'requested'],
  ])('after %s, said to be %s, is %s', (decision, said, state) => {
    expect(stateAfter(vote(decision, said))).toBe(state);
  });

  it('stays what it was when an emergency decision is reviewed afterwards', () => {
    const reviewed = ['approval.reviewed', { ...ABOUT, reviewer: 'user:c', late: false }] as const;
    expect(stateAfter(vote('approve', 'approved'), reviewed)).toBe('approved');
    expect(stateAfter(vote('approve'), ['approval.consumed', ABOUT], reviewed)).toBe('used');
  });
});

it('an answer stands beside the attempt it answers, and beside no other with the same task id', () => {
  const task = { taskId: 't', kind: 'token', expiresAt: '2026-03-02T00:00:00.000Z' };
  const entries = shownEntries(
    ['task.opened', { ...task, stepPath: 'a', attempt: 1 }],
    ['task.answered', { taskId: 't', stepPath: 'a', attempt: 1, answer: 'success', by: 'user:b' }],
    ['task.opened', { ...task, stepPath: 'a', attempt: 2 }],
  );
  const { tasks } = storyOf('r', entries, new Set());
  expect(tasks.map(({ answers }) => answers.length)).toEqual([1, 0]);
});
