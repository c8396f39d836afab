import { describe, expect, it } from 'vitest';
import { digestOfSubjectBytes } from '../../approval/subject.js';
import type { Commitment } from '../../json.js';
import type { ApprovalRecord, Store, StoredPayload } from '../ports.js';
import { previousSubject } from './previous-subject.js';

const BYTES = new TextEncoder().encode('{"input":1}');
const DIGEST = digestOfSubjectBytes(BYTES);

function asked(stepPath: string, attempt = 1, createdAtMs = 0): ApprovalRecord {
  const known: Partial<ApprovalRecord> = {
    id: `apr_${stepPath}_${attempt}_${createdAtMs}`,
    run: 'run_1',
    stepPath,
    attempt,
    createdAtMs,
    subject: 'c'.repeat(64) as Commitment,
    subjectDigest: DIGEST,
  };
  return known as ApprovalRecord;
}

function storeOf(records: readonly ApprovalRecord[]): Pick<Store, 'approvals' | 'payload'> {
  const payload: Partial<StoredPayload> = { bytes: BYTES };
  return { approvals: async () => records, payload: async () => payload as StoredPayload };
}

describe('what a request is compared with', () => {
  it.each([
    [
      'the item before, by number',
      asked('M[10]/Pay'),
      [asked('M[2]/Pay'), asked('M[9]/Pay'), asked('M[11]/Pay')],
      1,
    ],
    ['the attempt before', asked('Pay', 3), [asked('Pay', 1), asked('Pay', 2), asked('Pay', 4)], 1],
    ['the request whose input was edited', asked('Pay', 1, 7), [asked('Pay', 1, 3), asked('Pay', 1, 5)], 1],
    [
      'the last attempt of the item before',
      asked('M[1]/Pay'),
      [asked('M[0]/Pay', 2), asked('M[0]/Pay', 1)],
      0,
    ],
    ['no other step', asked('Pay'), [asked('Check'), asked('Pay2')], null],
  ])('is %s', async (_, record, others, expected) => {
    for (const list of [
      [...others, record],
      [record, ...others],
    ]) {
      const found = await previousSubject(storeOf(list), record);
      expect(found?.record).toBe(expected === null ? undefined : others[expected]);
    }
  });

  it('is nothing whose bytes were changed', async () => {
    const before = {
      ...asked('Pay', 1),
      subjectDigest: `${DIGEST.slice(1)}0` as ApprovalRecord['subjectDigest'],
    };
    expect(await previousSubject(storeOf([before]), asked('Pay', 2))).toBeNull();
  });
});
