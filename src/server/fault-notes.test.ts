import { describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import { NOTED_PER_MINUTE, openFaultNotes, type FaultNote } from './fault-notes.js';

const refused = new WritError('APPROVAL_WEBHOOK_INVALID', 'WEBHOOK_SIGNATURE_INVALID');

function noted(): { lines: FaultNote[]; at: { ms: number }; failed: (error: unknown, what: string) => void } {
  const [lines, at] = [[] as FaultNote[], { ms: 1_000_000 }];
  const failed = openFaultNotes(
    (line) => lines.push(line),
    () => at.ms,
  );
  return { lines, at, failed };
}

describe('notes of faults', () => {
  it('a flood of refused webhooks makes ten lines a minute, and the next one says how many were left out', () => {
    const { lines, at, failed } = noted();
    for (let i = 0; i < 10_000; i += 1) failed(refused, 'webhook');
    expect(lines).toHaveLength(NOTED_PER_MINUTE);
    expect(lines.every(({ leftOut }) => leftOut === undefined)).toBe(true);
    at.ms += 59_999;
    failed(refused, 'webhook');
    expect(lines).toHaveLength(NOTED_PER_MINUTE);
    at.ms += 1;
    failed(refused, 'webhook');
    failed(refused, 'webhook');
    expect(lines.slice(NOTED_PER_MINUTE)).toEqual([
      {
        ...{ event: 'serve.failed', what: 'webhook', code: 'APPROVAL_WEBHOOK_INVALID' },
        ...{ message: 'WEBHOOK_SIGNATURE_INVALID', leftOut: 10_000 - NOTED_PER_MINUTE + 1 },
      },
      {
        ...{ event: 'serve.failed', what: 'webhook', code: 'APPROVAL_WEBHOOK_INVALID' },
        message: 'WEBHOOK_SIGNATURE_INVALID',
      },
    ]);
  });

  it('of one kind hide none of another', () => {
    const { lines, failed } = noted();
    for (let i = 0; i < 100; i += 1) failed(refused, 'webhook');
    failed(new TypeError('what somebody sent'), 'webhook');
    failed(refused, 'request');
    failed(new WritError('STORE_BUSY', 'the store is held'), 'webhook');
    expect(lines.slice(NOTED_PER_MINUTE)).toMatchObject([
      { code: 'INTERNAL', message: 'TypeError' },
      { what: 'request' },
      { code: 'STORE_BUSY' },
    ]);
  });

  it('go on when the clock is set back', () => {
    const { lines, at, failed } = noted();
    for (let i = 0; i < 100; i += 1) failed(refused, 'webhook');
    at.ms -= 3_600_000;
    failed(refused, 'webhook');
    expect(lines).toHaveLength(NOTED_PER_MINUTE + 1);
  });
});
