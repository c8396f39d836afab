// Replacing the log's key. Order: new key file, `key.rotated` and `log.opened` in one commit, a checkpoint of exactly
// that size signed by both keys, files, trust store, and last the new key takes the place of the old one, whose private
// half is deleted. All of it under the `publish` lock, under which alone anybody signs.
// The log decides: once `key.rotated` is committed the new key is the log's and what is missing is made up for by
// whoever comes next; before that, a successor file means nothing and is deleted. So at every moment exactly one key
// can go on, and a crash at any point leaves one log.
import {
  addSignatureLines,
  equalBytes,
  parseEntry,
  parseVkey,
  signCheckpoint,
  type Checkpoint,
} from '../../audit/index.js';
import { rotationData } from '../../audit/key-rotation.js';
import { WritError } from '../../errors.js';
import { auditContext, requireAuditRight } from './access.js';
import { draft } from './entries.js';
import type { Guard } from '../guard-parts.js';
import { checkSeen } from './start.js';
import type { LogKeys, LogRow, Signer, Store } from '../ports.js';
import {
  publishedCheckpoint,
  publishHeld,
  PUBLISH_LOCK_TIMEOUT_MS,
  publishSize,
  rotatedVkey,
  type Publication,
} from './publisher.js';
import { rootAt } from './tree-hashes.js';
import type { KeyChange, Principal } from '../writ.js';

/** What a change of key needs: everything that publishing needs, and the key files. */
export interface Rotation {
  readonly publication: Publication;
  readonly keys: LogKeys;
}

/**
 * Makes a new key the log's; resolves when the log, its files, the trust store and the key file all say so durably.
 * Needs the right `audit.rotate_key`. Throws POLICY_*, AUDIT_KEY_*, AUDIT_ROLLBACK, AUDIT_FORK, STORE_*; after a throw
 * or a crash the next process finishes the change or undoes it (`finishRotation`).
 */
export async function rotateLogKey(
  guard: Guard,
  { publication, keys }: Rotation,
  principal: Principal,
  softwareVersion: string,
): Promise<KeyChange> {
  await requireAuditRight(guard, principal, 'audit.rotate_key');
  const lock = await publication.locks.hold('publish', PUBLISH_LOCK_TIMEOUT_MS);
  try {
    await finishHeld({ publication, keys });
    // Nothing signed by the old key alone is left to publish.
    await publishHeld(publication);
    const old = { vkey: keys.signer.vkey, sign: (message: Uint8Array) => keys.signer.sign(message) };
    const { name: origin } = parseVkey(old.vkey);
    const next = keys.makeSuccessor();
    const context = auditContext(guard, principal);
    const opened = { origin, vkey: next.vkey, softwareVersion };
    await guard.journal.commit({
      entries: [
        draft(context, 'key.rotated', rotationData(origin, old, next)),
        draft(context, 'log.opened', opened),
      ],
    });
    await finishHeld({ publication, keys });
    const change = (await keyChanges(publication.store)).find(({ newVkey }) => newVkey === next.vkey);
    if (change === undefined) throw new WritError('INTERNAL', 'a committed key.rotated is not in the log');
    return change;
  } finally {
    lock.release();
  }
}

/**
 * Finishes or undoes what a crash left of a change of key; nothing when there is nothing. Called before anything is
 * signed. Throws AUDIT_KEY_MISSING when the log has gone on to a key that is not there, AUDIT_ROLLBACK, AUDIT_FORK.
 */
export async function finishRotation(rotation: Rotation): Promise<void> {
  const { publication, keys } = rotation;
  const vkey = await rotatedVkey(publication.store);
  if ((vkey === null || vkey === keys.signer.vkey) && !hasSuccessor(keys)) return;
  const lock = await publication.locks.hold('publish', PUBLISH_LOCK_TIMEOUT_MS);
  try {
    await finishHeld(rotation);
  } finally {
    lock.release();
  }
}

