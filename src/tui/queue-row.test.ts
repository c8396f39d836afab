import { describe, expect, it } from 'vitest';
import type { ApprovalRecord } from '../runtime/ports.js';
import { batchKey, noticeOf, queueRow } from './queue-row.js';
import { differenceText } from './time-left.js';

const record = {
  id: 'apr_1',
  run: 'run_1',
  stepPath: 'Items[3]/Pay',
  functionId: `ghcr.io/bank/payer@sha256:${'ab'.repeat(32)}`,
  requester: 'agent:payer',
  initiator: 'user:carol',
  separationOfDuties: true,
  quorum: [
    { role: 'role:a', n: 2 },
    { role: 'role:b', n: 1 },
  ],
  votes: [{ approver: 'user:bob', decision: 'approve' }],
  expiresAtMs: 3_600_000,
} as unknown as ApprovalRecord;
const at = { approver: 'user:ann', nowMs: 0, columns: 96 };

describe('a row of the inbox', () => {
  it('tells the time left, the votes, the step, the function and who asks', () => {
    expect(queueRow(record, at)).toBe(
      '1:00:00     1/3    run_1      Items[3]/Pay  payer@abababababab  agent:payer',
    );
  });

  it('tells requests of two runs of one workflow apart, in the narrowest terminal too', () => {
    const rows = ['run_01k9x3a7', 'run_01k9x3b2'].map((run) => {
      return queueRow({ ...record, run }, { ...at, columns: 36 });
    });
    expect(rows[0]).toContain('9x3a7');
    expect(rows[1]).toContain('9x3b2');
  });

  it('is never wider than it may be, and shows that it was cut', () => {
    for (const columns of [1, 20, 40]) {
      const row = queueRow({ ...record, stepPath: '\u65e5\u672c\u8a9e'.repeat(40) }, { ...at, columns });
      const width = [...row].reduce((sum, one) => sum + (one > '\u02ff' ? 2 : 1), 0);
      expect(width).toBeLessThanOrEqual(columns);
      expect(row).toMatch(/~$/);
    }
  });

  it('writes hidden characters out, so that no name can pass for another', () => {
    expect(queueRow({ ...record, stepPath: 'Pay\u202e\n' }, at)).toContain('Pay\\u202e\\n');
  });

  it.each<[string, Partial<ApprovalRecord>, string, string | null]>([
    ['an earlier voter', {}, 'user:bob', 'you have voted'],
    ['who started the run', {}, 'user:carol', 'yours'],
    ['who changed the input', { editors: ['user:ann'] }, 'user:ann', 'you have changed it'],
    ['anybody else', {}, 'user:ann', null],
    ['who started it, where duties are not separated', { separationOfDuties: false }, 'user:carol', null],
  ])('names what bars %s', (_, change, approver, notice) => {
    expect(noticeOf({ ...record, ...change }, approver)).toBe(notice);
  });

  it('goes into one batch with other items of its step, and with nothing else', () => {
    expect(batchKey({ ...record, stepPath: 'Items[4]/Pay' })).toBe(batchKey(record));
    expect(batchKey({ ...record, stepPath: 'Items[4]/Refund' })).not.toBe(batchKey(record));
    expect(batchKey({ ...record, run: 'run_2' })).not.toBe(batchKey(record));
    expect(batchKey({ ...record, functionId: 'tool::other' })).not.toBe(batchKey(record));
  });
});

describe('the time left', () => {
  it.each([
    [0, 'expired'],
    [-1, 'expired'],
    [1, '0:00:01'],
    [59_999, '0:01:00'],
    [3_599_000, '0:59:59'],
    [359_999_000, '99:59:59'],
    [360_000_000, '4 days'],
  ])('of %i ms is %s', (ms, text) => {
    expect(differenceText(ms)).toBe(text);
  });
});
