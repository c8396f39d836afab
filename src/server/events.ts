// The events of one request as they become durable, by whichever process, from the entries of its run. The id of an
// event is its entry's number in the run, so a client that lost the connection goes on where it was.
import type { ApprovalRecord } from '../runtime/ports.js';
import type { RunEntry, Writ } from '../runtime/writ.js';
import { pause } from './pause.js';

export interface StreamedEvent {
  readonly seq: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Streaming {
  /** Number of the first entry that is looked at. */
  readonly from: number;
  /** The stream ends then: whoever asked has to prove again who they are. */
  readonly untilMs: number;
  readonly signal: AbortSignal;
  /** Asked again before anything is told: rights that are gone end the stream. */
  readonly mayRead: (record: ApprovalRecord) => boolean;
  readonly nowMs: () => number;
}

const POLL_MS = 100;
const QUIET_MS = 15_000;
const BATCH = 500;
const OVER = new Set(['denied', 'expired', 'withdrawn', 'revoked', 'consumed']);

export function isOver(state: string): boolean {
  return OVER.has(state);
}

/** null = nothing for a while. Ends after the event that ends the request. */
export async function* approvalEvents(
  writ: Pick<Writ, 'entries' | 'changeCounter' | 'approvalRecord'>,
  { id, run }: ApprovalRecord,
  { from, untilMs, signal, mayRead, nowMs }: Streaming,
): AsyncGenerator<StreamedEvent | null> {
  let next = from;
  let told = nowMs();
  for (let counter = -1; !signal.aborted && nowMs() < untilMs;) {
    const now = writ.changeCounter();
    if (now === counter) {
      if (nowMs() - told >= QUIET_MS) {
        told = nowMs();
        yield null;
      }
      await pause(POLL_MS, signal);
      continue;
    }
    counter = now;
    const record = await writ.approvalRecord(id);
    if (record === null || !mayRead(record)) return;
    for (let batch = BATCH; batch === BATCH && !signal.aborted;) {
      const entries = await writ.entries(run, { from: next, limit: BATCH });
      batch = entries.length;
      for (const entry of entries) {
        next = entry.seq + 1;
        if (entry.data['approvalId'] !== id || !entry.type.startsWith('approval.')) continue;
        told = nowMs();
        yield { seq: entry.seq, type: entry.type, data: dataOf(entry) };
      }
    }
    // Judged by what was there before the entries were read: all of it has been told.
    if (isOver(record.state)) return;
  }
}

function dataOf({ data, timeMs }: RunEntry): Readonly<Record<string, unknown>> {
  const { approvalId, subjectDigest, decision, approver, state, cause, expiresAt } = data;
  const told = { approvalId, subjectDigest, decision, approver, state, cause, expiresAt };
  const known = Object.entries(told).filter(([, value]) => value !== undefined);
  return { at: new Date(timeMs).toISOString(), ...Object.fromEntries(known) };
}