/** As `finishRotation`; the caller holds the `publish` lock. */
export async function finishHeld({ publication, keys }: Rotation): Promise<void> {
  const { store, trust } = publication;
  keys.signer.reload?.();
  const [row] = await store.ownEntries('key.rotated', 1);
  const vkey = await rotatedVkey(store);
  const old = keys.signer;
  if (row === undefined || vkey === null || vkey === old.vkey) {
    // Never committed, or over already: a successor that the log doesn't name is nobody's key.
    if (hasSuccessor(keys)) keys.discardSuccessor();
    return;
  }
  const next = keys.successor();
  if (next?.vkey !== vkey || parseEntry(row.bytes).data['oldVkey'] !== old.vkey) {
    throw new WritError(
      'AUDIT_KEY_MISSING',
      `the log goes on with a key that is not there (entry ${row.index})`,
      {
        hint: 'restore the keys directory that belongs to this log; without that key nobody can sign it',
        details: { log: vkey, held: old.vkey },
      },
    );
  }
  const origin = parseVkey(vkey).name;
  const trusted = (await trust?.read(origin))?.checkpoint ?? null;
  await checkSeen({ ...publication, trusted }, [old.vkey, vkey]);
  const note = await publishBoth(publication, row, old, next);
  await trust?.replaceKey(origin, { from: old.vkey, vkey, checkpoint: note });
  keys.promoteSuccessor();
}

/** The checkpoint right after the change, signed by both keys, stored and published; its note. */
async function publishBoth(
  publication: Publication,
  row: LogRow,
  old: Signer,
  next: Signer,
): Promise<string> {
  const { store, directory, verifySignature } = publication;
  // `key.rotated` and its `log.opened`.
  const size = row.index + 2n;
  const root = await rootAt(store, size);
  const byOld = signCheckpoint(old.vkey, size, root, (message) => old.sign(message));
  const byNext = signCheckpoint(next.vkey, size, root, (message) => next.sign(message));
  const line = byNext.slice(byNext.lastIndexOf('\n', byNext.length - 2) + 1);
  const stored = await store.putCheckpoint({ size, root, note: addSignatureLines(byOld, [line]) });
  if (!equalBytes(stored.root, root)) {
    throw new WritError('AUDIT_FORK', `the stored checkpoint of size ${size} has another root than the rows`);
  }
  const log = await store.log();
  const published = await publishedCheckpoint(directory, [old.vkey, next.vkey], verifySignature);
  // A keys directory restored from the moment of the change meets a log that has long gone on.
  if (!isBeyond(published, size)) {
    await publishSize({ store, directory, signer: next }, log.publishedSize, stored, published);
    if (log.publishedSize < size) await store.markPublished(size);
  }
  return stored.note;
}

function isBeyond(published: Checkpoint | null, size: bigint): boolean {
  return published !== null && published.size > size;
}

/** More changes of key than a log will see. */
const MAX_CHANGES = 10_000;

/** Every change of the log's key, oldest first. Throws AUDIT_ENTRY_INVALID on rows that are no such entries. */
export async function keyChanges(store: Pick<Store, 'ownEntries'>): Promise<readonly KeyChange[]> {
  const rows = await store.ownEntries('key.rotated', MAX_CHANGES);
  return rows.toReversed().map((row) => {
    const { time, data } = parseEntry(row.bytes);
    const { oldVkey, newVkey } = data;
    if (typeof oldVkey !== 'string' || typeof newVkey !== 'string') {
      throw new WritError('AUDIT_ENTRY_INVALID', `entry ${row.index} (key.rotated) names no two keys`);
    }
    return { index: row.index, time, oldVkey, newVkey };
  });
}

/** A torn or damaged file counts: whoever asks is going to delete it, or to read it and say what is wrong. */
function hasSuccessor(keys: LogKeys): boolean {
  try {
    return keys.successor() !== null;
  } catch (error) {
    if (error instanceof WritError) return true;
    throw error;
  }
}
