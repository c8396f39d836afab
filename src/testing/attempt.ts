// An attempt on the virtual clock: when and how it ends by what the mocks play, and what is told of it.
import type { EngineEvent, StepError, Task } from '../engine/index.js';
import type { Played } from './mocks.js';

/** One attempt of a state that calls something, as it ended; `needed approval` comes before its end. */
export interface AttemptSeen {
  readonly state: string;
  /** The state and where it stands, `Each[3]/Score`: items and branches have a place each. */
  readonly place: string;
  /** How often the state was entered at this place, from 1; a retry is no other visit. */
  readonly visit: number;
  readonly outcome: 'returned' | 'timed out' | 'needed approval' | { readonly threw: string };
}

/** What an attempt without a limit is given. */
const NO_LIMIT_MS = 99_999_999_000;
const TIMEOUT = { name: 'States.Timeout', code: 'STEP_TIMEOUT', kind: 'failure', message: '' } as const;

export type AttemptEnd = Extract<EngineEvent, { readonly kind: 'failed' | 'succeeded' }>;

/** How the attempt that starts at `nowMs` ends. */
export function endOf(task: Task, played: Played, nowMs: number): AttemptEnd {
  const { stepPath, attempt, timeoutMs, heartbeatMs } = task;
  const limitMs = Math.min(timeoutMs ?? NO_LIMIT_MS, heartbeatMs ?? NO_LIMIT_MS);
  const takesMs = played.kind === 'timeout' ? limitMs : Math.min(played.delayMs, limitMs);
  // Reported as a timeout, and found by who lists it as a missed heartbeat.
  const name = limitMs === heartbeatMs ? 'States.HeartbeatTimeout' : TIMEOUT.name;
  const of = { stepPath, attempt, nowMs: nowMs + takesMs };
  if (played.kind !== 'timeout' && played.delayMs >= limitMs)
    return { kind: 'failed', ...of, error: { ...TIMEOUT, name }, draw: 0 };
  if (played.kind === 'return') return { kind: 'succeeded', ...of, output: played.output };
  return { kind: 'failed', ...of, error: named(played, name), draw: 0.5 };
}

function named(played: Exclude<Played, { readonly kind: 'return' }>, timeout: string): StepError {
  const { kind, error } = played;
  return kind === 'timeout' && error.name === TIMEOUT.name ? { ...error, name: timeout } : error;
}

export function outcomeOf(event: AttemptEnd): AttemptSeen['outcome'] {
  if (event.kind !== 'failed') return 'returned';
  return event.error.code === 'STEP_TIMEOUT' ? 'timed out' : { threw: event.error.name };
}
