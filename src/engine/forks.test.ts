import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../json.js';
import { parseWorkflow } from '../workflow/index.js';
import { Execution } from './execution.js';

const OUTER = 120;
const INNER = 100;

/** A Map of `OUTER` items, each a Map of `INNER` that end with `state`, and nothing that bounds them; as far as it goes. */
function nested(state: JsonObject): Execution {
  const call = { ...state, end: true };
  const inner = {
    type: 'Map',
    itemsPath: '$.inner',
    itemProcessor: { startAt: 'Call', states: { Call: call } },
  };
  const outer = {
    type: 'Map',
    itemsPath: '$.outer',
    itemSelector: { 'inner.$': '$.inner' },
    itemProcessor: { startAt: 'Inner', states: { Inner: { ...inner, end: true } } },
  };
  const text = JSON.stringify({
    apiVersion: 'agentrc.workflow/v0.1',
    kind: 'AgentWorkflow',
    metadata: { name: 'nested' },
    spec: { startAt: 'Outer', states: { Outer: { ...outer, end: true } } },
  });
  const { plan } = parseWorkflow(text, { functions: 'any' });
  if (plan === null) throw new Error('the document is invalid');
  const numbers = (length: number): number[] => Array.from({ length }, (_, at) => at);
  const execution = Execution.start(plan, {
    runId: 'run_1',
    initiator: 'user:alice',
    input: { outer: numbers(OUTER), inner: numbers(INNER) },
    nowMs: 0,
    seed: '00'.repeat(32),
  });
  while (execution.hasWork) execution.apply({ kind: 'tick', nowMs: 0 });
  return execution;
}

describe('HOLE: Maps in Maps', () => {
  it('have at most 10,000 cursors at once', () => {
    const atOnce = nested({ type: 'Task', resource: 'tool::one' }).ready().length;
    // The run itself and the 120 are cursors too.
    expect(atOnce).toBeLessThanOrEqual(10_000);
    expect(atOnce).toBeGreaterThan(9_000);
  });

  it('of more items than that come to their end, in order', () => {
    const { status, output } = nested({ type: 'Pass' }).head;
    const numbers = Array.from({ length: INNER }, (_, at) => at);
    expect(status).toBe('completed');
    expect(output).toEqual(Array.from({ length: OUTER }, () => numbers));
  });
});
