// Requests for approval, and what people make of them.
import type { Hex, Json, SubjectDigest } from '../../json.js';
import type { ApprovalOutbox } from '../approval/outbox.js';
import type { ApprovalStatistics } from '../approval/statistics.js';
import type { ApprovalRecord, Receipt, Store } from '../ports.js';
import type { PreviousSubject } from '../approval/previous-subject.js';
import type { Principal } from './principal.js';

/** One vote. */
export interface VoteRequest {
  /** `revoke` takes back an approval that its step has not used yet. */
  readonly decision: 'approve' | 'deny' | 'revoke';
  /** What the voter saw; required for approve. */
  readonly digest: SubjectDigest | null;
  readonly reason: string | null;
  /** For whom, by a delegation of approvers.yaml; absent = for themselves. */
  readonly delegation?: string;
  /** Under the emergency role: needs a reason and opens a review. Absent = not. */
  readonly breakGlass?: true;
  /** The person signed elsewhere, over this time and a reason with this salt; absent = signed here and now. */
  readonly signed?: { readonly atMs: number; readonly reasonSalt: Uint8Array | null };
  /** The message that brings the vote counts once: kept in the transaction of the decision. */
  readonly receipt?: { readonly source: string; readonly id: string; readonly digest: Hex };
  /** Something else that is used up by it, in the same transaction: the callback token that a message brings. */
  readonly also?: { readonly source: string; readonly id: string; readonly digest: Hex };
}

/** Another input in place of the one that was asked about. */
export interface EditRequest {
  /** Of what the editor saw. */
  readonly digest: SubjectDigest;
  readonly input: Json;
  /** The message that brings the change counts once: kept in its transaction, with what became of it. */
  readonly receipt?: Pick<Receipt, 'source' | 'id' | 'digest'>;
}

export interface ApprovalView {
  readonly record: ApprovalRecord;
  /** Null when the payload was erased; `display` says so then. */
  readonly subject: Json;
  /** The step as its author has named it, with its place; absent = not known any more. */
  readonly step?: string;
  /** Why it needs an approval: `record.demandedBy`, each with the file that says so. Absent = not known any more. */
  readonly why?: readonly string[];
  /** It waits, and the policies that asked are no longer in force: an approval starts nothing, and its step asks again. */
  readonly isOvertaken?: true;
  /** Deterministic text of the exact action, control and bidi characters made visible; one line per element. */
  readonly display: readonly string[];
}

/** Requests for approval: looked at, decided, edited, reviewed. */
export interface Approvals extends Pick<Store, 'approvals' | 'approvalKeys' | 'decidedRuns'> {
  /** Without what it is about; null = there is none. */
  approvalRecord(id: string): Promise<ApprovalRecord | null>;
  approval(id: string): Promise<ApprovalView>;
  /**
   * Whether a caller from outside may see the request: who asked, who may decide it, by a delegation or in an emergency
   * too, and who may read its run's log.
   */
  mayRead(record: ApprovalRecord, principal: Pick<Principal, 'id'>): boolean;
  /** What a message that counted came to; null = it has not. */
  receipt(source: string, id: string): Promise<Receipt | null>;
  /** A message that was refused counts no second time either; one that has counted stays what it was. */
  keepRefused(message: Pick<Receipt, 'source' | 'id' | 'digest'>): Promise<void>;
  /** What channels are told of. */
  readonly outbox: ApprovalOutbox;
  /** `digest` must be the full subject digest the person saw. Throws APPROVAL_*; resolves once durable. */
  decide(
    id: string,
    vote: VoteRequest, // `digest` is required for approve
    approver: Principal,
  ): Promise<ApprovalRecord>;
  /**
   * Changes the input of a pending request: it is withdrawn, and another one takes its place, which is what resolves.
   * The editor counts as one who asks. Throws APPROVAL_*, POLICY_*, CEILING_* (then the request stands), USAGE.
   */
  editApproval(id: string, edit: EditRequest, editor: Principal): Promise<ApprovalRecord>;
  /** Closes the review that an emergency vote has opened. Throws APPROVAL_*, USAGE. */
  reviewApproval(id: string, reason: string, reviewer: Principal): Promise<ApprovalRecord>;
  /** What was asked for right before, of the same step: to be compared. Null = nothing, or it was erased. */
  previousSubject(record: ApprovalRecord): Promise<PreviousSubject | null>;
  /** How people cope with what they are asked: fatigue shows here. */
  approvalStatistics(): Promise<ApprovalStatistics>;
}
