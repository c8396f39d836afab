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
  parseNote,
  parseVkey,
  rangeFromEdge,
  rangeRoot,
  signCheckpoint,
  TILE_WIDTH,
  tilePath,
  tilesOfSize,
  type Checkpoint,
  type TileLevel,
} from '../audit/index.js';
import { WritError } from '../errors.js';
import type { CheckpointRow, LogDirectory, Locks, Signer, Store, TrustStore } from './ports.js';

/** Longest wait for another process that publishes. */
export const PUBLISH_LOCK_TIMEOUT_MS = 30_000;

/** What publishing needs of the store. */
export type PublishedStore = Pick<
  Store,
  'log' | 'entries' | 'hashes' | 'putCheckpoint' | 'lastCheckpoint' | 'markPublished'
>;

export interface Publication {
  readonly store: PublishedStore;
  readonly directory: LogDirectory;
  readonly signer: Signer;
  readonly locks: Locks;
  /** Where this machine remembers, outside the data directory, how far it has published. */
  readonly trust?: TrustStore;
}

/**
 * Signs and publishes the log as it is now; resolves when `checkpoint` says so durably. Safe to call
 * again after a crash or a rejection at any point, and from several processes. Throws AUDIT_FORK when the store
 * holds another root for this size, AUDIT_ROLLBACK when a larger size is published, STORE_* from the ports.
 */
export async function publish(publication: Publication): Promise<void> {
  const { store, directory, signer, locks } = publication;
  const lock = await locks.hold('publish', PUBLISH_LOCK_TIMEOUT_MS);
  try {
    const log = await store.log();
    const root = rangeRoot(log.compactRange, log.size);
    const published = await publishedCheckpoint(directory, signer);
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
  } finally {
    lock.release();
  }
}

/** The checkpoint that an interrupted publication was about to publish, when the log has grown since. */
async function interrupted(
  { store, directory, signer }: Publication,
  published: Checkpoint | null,
  size: bigint,
): Promise<CheckpointRow | null> {
  const bytes = await directory.get('pending');
  if (bytes === null) return null;
  const pending = openCheckpoint(bytes, signer);
  if (pending.size >= size || (published !== null && pending.size <= published.size)) return null;
  if (!equalBytes(await rootAt(store, pending.size), pending.root)) {
    throw fork('the pending checkpoint', pending.size);
  }
  return { size: pending.size, root: pending.root, note: new TextDecoder().decode(bytes) };
}

/** Brings the directory from `published` to the size of `row`. */
async function publishSize(
  { store, directory, signer }: Publication,
  markedSize: bigint,
  row: CheckpointRow,
  published: Pick<Checkpoint, 'size'> | null,
): Promise<void> {
  // Without its checkpoint file nothing is known of the directory: it is written from the start.
  const from = published === null ? 0n : published.size < markedSize ? published.size : markedSize;
  const moves = published?.size !== row.size;
  if (moves) await directory.put('pending', new TextEncoder().encode(row.note));
  await writeChanged(directory, 'vkey', new TextEncoder().encode(`${signer.vkey}\n`));
  await writeTiles(store, directory, from, row.size);
  await writeCheckpointCopy(directory, row);
  if (moves) await directory.put('checkpoint', new TextEncoder().encode(row.note));
  if ((await directory.get('pending')) !== null) await directory.remove('pending');
}

/** What the start-up check compares. */
export interface LogStart {
  readonly store: PublishedStore;
  readonly directory: LogDirectory;
  readonly trust: TrustStore;
  readonly signer: Signer;
}

/**
 * Before anything is appended: the store is not older than, and not another log than, the last checkpoint stored,
 * the one published and the one this machine trusts. Roots are recomputed from the rows. Throws AUDIT_ROLLBACK,
 * AUDIT_FORK, AUDIT_KEY_INVALID when this machine trusts another key for the origin, and AUDIT_NOTE_INVALID or
 * AUDIT_CHECKPOINT_INVALID on a checkpoint that can't be read. Reads at most 255 hashes a level per checkpoint.
 */
