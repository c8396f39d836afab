// Random plans and random events, sensible or not: what must hold at every point of a run.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Execution, type RunHead, type Task } from '../../src/engine/index.js';
import type { ErrorCode } from '../../src/errors.js';
import type { Json } from '../../src/json.js';
import type { Plan } from '../../src/workflow/plan.js';
import {
  addressed,
  catcher,
  choice,
  map,
  parallel,
  pass,
  retrier,
  statesPlan,
  stepError,
  stepsPlan,
  task,
  wait,
  type TestEvent,
} from './plans.js';

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

    const stop = { variable: '$.stop', operator: 'booleanEquals', operand: true } as const;
    const isThere = { variable: '$.stop', operator: 'isPresent', operand: true } as const;
    return statesPlan(
      {
        A: task({
          retry,
          resultPath,
          catch: [catcher('W', { errorEquals: [caught], resultPath })],
          next: 'P',
        }),
        P: pass({ result: null, resultPath: null, next: 'W' }),
        W: wait({ seconds }, { next: 'C' }),
        C: choice({ choices: [{ rule: { and: [isThere, stop] }, next: 'toString' }], default: 'A' }),
        toString: task({ resultPath }),
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

const forkPlans = fc
  .record({
    concurrency: fc.nat(3),
    retries: fc.nat(2),
    isCaught: fc.boolean(),
    timeoutMs: fc.option(fc.integer({ min: 1, max: 20_000 })),
  })
  .map(({ concurrency, retries, isCaught, timeoutMs }): Plan => {
    const retry = [retrier({ maxAttempts: retries, intervalMs: 10 })];
    return statesPlan(
      {
        S: pass({ result: { items: [1, 2, 3] }, next: 'P' }),
        P: parallel(['M', 'B', 'W'], { retry, catch: isCaught ? [catcher('C')] : [], next: 'C' }),
        M: map('A', concurrency),
        A: task({ retry }),
        B: task({ next: 'B2' }),
        B2: task(),
        W: wait({ seconds: 1 }),
        C: task({ next: 'S' }),
      },
      { timeoutMs },
    );
  });

type Move = (nowMs: number, tasks: readonly Task[]) => TestEvent;
/** For the task that a number picks of those the run stands at. */
const at = (pick: number, tasks: readonly Task[]): { readonly stepPath?: string } => {
  const stepPath = tasks[pick % Math.max(1, tasks.length)]?.stepPath;
  return stepPath === undefined ? {} : { stepPath };
};
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.tuple(json, fc.nat(9)).map(([output, pick]): Move => (nowMs, tasks) => ({
    kind: 'succeeded',
    output,
    nowMs,
    ...at(pick, tasks),
  })),
  fc.tuple(fc.boolean(), fc.nat(9)).map(([stop, pick]): Move => (nowMs, tasks) => ({
    kind: 'succeeded',
    output: { stop },
    nowMs,
    ...at(pick, tasks),
  })),
  fc
    .tuple(fc.constantFrom(...CODES), fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(9))
    .map(([code, draw, pick]): Move => (nowMs, tasks) => ({
      kind: 'failed',
      error: stepError(code),
      nowMs,
      draw,
      ...at(pick, tasks),
    })),
  fc
    .tuple(fc.constantFrom('rerun', 'started', 'stopped', 'lost'), fc.nat(9))
    .map(([kind, pick]): Move => (nowMs, tasks) => ({ kind, nowMs, ...at(pick, tasks) })),
  fc.tuple(fc.boolean(), fc.nat(9)).map(([isAsync, pick]): Move => (nowMs, tasks) => ({
    kind: 'paused',
    isAsync,
    nowMs,
    ...at(pick, tasks),
  })),
  fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(9)).map(([count, pick]): Move => (nowMs, tasks) => {
    const calls = Array.from({ length: count }, (_, n) => ({ id: `c${n}`, functionId: 'a::b', input: n }));
    return { kind: 'asked', calls, transcript: [count], nowMs, ...at(pick, tasks) };
  }),
  fc.constant<Move>((nowMs) => ({ kind: 'tick', nowMs })),
);
const history = fc.record({
  plan: fc.oneof(statesPlans, stepsPlans, forkPlans),
  input: fc.oneof(json, fc.constant({ stop: false })),
  moves: fc.array(fc.tuple(move, fc.nat(4000)), { maxLength: 40 }),
});

type History = typeof history extends fc.Arbitrary<infer Value> ? Value : never;

/** A run in this process, and what is stored of it. */
class Stored {
  readonly parts = new Map<string, string>();
  head: string;

  constructor(execution: Execution) {
    this.head = JSON.stringify(execution.head);
    this.take(execution);
  }

  take(execution: Execution): void {
    const { head, put, removed, ended } = execution.takeChanges();
    this.head = JSON.stringify(head);
    for (const [key, value] of put) this.parts.set(key, JSON.stringify(value));
    for (const key of removed) this.parts.delete(key);
    if (ended) this.parts.clear();
  }

