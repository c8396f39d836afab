// Random plans and random events, sensible or not: what must hold at every point of a run.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apply, command, start, type EngineEvent, type EngineState } from '../../src/engine/index.js';
import type { ErrorCode } from '../../src/errors.js';
import type { Json } from '../../src/json.js';
import type { Plan } from '../../src/workflow/plan.js';
import { catcher, choice, pass, retrier, statesPlan, stepError, stepsPlan, task, wait } from './plans.js';

/** JSON as it comes out of the store: no -0. */
const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as Json);
const CODES = [
  'FUNCTION_FAILED',
  'SANDBOX_TEMPORARY',
  'STEP_TIMEOUT',
  'STEP_PATH_UNRESOLVED',
  'FUNCTION_REQUEST_INVALID',
  'POLICY_NO_MATCH',
  'APPROVAL_DENIED',
  'STORE_IO',
] as const satisfies readonly ErrorCode[];

const statesPlans = fc
  .record({
    retries: fc.nat(3),
    jitter: fc.constantFrom('none' as const, 'full' as const),
    intervalMs: fc.nat(3000),
    resultPath: fc.constantFrom('$', '$.r', null),
    caught: fc.constantFrom('States.ALL', 'Approval.Denied', 'Tool.Failed'),
    seconds: fc.nat(3),
    timeoutMs: fc.option(fc.integer({ min: 1, max: 20_000 })),
  })
  .map(({ retries, jitter, intervalMs, resultPath, caught, seconds, timeoutMs }): Plan => {
    const retry = [
      retrier({ errorEquals: ['Tool.TemporaryFailure'], maxAttempts: 1, intervalMs, jitter }),
      retrier({ maxAttempts: retries, intervalMs, jitter }),
    ];
    const output = { kind: 'path', resultPath, outputPath: '$' } as const;
    const stop = { variable: '$.stop', operator: 'booleanEquals', operand: true } as const;
    const isThere = { variable: '$.stop', operator: 'isPresent', operand: true } as const;
    return statesPlan(
      {
        A: task({ retry, output, catch: [catcher('W', { errorEquals: [caught], resultPath })], next: 'P' }),
        P: pass({ result: null, resultPath: null, next: 'W' }),
        W: wait({ seconds }, { next: 'C' }),
        C: choice({ choices: [{ rule: { and: [isThere, stop] }, next: 'toString' }], default: 'A' }),
        toString: task({ output }),
      },
      { timeoutMs },
    );
  });

const stepsPlans = fc
  .record({
    onFailure: fc.constantFrom('fail' as const, 'skip' as const),
    maxAttempts: fc.nat(2),
    when: fc.constantFrom(null, 'a == 1', 'previous_step.status == "success"', 'missing.path'),
    timeoutMs: fc.option(fc.integer({ min: 1, max: 20_000 })),
  })
  .map(({ onFailure, maxAttempts, when, timeoutMs }): Plan => {
    const retry = [retrier({ maxAttempts, intervalMs: 10 })];
    return stepsPlan(
      [
        { name: 'A', prompt: '{{input}}', outputVar: 'a', onFailure },
        { name: 'B', config: { seen: '{{a}}' }, retry, when },
        { name: 'C', prompt: '{{output}} {{B}}' },
      ],
      { timeoutMs },
    );
  });

type Move = (nowMs: number) => EngineEvent;
const move: fc.Arbitrary<Move> = fc.oneof(
  json.map((output): Move => (nowMs) => ({ kind: 'succeeded', output, nowMs })),
  fc.boolean().map((stop): Move => (nowMs) => ({ kind: 'succeeded', output: { stop }, nowMs })),
  fc
    .tuple(fc.constantFrom(...CODES), fc.double({ min: 0, max: 0.999, noNaN: true }))
    .map(([code, draw]): Move => (nowMs) => ({ kind: 'failed', error: stepError(code), nowMs, draw })),
  fc.constantFrom<Move>(
    (nowMs) => ({ kind: 'rerun', nowMs }),
    (nowMs) => ({ kind: 'paused', nowMs }),
    (nowMs) => ({ kind: 'woken', nowMs }),
  ),
);
const history = fc.record({
  plan: fc.oneof(statesPlans, stepsPlans),
  input: fc.oneof(json, fc.constant({ stop: false })),
  moves: fc.array(fc.tuple(move, fc.nat(4000)), { maxLength: 40 }),
});

