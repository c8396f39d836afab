import { describe, expect, it } from 'vitest';
import { ERRORS, WritError, type ErrorCode } from '../errors.js';
import { errorAnswer, HttpProblem } from './answer.js';

describe('an error over HTTP', () => {
  it.each<[ErrorCode, number]>([
    ['APPROVAL_EXPIRED', 410],
    ['APPROVAL_DIGEST_MISMATCH', 409],
    ['APPROVAL_ALREADY_DECIDED', 409],
    ['APPROVAL_ALREADY_VOTED', 409],
    ['APPROVAL_CONSUMED', 409],
    ['APPROVAL_WITHDRAWN', 409],
    ['APPROVAL_NOT_ELIGIBLE', 403],
    ['APPROVAL_SEPARATION_OF_DUTIES', 403],
    ['APPROVAL_SIGNATURE_INVALID', 403],
    ['APPROVAL_TOKEN_INVALID', 403],
    ['APPROVAL_WEBHOOK_INVALID', 401],
    ['APPROVAL_REASON_REQUIRED', 400],
    ['POLICY_IDENTITY_UNKNOWN', 401],
    ['POLICY_NO_MATCH', 403],
    ['CEILING_NETWORK', 403],
    ['NOT_FOUND', 404],
    ['USAGE', 400],
    ['STORE_BUSY', 503],
    ['STORE_IO', 500],
    ['INTERNAL', 500],
  ])('of code %s has status %d', (code, status) => {
    expect(errorAnswer(new WritError(code, 'why'))).toMatchObject({ status, body: { error: { code } } });
  });

  it('of the server itself says nothing of the server: no message, path, stack or cause', () => {
    const secret = '/home/somebody/.writ/writ.db';
    const given = [
      new Error(secret),
      new TypeError(secret),
      secret,
      null,
      new WritError('STORE_IO', secret, { hint: secret, details: { secret }, cause: new Error(secret) }),
      new WritError('INTERNAL', secret),
    ];
    for (const error of given) {
      const { status, body } = errorAnswer(error);
      expect(status).toBe(500);
      expect(JSON.stringify(body)).not.toContain('somebody');
    }
  });

  it('never brings details or causes, whatever its code is', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const error = new WritError(code, 'why', {
        hint: 'do',
        details: { secret: 'x' },
        cause: new Error('y'),
      });
      const { body, status } = errorAnswer(error);
      expect(Object.keys(body.error).filter((key) => !['code', 'message', 'hint'].includes(key))).toEqual([]);
      expect(status).toBeGreaterThanOrEqual(400);
    }
    expect(errorAnswer(new HttpProblem(422, 'INPUT_INVALID', 'why'))).toMatchObject({ status: 422 });
  });
});
