import { describe, expect, it } from 'vitest';
import { Execution } from './execution.js';
import { parallel, runOf, statesPlan, stepError, task, type Run } from '../../test/property/plans.js';
import type { TaskNode } from '../workflow/plan.js';
import type { TaskWaiting } from './state.js';

const CALL: TaskNode['call'] = {
  kind: 'function',
  functionId: 'tool::order',
  agent: null,
  fallback: null,
  waits: 'token',
};
const waiting = (over: Partial<TaskWaiting> = {}): TaskWaiting => ({
  taskId: 'tsk_1',
  by: 'token',
  untilMs: null,
  silentUntilMs: null,
  ...over,
});
/** A run whose task A waits for an answer. */
function handed(over: Partial<TaskWaiting> = {}, fields: Partial<TaskNode> = {}): Run {
  const run = runOf(statesPlan({ A: task({ call: CALL, ...fields }) }));
  run.send({ kind: 'started', stepPath: 'A', nowMs: 1 });
  return run.send({ kind: 'handed', stepPath: 'A', waiting: waiting(over), nowMs: 2 });
}

describe('a task that waits for an answer from outside', () => {
  it('is neither ready nor running nor lost, and holds the run up', () => {
    const execution = handed().execution();
    expect(execution.suspended()).toMatchObject([{ stepPath: 'A', phase: 'callback' }]);
    expect([execution.ready(), execution.lost()]).toEqual([[], []]);
    expect([execution.isHeldUp, execution.isLeftToOthers]).toEqual([true, true]);
  });

  it('goes on with its answer', () => {
    expect(handed().ok({ paid: true }, 9, 'A').execution().head.output).toEqual({ paid: true });
  });

  it('fails with what was answered, and a retry calls again', () => {
    const retry = [
      {
        errorEquals: ['States.ALL'],
        intervalMs: 0,
        maxAttempts: 1,
        backoffRate: 1,
        maxDelayMs: null,
        jitter: 'none' as const,
      },
    ];
    const run = handed({}, { retry });
    const error = stepError('FUNCTION_FAILED');
    run.send({ kind: 'failed', stepPath: 'A', error, draw: 0, nowMs: 3 });
    expect(run.execution().task('A')).toMatchObject({ attempt: 2, phase: 'ready', waiting: null });
  });

  it('is as it was after it was stored and opened again, as it is after every event here', () => {
    const execution = handed({ untilMs: 100, silentUntilMs: 50 }).execution();
    expect(execution.task('A')?.waiting).toEqual(waiting({ untilMs: 100, silentUntilMs: 50 }));
    expect(execution.nextSilenceMs()).toBe(50);
  });

  it('is not lost by a crash, and not started twice', () => {
    const run = handed();
    run.send({ kind: 'lost', stepPath: 'A', nowMs: 3 });
    expect(run.execution().task('A')?.phase).toBe('callback');
    expect(run.execution().mayStart(run.task('A'))).toBe(false);
  });

  it('hears of a sign of life: the end of the silence moves, never back', () => {
    const run = runOf(statesPlan({ A: task({ call: CALL, limits: { heartbeat: 10 } }) }));
    run.send({ kind: 'started', stepPath: 'A', nowMs: 1 });
    run.send({ kind: 'handed', stepPath: 'A', waiting: waiting({ silentUntilMs: 10_000 }), nowMs: 2 });
    run.send({ kind: 'heartbeat', stepPath: 'A', atMs: 5_000, nowMs: 5_001 });
    expect(run.execution().nextSilenceMs()).toBe(15_000);
    run.send({ kind: 'heartbeat', stepPath: 'A', atMs: 4_000, nowMs: 5_002 });
    expect(run.execution().nextSilenceMs()).toBe(15_000);
  });

  it('is to be given up when another branch fails, and the fork ends when it is', () => {
    const plan = statesPlan({ P: parallel(['A', 'B']), A: task({ call: CALL }), B: task() });
    const run = runOf(plan);
    run.send({ kind: 'started', stepPath: 'P[0]/A', nowMs: 1 });
    run.send({ kind: 'handed', stepPath: 'P[0]/A', waiting: waiting(), nowMs: 2 });
    run.send({ kind: 'started', stepPath: 'P[1]/B', nowMs: 3 });
    run.send({ kind: 'failed', stepPath: 'P[1]/B', error: stepError('FUNCTION_FAILED'), draw: 0, nowMs: 4 });
    expect(run.execution().head.status).toBe('running');
    expect(run.execution().suspended()).toMatchObject([{ stepPath: 'P[0]/A', isStopping: true }]);
    run.send({ kind: 'stopped', stepPath: 'P[0]/A', nowMs: 5 });
    expect(run.execution().head.status).toBe('failed');
  });

  it('stops the time of the run while a person is waited for, not while a token is', () => {
    const paused = (by: TaskWaiting['by']): number | null => handed({ by }).execution().head.pausedAtMs;
    expect([paused('person'), paused('token')]).toEqual([2, null]);
  });

  it('has a placeholder for its token that only the run can make', () => {
    const token = (seed: string): string | null => {
      const plan = statesPlan({ A: task({ call: CALL }) });
      const start = { runId: 'r', initiator: 'user:a', input: null, nowMs: 0, seed };
      return Execution.start(plan, start).task('A')?.token ?? null;
    };
    expect(token('aa')).toMatch(/^writ-task-token:r\/A#[0-9a-f]{16}$/);
    expect(token('aa')).not.toBe(token('bb'));
  });
});
