// What the operator is told of faults, in lines that nobody outside can make many of: of each kind of fault the first few
// a minute, and later how many more there were.
import { WritError, type ErrorCode } from '../errors.js';

/** Of each kind. */
export const NOTED_PER_MINUTE = 10;
const MINUTE_MS = 60_000;

/** One line for the operator; `leftOut`: as many of this kind were not noted since the line before. */
export interface FaultNote {
  readonly event: 'serve.failed';
  readonly what: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly leftOut?: number;
}

/** `what` names one of few places, never anything that was sent. */
export function openFaultNotes(
  note: (line: FaultNote) => void,
  nowMs: () => number,
): (error: unknown, what: string) => void {
  // One for each place and code: both are few.
  const kinds = new Map<string, { sinceMs: number; noted: number; leftOut: number }>();
  return (error, what) => {
    const code = error instanceof WritError ? error.code : 'INTERNAL';
    const kind = `${what} ${code}`;
    const now = nowMs();
    const known = kinds.get(kind) ?? { sinceMs: now, noted: 0, leftOut: 0 };
    kinds.set(kind, known);
    // A clock that was set back starts a minute too.
    if (Math.abs(now - known.sinceMs) >= MINUTE_MS) Object.assign(known, { sinceMs: now, noted: 0 });
    if (known.noted >= NOTED_PER_MINUTE) {
      known.leftOut += 1;
      return;
    }
    const { leftOut } = known;
    Object.assign(known, { noted: known.noted + 1, leftOut: 0 });
    const message = wordsOf(error);
    note({ event: 'serve.failed', what, code, message, ...(leftOut === 0 ? {} : { leftOut }) });
  };
}

/** Nothing that anybody sent: a message of ours, or the kind of the error. */
function wordsOf(error: unknown): string {
  if (error instanceof WritError) return error.message;
  return error instanceof Error ? error.name : 'unknown';
}
