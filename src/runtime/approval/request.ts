// A new request for an approval: of whom, until when, over exactly what.
import { displayHash, displaySubject } from '../../approval/display.js';
import { subjectBytes, subjectDigest } from '../../approval/subject.js';
import type { Commitment, Json } from '../../json.js';
import type { EffectiveApproval } from '../../policy/ceiling/approval-duty.js';
import { eligibleApprovers, isReachable } from '../../policy/rbac/quorum.js';
import type { Judged } from '../attempt/judged-attempt.js';
import type { Guard } from '../guard-parts.js';
import { newId } from '../ids.js';
import { asJson, draft, timeText } from '../log/entries.js';
import { openJson, sealBytes, sealJson } from '../log/payload.js';
import type { ApprovalRecord } from '../ports.js';
import { endApproval, refused, type ApprovalWrite, type RefusedGate, type WaitingGate } from './passage.js';

/** What is asked for anew. */
interface Asking {
  readonly nowMs: number;
  /** The older request of this attempt whose place it takes. */
  readonly superseded: ApprovalRecord | null;
  /** Who has changed the input before. */
  readonly editors: readonly string[];
  /** Who changes it now; absent = nobody. */
  readonly editor?: string;
}

/**
 * A new request; the older one is withdrawn in the same commit. Who has changed the input counts among those who ask, for
 * as long as it is that input.
 */
export function requestApproval(guard: Guard, judged: Judged, asking: Asking): WaitingGate | RefusedGate {
  const { attempt, context, decision, subject, earlier, author } = judged;
  const { superseded, editor } = asking;
  const needed = decision.effective.approval;
  if (needed === null)
    return refused('APPROVAL_QUORUM_UNREACHABLE', 'policy asks for an approval but names no approvers');
  if (needed.author === true && author === null)
    return refused('APPROVAL_QUORUM_UNREACHABLE', 'nobody knows who wrote the workflow, who may not approve');
  const editors = [...new Set([...asking.editors, ...(editor === undefined ? [] : [editor])])];
  const tooFew = tooFewLeft(guard, judged, editors);
  if (tooFew !== null) return refused('APPROVAL_QUORUM_UNREACHABLE', tooFew);
  const run = attempt.run.id;
  const bytes = sealBytes(run, 'subject', subjectBytes(subject), 'application/json', guard);
  const inputPayload = earlier?.input == null ? sealJson(run, 'input', attempt.input, guard) : null;
  const input = inputPayload?.commitment ?? earlier?.input ?? null;
  const record = pendingRecord(guard, judged, {
    nowMs: asking.nowMs,
    needed,
    editors,
    subject: bytes.commitment,
  });
  const cause = editor === undefined ? 'what would run has changed' : `${editor} has changed the input`;
  const ended = superseded === null ? null : endApproval(context, superseded, 'withdrawn', cause);
  const requested = draft(
    context,
    'approval.requested',
    {
      ...requestedData(record),
      displayHash: displayHash(displaySubject(openJson(bytes))),
      ...(superseded === null ? {} : { supersedes: superseded.id }),
    },
    { subject: bytes.commitment, ...(input === null ? {} : { input }) },
  );
  const entries = ended === null ? [requested] : [ended.entry, requested];
  const payloads = [bytes, inputPayload].flatMap((payload) =>
    payload === null ? [] : [{ payload, entry: entries.length - 1 }],
  );
  const writes: ApprovalWrite[] = ended === null ? [] : [ended.write];
  writes.push({ op: 'insert', record });
  return { kind: 'waiting', approval: record, writes, entries, payloads, input };
}

function pendingRecord(
  guard: Guard,
  { attempt, callable, decision, subject, author }: Judged,
  asked: Pick<Asking, 'nowMs' | 'editors'> & {
    readonly needed: EffectiveApproval;
    readonly subject: Commitment;
  },
): ApprovalRecord {
  const { nowMs, needed, editors } = asked;
  const { mode, quorum, separationOfDuties, reasonRequired, expiresSeconds } = needed;
  return {
    id: newId('apr', guard.random),
    tenant: guard.tenant,
    run: attempt.run.id,
    stepPath: attempt.stepPath,
    attempt: attempt.attempt,
    subjectDigest: subjectDigest(subject),
    subject: asked.subject,
    mode,
    quorum,
    separationOfDuties,
    reasonRequired,
    requester: callable.agent ?? attempt.run.initiator,
    initiator: attempt.run.initiator,
    functionId: callable.resource,
    ...namedBy(callable),
    demandedBy: decision.demandedBy,
    policyHash: decision.policyHash,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + expiresSeconds * 1000,
    state: 'pending',
    votes: [],
    version: 0,
    ...(editors.length === 0 ? {} : { editors }),
    ...(attempt.redriver === null ? {} : { redriver: attempt.redriver }),
    ...(author === null ? {} : { author }),
  };
}

/** What of it the log tells. */
function requestedData(record: ApprovalRecord): Readonly<Record<string, Json>> {
  const { subjectDigest: digest, mode, quorum, separationOfDuties, stepPath, attempt } = record;
  const { editors, redriver, author } = record;
  return {
    approvalId: record.id,
    subjectDigest: digest,
    mode,
    quorum: asJson(quorum),
    separationOfDuties,
    expiresAt: timeText(record.expiresAtMs),
    stepPath,
    attempt,
    ...(editors === undefined ? {} : { editors }),
    ...(redriver === undefined ? {} : { redriver }),
    ...(author === undefined ? {} : { author }),
  };
}

/**
 * The decision knew of nobody who has changed the input or redriven run or step: without them the others may be too few.
 * Null = they are enough.
 */
function tooFewLeft(guard: Guard, judged: Judged, editors: readonly string[]): string | null {
  const { attempt, callable, decision, author } = judged;
  const { redriver } = attempt;
  const needed = decision.effective.approval;
  const hands = redriver === null ? editors : [...editors, redriver];
  if (needed?.separationOfDuties !== true || hands.length === 0) return null;
  const { initiator } = attempt.run;
  const involved = [initiator, callable.agent ?? initiator, ...hands];
  const question = {
    domain: guard.tenant,
    functionId: callable.resource,
    requester: callable.agent,
    ...namedBy(callable),
    separationOfDuties: true,
    involved,
  };
  const barred = author === null ? {} : { author };
  const eligible = eligibleApprovers(guard.policy(), { ...question, ...barred });
  if (isReachable(guard.policy(), guard.tenant, needed.quorum, eligible)) return null;
  const others = redriver === null ? [] : [`${redriver}, who redrove the run or step`];
  if (editors.length > 0) others.push(`${editors.join(', ')}, who changed the input`);
  const left = `without ${others.join(', and without ')}`;
  return `too few people are left to approve ${callable.resource} ${left}`;
}

function namedBy({ package: agent }: Judged['callable']): Pick<ApprovalRecord, 'repository'> {
  return agent === null ? {} : { repository: agent.repository };
}