type History = typeof history extends fc.Arbitrary<infer Value> ? Value : never;

/** Every state of a run, with the event that led to it. */
function* walk({ plan, input, moves }: History): Generator<{
  readonly before: EngineState | null;
  readonly event: EngineEvent | null;
  readonly state: EngineState;
}> {
  let nowMs = 1_700_000_000_000;
  let state = start(plan, { runId: 'run_1', initiator: 'user:ann', input, nowMs });
  yield { before: null, event: null, state };
  for (const [next, elapsedMs] of moves) {
    nowMs += elapsedMs;
    const event = next(nowMs);
    const before = state;
    state = apply(plan, before, event);
    yield { before, event, state };
  }
}

function reread<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}

describe('at every point of any run', () => {
  it('the state is plain JSON, and from stored JSON comes the same command and the same next state', () => {
    fc.assert(
      fc.property(history, (given) => {
        const plan = reread(given.plan);
        for (const { before, event, state } of walk(given)) {
          expect(reread(state)).toEqual(state);
          expect(command(plan, reread(state))).toEqual(command(given.plan, state));
          if (before !== null && event !== null) expect(apply(plan, reread(before), event)).toEqual(state);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('no attempt number of a step path is given out twice, and only the next one is', () => {
    fc.assert(
      fc.property(history, (given) => {
        const last = new Map<string, number>();
        for (const { before, state } of walk(given)) {
          if (state.task === null || state.node === null) continue;
          if (before?.node === state.node && before.task?.attempt === state.task.attempt) continue;
          expect(state.task.attempt).toBe((last.get(state.node) ?? 0) + 1);
          last.set(state.node, state.task.attempt);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a key stands for one rendered input of one step path', () => {
    fc.assert(
      fc.property(history, (given) => {
        const meant = new Map<string, string>();
        for (const { state } of walk(given)) {
          if (state.task === null || state.node === null) continue;
          const what = JSON.stringify([state.node, state.task.input]);
          expect(meant.get(state.task.idempotencyKey) ?? what).toBe(what);
          meant.set(state.task.idempotencyKey, what);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a refusal or a fatal error never gives the step another attempt', () => {
    fc.assert(
      fc.property(history, (given) => {
        for (const { before, event, state } of walk(given)) {
          if (event?.kind !== 'failed' || before?.task == null || before.node === null) continue;
          if (event.error.kind !== 'refusal' && event.error.kind !== 'fatal') continue;
          if (state === before) continue; // nobody was waiting for an outcome
          expect(state.task?.idempotencyKey).not.toBe(before.task.idempotencyKey);
          if (event.error.kind === 'fatal') expect(state.status).toBe('failed');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('an event the state does not wait for changes nothing, but that the time limit may have passed', () => {
    fc.assert(
      fc.property(history, (given) => {
        for (const { before, event, state } of walk(given)) {
          if (before === null || event === null || state.error?.code === 'RUN_TIMEOUT') continue;
          const asked = command(given.plan, before);
          const awaited =
            asked.kind === 'execute'
              ? event.kind !== 'woken'
              : asked.kind === 'wait' && event.kind === 'woken' && event.nowMs >= asked.untilMs;
          if (!awaited) expect(state).toEqual(before);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('the input of the run is never overwritten', () => {
    fc.assert(
      fc.property(history, (given) => {
        for (const { state } of walk(given)) expect(state.input).toEqual(given.input);
      }),
    );
  });
});
