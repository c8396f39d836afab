// Messages of votes and edits that have counted: how long they are remembered, and that none counts a second time.
import { WritError } from '../../errors.js';
import type { Receipt, Store } from '../ports.js';

/** How long at least, after the request they were about has ended: longer than any sender tries again. */
export const REMEMBERED_MS = 24 * 3_600_000;

/** Throws STORE_CONFLICT for the first that has: what it came to is in the store. */
export async function requireNotReceived(
  store: Pick<Store, 'receipt'>,
  messages: readonly Pick<Receipt, 'source' | 'id'>[],
): Promise<void> {
  for (const { source, id } of messages) {
    if ((await store.receipt(source, id)) === null) continue;
    throw new WritError('STORE_CONFLICT', `a message of ${source} with this id was received before`);
  }
}
