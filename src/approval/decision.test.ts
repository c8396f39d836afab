import { createPublicKey, generateKeyPairSync, sign as nodeSign, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Commitment, SubjectDigest } from '../json.js';
import { verifyWithNode } from '../verify-trust.js';
import { decisionBytes, verifyDecision, type Decision } from './decision.js';

const DECISION: Decision = {
  approvalId: 'apr_1',
  subjectDigest: 'd'.repeat(64) as SubjectDigest,
  decision: 'approve',
  approver: 'user:bob',
  at: '2026-01-01T00:00:00.000Z',
  expiresAt: '2026-01-01T01:00:00.000Z',
  reasonCommitment: null,
};

const TEXT =
  'writ.decision.v1\0{"approvalId":"apr_1","approver":"user:bob","at":"2026-01-01T00:00:00.000Z","breakGlass":null,' +
  '"decision":"approve","delegation":null,"expiresAt":"2026-01-01T01:00:00.000Z","reasonCommitment":null,' +
  `"subjectDigest":"${'d'.repeat(64)}"}`;

function raw(publicKey: KeyObject): Uint8Array {
  return new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
}

const bob = generateKeyPairSync('ed25519');
const eve = generateKeyPairSync('ed25519');
const bobKey = raw(createPublicKey(bob.privateKey));
const signature = new Uint8Array(nodeSign(null, Buffer.from(TEXT), bob.privateKey));

describe.each([
  ['the portable code', undefined],
  ['the platform', verifyWithNode],
])('a signed decision, checked by %s', (_, verify) => {
  it('is signed over "writ.decision.v1" NUL and the RFC 8785 form of its nine keys', () => {
    expect(new TextDecoder().decode(decisionBytes(DECISION))).toBe(TEXT);
  });

  it('carries nothing that is not one of its keys', () => {
    const more = { ...DECISION, note: 'x' };
    expect(decisionBytes(more)).toEqual(decisionBytes(DECISION));
  });

  it('verifies with the key that signed, signed by another implementation', () => {
    expect(verifyDecision(DECISION, signature, bobKey, verify)).toBe(true);
  });

  it('does not verify with another key', () => {
    expect(verifyDecision(DECISION, signature, raw(eve.publicKey), verify)).toBe(false);
  });

  it.each<[keyof Decision, Partial<Decision>]>([
    ['approvalId', { approvalId: 'apr_2' }],
    ['subjectDigest', { subjectDigest: `${'d'.repeat(63)}e` as SubjectDigest }],
    ['decision', { decision: 'deny' }],
    ['approver', { approver: 'user:eve' }],
    ['at', { at: '2026-01-01T00:00:00.001Z' }],
    ['expiresAt', { expiresAt: '2027-01-01T01:00:00.000Z' }],
    ['delegation', { delegation: 'user:ann' }],
    ['breakGlass', { breakGlass: true }],
    ['reasonCommitment', { reasonCommitment: 'e'.repeat(64) as Commitment }],
  ])('does not verify after a change of %s', (_, change) => {
    expect(verifyDecision({ ...DECISION, ...change }, signature, bobKey, verify)).toBe(false);
  });

  it('does not verify after a change of any byte of the signature', () => {
    for (let at = 0; at < 64; at++) {
      const changed = signature.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      expect(verifyDecision(DECISION, changed, bobKey, verify)).toBe(false);
    }
  });

  it.each([0, 1, 63, 65, 128])(
    'does not verify, and does not throw, for a signature of %i bytes',
    (length) => {
      const wrong = new Uint8Array(length);
      wrong.set(signature.subarray(0, length));
      expect(verifyDecision(DECISION, wrong, bobKey, verify)).toBe(false);
    },
  );

  it.each([0, 31, 33, 64])('does not verify, and does not throw, for a key of %i bytes', (length) => {
    const wrong = new Uint8Array(length);
    wrong.set(bobKey.subarray(0, length));
    expect(verifyDecision(DECISION, signature, wrong, verify)).toBe(false);
  });

  it.each<[string, Uint8Array]>([
    ['no point on the curve', new Uint8Array(32).fill(0xff)],
    ['all zero', new Uint8Array(32)],
    ['of small order', Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0))],
  ])('does not verify for a key that is %s, whatever the signature', (_, key) => {
    const identity = Uint8Array.from({ length: 64 }, (_, i) => (i === 0 ? 1 : 0));
    for (const one of [signature, identity, new Uint8Array(64)])
      expect(verifyDecision(DECISION, one, key, verify)).toBe(false);
  });

  it('does not verify, and does not throw, for a decision that has no bytes', () => {
    expect(verifyDecision({ ...DECISION, approver: '\ud800' }, signature, bobKey, verify)).toBe(false);
  });

  it('a signature over the bare text, or over another domain, is none', () => {
    for (const text of [TEXT.slice(17), TEXT.replace('decision', 'approval')]) {
      const other = new Uint8Array(nodeSign(null, Buffer.from(text), bob.privateKey));
      expect(verifyDecision(DECISION, other, bobKey, verify)).toBe(false);
    }
  });
});
