// Publishes the log: signs the root of the committed rows and writes the tile directory from the store. The store
// is the truth, the signed checkpoint is the promise, the files are derived and rebuilt after a crash at any point.
// Order: checkpoint into the store, `pending`, vkey, bundles and tiles, `checkpoints/<size>`, `checkpoint`, mark. A
// file that others rely on is never written before what it relies on, and `checkpoint` never moves backwards.
// `pending` holds the signed checkpoint that is being published: it tells a verifier that files beyond `checkpoint`
// are an unfinished publication, not somebody else's.
import {
  checkpointPath,
  encodeBundle,
  encodeTile,
  equalBytes,
  hashesAtLevel,
  openNote,
  parseCheckpoint,
  parseEntry,
  parseNote,
  parseVkey,
  rangeRoot,
  signCheckpoint,
  TILE_WIDTH,
  tilePath,
  tilesOfSize,
  type Checkpoint,
  type Tile,
  type TileLevel,
  type VerifySignature,
} from '../../audit/index.js';
import { WritError } from '../../errors.js';
import type { CheckpointRow, LogDirectory, Locks, Signer, Store, TrustStore } from '../ports.js';
import { rootAt } from './tree-hashes.js';

/** Longest wait for another process that publishes. */
export const PUBLISH_LOCK_TIMEOUT_MS = 30_000;

/** What publishing needs of the store. */
export type PublishedStore = Pick<
  Store,
  'log' | 'entryBytes' | 'hashes' | 'ownEntries' | 'putCheckpoint' | 'lastCheckpoint' | 'markPublished'
>;

export interface Publication {
  readonly store: PublishedStore;
  readonly directory: LogDirectory;
  readonly signer: Signer;
  readonly locks: Locks;
  /** Where this machine remembers, outside the data directory, how far it has published. */
  readonly trust?: TrustStore;
  /**
   * Finishes a change of the log's key that a crash interrupted (runtime/log/key-rotation.ts); called under the lock
   * when the log names another key than `signer` holds after `reload`.
   */
  readonly finishRotation?: () => Promise<void>;
  /** Checks the signatures of notes, as strictly as the audit room itself, which does when this is absent. */
  readonly verifySignature?: VerifySignature;
}

/**
 * Signs and publishes the log as it is now; resolves when `checkpoint` says so durably. Safe to call
 * again after a crash or a rejection at any point, and from several processes. Throws AUDIT_FORK when the store
 * holds another root for this size, AUDIT_ROLLBACK when a larger size is published, AUDIT_KEY_INVALID when the log
 * has another key by now and it can't be loaded, STORE_* from the ports.
 */
export async function publish(publication: Publication): Promise<void> {
  const lock = await publication.locks.hold('publish', PUBLISH_LOCK_TIMEOUT_MS);
  try {
    await publishHeld(publication);
  } finally {
    lock.release();
  }
}

/** As `publish`; the caller holds the `publish` lock. */
export async function publishHeld(publication: Publication): Promise<void> {
  await holdCurrentKey(publication);
  const { store, directory, signer, verifySignature } = publication;
  const log = await store.log();
  const root = rangeRoot(log.compactRange, log.size);
  const published = await publishedCheckpoint(directory, [signer.vkey], verifySignature);
  if (published !== null && published.size > log.size) {
    throw rollback('the published checkpoint', published.size, log.size);
  }
  if (published?.size === log.size && !equalBytes(published.root, root)) {
    throw fork('the published checkpoint', log.size);
  }
  const note = signCheckpoint(signer.vkey, log.size, root, (message) => signer.sign(message));
  const row = await store.putCheckpoint({ size: log.size, root, note });
  if (!equalBytes(row.root, root)) throw fork('the stored checkpoint', log.size);

  // What a crash interrupted is finished first: `pending` excuses the files of one size, not of two.
  const between = await interrupted(publication, published, log.size);
  if (between !== null) await publishSize(publication, log.publishedSize, between, published);
  await publishSize(publication, log.publishedSize, row, between ?? published);
  if (log.publishedSize < log.size) await store.markPublished(log.size);
  // What this process signed needs no verifier: a data directory restored from before is then caught at start.
  await publication.trust?.write(parseVkey(signer.vkey).name, { vkey: signer.vkey, checkpoint: row.note });
}

/** The vkey that the log's newest `key.rotated` names; null when the key never changed. */
export async function rotatedVkey(store: Pick<Store, 'ownEntries'>): Promise<string | null> {
  const [row] = await store.ownEntries('key.rotated', 1);
  const vkey = row === undefined ? null : parseEntry(row.bytes).data['newVkey'];
  return typeof vkey === 'string' ? vkey : null;
}

/** Nothing is signed with a key that the log has replaced, by this process or by another one. */
async function holdCurrentKey({ store, signer, finishRotation }: Publication): Promise<void> {
  const vkey = await rotatedVkey(store);
  const isCurrent = (): boolean => vkey === null || vkey === signer.vkey;
  if (isCurrent()) return;
  signer.reload?.();
  if (isCurrent()) return;
  await finishRotation?.();
  if (isCurrent()) return;
  throw new WritError('AUDIT_KEY_INVALID', 'the log has replaced the key that this process holds', {
    hint: 'restore the keys directory that belongs to this log; nothing was signed',
    details: { log: vkey, held: signer.vkey },
  });
}