  open(plan: Plan): Execution {
    const parts = new Map([...this.parts].map(([key, text]) => [key, JSON.parse(text) as Json]));
    return Execution.open(reread(plan), JSON.parse(this.head) as RunHead, parts);
  }
}

interface Point {
  readonly event: TestEvent | null;
  readonly before: readonly Task[];
  readonly execution: Execution;
  readonly stored: Stored;
}

/** Every point of a run that stays in one process, and what is stored there. */
function* walk({ plan, input, moves }: History): Generator<Point> {
  let nowMs = 1_700_000_000_000;
  const execution = Execution.start(plan, {
    runId: 'run_1',
    initiator: 'user:ann',
    input,
    nowMs,
    seed: '00'.repeat(32),
  });
  const stored = new Stored(execution);
  yield { event: null, before: [], execution, stored };
  for (const [next, elapsedMs] of moves) {
    nowMs += elapsedMs;
    const before = execution.tasks();
    const event = next(nowMs, before);
    execution.apply(addressed(event, execution));
    stored.take(execution);
    yield { event, before, execution, stored };
  }
}

/** All that can be asked of a run, in an order of its own. */
function picture(execution: Execution): unknown {
  const tasks = execution.tasks().toSorted((a, b) => (a.stepPath < b.stepPath ? -1 : 1));
  const ready = execution
    .ready()
    .map(({ stepPath }) => stepPath)
    .sort();
  return reread({
    head: execution.head,
    tasks,
    ready,
    timer: execution.nextTimerMs(),
    work: execution.hasWork,
  });
}

function reread<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}

describe('at every point of any run', () => {
  it('what is stored is the whole run: opened again it asks for the same, and goes on to the same', () => {
    fc.assert(
      fc.property(history, (given) => {
        let again: Execution | null = null;
        for (const { event, execution, stored } of walk(given)) {
          if (again !== null && event !== null) {
            again.apply(addressed(event, again));
            expect(picture(again)).toEqual(picture(execution));
          }
          again = stored.open(given.plan);
          expect(picture(again)).toEqual(picture(execution));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('no attempt number of a step path is given out twice, and only the next one is', () => {
    fc.assert(
      fc.property(history, (given) => {
        const last = new Map<string, number>();
        for (const { execution } of walk(given)) {
          for (const { stepPath, attempt } of execution.tasks()) {
            const before = last.get(stepPath) ?? 0;
            expect([before, before + 1]).toContain(attempt);
            last.set(stepPath, attempt);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a key stands for one rendered input of one step path', () => {
    fc.assert(
      fc.property(history, (given) => {
        const meant = new Map<string, string>();
        for (const { execution } of walk(given)) {
          for (const { stepPath, input, idempotencyKey } of execution.tasks()) {
            const what = JSON.stringify([stepPath, input]);
            expect(meant.get(idempotencyKey) ?? what).toBe(what);
            meant.set(idempotencyKey, what);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a refusal or a fatal error never gives the step another attempt', () => {
    fc.assert(
      fc.property(history, (given) => {
        for (const { event, before, execution } of walk(given)) {
          if (event?.kind !== 'failed' || event.stepPath === undefined) continue;
          if (event.error.kind !== 'refusal' && event.error.kind !== 'fatal') continue;
          // One that has asked for calls is not ended by itself: nothing that is said of it counts.
          const failed = before.find(
            ({ stepPath, phase }) => stepPath === event.stepPath && phase !== 'calls',
          );
          const now = execution.task(event.stepPath);
          if (failed !== undefined && now !== null)
            expect(now.idempotencyKey).not.toBe(failed.idempotencyKey);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('a run ends once, when nothing of it runs any more, and keeps nothing', () => {
    fc.assert(
      fc.property(history, (given) => {
        let end: string | null = null;
        for (const { before, event, execution, stored } of walk(given)) {
          const { status } = execution.head;
          if (end !== null) expect(JSON.stringify(execution.head)).toBe(end);
          if (status === 'running') continue;
          if (end === null && event !== null && 'stepPath' in event) {
            const others = before.filter(({ stepPath }) => stepPath !== event.stepPath);
            expect(others.filter(({ phase }) => phase === 'running')).toEqual([]);
          }
          end = JSON.stringify(execution.head);
          expect([execution.tasks(), execution.ready(), stored.parts.size]).toEqual([[], [], 0]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('nothing starts while a sync approval waits, and no task of a failed fork does', () => {
    fc.assert(
      fc.property(history, (given) => {
        for (const { execution } of walk(given)) {
          const tasks = execution.tasks();
          const isHeld = tasks.some(
            ({ phase, approval }) => phase === 'approval' && approval?.isAsync === false,
          );
          if (isHeld) expect(execution.ready()).toEqual([]);
          expect(execution.ready().filter(({ isStopping }) => isStopping)).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });
});
