// Up to where a bundle shows its run without a gap (FORMAT.md section 9): a run whose chain holds and whose end is there
// can't have lost an entry.
import type { FindingList } from '../verify/report.js';
import type { Completeness, ShownEntry } from './report.js';

interface Shown {
  readonly run: string;
  readonly shown: readonly ShownEntry[];
  /** Every entry of the bundle stands in the signed tree. */
  readonly isProven: boolean;
  /** Findings about the run's chain; a run of which nothing is shown is one. */
  readonly schema: FindingList;
  /** Of the checkpoint. */
  readonly size: bigint;
}

export function completenessOf({ run, shown, isProven, schema, size }: Shown): Completeness {
  const own = shown.filter(({ entry }) => entry.run === run);
  const last = own.at(-1);
  if (last === undefined) {
    const message = `the bundle holds no entry of run ${run}`;
    if (isProven) schema.add('missing', message);
    return { state: 'broken', entries: 0, last: null, message };
  }
  const entries = own.length;
  const at = { entries, last: last.index.toString() };
  if (!isProven || schema.any) {
    return {
      state: 'broken',
      ...at,
      message: 'entries are missing, changed or not proven: see the findings',
    };
  }
  const whole = `all ${entries} entries of the run up to entry ${last.index} are here: numbered from 0 and hash-linked without a gap`;
  if (hasEnded(own)) {
    const message = `${whole}; the run's end (run.finished) is among them, so no step of it is left out`;
    return { state: 'closed', ...at, message };
  }
  const message =
    `${whole}; the run's end is not among them. Either it was still open at the checkpoint of size ${size}, or later ` +
    `entries were left out: only the log itself can tell (writ audit verify DIR --run ${run})`;
  return { state: 'open', ...at, message };
}

/** What a redrive begins again has not ended. */
function hasEnded(own: readonly ShownEntry[]): boolean {
  const last = own.findLast(({ entry: { type } }) => type === 'run.finished' || type === 'run.redriven');
  return last?.entry.type === 'run.finished';
}
