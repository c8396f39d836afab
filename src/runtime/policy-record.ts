// Which policies were in force: an entry whenever the snapshot differs from the last one the log names.
import { sha256 } from '../audit/sha256.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import { draft, type EntryContext } from './entries.js';
import type { Store } from './ports.js';

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

async function lastPolicy(store: Store): Promise<string | null> {
  const [last] = await store.ownEntries('policy.loaded', 1);
  if (last === undefined) return null;
  // Our own canonical entry bytes.
  const entry = JSON.parse(new TextDecoder().decode(last.bytes)) as { data: { policyHash: string } };
  return entry.data.policyHash;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(sha256(bytes)).toString('hex');
}
