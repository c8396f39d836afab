// The run's next record after something happened to it. Pure but for sealing payloads: it is computed while the
// outcome is being committed, so state and log can't disagree.
import { apply, command } from '../engine/interpret.js';
import type { EngineEvent } from '../engine/command.js';
import type { EngineState, StepError } from '../engine/state.js';
import { ERRORS, isErrorCode } from '../errors.js';
import type { Commitment } from '../json.js';
import type { Plan } from '../workflow/plan.js';
import type { Outcome, Settlement } from './attempt.js';
import { draft, type EntryContext } from './entries.js';
import { drawUnit } from './ids.js';
import { sealJson } from './payload.js';
import type { Payload, Random, RunRecord } from './ports.js';
import type { Redactor } from './redaction.js';
import { activeState, stored, type FinishedState } from './run-state.js';

/** Process exit code of a run that waits for an approval (ARCHITECTURE 6). */
export const EXIT_WAITING = 10;

export interface SettleContext {
  readonly entry: EntryContext;
  readonly nowMs: number;
  readonly random: Random;
  readonly redact: Redactor;
}

/** How an attempt's outcome moves its run on. */
export function settleOutcome(outcome: Outcome, run: RunRecord, context: SettleContext): Settlement {
  const { nowMs, random } = context;
  switch (outcome.kind) {
    case 'started': {
      const { plan, engine } = activeState(run);
      const state = stored({ v: 1, engine: apply(plan, engine, { kind: 'resumed', nowMs }) });
      const going = { status: 'running', waitingFor: null, wakeAtMs: null, exitCode: null } as const;
      return { run: { ...run, ...going, state, updatedAtMs: nowMs }, entries: [], payloads: [] };
    }
    case 'succeeded':
      return settleEvent({ kind: 'succeeded', output: outcome.output, nowMs }, run, context);
    case 'failed':
      return settleEvent(
        { kind: 'failed', error: outcome.error, nowMs, draw: drawUnit(random) },
        run,
        context,
      );
    case 'waiting': {
      const { plan, engine } = activeState(run);
      const state = stored({ v: 1, engine: apply(plan, engine, { kind: 'paused', nowMs }) });
      const { approvalId, expiresAtMs } = outcome;
      const waitingFor = { kind: 'approval', approvalId, stepPath: engine.node, expiresAtMs } as const;
      const record: RunRecord = {
        ...run,
        state,
        status: 'waiting',
        waitingFor,
        wakeAtMs: expiresAtMs,
        exitCode: EXIT_WAITING,
        updatedAtMs: nowMs,
      };
      return { run: record, entries: [], payloads: [] };
    }
    case 'cancelled':
      // Stopped, not judged: what becomes of the attempt is decided when the run is advanced again, or cancelled.
      return { run: { ...run, updatedAtMs: nowMs }, entries: [], payloads: [] };
  }
}

export function settleEvent(event: EngineEvent, run: RunRecord, context: SettleContext): Settlement {
  const { plan, engine } = activeState(run);
  return settleEngine(plan, apply(plan, engine, event), run, context);
}

/** The record for a new engine state: goes on, waits for a timer, or has finished. */
export function settleEngine(
  plan: Plan,
  engine: EngineState,
  run: RunRecord,
  context: SettleContext,
): Settlement {
  const next = command(plan, engine);
  if (next.kind === 'finish') return finish(next.status, engine, run, context);
  const waiting = next.kind === 'wait';
  const record: RunRecord = {
    ...run,
    state: stored({ v: 1, engine }),
    status: waiting ? 'waiting' : 'running',
    waitingFor: waiting ? { kind: 'timer', stepPath: next.stepPath, untilMs: next.untilMs } : null,
    wakeAtMs: waiting ? next.untilMs : null,
    exitCode: null,
    updatedAtMs: context.nowMs,
  };
  return { run: record, entries: [], payloads: [] };
}

function finish(
  status: 'completed' | 'failed',
  engine: EngineState,
  run: RunRecord,
  context: SettleContext,
): Settlement {
  const { error } = engine;
  const payload =
    error === null
      ? sealJson(run.id, 'output', engine.output, context)
      : sealJson(run.id, 'error', { message: error.message }, context);
  return finished(run, status, exitCodeOf(error), payload, error, context);
}

/** A finished run keeps commitments only; its engine state, and with it all data, is dropped. */
export function finished(
  run: RunRecord,
  status: 'completed' | 'failed' | 'cancelled',
  exitCode: number,
  payload: Payload | null,
  error: StepError | null,
  context: SettleContext,
): Settlement {
  const commit: Record<string, Commitment> = payload === null ? {} : { [payload.label]: payload.commitment };
  const entry = draft(
    context.entry,
    'run.finished',
    { status, exitCode, reason: error?.code ?? null },
    commit,
  );
  const state: FinishedState = {
    v: 1,
    output: error === null && payload !== null ? payload.commitment : null,
    error:
      error === null || payload === null
        ? null
        : { code: error.code, name: error.name, detail: payload.commitment },
  };
  const record: RunRecord = {
    ...run,
    status,
    state: stored(state),
    waitingFor: null,
    wakeAtMs: null,
    exitCode,
    updatedAtMs: context.nowMs,
  };
  return { run: record, entries: [entry], payloads: payload === null ? [] : [{ payload, entry: 0 }] };
}

function exitCodeOf(error: StepError | null): number {
  if (error === null) return 0;
  return isErrorCode(error.code) ? ERRORS[error.code].exit : 1;
}
