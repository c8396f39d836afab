// `redrive`: a run that has failed, was refused or cancelled goes on where it stood, under its own id and document. The
// policies of now decide, about the redrive and about every step again, and those of its start no longer have a say;
// whoever started the run must still be allowed to. No approval is used twice. Durable in one commit with `run.redriven`.
import { parseEntry } from '../../audit/entry.js';
import { Execution } from '../../engine/execution.js';
import { stoppedTasks, type Remains } from '../../engine/redrive.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { authorize } from '../authorize.js';
import { draft } from '../log/entries.js';
import { isErasure } from '../erasure/workflow.js';
import type { Guard } from '../guard-parts.js';
import { isIntact, openJson } from '../log/payload.js';
import type { AttemptRecord, RunRecord } from '../ports.js';
import { openRemains } from './remains.js';
import { entryContext, load } from './context.js';
import { POLICIES_KEPT } from './policies.js';
import { finishedState, planOf } from './state.js';
import { settle } from './settlement.js';
import type { Principal } from '../writ.js';

export interface RedriveOptions {
  /** Attempts whose outcome nobody knows are made again too; without it a run with one is not redriven. */
  readonly lost?: 'rerun';
}

/**
 * The caller holds the run's lock and drives it afterwards. Throws RUN_NOT_REDRIVABLE, RUN_UNFINISHED, RUN_INDETERMINATE,
 * POLICY_*, INTEGRITY_DIGEST; then the run stays as it was.
 */
export async function redrive(
  guard: Guard,
  runId: string,
  principal: Principal,
  { lost }: RedriveOptions,
): Promise<void> {
  const run = await load(guard, runId);
  requireEnded(run);
  // Asked once: what the log names is what is kept, whatever comes into force meanwhile.
  const policies = guard.policyFiles();
  const by = { id: principal.id, via: guard.via };
  const context = { ...entryContext(guard, run, by), policy: policies.policyHash };
  const resource = run.workflowId;
  await authorize(guard, context, { subject: principal.id, action: 'run.resume', resource });
  await authorize(guard, context, { subject: run.initiator, action: 'workflow.run', resource });
  const remains = await openRemains(guard.store, run);
  const logged = await loggedOutputs(guard, run);
  const outputs = await settledOutputs(guard, run, remains, lost, logged);
  const { random, redact, clock } = guard;
  const nowMs = clock.nowMs();
  const seed = Buffer.from(random.bytes(32)).toString('hex');
  const execution = Execution.redrive(planOf(run), remains, { by: principal.id, nowMs, seed, outputs });
  const { initiator } = run;
  const entry = draft(context, 'run.redriven', {
    redrive: execution.head.redrive?.count ?? 1,
    previous: run.status,
    initiator,
    assurance: principal.assurance,
    key: principal.publicKey,
    lost: lost ?? null,
    ...POLICIES_KEPT,
  });
  const open: RunRecord = {
    ...run,
    // From now on it is a run of these policies.
    policyHash: policies.policyHash,
    status: 'running',
    state: null,
    waitingFor: null,
    wakeAtMs: null,
    exitCode: null,
  };
  const situation = { lost: null, waits: new Map(), endsLater: false };
  const own = { ...context, actor: { id: initiator, via: 'runner' } };
  const next = settle(execution, execution.takeChanges(), open, situation, {
    entry: own,
    nowMs,
    random,
    redact,
  });
  await guard.journal.commit({
    runs: [{ op: 'update', record: next.run, jump: true }],
    policies: [policies],
    parts: [next.parts],
    attempts: next.attempts,
    entries: [entry, ...next.entries],
    payloads: next.payloads.map((one) => ({ ...one, entry: one.entry + 1 })),
  });
}

