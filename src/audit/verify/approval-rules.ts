// Rule 7 for approvals: one that was used was asked for, given for the same digest by enough people who may, alive, used
// once and directly before its intent; every vote that says it is signed is. No approval is asked for twice in a log.
import { isList, type Json } from '../../json.js';
import { ownText } from '../own-text.js';
import { formatTime } from '../time.js';
import { dutiesOf, whyBarred, type Duties } from './approval-duties.js';
import type { Facts, StepRef } from './facts.js';
import type { JudgedEntry } from './judged-entry.js';
import type { FindingList } from './report.js';
import { isUnsigned } from './unsigned.js';

/** An approval that its run has asked for. */
export interface Approval {
  readonly subjectDigest: string;
  readonly stepPath: string;
  readonly attempt: number;
  readonly expiresAtMs: number;
  /** Distinct approvers needed. */
  readonly needed: number;
  readonly duties: Duties;
  /** People whose approval counts, and those for whom one of them voted. */
  readonly approvers: Set<string>;
  /** Approvals that count: nobody's voice counts twice, their own or lent to somebody. */
  given: number;
  state: 'pending' | 'approved' | 'denied' | 'revoked' | 'expired' | 'withdrawn' | 'consumed';
  /** Key of the intent that used it; null before, or when that step has none. */
  idempotencyKey: string | null;
  /** The intent that used it was lost or stopped: an idempotent step may run again under it. */
  lost: boolean;
  /** The turn that used it has asked for calls: the attempt of this number, the next turn, may run under it. */
  nextTurn: number | null;
}

/** Of one run, by id. */
export type Approvals = Map<string, Approval>;

/** An approver's signed decision as its entry tells it; everything in it is attacker-controlled. */
export interface SignedDecision {
  readonly approvalId: string;
  readonly subjectDigest: string;
  readonly decision: string;
  readonly approver: string;
  readonly at: string;
  readonly expiresAt: string;
  readonly reasonCommitment: string | null;
  /** Who delegated the vote; null = nobody. */
  readonly delegation: string | null;
  readonly breakGlass: true | null;
  /** As in approvers.yaml: `ed25519:<base64>`. */
  readonly keyId: string;
  /** Base64. */
  readonly signature: string;
}

/** False for anything but a good signature by the named key; never throws. */
export type VerifyDecision = (decision: SignedDecision) => boolean;

/** An `approval.consumed` that holds. */
export interface Consumption {
  readonly index: bigint;
  readonly run: string;
  readonly approvalId: string;
  readonly stepPath: string;
  readonly attempt: number;
}

/** What a `step.intended` says of the approval it runs under. */
export interface IntentUse {
  readonly run: string;
  readonly step: StepRef;
  readonly approvalId: string | null;
  readonly idempotencyKey: string | null;
}

/** Of a whole log; the approvals of each run are handed in. */
export class ApprovalRules {
  /** Approvals that any run asked for: a signature under one counts there and nowhere else. */
  private readonly asked = new Set<string>();
  /** The entry right before, when it was an `approval.consumed` that holds. */
  private consumption: Consumption | null = null;
  /** Signatures met. */
  signatures = 0;

  constructor(
    private readonly findings: FindingList,
    private readonly verifyDecision: VerifyDecision | null,
  ) {}

  /** Called with every entry: the consumption that stands right before it, when it is an intent. */
  takeConsumption(index: bigint, type: string): Consumption | null {
    const before = this.consumption;
    this.consumption = null;
    if (before === null) return null;
    if (before.index + 1n === index && type === 'step.intended') return before;
    this.unused(before);
    return null;
  }

  /** An entry of a run that is not judged: what it asked for is not free for another run. */
  passOver({ type, run, data }: JudgedEntry): void {
    const id = type !== 'approval.requested' || run === null ? undefined : data.get('approvalId');
    if (typeof id === 'string') this.asked.add(id);
  }

  finish(): void {
    if (this.consumption !== null) this.unused(this.consumption);
  }

