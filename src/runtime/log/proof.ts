// Proofs that an entry is in the log, made from the store's hashes in O(log size) reads. What is proven is proven
// against the newest signed checkpoint, cosignatures included.
import { inclusionProof, leafHash } from '../../audit/index.js';
import { formatProof } from '../../audit/tlog-proof.js';
import { WritError } from '../../errors.js';
import type { Store } from '../ports.js';
import { withHashes } from './tree-hashes.js';

/** One entry and the proof that the signed checkpoint's tree holds it. */
export interface EntryProof {
  readonly index: bigint;
  readonly leafHash: Uint8Array;
  /** The entry's bytes, which the proof does not hold. */
  readonly entry: Uint8Array;
  /** Size of the proven tree. */
  readonly size: bigint;
  /** C2SP tlog-proof, text. */
  readonly proof: string;
}

/**
 * The proof of the entry at `index` against the newest signed checkpoint. Throws NOT_FOUND when the checkpoint's tree
 * does not hold it: publish first.
 */
export async function proveEntry(
  store: Pick<Store, 'entries' | 'hashes' | 'lastCheckpoint'>,
  index: bigint,
): Promise<EntryProof> {
  const checkpoint = await store.lastCheckpoint();
  const [row] = await store.entries(index, index + 1n, 1);
  if (checkpoint === null || row === undefined || index >= checkpoint.size) {
    throw new WritError(
      'NOT_FOUND',
      `there is no entry ${index} in the signed log of ${checkpoint?.size ?? 0n}`,
      {
        hint: 'indices count from 0: writ audit show RUN lists those of a run',
      },
    );
  }
  const { size, note } = checkpoint;
  const hashes = await withHashes(store, size, (read) => inclusionProof(read, index, size));
  const proof = formatProof({ index, hashes, checkpoint: note, extra: null });
  return { index, leafHash: leafHash(row.bytes), entry: row.bytes, size, proof };
}

/** Hashes that one look at the store compares. */
const SCAN = 4_096;

/** The index of the entry with this leaf hash, null when there is none. Reads the log from its end: O(size). */
export async function indexOfLeaf(
  store: Pick<Store, 'log' | 'hashes'>,
  leaf: Uint8Array,
): Promise<bigint | null> {
  const { size } = await store.log();
  for (let end = size; end > 0n;) {
    const first = end > BigInt(SCAN) ? end - BigInt(SCAN) : 0n;
    const hashes = await store.hashes(0, first, Number(end - first));
    const at = hashes.findIndex((hash) => Buffer.compare(hash, leaf) === 0);
    if (at >= 0) return first + BigInt(at);
    end = first;
  }
  return null;
}
