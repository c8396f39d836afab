// What a person signed on a machine of their own: how old such a signature may be, and the salt they chose for what they
// said. What they signed is checked where it counts (vote-proof.ts, task/proof.ts).
import { WritError, type ErrorCode } from '../../errors.js';
import type { Commitment } from '../../json.js';
import type { Sealing } from '../log/payload.js';
import type { Store } from '../ports.js';

/** How far the clock of somebody who signs elsewhere may be off, and how old their signature may be. */
export const SIGNED_WITHIN_MS = 300_000;

/** Throws `code` unless it was signed within the last 5 minutes; `what` is, say, `the decision`. */
export function requireRecent(atMs: number, nowMs: number, what: string, code: ErrorCode): void {
  if (Math.abs(nowMs - atMs) <= SIGNED_WITHIN_MS) return;
  throw new WritError(code, `${what} was not signed within the last 5 minutes`, {
    hint: 'sign it again, with the time it is now',
  });
}

/** Seals with the signer's own salt; null = with a fresh one. */
export function saltedBy(salt: Uint8Array | null, own: Sealing): Sealing {
  return salt === null ? own : { redact: own.redact, random: { bytes: () => salt } };
}

/** A salt from outside that was used before for the same text would be a conflict with itself for ever. */
export async function requireFresh(
  store: Pick<Store, 'payload'>,
  commitment: Commitment,
  what: string,
): Promise<void> {
  if ((await store.payload(commitment)) === null) return;
  throw new WritError('USAGE', `the salt of ${what} was used before`, {
    hint: 'sign again with 32 new random bytes',
  });
}
