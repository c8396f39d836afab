// Requests as channels are told of them, a log of their events, and what an endpoint answers: for tests of webhooks.
import type { SubjectDigest } from '../../src/json.js';
import type { ApprovalEvent, ApprovalOutbox } from '../../src/runtime/approval/outbox.js';
import type { ApprovalRecord } from '../../src/runtime/ports.js';
import type { EndpointAnswer } from '../../src/server/webhook/endpoint.js';

export const T0 = Date.UTC(2026, 0, 31, 12);
export const HOUR = 3_600_000;
/** Of the channel `relay`. */
export const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;

/** What a channel looks at; no whole request. */
export function request(expiresAtMs = T0 + 200 * HOUR, over: Partial<ApprovalRecord> = {}): ApprovalRecord {
  const known: Partial<ApprovalRecord> = {
    id: `apr_${'a'.repeat(26)}`,
    run: 'run_1',
    stepPath: 'Pay',
    functionId: 'tool::wasm',
    subjectDigest: 'd'.repeat(64) as SubjectDigest,
    expiresAtMs,
    quorum: [],
    state: 'pending',
    ...over,
  };
  return known as ApprovalRecord;
}

export function requested(index: bigint, over: Partial<ApprovalEvent> = {}): ApprovalEvent {
  return { index, type: 'approval.requested', timeMs: T0, record: request(), decided: null, ...over };
}

/** A log of these entries, null = one that is no event; a new channel begins at `from`, with what waits there. */
export function outboxOf(events: readonly (ApprovalEvent | null)[], from = 0): ApprovalOutbox {
  const isThere = (one: ApprovalEvent | null): one is ApprovalEvent => one !== null;
  return {
    start: async () => ({
      events: events
        .slice(0, from)
        .filter(isThere)
        .filter(({ type, record }) => type === 'approval.requested' && record.state === 'pending'),
      next: BigInt(from),
    }),
    end: async () => BigInt(events.length),
    async read(first, limit) {
      const rows = events.slice(Number(first), Number(first) + limit);
      const next = first + BigInt(rows.length);
      return { events: rows.filter(isThere), next, end: next >= BigInt(events.length) };
    },
  };
}

/** 204 and nothing else, but for `over`. */
export function answered(over: Partial<EndpointAnswer> = {}): EndpointAnswer {
  return { status: 204, retryAfter: null, body: new Uint8Array(), isCut: false, ...over };
}
