// A message that proved its sender and came to nothing counts too: the same one again is no second chance, whatever has
// changed meanwhile. Whoever sends it wants it judged anew under another id.
import type { Hex } from '../../json.js';
import type { Guard } from '../guard-parts.js';
import { isConflict } from '../run/live-run.js';

/** Longer than any sender tries again: the published schedule of retries takes three days. */
const REMEMBERED_MS = 7 * 86_400_000;

/** Durable when it resolves. A message that has counted already stays what it was. */
export async function keepRefused(
  { journal, clock }: Pick<Guard, 'journal' | 'clock'>,
  message: { readonly source: string; readonly id: string; readonly digest: Hex },
): Promise<void> {
  const receipt = { ...message, answer: null, untilMs: clock.nowMs() + REMEMBERED_MS };
  try {
    await journal.commit({ entries: [], receipts: [receipt] });
  } catch (error) {
    if (!isConflict(error)) throw error;
  }
}
