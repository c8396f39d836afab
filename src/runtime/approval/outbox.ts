// What channels are told of: the approval entries of the log, in its order. The log is the outbox: an event is durable
// with the change it tells of or there is none, and whoever delivers keeps a place in it (how far it has come).
import { parseEntry } from '../../audit/entry.js';
import type { ApprovalRecord, LogRow, Store } from '../ports.js';

export const APPROVAL_EVENTS = [
  'approval.requested',
  'approval.decided',
  'approval.expired',
  'approval.withdrawn',
  'approval.consumed',
  'approval.reviewed',
] as const;
export type ApprovalEventType = (typeof APPROVAL_EVENTS)[number];

export interface ApprovalEvent {
  /** Of its entry in the log: names the event for good. */
  readonly index: bigint;
  readonly type: ApprovalEventType;
  readonly timeMs: number;
  /** As it is now, which may be later than the event. */
  readonly record: ApprovalRecord;
  /** Who decided, and how; null for other events. */
  readonly decided: {
    readonly approver: string;
    readonly decision: string;
    /** Under the emergency role; absent = not. */
    readonly breakGlass?: true;
  } | null;
  /** Who looked at an emergency decision afterwards; absent for other events. */
  readonly reviewer?: string;
}

export interface ApprovalOutbox {
  /** Of what a channel that is new is told first: the requests that nobody has decided yet, and where to go on from. */
  start(): Promise<{ readonly events: readonly ApprovalEvent[]; readonly next: bigint }>;
  /** Where what comes begins. */
  end(): Promise<bigint>;
  /** Events of at most `limit` entries from `first` on, and where to go on; `end`: there was nothing more. */
  read(
    first: bigint,
    limit: number,
  ): Promise<{ readonly events: readonly ApprovalEvent[]; readonly next: bigint; readonly end: boolean }>;
}

export function openOutbox(
  store: Pick<Store, 'entries' | 'log' | 'approval' | 'approvals' | 'payload'>,
): ApprovalOutbox {
  const end = async (): Promise<bigint> => (await store.log()).size;
  return {
    end,
    async start() {
      const next = await end();
      const events: ApprovalEvent[] = [];
      for (const record of await store.approvals({ states: ['pending'] })) {
        const index = (await store.payload(record.subject))?.entryIndex;
        // One that was made in this moment is read from `next` on.
        if (index === undefined || index >= next) continue;
        events.push({ index, type: 'approval.requested', timeMs: record.createdAtMs, record, decided: null });
      }
      return { events, next };
    },
    async read(first, limit) {
      const size = await end();
      const rows = first < size ? await store.entries(first, size, limit) : [];
      const events: ApprovalEvent[] = [];
      for (const row of rows) {
        const event = isApprovalEvent(row.type) ? await eventOf(store, row, row.type) : null;
        if (event !== null) events.push(event);
      }
      const last = rows.at(-1);
      const next = last === undefined ? first : last.index + 1n;
      return { events, next, end: next >= size };
    },
  };
}

function isApprovalEvent(type: string): type is ApprovalEventType {
  return (APPROVAL_EVENTS as readonly string[]).includes(type);
}

async function eventOf(
  store: Pick<Store, 'approval'>,
  row: LogRow,
  type: ApprovalEventType,
): Promise<ApprovalEvent | null> {
  const { data, time } = parseEntry(row.bytes);
  const id = data['approvalId'];
  const record = typeof id === 'string' ? await store.approval(id) : null;
  if (record === null) return null;
  const { approver, decision, reviewer } = data;
  const emergency = data['breakGlass'] === true ? { breakGlass: true as const } : {};
  const decided =
    type === 'approval.decided' && typeof approver === 'string' && typeof decision === 'string'
      ? { approver, decision, ...emergency }
      : null;
  const event = { index: row.index, type, timeMs: Date.parse(time), record, decided };
  return type === 'approval.reviewed' && typeof reviewer === 'string' ? { ...event, reviewer } : event;
}
