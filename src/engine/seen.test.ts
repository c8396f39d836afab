// What is kept of every state that a run has come to: pictures of runs are coloured by it.
import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import type { Plan } from '../workflow/plan.js';
import { Execution } from './execution.js';
import {
  addressed,
  catcher,
  choice,
  failState,
  groupPlan,
  map,
  parallel,
  pass,
  statesPlan,
  stepError,
  task,
  wait,
  type TestEvent,
} from '../../test/property/plans.js';

const FAILED = { kind: 'failed', error: stepError('FUNCTION_FAILED'), draw: 0, nowMs: 0 } as const;

/** A run in memory only: what has ended can still be looked at. */
function begin(plan: Plan, input: Json = {}): Execution {
  const seed = '00'.repeat(32);
  return Execution.start(plan, { runId: 'run_1', initiator: 'user:ann', input, nowMs: 0, seed });
}

function send(run: Execution, ...events: readonly TestEvent[]): Execution {
  for (const event of events) run.apply(addressed(event, run));
  return run;
}

const ok = (nowMs = 0): TestEvent => ({ kind: 'succeeded', output: {}, nowMs });
const seen = (run: Execution): Record<string, number> => Object.fromEntries(run.seen);

describe('the states that a run has come to', () => {
  const plan = statesPlan({
    P: pass({ next: 'C' }),
    C: choice({
      choices: [{ rule: { variable: '$.go', operator: 'booleanEquals', operand: true }, next: 'T' }],
      default: 'Other',
    }),
    T: task({ next: 'W', catch: [catcher('Sorry')] }),
    W: wait({ seconds: 5 }, { next: 'End' }),
    End: pass(),
    Other: pass(),
    Sorry: failState('Sorry', null),
  });

  it('are known whether or not they call something; others are not', () => {
    const run = begin(plan, { go: true });
    expect(seen(run)).toEqual({ P: 2, C: 2, T: 1 });
    send(run, ok());
    expect(seen(run)).toEqual({ P: 2, C: 2, T: 2, W: 1 });
    send(run, { kind: 'tick', nowMs: 5000 });
    expect(run.head.status).toBe('completed');
    expect(seen(run)).toEqual({ P: 2, C: 2, T: 2, W: 2, End: 2 });
  });

  it('have failed where their error was caught, and where nothing caught it', () => {
    const run = send(begin(plan, { go: true }), FAILED);
    expect(run.head.status).toBe('failed');
    expect(seen(run)).toEqual({ P: 2, C: 2, T: 3, Sorry: 3 });
  });

  it('have not failed any more when a redrive brings them to an end', () => {
    const bare = statesPlan({ A: task({ next: 'B' }), B: pass() });
    const run = send(begin(bare), FAILED);
    expect(seen(run)).toEqual({ A: 3 });
    const again = Execution.redrive(bare, run.remains(), {
      by: 'user:alice',
      nowMs: 1,
      seed: '11'.repeat(32),
    });
    expect(seen(again)).toEqual({ A: 1 });
    expect(send(again, ok(1)).head.status).toBe('completed');
    expect(seen(again)).toEqual({ A: 2, B: 2 });
  });

  it('are left in the middle where the failure of a branch stops another', () => {
    const fork = statesPlan({ P: parallel(['A', 'B']), A: task(), B: wait({ seconds: 100 }) });
    const run = send(begin(fork), FAILED);
    expect(run.head.status).toBe('failed');
    expect(seen(run)).toEqual({ P: 3, A: 3, B: 1 });
  });

  it('take no more room with more items, and survive the store', () => {
    const each = statesPlan({ M: map('A', 0), A: pass() });
    const items = Array.from({ length: 500 }, (_, item) => item);
    expect(seen(begin(each, { items }))).toEqual({ M: 2, A: 2 });
    const { put, head } = begin(plan, { go: true }).takeChanges();
    expect(seen(Execution.open(plan, head, put))).toEqual({ P: 2, C: 2, T: 1 });
  });

  it('of a group of steps are the group and its members', () => {
    const run = begin(groupPlan([], [{ name: 'one' }, { name: 'two' }], []));
    expect(Object.values(seen(run))).toEqual([1, 1, 1]);
  });
});