function requireEnded(run: RunRecord): void {
  const { id, status } = run;
  if (isErasure(run)) {
    throw new WritError('RUN_NOT_REDRIVABLE', `run ${id} is an erasure`, {
      hint: 'ask for the same erasure again: writ audit erase',
    });
  }
  if (status === 'completed') {
    throw new WritError('RUN_NOT_REDRIVABLE', `run ${id} has completed: nothing of it is left to do`, {
      hint: `run it anew: writ workflow run ${run.workflowId}`,
    });
  }
  if (finishedState(run) !== null) return;
  throw new WritError('RUN_UNFINISHED', `run ${id} is ${status}: it has not ended`, {
    hint: `go on with it: writ workflow resume ${id}`,
  });
}

/**
 * What the log says that attempts have given: the commitment of the output, by `attemptKey`. Throws RUN_NOT_REDRIVABLE
 * where data was erased: what the run would go on with holds copies of inputs and outputs, and would bring back what was
 * erased of those. An erasure raises the version of the run, so one that comes after this look makes the commit fail.
 */
async function loggedOutputs(
  { store }: Guard,
  { id, workflowId }: RunRecord,
): Promise<ReadonlyMap<string, string>> {
  const outputs = new Map<string, string>();
  for (const { bytes, index } of await store.entriesOfRun(id)) {
    const { type, data, commit } = parseEntry(bytes);
    if (type === 'payload.erased') {
      throw new WritError('RUN_NOT_REDRIVABLE', `data of run ${id} was erased (entry ${index})`, {
        hint: `run it anew: writ workflow run ${workflowId}`,
      });
    }
    const { stepPath, attempt, status } = data;
    if (type !== 'step.finished' || typeof stepPath !== 'string' || typeof attempt !== 'number') continue;
    const { output } = commit;
    if (status === 'succeeded' && output !== undefined)
      outputs.set(attemptKey({ stepPath, attempt }), output);
  }
  return outputs;
}

function attemptKey({ stepPath, attempt }: Pick<AttemptRecord, 'stepPath' | 'attempt'>): string {
  return JSON.stringify([stepPath, attempt]);
}

/** Outputs of attempts that were being stopped and had succeeded all the same: they are not made again. */
async function settledOutputs(
  guard: Guard,
  run: RunRecord,
  remains: Remains,
  lost: RedriveOptions['lost'],
  logged: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, Json>> {
  const outputs = new Map<string, Json>();
  for (const task of stoppedTasks(planOf(run), remains)) {
    const { stepPath, attempt, isIdempotent, hadBegun, mayHaveEnded } = task;
    const row = await guard.store.attempt(run.id, stepPath, attempt);
    // Stopped with its run or its fork after its intent: it may have done its act, in part or as a whole.
    const isUnknown = row?.status === 'indeterminate' || (hadBegun && row?.status === 'cancelled');
    if (isUnknown && !isIdempotent && lost !== 'rerun') {
      throw new WritError(
        'RUN_INDETERMINATE',
        `the outcome of attempt ${attempt} of ${stepPath} is not known`,
        {
          hint: `look at what it did, then: writ workflow redrive ${run.id} --rerun-lost`,
        },
      );
    }
    if (row?.status !== 'succeeded' || row.output === null || !mayHaveEnded) continue;
    const payload = await guard.store.payload(row.output);
    if (payload?.bytes == null) {
      throw new WritError('RUN_NOT_REDRIVABLE', `the output of ${stepPath} was erased`, {
        hint: `run it anew: writ workflow run ${run.workflowId}`,
      });
    }
    // A row that merely says so is nobody's answer: what counts is to the byte what the log names.
    if (logged.get(attemptKey(row)) !== row.output || !isIntact(payload)) {
      throw new WritError(
        'INTEGRITY_DIGEST',
        `the stored output of attempt ${attempt} of ${stepPath} is not what the log names`,
        {
          hint: 'do not go on with it; find out who changed the store: writ audit verify --payloads',
        },
      );
    }
    outputs.set(stepPath, openJson(payload));
  }
  return outputs;
}
