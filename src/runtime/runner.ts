// advance and execute: the two short, idempotent moves of a run. Any process that holds the run's lock may make
// them, in any order after a crash; the store is the only memory.
import { command } from '../engine/interpret.js';
import { WritError } from '../errors.js';
import { isExpired } from '../approval/ballot.js';
import { isObject } from '../json.js';
import { cancelNow } from './cancel.js';
import { govern } from './guard.js';
import { isCancelRequested } from './journal.js';
import type { Guard } from './judge.js';
import type { Next, RunRecord, RunSteps } from './ports.js';
import { entryContext, load, logTimeMs } from './run-context.js';
import { lostAttempt, recoverLost } from './recovery.js';
import { activeState, isFinished } from './run-state.js';
import { settleEvent, settleOutcome } from './settlement.js';

/** The moves of runs under one guard. The caller holds the run's lock. */
export function openRunner(guard: Guard): RunSteps {
  return {
    advance: (runId) => advance(guard, runId),
    execute: (runId, signal) => execute(guard, runId, signal),
  };
}

/** Loads the run, folds in what has happened meanwhile, and says what has to be done now. Never blocks on a step. */
async function advance(guard: Guard, runId: string): Promise<Next> {
  for (;;) {
    const run = await load(guard, runId);
    if (isFinished(run)) return { kind: 'finished', run };
    if (isCancelRequested(run)) {
      await cancelNow(guard, run.id);
      continue;
    }
    if (run.status === 'indeterminate') return { kind: 'person', run };
    const lost = await lostAttempt(guard, run);
    if (lost !== null) {
      await recoverLost(guard, run, lost, entryContext(guard, run));
      continue;
    }
    const { plan, engine } = activeState(run);
    const next = command(plan, engine);
    const nowMs = guard.clock.nowMs();
    const overdue = engine.deadlineMs !== null && engine.pausedAtMs === null && nowMs >= engine.deadlineMs;
    if (next.kind === 'wait' && nowMs < next.untilMs) return { kind: 'timer', run, untilMs: next.untilMs };
    if (next.kind === 'wait' || overdue) {
      await settleTimer(guard, run, nowMs);
      continue;
    }
    if (next.kind === 'finish') throw new WritError('INTERNAL', `run ${run.id} ended without being recorded`);
    return (await waitsForApproval(guard, run)) ?? { kind: 'execute', run };
  }
}

/** Carries out the run's current step through the guard. */
async function execute(guard: Guard, runId: string, signal: AbortSignal): Promise<void> {
  const run = await load(guard, runId);
  const { plan, engine } = activeState(run);
  const next = command(plan, engine);
  if (next.kind !== 'execute') return;
  const { stepPath, node, attempt, idempotencyKey } = next;
  // Rendering may have put a secret together: what is approved, stored and run is the text without it.
  const input = guard.redact.json(next.input);
  const { deadlineMs } = engine;
  // The limit that is judged is the limit that is left when the pause begins: a request shows what will then run.
  const judgedAtMs = guard.clock.nowMs();
  const timeLeftMs = deadlineMs === null ? null : Math.max(1, deadlineMs - (engine.pausedAtMs ?? judgedAtMs));
  const workflow = { id: run.workflowId, hash: run.workflowHash };
  const entry = entryContext(guard, run);
  await govern(
    guard,
    { run, plan, workflow, node, stepPath, attempt, input, idempotencyKey, timeLeftMs },
    (outcome, current) => {
      const nowMs = outcome.kind === 'waiting' ? judgedAtMs : guard.clock.nowMs();
      return settleOutcome(outcome, current, { entry, nowMs, random: guard.random, redact: guard.redact });
    },
    signal,
  );
}

async function settleTimer(guard: Guard, run: RunRecord, nowMs: number): Promise<void> {
  const context = { entry: entryContext(guard, run), nowMs, random: guard.random, redact: guard.redact };
  const { run: record, entries, payloads } = settleEvent({ kind: 'woken', nowMs }, run, context);
  await guard.journal.commitOutcome({ entries, payloads }, record);
}

/** Still undecided: nothing to execute. Decided, expired or withdrawn: the guard has to look at it. */
async function waitsForApproval(guard: Guard, run: RunRecord): Promise<Next | null> {
  const waiting = run.waitingFor;
  if (!isObject(waiting) || waiting['kind'] !== 'approval' || typeof waiting['approvalId'] !== 'string')
    return null;
  const approval = await guard.store.approval(waiting['approvalId']);
  if (approval?.state !== 'pending' || isExpired(approval, await logTimeMs(guard))) return null;
  if (approval.policyHash !== guard.policy().policyHash) return null;
  return { kind: 'approval', run, approvalId: approval.id, expiresAtMs: approval.expiresAtMs };
}
