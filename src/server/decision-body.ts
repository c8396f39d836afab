// The body of a decision, over HTTP or in a webhook. Attacker-controlled: read strictly (no key twice, no unknown key,
// every value of its exact form). There is no field for a name: who decides is proven, not stated.
import { MAX_REASON_CHARACTERS } from '../approval/decision.js';
import { isHex64, isObject, type Json, type JsonObject, type SubjectDigest } from '../json.js';
import { malformed, objectOf } from './json-body.js';
import { bytesOf, readSignature, type KeySignature } from './signature-body.js';

export const MAX_BODY_BYTES = 65_536;
const FIELDS = ['decision', 'digest', 'reason', 'signature', 'delegation', 'breakGlass'] as const;

/** The person's own signature over the decision (writ.decision.v1). */
export interface BodySignature extends KeySignature {
  /** 32 bytes, with a reason; null without. */
  readonly reasonSalt: Uint8Array | null;
}

export interface DecisionBody {
  readonly decision: 'approve' | 'deny' | 'revoke';
  readonly digest: SubjectDigest;
  readonly reason: string | null;
  readonly signature: BodySignature | null;
  /** For whom, by a delegation of approvers.yaml; null = for themselves. */
  readonly delegation: string | null;
  readonly breakGlass: boolean;
}

/** A decision, or another input in place of the one that was asked about: a new request comes of that. */
export type HttpDecision = DecisionBody & { readonly changes: { readonly input: Json } | null };

/** Of a webhook, which names the request and may bring another proof of who decides. */
export interface RelayedBody extends DecisionBody {
  readonly approvalId: string;
  /** An OIDC token of the person. */
  readonly idToken: string | null;
  /** A callback token. */
  readonly token: string | null;
}

/** Throws HttpProblem 400. */
export function readDecision(bytes: Uint8Array): HttpDecision {
  const body = objectOf(bytes, [...FIELDS, 'changes']);
  const { changes } = body;
  if (changes === undefined) return { ...decisionOf(body), changes: null };
  if (!isObject(changes) || Object.keys(changes).join() !== 'input') {
    throw malformed('changes is {"input": …}, the whole input as it is to be');
  }
  const given = decisionOf(body);
  // A change casts no vote: a denial would be lost without a word, and so would for whom or as what it was meant.
  if (given.decision !== 'approve' || given.delegation !== null || given.breakGlass) {
    throw malformed('changes goes with decision approve, and with neither delegation nor breakGlass');
  }
  return { ...given, changes: { input: changes['input'] ?? null } };
}

/** Throws HttpProblem 400. */
export function readRelayed(bytes: Uint8Array): RelayedBody {
  const body = objectOf(bytes, [...FIELDS, 'approvalId', 'idToken', 'token']);
  const { approvalId } = body;
  if (typeof approvalId !== 'string' || !isApprovalId(approvalId))
    throw malformed('approvalId is the id of a request');
  return {
    ...decisionOf(body),
    approvalId,
    idToken: textOf(body, 'idToken', 16_384),
    token: textOf(body, 'token', 128),
  };
}

export function isApprovalId(text: string): boolean {
  return /^apr_[a-z2-7]{1,64}$/u.test(text);
}

function decisionOf(body: JsonObject): DecisionBody {
  const { decision, digest, signature, breakGlass = false } = body;
  if (decision !== 'approve' && decision !== 'deny' && decision !== 'revoke') {
    throw malformed('decision is approve, deny or revoke');
  }
  if (typeof digest !== 'string' || !isHex64(digest))
    throw malformed('digest is the subject digest that was looked at: 64 lower-case hex digits');
  if (typeof breakGlass !== 'boolean') throw malformed('breakGlass is true or false');
  const delegation = textOf(body, 'delegation', 200);
  const reason = textOf(body, 'reason', MAX_REASON_CHARACTERS);
  const signed = signature === undefined || signature === null ? null : signatureOf(signature, reason);
  return { decision, digest, reason, signature: signed, delegation, breakGlass };
}

function signatureOf(value: Json, reason: string | null): BodySignature {
  if (!isObject(value)) throw malformed('signature is an object');
  const { reasonSalt = null, ...signature } = value;
  const read = readSignature(signature, 'reasonSalt');
  const salt = reasonSalt === null ? null : bytesOf(reasonSalt, 32);
  if ((reasonSalt !== null && salt === null) || (salt === null) !== (reason === null)) {
    throw malformed('signature.reasonSalt is the base64 of 32 bytes, with a reason and only then');
  }
  return { ...read, reasonSalt: salt };
}

function textOf(body: JsonObject, key: string, most: number): string | null {
  const value = body[key];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string' || value === '' || value.length > most) {
    throw malformed(`${key} is text of 1 to ${most} characters`);
  }
  return value;
}