  requested(approvals: Approvals, facts: Facts): void {
    const step = facts.step();
    const id = facts.text('approvalId');
    const subjectDigest = facts.text('subjectDigest');
    const expiresAtMs = facts.time('expiresAt');
    const needed = quorumSize(facts.data.get('quorum'));
    if (needed === null) facts.misshapen('quorum');
    const duties = dutiesOf(facts);
    if (step === null || id === null || subjectDigest === null || expiresAtMs === null) return;
    if (needed === null || duties === null) return;
    if (this.asked.has(id)) return facts.broken(`approval ${id} is requested twice in this log`);
    this.asked.add(id);
    approvals.set(id, {
      subjectDigest,
      stepPath: step.stepPath,
      attempt: step.attempt,
      expiresAtMs,
      needed,
      duties,
      approvers: new Set(),
      given: 0,
      state: 'pending',
      idempotencyKey: null,
      lost: false,
      nextTurn: null,
    });
  }

  /** `initiator`: who started the run; null = its log does not say. */
  voted(approvals: Approvals, facts: Facts, initiator: string | null): void {
    const approval = approvalOf(approvals, facts);
    const approver = facts.text('approver');
    const decision = facts.text('decision');
    if (approval === null || approver === null || decision === null) return;
    this.checkSignature(facts, { approver, decision, expiresAtMs: approval.expiresAtMs });
    if (approval.state !== 'pending' && approval.state !== 'approved') {
      return facts.broken(`a decision on an approval that is ${approval.state}`);
    }
    if (decision !== 'approve' && decision !== 'deny' && decision !== 'revoke')
      return facts.misshapen('decision');
    const delegation = facts.data.get('delegation');
    const voices = typeof delegation === 'string' ? [approver, delegation] : [approver];
    // Taking an approval back is nobody's privilege.
    const why = decision === 'revoke' ? null : whyBarred(approval.duties, voices, initiator);
    if (why !== null) return facts.broken(why);
    if (decision !== 'approve') {
      approval.state = decision === 'deny' ? 'denied' : 'revoked';
    } else {
      if (!voices.some((one) => approval.approvers.has(one))) approval.given += 1;
      for (const one of voices) approval.approvers.add(ownText(one));
      const enough = approval.given >= approval.needed;
      // The state may lag behind the count (a role is still missing), never run ahead of it.
      const claimed = facts.data.get('state') ?? (enough ? 'approved' : 'pending');
      if (claimed === 'approved' && !enough) {
        facts.broken(`approved by ${approval.given} of ${approval.needed} approvers`);
      } else if (claimed === 'approved') {
        approval.state = 'approved';
      }
    }
  }

  private checkSignature(
    facts: Facts,
    vote: { readonly approver: string; readonly decision: string; readonly expiresAtMs: number },
  ): void {
    if (isUnsigned(facts)) return;
    const signature = facts.text('signature');
    if (signature === null) return;
    this.signatures += 1;
    if (this.verifyDecision === null) return;
    const approvalId = facts.text('approvalId');
    const subjectDigest = facts.text('subjectDigest');
    const at = facts.text('at');
    const keyId = facts.text('keyId');
    if (approvalId === null || subjectDigest === null || at === null || keyId === null) return;
    const { approver, decision } = vote;
    // Signed over the expiry that was asked for, not over one that a later entry claims.
    const expiresAt = formatTime(vote.expiresAtMs);
    if (expiresAt === null) return;
    const [delegation, breakGlass] = [
      facts.data.get('delegation') ?? null,
      facts.data.get('breakGlass') ?? null,
    ];
    if (delegation !== null && typeof delegation !== 'string') return facts.misshapen('delegation');
    if (breakGlass !== null && breakGlass !== true) return facts.misshapen('breakGlass');
    const whose = { delegation, breakGlass } as const;
    const reasonCommitment = facts.entry.commit['reason'] ?? null;
    const about = {
      approvalId,
      subjectDigest,
      decision,
      approver,
      at,
      expiresAt,
      reasonCommitment,
      ...whose,
    };
    if (!this.verifyDecision({ ...about, keyId, signature })) {
      facts.broken(`the signature of ${approver} does not hold`);
    }
  }

  ended(approvals: Approvals, facts: Facts, state: 'expired' | 'withdrawn'): void {
    const approval = approvalOf(approvals, facts);
    if (approval === null) return;
    if (approval.state !== 'pending' && approval.state !== 'approved') {
      facts.broken(`an approval that is ${approval.state} can't become ${state}`);
    } else {
      approval.state = state;
    }
  }

