// What happens to a run at one moment becomes one change of the store: moves that become durable together, or not at all.
import type { EngineEvent } from '../../engine/command.js';
import type { Note } from '../../engine/state.js';
import type { EntryContext } from '../log/entries.js';
import type { Change, Charge, Committed, EntryDraft } from '../ports.js';
import type { Settlement } from './settlement.js';

/** Moves in one change of the store. */
export const MAX_TOGETHER = 256;

/**
 * Turns of the microtask queue that a batch stays open: steps that were woken by one commit come to their outcomes in
 * it, and those that follow them to their intents.
 */
export const TURNS = 100;

/** What happens to the run, and what is written with it. */
export interface Move {
  readonly events: readonly EngineEvent[];
  readonly change?: Pick<Change, 'entries' | 'payloads' | 'attempts' | 'approvals' | 'charges' | 'tasks'>;
  /** In place of what follows from the execution: the run is cancelled. */
  readonly settlement?: Settlement;
}

export interface CommitOptions {
  /** Who is named in the entries that the run itself adds; default: the initiator, through the runner. */
  readonly actor?: EntryContext['actor'];
  readonly nowMs?: number;
}

interface Member {
  readonly move: Move;
  readonly nowMs: number;
  readonly actor: EntryContext['actor'] | undefined;
}

/** Moves that become durable together, or not at all. */
export class Batch {
  readonly members: Member[] = [];
  /** Of each member, and then of the run itself: which entries are its own, from and to. */
  readonly places: (readonly [number, number])[] = [];
  readonly written: Promise<Committed>;
  done: (committed: Committed) => void = () => undefined;
  fail: (error: unknown) => void = () => undefined;

  constructor() {
    this.written = new Promise((resolve, reject) => {
      this.done = resolve;
      this.fail = reject;
    });
  }
}

/** What all of them write, and then what follows for the run itself; notes where in it each has its entries. */
export function together(
  { members, places }: Batch,
  next: Pick<Settlement, 'entries' | 'payloads' | 'attempts'>,
  notes: readonly Note[],
): Omit<Change, 'runs' | 'parts'> {
  const entries: EntryDraft[] = [];
  const payloads: NonNullable<Change['payloads']>[number][] = [];
  const attempts: NonNullable<Change['attempts']>[number][] = [];
  const approvals: NonNullable<Change['approvals']>[number][] = [];
  const charges: Charge[] = [];
  const tasks: NonNullable<Change['tasks']>[number][] = [];
  const all: readonly Partial<Change>[] = [...members.map(({ move }) => move.change ?? {}), next];
  for (const change of all) {
    const first = entries.length;
    entries.push(...(change.entries ?? []));
    for (const { payload, entry } of change.payloads ?? []) payloads.push({ payload, entry: entry + first });
    for (const { record, intentEntry } of change.attempts ?? []) {
      attempts.push(intentEntry === undefined ? { record } : { record, intentEntry: intentEntry + first });
    }
    approvals.push(...(change.approvals ?? []));
    charges.push(...(change.charges ?? []));
    tasks.push(...(change.tasks ?? []));
    places.push([first, entries.length]);
  }
  return { entries, payloads, attempts: withLoopEnds(attempts, notes), approvals, charges, tasks };
}

/** The attempt that ended a loop says how it ended. */
function withLoopEnds(
  attempts: NonNullable<Change['attempts']>,
  notes: readonly Note[],
): NonNullable<Change['attempts']> {
  return notes.reduce(
    (rows, note) =>
      note.kind === 'loop-ended'
        ? rows.map((one) =>
            one.record.stepPath === note.stepPath
              ? { ...one, record: { ...one.record, converged: note.converged } }
              : one,
          )
        : rows,
    attempts,
  );
}