export async function checkLogAtStart({ store, directory, trust, signer }: LogStart): Promise<void> {
  const { name: origin } = parseVkey(signer.vkey);
  const record = await trust.read(origin);
  if (record !== null && record.vkey !== signer.vkey) {
    throw new WritError('AUDIT_KEY_INVALID', `this machine trusts another key for the log ${origin}`, {
      hint: 'restore the signing key, or remove the origin from the trust store if the key was replaced on purpose',
    });
  }
  const stored = await store.lastCheckpoint();
  const published = await publishedCheckpoint(directory, signer);
  const trusted = record?.checkpoint ? openCheckpoint(record.checkpoint, signer) : null;
  const log = await store.log();
  const seen: [string, { size: bigint; root: Uint8Array } | null][] = [
    ['the stored checkpoint', stored],
    [
      'the signed note of the stored checkpoint',
      stored === null ? null : openCheckpoint(stored.note, signer),
    ],
    ['the published checkpoint', published],
    ['the checkpoint this machine verified', trusted],
    // What the next signature would be made from must be what the rows say.
    ['the log state', { size: log.size, root: rangeRoot(log.compactRange, log.size) }],
  ];
  for (const [what, checkpoint] of seen) {
    if (checkpoint === null) continue;
    if (checkpoint.size > log.size) throw rollback(what, checkpoint.size, log.size);
    if (!equalBytes(await rootAt(store, checkpoint.size), checkpoint.root)) throw fork(what, checkpoint.size);
  }
}

/** Root of an earlier size (or this one), from the right edge of that tree. */
async function rootAt(store: PublishedStore, size: bigint): Promise<Uint8Array> {
  const edge: (readonly Uint8Array[])[] = [];
  for (const { level, full, partial } of tilesOfSize(size)) {
    edge.push(partial === 0 ? [] : await store.hashes(level, full * 256n, partial));
  }
  return rangeRoot(rangeFromEdge(edge), size);
}

async function publishedCheckpoint(directory: LogDirectory, signer: Signer): Promise<Checkpoint | null> {
  const bytes = await directory.get('checkpoint');
  return bytes === null ? null : openCheckpoint(bytes, signer);
}

function openCheckpoint(note: string | Uint8Array, signer: Signer): Checkpoint {
  const checkpoint = parseCheckpoint(openNote(note, [signer.vkey]).text);
  const { name } = parseVkey(signer.vkey);
  if (checkpoint.origin === name) return checkpoint;
  throw new WritError(
    'AUDIT_CHECKPOINT_INVALID',
    `a checkpoint of ${checkpoint.origin} stands in the log ${name}`,
  );
}

/** Every file whose content is not the same for `from` and `size` entries. */
async function writeTiles(
  store: PublishedStore,
  directory: LogDirectory,
  from: bigint,
  size: bigint,
): Promise<void> {
  for (const { level } of tilesOfSize(size)) {
    if (level === 0) {
      await writeLevel('entries', from, size, directory, async (first, width) => {
        const rows = await store.entries(first, first + BigInt(width), width);
        if (rows.length !== width || rows.some((row, i) => row.index !== first + BigInt(i))) {
          throw new WritError('STORE_IO', `the store lacks log entries from ${first} on`);
        }
        return encodeBundle(rows.map((row) => row.bytes));
      });
    }
    await writeLevel(level, from, size, directory, async (first, width) => {
      const hashes = await store.hashes(level, first, width);
      if (hashes.length !== width)
        throw new WritError('STORE_IO', `the store lacks hashes of level ${level}`);
      return encodeTile(hashes);
    });
  }
}

async function writeLevel(
  level: TileLevel,
  from: bigint,
  size: bigint,
  directory: LogDirectory,
  content: (first: bigint, width: number) => Promise<Uint8Array>,
): Promise<void> {
  const before = hashesAtLevel(from, level);
  const now = hashesAtLevel(size, level);
  if (before === now) return;
  for (let n = before / 256n; n * 256n < now; n++) {
    const left = now - n * 256n;
    const width = left < 256n ? Number(left) : TILE_WIDTH;
    await directory.put(tilePath({ level, n, width }), await content(n * 256n, width));
  }
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

async function writeChanged(directory: LogDirectory, path: string, bytes: Uint8Array): Promise<void> {
  const there = await directory.get(path);
  if (there === null || !equalBytes(there, bytes)) await directory.put(path, bytes);
}

function rollback(what: string, seen: bigint, size: bigint): WritError {
  return new WritError('AUDIT_ROLLBACK', `${what} has size ${seen}, but the store holds ${size} entries`, {
    hint: 'the store was restored from an old copy or cut: bring back the newest one; nothing was appended',
    details: { seen: seen.toString(), size: size.toString() },
  });
}

function fork(what: string, size: bigint): WritError {
  return new WritError('AUDIT_FORK', `${what} of size ${size} has another root than the rows of the store`, {
    hint: 'entries were changed, or the files are of another log; keep both and run writ audit verify',
    details: { size: size.toString() },
  });
}
