// The intent of an attempt: durable before the act. What is decided, consumed, charged and about to be done is one commit.
import { WritError } from '../../errors.js';
import type { OpenGate } from '../approval/passage.js';
import { attemptRecord, known } from './record.js';
import type { Settle } from './attempt.js';
import { decisionEntries } from './decision-entries.js';
import { draft, stepIntended } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import type { Judged } from './judged-attempt.js';
import { limitsJson } from './limits.js';
import { sealJson } from '../log/payload.js';
import type { AttemptRecord, EntryDraft } from '../ports.js';
import { mountsJson } from './sandbox-request.js';
import { openTask, type OpenedTask } from '../task/open.js';

export interface Intent {
  /** What ends the attempt in place of the call; null when the call does. */
  readonly task: OpenedTask | null;
  readonly leafHash: Uint8Array;
  readonly record: AttemptRecord;
  readonly startedAtMs: number;
}

/** Durable before the act. An approval is consumed in this very transaction, directly before the intent. Null: not now. */
export async function intend(
  guard: Guard,
  judged: Judged,
  { consume, approvalId, ended }: OpenGate,
  settle: Settle,
): Promise<Intent | null> {
  const { attempt, callable, context } = judged;
  const { stepPath, idempotencyKey } = attempt;
  const task = await openTask(guard, judged);
  const startedAtMs = guard.clock.nowMs();
  const entries = decisionEntries(judged);
  const approvals = ended === null ? [] : [ended.write];
  if (ended !== null) entries.push(ended.entry);
  if (consume !== null) {
    approvals.push({ op: 'update', record: { ...consume, state: 'consumed' } });
    const { id, subjectDigest } = consume;
    const data = { approvalId: id, subjectDigest, stepPath, attempt: attempt.attempt };
    entries.push({ ...draft(context, 'approval.consumed', data), beforeMs: consume.expiresAtMs });
  }
  const sealed =
    judged.earlier?.input == null ? sealJson(attempt.run.id, 'input', attempt.input, guard) : null;
  const input = judged.earlier?.input ?? sealed?.commitment;
  if (input === undefined) throw new WritError('INTERNAL', `no input commitment for ${stepPath}`);
  const intentEntry = entries.length;
  entries.push(
    stepIntended(
      context,
      {
        stepPath,
        attempt: attempt.attempt,
        iteration: attempt.iteration,
        item: attempt.item,
        functionId: callable.resource,
        agentDigest: judged.subject.agentDigest,
        sandbox: callable.kind === 'sandbox' ? callable.driver.kind : null,
        idempotencyKey,
        approvalId,
      },
      input,
    ),
  );
  if (task !== null) entries.push(task.entry);
  const sandbox = sandboxStarted(judged);
  if (sandbox !== null) entries.push(sandbox);
  const record = attemptRecord(attempt, {
    ...known(judged),
    status: 'intended',
    input,
    approvalId,
    startedAtMs,
  });
  const committed = await settle(
    { kind: 'started' },
    {
      entries,
      payloads: sealed === null ? [] : [{ payload: sealed, entry: intentEntry }],
      record,
      intentEntry,
      approvals,
      charges: judged.charges,
      ...(task === null ? {} : { tasks: [{ op: 'insert', record: task.record }] }),
    },
  );
  if (committed === null) return null;
  const intent = committed.entries[intentEntry];
  if (intent === undefined)
    throw new WritError('INTERNAL', `the store did not place the intent of ${stepPath}`);
  return { task, leafHash: intent.leafHash, record: { ...record, intentIndex: intent.index }, startedAtMs };
}

/** Null outside a sandbox. */
function sandboxStarted({
  attempt,
  callable,
  context,
  request,
  evidence,
  limits,
}: Judged): EntryDraft | null {
  if (callable.kind !== 'sandbox' || request === null) return null;
  return draft(context, 'sandbox.started', {
    stepPath: attempt.stepPath,
    attempt: attempt.attempt,
    driver: callable.driver.kind,
    imageDigest: callable.request.program.digest,
    limits: limitsJson(limits),
    mounts: mountsJson(request.mounts ?? []),
    network: [...(request.egress?.hosts ?? [])].sort(),
    evidence: evidence ?? {},
  });
}
