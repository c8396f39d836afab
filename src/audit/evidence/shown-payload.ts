// Which payloads a run's entries commit to, and what the bundle holds of each.
import type { Json } from '../../json.js';
import { textOf } from './shown-value.js';
import type { ShownEntry } from './report.js';

/** A committed payload and what the bundle holds of it. */
export interface ShownPayload {
  readonly commitment: string;
  readonly label: string;
  /** The entry that commits to it. */
  readonly index: string;
  readonly step: string | null;
  readonly type: string;
  readonly state: 'disclosed' | 'erased' | 'withheld';
  /** The `payload.erased`, null unless erased. */
  readonly erasedBy: string | null;
}

export function payloadsOf(
  own: readonly ShownEntry[],
  entries: readonly ShownEntry[],
  disclosed: ReadonlySet<string>,
): readonly ShownPayload[] {
  const erased = new Map<Json | undefined, string>();
  for (const { index, entry } of entries) {
    if (entry.type === 'payload.erased') erased.set(entry.data.commitment, index.toString());
  }
  return own.flatMap(({ index, entry }) =>
    Object.entries(entry.commit).map(([label, commitment]): ShownPayload => {
      const erasedBy = erased.get(commitment) ?? null;
      return {
        commitment,
        label,
        index: index.toString(),
        step: textOf(entry.data.stepPath),
        type: entry.type,
        state: disclosed.has(commitment) ? 'disclosed' : erasedBy === null ? 'withheld' : 'erased',
        erasedBy,
      };
    }),
  );
}
