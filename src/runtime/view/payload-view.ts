// Data of a run as it is shown: what it is, or the entry that says why it is gone.
import type { Commitment, Json } from '../../json.js';
import type { Guard } from '../guard-parts.js';
import { openJson } from '../log/payload.js';
import type { StoredPayload } from '../ports.js';

/** An output, or the entry that says why it is gone. */
export async function dataOf(
  { store }: Pick<Guard, 'store'>,
  output: Commitment | null,
): Promise<{ readonly output: Json; readonly outputErasedBy?: string }> {
  const payload = output === null ? null : await store.payload(output);
  const erasedBy = payload?.erasedBy ?? null;
  return erasedBy === null
    ? { output: openJson(payload) }
    : { output: null, outputErasedBy: erasedBy.toString() };
}

/** What stands where data was: gone by an entry of the log, or gone with none. */
export function erasedText(payload: StoredPayload | null): string {
  const entry = payload?.erasedBy ?? null;
  return entry === null ? '(missing)' : `(erased, entry ${entry})`;
}
