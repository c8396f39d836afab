import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Hex } from '../json.js';
import { digestOfSubjectBytes, subjectBytes, subjectDigest, type Subject } from './subject.js';

const SUBJECT: Subject = {
  tenant: 'main',
  run: 'run_1',
  workflowHash: 'a'.repeat(64) as Hex,
  stepPath: 'Pay Claim',
  attempt: 1,
  iteration: null,
  item: null,
  function: 'tool::wasm',
  input: { module: 'pay', amount: 100, note: '\u00e9\u202e' },
  agentDigest: null,
  sandbox: { driver: 'wasm', network: 'none' },
  credentials: ['bank', 'audit'],
  policyHash: 'b'.repeat(64) as Hex,
  ceilingHash: 'c'.repeat(64) as Hex,
  limits: { timeoutMs: 1000 },
};

// Written by hand: keys in order, credentials sorted, no blanks.
const TEXT =
  '{"agentDigest":null,"attempt":1,"ceilingHash":"' +
  'c'.repeat(64) +
  '","credentials":["audit","bank"],"function":"tool::wasm","input":{"amount":100,"module":"pay","note":"\u00e9\u202e"},' +
  '"item":null,"iteration":null,"limits":{"timeoutMs":1000},"policyHash":"' +
  'b'.repeat(64) +
  '","run":"run_1","sandbox":{"driver":"wasm","network":"none"},"stepPath":"Pay Claim","tenant":"main","workflowHash":"' +
  'a'.repeat(64) +
  '"}';

function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

describe('the subject of an approval', () => {
  it('is stored as RFC 8785 bytes of exactly its fifteen keys', () => {
    expect(new TextDecoder().decode(subjectBytes(SUBJECT))).toBe(TEXT);
  });

  it('has the digest SHA-256("writ.approval.v1" NUL, bytes) in lower-case hex', () => {
    expect(subjectDigest(SUBJECT)).toBe(sha256('writ.approval.v1\0', TEXT));
    expect(subjectDigest(SUBJECT)).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each(['', 'writ.approval.v1', 'writ.approval.v1\0\0', 'writ.approval.v1\\0', 'writ.decision.v1\0'])(
    'has not the digest that the domain %j would give',
    (domain) => {
      expect(subjectDigest(SUBJECT)).not.toBe(sha256(domain, TEXT));
    },
  );

  it('has the same digest from its stored bytes, and another from any other byte', () => {
    const bytes = subjectBytes(SUBJECT);
    expect(digestOfSubjectBytes(bytes)).toBe(subjectDigest(SUBJECT));
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(digestOfSubjectBytes(changed)).not.toBe(subjectDigest(SUBJECT));
    }
    expect(digestOfSubjectBytes(bytes.slice(0, -1))).not.toBe(subjectDigest(SUBJECT));
  });

  it('carries nothing that is not one of its keys', () => {
    const more = { ...SUBJECT, display: 'harmless' };
    expect(subjectDigest(more)).toBe(subjectDigest(SUBJECT));
  });

  it('does not sort the credentials of the caller', () => {
    const credentials = ['b', 'a'];
    subjectBytes({ ...SUBJECT, credentials });
    expect(credentials).toEqual(['b', 'a']);
  });

  it.each<[string, Partial<Record<keyof Subject, unknown>>]>([
    ['a missing key', { policyHash: undefined }],
    ['a number JSON does not have', { attempt: Number.NaN }],
    ['text that is no Unicode', { input: '\ud800' }],
  ])('with %s has no digest', (_, fields) => {
    expect(() => subjectDigest({ ...SUBJECT, ...fields } as Subject)).toThrow(
      expect.objectContaining({ code: 'AUDIT_JSON_INVALID' }) as Error,
    );
  });
});
