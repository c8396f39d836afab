// One run on a virtual clock: what the engine asks for is answered from mocks, in the order in which it asks; when
// nothing is left to do now, the clock jumps to what comes next. Nothing outside is called but the JSONata evaluator.
import { openQueryEvaluator } from '../adapters/query/index.js';
import type { Answer, EngineEvent, Execution, Request, StepError, Task } from '../engine/index.js';
import type { QueryEvaluator } from '../runtime/ports.js';
import type { Governance } from './governance.js';
import { playTask } from './form-answer.js';
import type { MockPlayer, Played } from './mocks.js';
import { readFrom, writeTo } from './object-store.js';
import type { AttemptSeen } from './attempt.js';

/** What an attempt without a limit is given. */
const NO_LIMIT_MS = 99_999_999_000;

/** Processes that evaluate JSONata, shared by all simulations of this process; idle they keep nothing alive. */
let shared: QueryEvaluator | null = null;

export interface VirtualRun {
  /** Milliseconds since the Unix epoch on the virtual clock. */
  nowMs(): number;
  /**
   * Does what can be done, then what comes next, until the run has ended or `until` says so: it is asked whenever
   * nothing can be done at the present time. False = something is still to come.
   */
  play(until?: () => boolean): Promise<boolean>;
}

/** `attempted` is told how each attempt ended, when it ends; `governance`: what is denied does not begin. */
export function virtualRun(
  execution: Execution,
  player: MockPlayer,
  startMs: number,
  attempted: (seen: AttemptSeen) => void = () => undefined,
  governance: Governance | null = null,
): VirtualRun {
  let nowMs = startMs;
  /** What is under way on the virtual clock: attempts that take time. */
  let pending: { readonly atMs: number; readonly end: () => void }[] = [];

  const answerTo = async (request: Request): Promise<Answer> => {
    switch (request.kind) {
      case 'query':
        return evaluator().evaluate(request);
      case 'read':
        return readFrom(player.files, request);
      case 'write':
        return writeTo(player.files, request, execution.head.run.id);
    }
  };

  const start = (task: Task): void => {
    const { stepPath, attempt } = task;
    const tell = (outcome: AttemptSeen['outcome']): void =>
      attempted({ state: task.node.name, place: stepPath, visit: task.entries, outcome });
    const judged = governance?.judge(task, execution.data, nowMs);
    if (judged?.verdict === 'deny') {
      tell({ threw: judged.error.name });
      execution.apply({ kind: 'failed', stepPath, attempt, error: judged.error, draw: 0.5, nowMs });
      return;
    }
    if (judged?.verdict === 'needs_approval') tell('needed approval');
    execution.apply({ kind: 'started', stepPath, attempt, nowMs });
    const played = playTask(player, task);
    const { timeoutMs, heartbeatMs } = task;
    const limitMs = Math.min(timeoutMs ?? NO_LIMIT_MS, heartbeatMs ?? NO_LIMIT_MS);
    const takesMs = played.kind === 'timeout' ? limitMs : Math.min(played.delayMs, limitMs);
    const isLate = played.kind !== 'timeout' && played.delayMs >= limitMs;
    // Reported as a timeout, and found by who lists it as a missed heartbeat.
    const name = limitMs === heartbeatMs ? 'States.HeartbeatTimeout' : TIMEOUT.name;
    const atMs = nowMs + takesMs;
    const of = { stepPath, attempt, nowMs: atMs };
    const event: EngineEvent = isLate
      ? { kind: 'failed', ...of, error: { ...TIMEOUT, name }, draw: 0 }
      : played.kind === 'return'
        ? { kind: 'succeeded', ...of, output: played.output }
        : { kind: 'failed', ...of, error: named(played, name), draw: 0.5 };
    const end = (): void => {
      tell(outcomeOf(event));
      execution.apply(event);
    };
    if (takesMs === 0) end();
    else pending.push({ atMs, end });
  };

  /** What can be done at the present time, in the order in which it is asked for; false = nothing. */
  const step = async (): Promise<boolean> => {
    if (execution.hasWork) {
      execution.apply({ kind: 'tick', nowMs });
      return true;
    }
    const requests = execution.requests(nowMs);
    if (requests.length > 0) {
      const answers = await Promise.all(requests.map(answerTo));
      answers.forEach((answer, index) => {
        const { id = '', at = 0 } = requests[index] ?? {};
        execution.apply({ kind: 'answered', id, at, answer, nowMs });
      });
      return true;
    }
    const ready = execution.ready();
    for (const { stepPath } of ready) {
      // One that ended before it may have stopped it.
      const task = execution.task(stepPath);
      if (task !== null && execution.mayStart(task)) start(task);
    }
    if (ready.length > 0) return true;
    const stopping = execution.tasks().filter(({ isStopping }) => isStopping);
    for (const { stepPath, attempt } of stopping)
      execution.apply({ kind: 'stopped', stepPath, attempt, nowMs });
    return stopping.length > 0;
  };

  /** The clock jumps; false = there is nothing to come. */
  const jump = (): boolean => {
    const first = pending.reduce<number | null>((least, { atMs }) => Math.min(least ?? atMs, atMs), null);
    const timer = execution.nextTimerMs();
    if (first === null && timer === null) return false;
    const nextMs = Math.min(first ?? Infinity, timer ?? Infinity);
    nowMs = Math.max(nowMs, nextMs);
    const due = pending.filter(({ atMs }) => atMs <= nowMs);
    pending = pending.filter(({ atMs }) => atMs > nowMs);
    for (const { end } of due) end();
    if (timer !== null && timer <= nowMs) execution.apply({ kind: 'tick', nowMs });
    return true;
  };

  return {
    nowMs: () => nowMs,
    async play(until = () => false) {
      while (execution.head.status === 'running') {
        if (await step()) continue;
        if (until() || !jump()) return false;
      }
      return true;
    },
  };
}

function outcomeOf(event: EngineEvent): AttemptSeen['outcome'] {
  if (event.kind !== 'failed') return 'returned';
  return event.error.code === 'STEP_TIMEOUT' ? 'timed out' : { threw: event.error.name };
}

function named(played: Exclude<Played, { readonly kind: 'return' }>, timeout: string): StepError {
  const { kind, error } = played;
  return kind === 'timeout' && error.name === TIMEOUT.name ? { ...error, name: timeout } : error;
}

const TIMEOUT = { name: 'States.Timeout', code: 'STEP_TIMEOUT', kind: 'failure', message: '' } as const;

function evaluator(): QueryEvaluator {
  shared ??= openQueryEvaluator();
  return shared;
}
