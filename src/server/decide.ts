// A decision or a change of input as it came over HTTP, brought to the gate that the command line uses too. A message
// counts once: sent again it gets its first answer, and under a key that was used for another one it is refused.
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import { madeBy } from '../runtime/approval/edit.js';
import type { ApprovalRecord } from '../runtime/ports.js';
import type { Principal, VoteRequest, Writ } from '../runtime/writ.js';
import { HttpProblem } from './answer.js';
import { isApprovalId, type DecisionBody } from './decision-body.js';
import { unproven } from './request.js';

export type Receipt = NonNullable<VoteRequest['receipt']>;

export interface DecideParts {
  readonly writ: Pick<Writ, 'decide' | 'receipt'>;
  /** A decision is durable: its run may go on. */
  readonly decided: (run: string) => void;
}

/** A decision about the request `id`, as it came. */
export interface Decision {
  readonly id: string;
  readonly body: DecisionBody;
  /** Who decides. */
  readonly principal: Principal;
  readonly receipt: Receipt;
  /** Of what proves them once and never again; absent = their proof is none such. */
  readonly once?: Receipt | null;
}

/** 201 and what was recorded; 200 and the first answer, when the same message came before. */
export async function decide(
  { writ, decided }: DecideParts,
  { id, body, principal, receipt, once = null }: Decision,
): Promise<{ readonly status: 200 | 201; readonly answer: Json }> {
  try {
    const record = await writ.decide(id, voteOf(body, receipt, once), principal);
    decided(record.run);
    const answer = (await writ.receipt(receipt.source, receipt.id))?.answer ?? null;
    return { status: 201, answer };
  } catch (error) {
    if (body.signature !== null && provesNobody(error)) {
      throw new HttpProblem(
        401,
        'APPROVAL_SIGNATURE_INVALID',
        'the signature does not hold for this decision',
        {},
        SIGN_AGAIN,
      );
    }
    if (!(error instanceof WritError) || error.code !== 'STORE_CONFLICT') throw error;
    const before = await writ.receipt(receipt.source, receipt.id);
    if (before === null) throw once === null ? error : tokenInvalid();
    if (before.digest === receipt.digest) return { status: 200, answer: before.answer };
    throw otherRequest();
  }
}

function voteOf(
  { decision, digest, reason, signature, delegation, breakGlass }: DecisionBody,
  receipt: Receipt,
  once: Receipt | null,
): VoteRequest {
  return {
    ...{ decision, digest, reason, receipt },
    ...(once === null ? {} : { also: once }),
    ...(delegation === null ? {} : { delegation }),
    ...(breakGlass ? { breakGlass: true } : {}),
    ...(signature === null ? {} : { signed: { atMs: signature.atMs, reasonSalt: signature.reasonSalt } }),
  };
}

/** The same words whatever is wrong: nothing is told of requests to who proves nothing. */
const SIGN_AGAIN =
  'sign id, digest, decision, expiresAt and reason as the request shows them, with a key of policies/approvers.yaml and an "at" of the last 5 minutes';

/** A signature alone that does not hold, or is over a request that is not there: no difference. */
function provesNobody(error: unknown): boolean {
  return (
    error instanceof WritError && (error.code === 'APPROVAL_SIGNATURE_INVALID' || error.code === 'NOT_FOUND')
  );
}

/** Another input in place of the one that the request `id` asks about. */
export interface InputChange {
  readonly id: string;
  readonly edit: Parameters<Writ['editApproval']>[1] & { readonly receipt: Receipt };
  readonly editor: Principal;
}

/** 201 and the new request; 200 and the same as it was first told, when the same message came before. */
export async function change(
  writ: Pick<Writ, 'editApproval' | 'receipt' | 'approvalRecord'>,
  { id, edit, editor }: InputChange,
): Promise<{ readonly status: 200 | 201; readonly made: ApprovalRecord }> {
  try {
    return { status: 201, made: await writ.editApproval(id, edit, editor) };
  } catch (error) {
    if (!(error instanceof WritError) || error.code !== 'STORE_CONFLICT') throw error;
    const before = await writ.receipt(edit.receipt.source, edit.receipt.id);
    if (before === null) throw error;
    const made = before.digest === edit.receipt.digest ? madeBy(before.answer) : null;
    const record = made === null ? null : await writ.approvalRecord(made);
    if (record === null) throw otherRequest();
    return { status: 200, made: { ...record, state: 'pending' } };
  }
}

/** The signer, or who the token names; both say the same person when both are there. Throws 401, 403. */
export function deciderOf(
  writ: Pick<Writ, 'principalOfSignature'>,
  { signature }: DecisionBody,
  bearer: Principal | null,
): Principal {
  if (signature === null) {
    if (bearer === null) throw unproven('a bearer token or a signed decision is needed');
    return bearer;
  }
  const signer = writ.principalOfSignature(signature.keyId, signature.value);
  if (bearer !== null && bearer.id !== signer.id) {
    throw new HttpProblem(
      403,
      'APPROVAL_SIGNATURE_INVALID',
      'the bearer token and the signature are of two people',
    );
  }
  return signer;
}

/** Throws NOT_FOUND for a request that is not there, and in the same words for one that is not theirs to see. */
export async function requireReadable(
  writ: Pick<Writ, 'approvalRecord' | 'mayRead'>,
  id: string,
  principal: Principal,
): Promise<ApprovalRecord> {
  const record = isApprovalId(id) ? await writ.approvalRecord(id) : null;
  if (record !== null && writ.mayRead(record, principal)) return record;
  throw notFound();
}

export function notFound(): WritError {
  return new WritError('NOT_FOUND', 'there is no such thing here');
}

export function tokenInvalid(): WritError {
  return new WritError('APPROVAL_TOKEN_INVALID', 'this token decides nothing');
}

function otherRequest(): HttpProblem {
  return new HttpProblem(422, 'INPUT_INVALID', 'this Idempotency-Key was used for another request');
}
