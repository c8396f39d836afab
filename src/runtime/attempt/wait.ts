// An attempt that waits: for the decision of people before its act, or for an answer from outside after it.
import type { WaitingGate } from '../approval/passage.js';
import { attemptRecord, known } from './record.js';
import type { Settle } from './attempt.js';
import { settleCharges } from './charges.js';
import { carriedBy, type Act } from './conclusion.js';
import { decisionEntries } from './decision-entries.js';
import type { EditedRequest } from '../approval/edited-request.js';
import { sandboxExited } from '../log/entries.js';
import type { Intent } from './intent.js';
import type { Guard } from '../guard-parts.js';
import type { Judged } from './judged-attempt.js';
import { sealBytes } from '../log/payload.js';
import type { OpenedTask } from '../task/open.js';

export async function wait(judged: Judged, gate: WaitingGate, settle: Settle): Promise<void> {
  const { approval } = gate;
  if (gate.writes.length === 0) return;
  const { id: approvalId, expiresAtMs, mode } = approval;
  const outcome = {
    kind: 'waiting',
    approval: { approvalId, expiresAtMs, isAsync: mode === 'async' },
  } as const;
  const before = decisionEntries(judged);
  const record = attemptRecord(judged.attempt, {
    ...known(judged),
    status: 'waiting',
    input: gate.input,
    approvalId: approval.id,
  });
  const payloads = gate.payloads.map(({ payload, entry }) => ({ payload, entry: entry + before.length }));
  await settle(outcome, { entries: [...before, ...gate.entries], payloads, record, approvals: gate.writes });
}

/** The run hears of the request that took the place of the one it knew; the next look at the step judges that one. */
export async function adopt({ approval, row, input }: EditedRequest, settle: Settle): Promise<void> {
  const { id: approvalId, expiresAtMs, mode } = approval;
  const known = { approvalId, expiresAtMs, isAsync: mode === 'async' };
  const nothing = { entries: [], payloads: [], approvals: [] };
  await settle({ kind: 'waiting', approval: known, input }, { ...nothing, record: row });
}

/** The act is done; the attempt ends with an answer from outside, or because none comes (task/wait.ts). */
export async function suspend(
  guard: Guard,
  judged: Judged,
  intent: Intent,
  { record: task }: OpenedTask,
  { acted, sandbox }: Act,
  settle: Settle,
): Promise<void> {
  const { attempt, context, charges } = judged;
  const { id: taskId, kind: by, expiresAtMs: untilMs, heartbeatMs, createdAtMs } = task;
  const silentUntilMs = heartbeatMs === null ? null : createdAtMs + heartbeatMs;
  const stderr =
    sandbox === null || sandbox.stderr.bytes.length === 0
      ? null
      : sealBytes(attempt.run.id, 'stderr', sandbox.stderr.bytes, 'text/plain', guard);
  const commit = stderr === null ? {} : { stderr: stderr.commitment };
  const durationMs = guard.clock.nowMs() - intent.startedAtMs;
  await settle(
    { kind: 'handed', waiting: { taskId, by, untilMs, silentUntilMs } },
    {
      entries: sandbox === null ? [] : [{ ...sandboxExited(context, attempt, sandbox), commit }],
      payloads: stderr === null ? [] : [{ payload: stderr, entry: 0 }],
      record: { ...intent.record, status: 'suspended' },
      approvals: [],
      charges: settleCharges(charges, durationMs, acted.usage ?? null),
      ...carriedBy(judged),
    },
  );
}
