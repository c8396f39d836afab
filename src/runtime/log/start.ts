// Before anything is appended: is the store the log that this installation has signed and seen, or an older copy of it,
// or another one? Compared with every checkpoint that is at hand: stored, published, and trusted by this machine.
import { equalBytes, parseVkey, rangeRoot, type VerifySignature } from '../../audit/index.js';
import { WritError } from '../../errors.js';
import type { LogDirectory, Signer, TrustStore } from '../ports.js';
import {
  fork,
  openCheckpoint,
  publishedCheckpoint,
  rollback,
  rotatedVkey,
  type PublishedStore,
} from './publisher.js';
import { rootAt } from './tree-hashes.js';

/** What the start-up check compares. */
export interface LogStart {
  readonly store: PublishedStore;
  readonly directory: LogDirectory;
  readonly trust: TrustStore;
  readonly signer: Signer;
  /** As in `Publication`. */
  readonly verifySignature?: VerifySignature;
}

/**
 * Before anything is appended: the store is not older than, and not another log than, the last checkpoint stored,
 * the one published and the one this machine trusts. Roots are recomputed from the rows. Throws AUDIT_ROLLBACK,
 * AUDIT_FORK, AUDIT_KEY_INVALID when this machine trusts another key for the origin, and AUDIT_NOTE_INVALID or
 * AUDIT_CHECKPOINT_INVALID on a checkpoint that can't be read. Reads at most 255 hashes a level for each size.
 */
export async function checkLogAtStart(start: LogStart): Promise<void> {
  const { store, trust, signer } = start;
  const record = await trust.read(parseVkey(signer.vkey).name);
  if (record !== null && record.vkey !== signer.vkey) throw await otherKey(store, record, signer.vkey);
  await checkSeen({ ...start, trusted: record?.checkpoint ?? null }, [signer.vkey]);
}

/**
 * The store against every checkpoint this installation has signed or seen, each signed by one of `vkeys` (keys of
 * one log). Throws as `checkLogAtStart`.
 */
export async function checkSeen(
  seenBy: Pick<LogStart, 'store' | 'directory' | 'verifySignature'> & { readonly trusted: string | null },
  vkeys: readonly string[],
): Promise<void> {
  const { store, directory, verifySignature } = seenBy;
  const stored = await store.lastCheckpoint();
  const published = await publishedCheckpoint(directory, vkeys, verifySignature);
  const trusted = seenBy.trusted === null ? null : openCheckpoint(seenBy.trusted, vkeys, verifySignature);
  const log = await store.log();
  const seen: [string, { size: bigint; root: Uint8Array } | null][] = [
    ['the stored checkpoint', stored],
    [
      'the signed note of the stored checkpoint',
      stored === null ? null : openCheckpoint(stored.note, vkeys, verifySignature),
    ],
    ['the published checkpoint', published],
    ['the checkpoint this machine verified', trusted],
    // What the next signature would be made from must be what the rows say.
    ['the log state', { size: log.size, root: rangeRoot(log.compactRange, log.size) }],
  ];
  // Most often all are of one size, and the rows behind a size never change.
  const roots = new Map<bigint, Uint8Array>();
  for (const [what, checkpoint] of seen) {
    if (checkpoint === null) continue;
    const { size } = checkpoint;
    if (size > log.size) throw rollback(what, size, log.size);
    const root = roots.get(size) ?? (await rootAt(store, size));
    roots.set(size, root);
    if (!equalBytes(root, checkpoint.root)) throw fork(what, size);
  }
}

/** Which of the two is behind: what this machine trusts, or the data directory. */
async function otherKey(
  store: PublishedStore,
  record: { readonly vkey: string; readonly former?: readonly string[] },
  vkey: string,
): Promise<WritError> {
  const { name: origin } = parseVkey(vkey);
  const details = { trusted: record.vkey, found: vkey };
  if (record.former?.includes(vkey) === true) {
    return new WritError('AUDIT_ROLLBACK', `the key of ${origin} is one that the log has replaced since`, {
      hint: 'the data directory was restored from before the key change: bring back the newest one',
      details,
    });
  }
  const [row] = await store.ownEntries('key.rotated', 1);
  if (row !== undefined && (await rotatedVkey(store)) === vkey) {
    return new WritError(
      'AUDIT_KEY_INVALID',
      `the key of ${origin} was replaced (entry ${row.index}), and this machine still trusts the former one`,
      {
        hint: 'a log can not introduce its own key: compare the new vkey with what its operator says, then run writ audit verify --vkey NEW',
        details,
      },
    );
  }
  return new WritError('AUDIT_KEY_INVALID', `this machine trusts another key for the log ${origin}`, {
    hint: 'restore the signing key, or remove the origin from the trust store if the log was made anew on purpose',
    details,
  });
}
