import { describe, expect, it } from 'vitest';
import { validate } from './index.js';

const step = (approval: string): string =>
  `id: pay\nsteps:\n  - name: Pay\n    functionId: tool::pay\n    approval: ${approval}\n`;
const state = (approval: string): string =>
  JSON.stringify({
    apiVersion: 'agentrc.workflow/v0.1',
    kind: 'AgentWorkflow',
    metadata: { name: 'pay' },
    spec: { startAt: 'Pay', states: { Pay: { type: 'Pass', approval: JSON.parse(approval), end: true } } },
  });
const found = (text: string): readonly string[] =>
  validate(text)
    .diagnostics.filter(({ path }) => path.includes('approval'))
    .map(({ code, line, column, path }) => `${code} ${line}:${column} ${path}`);

describe('an approval of nobody', () => {
  it('HOLE: says nothing of how many people, who, and under which duties', () => {
    expect(found(step('{ mode: none, quorum: 2 }'))).toEqual(['DOC_BAD_VALUE 5:37 steps[0].approval.quorum']);
    for (const asked of [
      'approverRoles: ["role:head"]',
      'expiresSeconds: 60',
      'reasonRequired: true',
      'separationOfDuties: true',
      'author: true',
    ]) {
      expect(found(step(`{ mode: none, ${asked} }`)), asked).toHaveLength(1);
      expect(found(step(`{ mode: sync, ${asked} }`)), asked).toEqual([]);
    }
    expect(found(state('{ "mode": "none", "quorum": 2 }'))).toEqual([
      expect.stringMatching(/^DOC_BAD_VALUE 1:\d+ spec\.states\.Pay\.approval\.quorum$/u),
    ]);
  });

  it('may be said in as many words, and what asks for less of nobody is no contradiction', () => {
    for (const approval of ['none', '{ mode: none }', '{ mode: none, separationOfDuties: false }'])
      expect(found(step(approval)), approval).toEqual([]);
  });
});
