// How an attempt stands before the gate: it may pass, it waits, or it is refused; and what becomes of requests with that.
import type { ErrorCode } from '../../errors.js';
import type { Commitment } from '../../json.js';
import { approvalEnded, type EntryContext } from '../log/entries.js';
import type { ApprovalRecord, EntryDraft, Payload } from '../ports.js';

export type Gate = OpenGate | WaitingGate | RefusedGate;

/** The step may start. `consume` becomes consumed, and what `ended` says ends, in the transaction of the intent. */
export interface OpenGate {
  readonly kind: 'open';
  readonly consume: ApprovalRecord | null;
  readonly approvalId: string | null;
  /** A request of this attempt that policy no longer asks for. */
  readonly ended: EndedApproval | null;
}

/** The step waits. With `writes` empty nothing changed since last time. */
export interface WaitingGate {
  readonly kind: 'waiting';
  readonly approval: ApprovalRecord;
  readonly writes: readonly ApprovalWrite[];
  readonly entries: readonly EntryDraft[];
  /** `entry` = position in `entries`. */
  readonly payloads: readonly { readonly payload: Payload; readonly entry: number }[];
  readonly input: Commitment | null;
}

export interface RefusedGate {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
  readonly ended: EndedApproval | null;
}

/** A request that ends together with the refusal. */
export interface EndedApproval {
  readonly write: ApprovalWrite;
  readonly entry: EntryDraft;
}

export interface ApprovalWrite {
  readonly op: 'insert' | 'update';
  readonly record: ApprovalRecord;
}

/** A request that is over, and why, for people. */
export function endApproval(
  context: EntryContext,
  approval: ApprovalRecord,
  state: 'expired' | 'withdrawn',
  cause: string,
): EndedApproval {
  const type = state === 'expired' ? 'approval.expired' : 'approval.withdrawn';
  return {
    write: { op: 'update', record: { ...approval, state } },
    entry: approvalEnded(context, type, approval, cause),
  };
}

export function refused(code: ErrorCode, message: string, ended: EndedApproval | null = null): RefusedGate {
  return { kind: 'refused', code, message, ended };
}