  consumed(approvals: Approvals, facts: Facts, runId: string): void {
    const step = facts.step();
    const approval = approvalOf(approvals, facts);
    const approvalId = facts.text('approvalId');
    if (step === null || approval === null || approvalId === null) return;
    if (approval.state !== 'approved') facts.broken(`an approval that is ${approval.state} is consumed`);
    // At the border it has expired.
    else if (facts.timeMs >= approval.expiresAtMs) facts.broken('an expired approval is consumed');
    else if (approval.stepPath !== step.stepPath || approval.attempt !== step.attempt) {
      facts.broken('an approval is consumed for another step or attempt than it was asked for');
    } else {
      approval.state = 'consumed';
      const { stepPath, attempt } = step;
      this.consumption = { index: facts.index, run: runId, approvalId, stepPath, attempt };
    }
  }

  /** An intent runs under the approval that `before`, right before it, has consumed, or goes on under one of an attempt before. */
  intended(approvals: Approvals, facts: Facts, use: IntentUse, before: Consumption | null): void {
    const { run, step, approvalId, idempotencyKey } = use;
    const { stepPath, attempt } = step;
    const ownConsumption =
      before !== null &&
      before.run === run &&
      before.approvalId === approvalId &&
      before.stepPath === stepPath &&
      before.attempt === attempt;
    if (before !== null && !ownConsumption) this.unused(before);
    if (approvalId === null) return;
    const approval = approvals.get(approvalId);
    if (ownConsumption && approval !== undefined) {
      approval.idempotencyKey = idempotencyKey;
    } else if (approval?.state !== 'consumed') {
      facts.broken(`the approval ${approvalId} of step ${stepPath} was not consumed`);
    } else if (approval.stepPath !== stepPath) {
      facts.broken(`the approval ${approvalId} was consumed for step ${approval.stepPath}, not ${stepPath}`);
    } else if (
      (!approval.lost && approval.nextTurn !== attempt) ||
      idempotencyKey === null ||
      approval.idempotencyKey !== idempotencyKey
    ) {
      facts.broken(`the consumption of approval ${approvalId} does not stand directly before this intent`);
    } else {
      approval.lost = false;
      approval.nextTurn = null;
    }
  }

  unused({ index, approvalId }: Consumption): void {
    const message = `entry ${index}: approval ${approvalId} is consumed without its intent`;
    this.findings.add('order-broken', message, { index });
  }
}

/** What the outcome of the attempt that used `approvalId` leaves of it. */
export function spend(
  approvals: Approvals,
  approvalId: string,
  outcome: { readonly status: string; readonly attempt: number; readonly calls: Json | undefined },
): void {
  const { status, attempt, calls } = outcome;
  const approval = approvals.get(approvalId);
  if (approval === undefined) return;
  // Stopped with its process is as good as lost: what the step did is not known.
  if (status === 'indeterminate' || status === 'cancelled') approval.lost = true;
  else if (approval.state !== 'consumed') return;
  else if (status === 'succeeded' && isCount(calls)) approval.nextTurn = attempt + 1;
  else approvals.delete(approvalId);
}

/** The approval an entry is about, when its digest is the requested one. */
function approvalOf(approvals: Approvals, facts: Facts): Approval | null {
  const id = facts.text('approvalId');
  const subjectDigest = facts.text('subjectDigest');
  if (id === null || subjectDigest === null) return null;
  const approval = approvals.get(id);
  if (approval === undefined) {
    facts.broken(`approval ${id} was not requested in this run, or is used up`);
    return null;
  }
  if (approval.subjectDigest !== subjectDigest) {
    facts.broken(`approval ${id} was requested for another subject digest`);
    return null;
  }
  return approval;
}

/** Of calls that a turn of a conversation asks for. */
function isCount(value: Json | undefined): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}

/** Distinct people needed: a count, or the sum over role factors, since one person fills one factor only. */
function quorumSize(quorum: Json | undefined): number | null {
  if (typeof quorum === 'number')
    return Number.isSafeInteger(quorum) && quorum >= 0 ? Math.max(1, quorum) : null;
  if (typeof quorum === 'string') return /^[0-9]{1,6}$/.test(quorum) ? Math.max(1, Number(quorum)) : null;
  if (!isList(quorum)) return null;
  let sum = 0;
  for (const factor of quorum) {
    const n = typeof factor === 'object' && factor !== null && 'n' in factor ? factor.n : null;
    if (typeof n !== 'number' || !Number.isSafeInteger(n) || n < 0) return null;
    sum += n;
  }
  return Number.isSafeInteger(sum) ? Math.max(1, sum) : null;
}
