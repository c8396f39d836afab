// Which policies were in force: an entry whenever the snapshot differs from the last one the log names.
import { sha256 } from '../../audit/sha256.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import { draft, type EntryContext } from './entries.js';
import type { LogRow, Store } from '../ports.js';

/** Appends `policy.loaded` unless the log's last one already names this snapshot; true when it did. */
export async function recordPolicy(
  store: Store,
  context: EntryContext,
  snapshot: PolicySnapshot,
  files: ReadonlyMap<string, string>,
): Promise<boolean> {
  const previous = await lastPolicy(store);
  if (previous === snapshot.policyHash) return false;
  const hashes: Record<string, string> = {};
  for (const [path, text] of files) hashes[path] = hex(new TextEncoder().encode(text));
  const data = { policyHash: snapshot.policyHash, modelHash: snapshot.modelHash, files: hashes, previous };
  await store.commit({
    entries: [draft({ ...context, policy: snapshot.policyHash }, 'policy.loaded', data)],
  });
  return true;
}

/** Whether the log says that these policies were in force once, and that others took their place. */
export async function wasReplaced(store: Pick<Store, 'ownEntries'>, policyHash: string): Promise<boolean> {
  const last = await lastPolicy(store);
  if (last === null || last === policyHash) return false;
  const all = await store.ownEntries('policy.loaded', Number.MAX_SAFE_INTEGER);
  return all.some((row) => policyOf(row) === policyHash);
}

async function lastPolicy(store: Pick<Store, 'ownEntries'>): Promise<string | null> {
  const [last] = await store.ownEntries('policy.loaded', 1);
  return last === undefined ? null : policyOf(last);
}

function policyOf({ bytes }: LogRow): string {
  // Our own canonical entry bytes.
  return (JSON.parse(new TextDecoder().decode(bytes)) as { data: { policyHash: string } }).data.policyHash;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(sha256(bytes)).toString('hex');
}
