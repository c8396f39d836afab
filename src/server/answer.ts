// Errors as HTTP answers: a status, and the error as JSON without anything that only its operator may know. What is not
// an error of ours is told as "internal" and nothing more: no stack, no path, no cause.
import { WritError, type ErrorCode } from '../errors.js';

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  APPROVAL_EXPIRED: 410,
  APPROVAL_DIGEST_MISMATCH: 409,
  APPROVAL_ALREADY_DECIDED: 409,
  APPROVAL_ALREADY_VOTED: 409,
  APPROVAL_CONSUMED: 409,
  APPROVAL_WITHDRAWN: 409,
  APPROVAL_DENIED: 409,
  APPROVAL_WEBHOOK_INVALID: 401,
  TASK_ANSWERED: 409,
  TASK_CHANGED: 409,
  TASK_CLOSED: 410,
  POLICY_IDENTITY_UNKNOWN: 401,
  NOT_FOUND: 404,
  FUNCTION_UNAVAILABLE: 503,
  STORE_BUSY: 503,
};

export interface ErrorAnswer {
  readonly status: number;
  readonly body: {
    readonly error: { readonly code: string; readonly message: string; readonly hint?: string };
  };
}

/** An answer with a status of its own, where no error code has one. */
export class HttpProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: ErrorCode,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
    readonly hint?: string,
  ) {
    super(message);
  }
}

export function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof HttpProblem) return answer(error.status, error);
  if (!(error instanceof WritError)) return answer(500, { code: 'INTERNAL', message: OURS });
  const status = statusOf(error);
  if (status < 500) return answer(status, error);
  return answer(status, { code: error.code, message: status === 503 ? PASSING : OURS });
}

const OURS = 'the server failed; see its log';
const PASSING = 'not available now; try again';

function statusOf(error: WritError): number {
  const own = STATUS[error.code];
  if (own !== undefined) return own;
  switch (error.kind) {
    case 'document':
      return 400;
    case 'refusal':
      return 403;
    case 'failure':
    case 'fatal':
      return 500;
  }
}

interface Told {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
}

function answer(status: number, { code, message, hint }: Told): ErrorAnswer {
  return { status, body: { error: { code, message, ...(hint === undefined ? {} : { hint }) } } };
}
