// A decision as a log tells it holds only under the key it names, for exactly the words that were signed.
import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { verifyClaimedDecision, type ClaimedDecision } from './claimed-decision.js';
import { decisionBytes, type Decision } from './decision.js';

const secret = new Uint8Array(32).fill(3);
const decision = {
  approvalId: 'apr_1',
  subjectDigest: 'd'.repeat(64),
  decision: 'approve',
  approver: 'user:bob',
  at: '2026-03-01T09:30:00.000Z',
  expiresAt: '2026-03-01T10:30:00.000Z',
  reasonCommitment: 'c'.repeat(64),
} as Decision;
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const claim: ClaimedDecision = {
  ...decision,
  delegation: null,
  breakGlass: null,
  keyId: `ed25519:${base64(ed25519.getPublicKey(secret))}`,
  signature: base64(ed25519.sign(decisionBytes(decision), secret)),
};

describe('a claimed decision', () => {
  it('holds as it was signed', () => {
    expect(verifyClaimedDecision(claim)).toBe(true);
  });

  it.each<[string, Partial<ClaimedDecision>]>([
    ['a delegator who was not signed for', { delegation: 'user:ann' }],
    ['an emergency that was not signed for', { breakGlass: true }],
    ['another approval', { approvalId: 'apr_2' }],
    ['another digest', { subjectDigest: 'e'.repeat(64) }],
    ['a digest in capitals', { subjectDigest: 'D'.repeat(64) }],
    ['another decision', { decision: 'deny' }],
    ['a decision nobody can make', { decision: 'maybe' }],
    ['another person', { approver: 'user:eve' }],
    ['another moment', { at: '2026-03-01T09:30:00.001Z' }],
    ['a later expiry', { expiresAt: '2026-03-02T10:30:00.000Z' }],
    ['no reason', { reasonCommitment: null }],
    ['a reason that is no commitment', { reasonCommitment: 'because' }],
    ['another key', { keyId: `ed25519:${base64(ed25519.getPublicKey(new Uint8Array(32).fill(4)))}` }],
    ['a key of another kind', { keyId: claim.keyId.replace('ed25519', 'rsa') }],
    ['a key that is no point', { keyId: `ed25519:${base64(new Uint8Array(32).fill(255))}` }],
    ['an empty signature', { signature: '' }],
    ['a signature of 63 bytes', { signature: base64(new Uint8Array(63)) }],
    ['a signature in another spelling', { signature: claim.signature.replace(/==$/, '') }],
    ['a signature with a line end', { signature: `${claim.signature}\n` }],
    ['a signature with unused bits set', { signature: claim.signature.replace(/.==$/, 'z==') }],
  ])('does not hold with %s', (_, change) => {
    expect(verifyClaimedDecision({ ...claim, ...change })).toBe(false);
  });
});