/** The checkpoint that an interrupted publication was about to publish, when the log has grown since. */
async function interrupted(
  { store, directory, signer, verifySignature }: Publication,
  published: Checkpoint | null,
  size: bigint,
): Promise<CheckpointRow | null> {
  const bytes = await directory.get('pending');
  if (bytes === null) return null;
  // A crash may bring back an old `pending`, signed by a former key: what it leads to is long published.
  const { size: claimed } = parseCheckpoint(parseNote(bytes).text);
  if (claimed >= size || (published !== null && claimed <= published.size)) return null;
  const pending = openCheckpoint(bytes, [signer.vkey], verifySignature);
  if (!equalBytes(await rootAt(store, pending.size), pending.root)) {
    throw fork('the pending checkpoint', pending.size);
  }
  return { size: pending.size, root: pending.root, note: new TextDecoder().decode(bytes) };
}

/**
 * Brings the directory from `published` to the size of `row`; `vkey` becomes that of `signer`. `markedSize` is what
 * the store says is published. The caller holds the lock.
 */
export async function publishSize(
  { store, directory, signer }: Pick<Publication, 'store' | 'directory' | 'signer'>,
  markedSize: bigint,
  row: CheckpointRow,
  published: Pick<Checkpoint, 'size'> | null,
): Promise<void> {
  // Without its checkpoint file nothing is known of the directory: it is written from the start.
  const from = published === null ? 0n : published.size < markedSize ? published.size : markedSize;
  const moves = published?.size !== row.size;
  if (moves) await directory.put('pending', new TextEncoder().encode(row.note));
  await writeChanged(directory, 'vkey', `${signer.vkey}\n`);
  await writeTiles(store, directory, from, row.size);
  await writeCheckpointCopy(directory, row);
  if (moves) await directory.put('checkpoint', new TextEncoder().encode(row.note));
  if ((await directory.get('pending')) !== null) await directory.remove('pending');
}

/** What `checkpoint` holds, signed by one of `vkeys`; null when there is none. */
export async function publishedCheckpoint(
  directory: LogDirectory,
  vkeys: readonly string[],
  verify?: VerifySignature,
): Promise<Checkpoint | null> {
  const bytes = await directory.get('checkpoint');
  return bytes === null ? null : openCheckpoint(bytes, vkeys, verify);
}

/**
 * The checkpoint of a note that one of `vkeys` signed. `vkeys` are keys of one log, so they have one name. Throws
 * AUDIT_NOTE_INVALID, and AUDIT_CHECKPOINT_INVALID on a checkpoint of another log.
 */
export function openCheckpoint(
  note: string | Uint8Array,
  vkeys: readonly string[],
  verify?: VerifySignature,
): Checkpoint {
  const checkpoint = parseCheckpoint(openNote(note, vkeys, verify).text);
  const name = parseVkey(vkeys[0] ?? '').name;
  if (checkpoint.origin === name) return checkpoint;
  throw new WritError(
    'AUDIT_CHECKPOINT_INVALID',
    `a checkpoint of ${checkpoint.origin} stands in the log ${name}`,
  );
}

/** Tiles on their way to the disk at once: their syncs share commits of the file system. */
const WRITES_AT_ONCE = 8;

/** Every file whose content is not the same for `from` and `size` entries. Nothing is being written when it settles. */
async function writeTiles(
  store: PublishedStore,
  directory: LogDirectory,
  from: bigint,
  size: bigint,
): Promise<void> {
  const tiles = changedTiles(from, size);
  // All take from one list, which ends for all when one of them fails.
  const write = async (): Promise<void> => {
    for (const tile of tiles) await directory.put(tilePath(tile), await tileBytes(store, tile));
  };
  const ends = await Promise.allSettled(Array.from({ length: WRITES_AT_ONCE }, write));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

function* changedTiles(from: bigint, size: bigint): Generator<Tile> {
  const levels = tilesOfSize(size).map(({ level }): TileLevel => level);
  for (const level of levels.length === 0 ? levels : (['entries', ...levels] as const)) {
    const now = hashesAtLevel(size, level);
    const before = hashesAtLevel(from, level);
    for (let n = before / 256n; before < now && n * 256n < now; n++) {
      const left = now - n * 256n;
      yield { level, n, width: left < 256n ? Number(left) : TILE_WIDTH };
    }
  }
}

async function tileBytes(store: PublishedStore, { level, n, width }: Tile): Promise<Uint8Array> {
  const first = n * 256n;
  return level === 'entries'
    ? encodeBundle(await store.entryBytes(first, width))
    : encodeTile(await store.hashes(level, first, width));
}

/** Never rewritten: another text for the same size would be a second promise. */
async function writeCheckpointCopy(directory: LogDirectory, row: CheckpointRow): Promise<void> {
  const path = checkpointPath(row.size);
  const bytes = await directory.get(path);
  if (bytes === null) {
    await directory.put(path, new TextEncoder().encode(row.note));
    return;
  }
  const { root, size } = parseCheckpoint(parseNote(bytes).text);
  if (size !== row.size || !equalBytes(root, row.root)) throw fork(path, row.size);
}

/** Writes `text` to `path` unless it is there already. */
export async function writeChanged(directory: LogDirectory, path: string, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  const there = await directory.get(path);
  if (there === null || !equalBytes(there, bytes)) await directory.put(path, bytes);
}

/** AUDIT_ROLLBACK: `what` is of more entries than the store holds. */
export function rollback(what: string, seen: bigint, size: bigint): WritError {
  return new WritError('AUDIT_ROLLBACK', `${what} has size ${seen}, but the store holds ${size} entries`, {
    hint: 'the store was restored from an old copy or cut, and nothing was appended: bring back the newest one, or where it is lost begin a new log (audit/README.md, Backups)',
    details: { seen: seen.toString(), size: size.toString() },
  });
}

/** AUDIT_FORK: `what` is of another log than the rows. */
export function fork(what: string, size: bigint): WritError {
  return new WritError('AUDIT_FORK', `${what} of size ${size} has another root than the rows of the store`, {
    hint: 'entries were changed, or the files are of another log; keep both and run writ audit verify',
    details: { size: size.toString() },
  });
}
