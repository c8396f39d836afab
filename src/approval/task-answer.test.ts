import { createPublicKey, generateKeyPairSync, sign as nodeSign, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Commitment, Hex } from '../json.js';
import { verifyWithNode } from '../verify-trust.js';
import { verifyClaimedTaskAnswer, type ClaimedTaskAnswer } from './claimed-task-answer.js';
import { decisionBytes } from './decision.js';
import { taskAnswerBytes, verifyTaskAnswer, type SignedTaskAnswer } from './task-answer.js';

const ANSWER: SignedTaskAnswer = {
  taskId: 'tsk_1',
  run: 'run_1',
  stepPath: 'Review',
  attempt: 1,
  form: 'f'.repeat(64) as Hex,
  input: 'a'.repeat(64) as Commitment,
  expiresAt: '2026-01-01T01:00:00.000Z',
  answer: 'success',
  by: 'user:bob',
  at: '2026-01-01T00:00:00.000Z',
  commitment: 'c'.repeat(64) as Commitment,
};
const TEXT =
  'writ.task-answer.v1\0{"answer":"success","at":"2026-01-01T00:00:00.000Z","attempt":1,"by":"user:bob",' +
  `"commitment":"${'c'.repeat(64)}","expiresAt":"2026-01-01T01:00:00.000Z","form":"${'f'.repeat(64)}",` +
  `"input":"${'a'.repeat(64)}","run":"run_1","stepPath":"Review","taskId":"tsk_1"}`;

function raw(publicKey: KeyObject): Uint8Array {
  return new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
}

const bob = generateKeyPairSync('ed25519');
const eve = generateKeyPairSync('ed25519');
const bobKey = raw(createPublicKey(bob.privateKey));
const signature = new Uint8Array(nodeSign(null, Buffer.from(TEXT), bob.privateKey));

const CHANGES: readonly [keyof SignedTaskAnswer, Partial<SignedTaskAnswer>][] = [
  ['taskId', { taskId: 'tsk_2' }],
  ['run', { run: 'run_2' }],
  ['stepPath', { stepPath: 'Other' }],
  ['attempt', { attempt: 2 }],
  ['form', { form: null }],
  ['input', { input: null }],
  ['expiresAt', { expiresAt: '2027-01-01T01:00:00.000Z' }],
  ['answer', { answer: 'failure' }],
  ['by', { by: 'user:eve' }],
  ['at', { at: '2026-01-01T00:00:00.001Z' }],
  ['commitment', { commitment: 'd'.repeat(64) as Commitment }],
];

describe.each([
  ['the portable code', undefined],
  ['the platform', verifyWithNode],
])('a signed answer to a task, checked by %s', (_, verify) => {
  it('is signed over "writ.task-answer.v1" NUL and the RFC 8785 form of its eleven keys, and nothing else', () => {
    expect(new TextDecoder().decode(taskAnswerBytes(ANSWER))).toBe(TEXT);
    expect(taskAnswerBytes({ ...ANSWER, ...{ note: 'x' } })).toEqual(taskAnswerBytes(ANSWER));
  });

  it('verifies with the key that signed, and with no other', () => {
    expect(verifyTaskAnswer(ANSWER, signature, bobKey, verify)).toBe(true);
    expect(verifyTaskAnswer(ANSWER, signature, raw(eve.publicKey), verify)).toBe(false);
  });

  it.each(CHANGES)('does not verify after a change of %s', (_, change) => {
    expect(verifyTaskAnswer({ ...ANSWER, ...change }, signature, bobKey, verify)).toBe(false);
  });

  it('is never a decision on an approval, nor the reverse', () => {
    const decision = decisionBytes({
      approvalId: 'apr_1',
      subjectDigest: 'd'.repeat(64) as never,
      decision: 'approve',
      approver: 'user:bob',
      at: ANSWER.at,
      expiresAt: ANSWER.expiresAt,
      reasonCommitment: null,
    });
    const signed = new Uint8Array(nodeSign(null, decision, bob.privateKey));
    expect(verifyTaskAnswer(ANSWER, signed, bobKey, verify)).toBe(false);
  });

  it('is false, not an error, for a key or signature that is none and for what JSON can not say', () => {
    expect(verifyTaskAnswer(ANSWER, new Uint8Array(63), bobKey, verify)).toBe(false);
    expect(verifyTaskAnswer(ANSWER, signature, new Uint8Array(31), verify)).toBe(false);
    expect(verifyTaskAnswer({ ...ANSWER, by: '\ud800' }, signature, bobKey, verify)).toBe(false);
    expect(verifyTaskAnswer({ ...ANSWER, attempt: NaN }, signature, bobKey, verify)).toBe(false);
  });
});

describe('an answer as log entries claim it', () => {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const claim: ClaimedTaskAnswer = {
    ...ANSWER,
    keyId: `ed25519:${base64(bobKey)}`,
    signature: base64(signature),
  };

  it('holds for the text that was signed', () => {
    expect(verifyClaimedTaskAnswer(claim)).toBe(true);
  });

  it.each<[string, Partial<ClaimedTaskAnswer>]>([
    ['another key', { keyId: `ed25519:${base64(raw(eve.publicKey))}` }],
    ['a key of another kind', { keyId: `rsa:${base64(bobKey)}` }],
    ['a key that is too short', { keyId: 'ed25519:AAAA' }],
    ['a signature that is no base64', { signature: '?' }],
    ['a signature in another spelling', { signature: base64(signature).replace(/=+$/u, '') }],
    ['a commitment that is none', { commitment: 'c' }],
    ['a form that is no digest', { form: 'f' }],
    ['an input that is no commitment', { input: 'a' }],
    ...CHANGES.map(([name, change]): [string, Partial<ClaimedTaskAnswer>] => [`another ${name}`, change]),
  ])('does not hold with %s', (_, change) => {
    expect(verifyClaimedTaskAnswer({ ...claim, ...change })).toBe(false);
  });

  it.each([{ commitment: 'c' }, { form: 'f' }, { input: 'a' }, { input: 'A'.repeat(64) }])(
    'HOLE: does not hold with %o, though it was signed so',
    (change) => {
      const changed = { ...ANSWER, ...change } as SignedTaskAnswer;
      const signed = base64(nodeSign(null, taskAnswerBytes(changed), bob.privateKey));
      expect(verifyTaskAnswer(changed, Buffer.from(signed, 'base64'), bobKey)).toBe(true);
      expect(verifyClaimedTaskAnswer({ ...claim, ...change, signature: signed })).toBe(false);
    },
  );
});
