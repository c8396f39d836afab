// Anchors the log outside this machine: has the newest checkpoint cosigned by the configured witnesses and, where one
// is configured, stamped by a time stamp authority. One process anchors at a time (lock `anchor`); the note is only
// ever replaced by the same text with more signatures, first in the store, then, under the `publish` lock, on disk.
// Who is missing delays nothing and is reported; only where policy requires it does a run wait for the quorum.
import {
  addSignatureLines,
  checkpointPath,
  describeQuorum,
  noteCosignatures,
  parseEntry,
  parseNote,
  parseTime,
  quorumMet,
  timestampPath,
} from '../../audit/index.js';
import { WritError } from '../../errors.js';
import type {
  AnchoredCheckpointRow,
  CheckpointRow,
  Clock,
  HttpPost,
  Store,
  TimestampAuthority,
} from '../ports.js';
import { publish, PUBLISH_LOCK_TIMEOUT_MS, writeChanged, type Publication } from '../log/publisher.js';
import { askWitness, type WitnessSaid } from './request.js';
import type { WitnessSet } from './set.js';

/** At most hourly, and only at the end of a command that advanced a run: a log at rest asks for nothing by itself. */
export const DEFAULT_ANCHOR_EVERY_MS = 3_600_000;
/** How long witnesses may take when nothing waits for them but the end of a command. */
const OPTIONAL_TIMEOUT_MS = 2_000;
/** How long they may take when a run waits. */
const REQUIRED_TIMEOUT_MS = 10_000;
/** How long a run waits for another process that anchors. */
const LOCK_TIMEOUT_MS = 30_000;
/** How many anchored checkpoints are looked through for a witness's newest. */
export const ANCHORS_SEEN = 64;

export interface Anchoring {
  readonly publication: Publication & {
    readonly store: Pick<Store, 'entries' | 'anchorCheckpoint' | 'anchoredCheckpoints'>;
  };
  readonly clock: Clock;
  readonly post: HttpPost;
  /** null = the log has no witnesses. */
  readonly witnesses: WitnessSet | null;
  /** null = no time stamps. */
  readonly timestamps: TimestampAuthority | null;
  /** The least time between two checkpoints anchored without being asked for. */
  readonly everyMs: number;
}

/** Nobody but this installation vouches for the log. */
export const NO_ANCHORS: Omit<Anchoring, 'publication' | 'clock'> = {
  post: () => Promise.resolve({ failure: 'nobody is asked' }),
  witnesses: null,
  timestamps: null,
  everyMs: DEFAULT_ANCHOR_EVERY_MS,
};

/** What came of asking. */
export interface AnchorReport {
  /** Size of the checkpoint. */
  readonly size: bigint;
  /** The quorum of witnesses.policy in words; `none` when there is no need of any. */
  readonly quorum: string;
  readonly quorumMet: boolean;
  /** In the order of the policy; `problem` null = it has cosigned. */
  readonly witnesses: readonly { readonly name: string; readonly problem: string | null }[];
  /** null = none is configured, or none was due. */
  readonly timestamp: { readonly url: string; readonly problem: string | null } | null;
}

/** Asks now, whatever the time. Null when the log has neither witnesses nor time stamps. Throws STORE_*, AUDIT_*. */
export async function anchorNow(anchoring: Anchoring, signal: AbortSignal): Promise<AnchorReport | null> {
  if (!isConfigured(anchoring)) return null;
  const { locks } = anchoring.publication;
  const lock = await locks.hold('anchor', LOCK_TIMEOUT_MS);
  try {
    return await anchorHeld(anchoring, { timeoutMs: REQUIRED_TIMEOUT_MS, stamp: true, signal });
  } finally {
    lock.release();
  }
}

/**
 * Asks when the last checkpoint with a quorum is older than `everyMs` and the log has grown since. Null when there is
 * nothing to do, or another process is at it.
 */
export async function anchorWhenDue(anchoring: Anchoring, signal: AbortSignal): Promise<AnchorReport | null> {
  if (!isConfigured(anchoring) || !(await isDue(anchoring))) return null;
  const lock = anchoring.publication.locks.tryHold('anchor');
  if (lock === null) return null;
  try {
    return await anchorHeld(anchoring, { timeoutMs: OPTIONAL_TIMEOUT_MS, stamp: true, signal });
  } finally {
    lock.release();
  }
}

/**
 * Resolves when a checkpoint that holds every entry there is now has been cosigned by the quorum, durably. Otherwise
 * throws AUDIT_WITNESS_UNAVAILABLE: whatever was to follow must not happen.
 */
export async function requireAnchor(anchoring: Anchoring, runId: string, signal: AbortSignal): Promise<void> {
  const { witnesses, publication } = anchoring;
  if (witnesses === null || witnesses.policy.quorum === null) {
    const found =
      witnesses === null ? 'there is no witnesses.policy' : 'the quorum of witnesses.policy is none';
    throw new WritError('AUDIT_WITNESS_UNAVAILABLE', `policy requires a witnessed log, and ${found}`, {
      hint: 'name witnesses, their URLs and a quorum in witnesses.policy of the data directory (audit/FORMAT.md)',
    });
  }
  const needed = (await publication.store.log()).size;
  const lock = await publication.locks.hold('anchor', LOCK_TIMEOUT_MS);
  try {
    // Whoever held the lock before may have had all of it cosigned.
    const last = await lastQuorum(anchoring);
    if (last !== null && last.size >= needed) return;
    const report = await anchorHeld(anchoring, { timeoutMs: REQUIRED_TIMEOUT_MS, stamp: false, signal });
    if (!report.quorumMet) throw unavailable(report, runId);
  } finally {
    lock.release();
  }
}

/** The newest anchored checkpoint that the quorum has cosigned, of the last ANCHORS_SEEN. */
export async function lastQuorum({
  publication,
  witnesses,
}: Pick<Anchoring, 'publication' | 'witnesses'>): Promise<AnchoredCheckpointRow | null> {
  const rows = await publication.store.anchoredCheckpoints(ANCHORS_SEEN);
  return rows.find((row) => witnesses === null || hasQuorum(witnesses, row.note)) ?? null;
}

function isConfigured({ witnesses, timestamps }: Anchoring): boolean {
  return (witnesses !== null && witnesses.policy.witnesses.length > 0) || timestamps !== null;
}

/** The last checkpoint with a quorum is older than `everyMs`, and the log has grown since; or there is none. */
export async function isDue(anchoring: Anchoring): Promise<boolean> {
  const last = await lastQuorum(anchoring);
  if (last === null) return true;
  const { size } = await anchoring.publication.store.log();
  return size > last.size && anchoring.clock.nowMs() - last.anchoredAtMs >= anchoring.everyMs;
}

interface HowToAsk {
  readonly timeoutMs: number;
  readonly stamp: boolean;
  readonly signal: AbortSignal;
}

/** The caller holds the `anchor` lock. */
async function anchorHeld(anchoring: Anchoring, how: HowToAsk): Promise<AnchorReport> {
  const { publication, clock, witnesses } = anchoring;
  await publish(publication);
  const row = await publication.store.lastCheckpoint();
  if (row === null) throw new WritError('INTERNAL', 'the log was published without a checkpoint');
  const [said, token] = await Promise.all([askAll(anchoring, row, how), stamp(anchoring, row, how)]);
  const lines = said.flatMap((one) => ('line' in one.said ? [one.said.line] : []));
  const note = addSignatureLines(row.note, lines);
  if (lines.length > 0 || token?.problem === null) {
    const atMs = clock.nowMs();
    if (!(await publication.store.anchorCheckpoint(row.size, row.note, note, atMs))) {
      throw new WritError('STORE_CONFLICT', `somebody else changed the checkpoint of size ${row.size}`, {
        hint: 'all of this installation must be one version of writ; nothing was lost',
      });
    }
  }
  // The one before, too: a crash may have come between the store and the files.
  const [last] = await publication.store.anchoredCheckpoints(1);
  await writeAnchored(publication, [...(last === undefined ? [] : [last]), { ...row, note }], witnesses);
  return {
    size: row.size,
    quorum: witnesses === null ? 'none' : describeQuorum(witnesses.policy),
    quorumMet: witnesses === null || hasQuorum(witnesses, note),
    witnesses: said.map(({ name, said: one }) => ({ name, problem: 'problem' in one ? one.problem : null })),
    timestamp: token,
  };
}

interface Said {
  readonly name: string;
  readonly said: WitnessSaid | { readonly known: true };
}

/** All at once; those who have cosigned this very checkpoint are not asked again. */
async function askAll(anchoring: Anchoring, row: CheckpointRow, how: HowToAsk): Promise<readonly Said[]> {
  const { publication, clock, post, witnesses } = anchoring;
  const { store } = publication;
  if (witnesses === null) return [];
  const earlier = await store.anchoredCheckpoints(ANCHORS_SEEN);
  const asked = { note: row.note, size: row.size, lastTimeMs: await timeOfLast(store, row.size) };
  const deadlineMs = clock.nowMs() + how.timeoutMs;
  return Promise.all(
    witnesses.policy.witnesses.map(async (witness): Promise<Said> => {
      const { name, key } = witness;
      const known =
        [row, ...earlier].find(({ note }) => noteCosignatures(note, [key]).length > 0)?.size ?? 0n;
      if (known === row.size) return { name, said: { known: true } };
      const limits = { deadlineMs, signal: how.signal };
      return { name, said: await askWitness({ store, clock, post }, witness, asked, known, limits) };
    }),
  );
}

/** RFC 3161 over the checkpoint's text: what the log signed, whatever signatures stand below it. */
async function stamp(
  { timestamps, publication }: Anchoring,
  row: CheckpointRow,
  { stamp: wanted, timeoutMs, signal }: HowToAsk,
): Promise<AnchorReport['timestamp']> {
  if (timestamps === null || !wanted) return null;
  const { url } = timestamps;
  const path = timestampPath(row.size);
  const { directory } = publication;
  // Another process is about to publish this size, or it was stamped before.
  if ((await directory.get(checkpointPath(row.size))) === null || (await directory.get(path)) !== null)
    return null;
  try {
    const message = new TextEncoder().encode(parseNote(row.note).text);
    await directory.put(path, await timestamps.stamp(message, { timeoutMs, signal }));
    return { url, problem: null };
  } catch (error) {
    if (!(error instanceof WritError) || error.code !== 'AUDIT_TIMESTAMP_FAILED') throw error;
    return { url, problem: error.message };
  }
}

/** On disk as in the store; `checkpoint` only while it is of this size, so that it never goes back. */
async function writeAnchored(
  { directory, locks }: Publication,
  rows: readonly CheckpointRow[],
  witnesses: WitnessSet | null,
): Promise<void> {
  const lock = await locks.hold('publish', PUBLISH_LOCK_TIMEOUT_MS);
  try {
    if (witnesses !== null) await writeChanged(directory, 'policy', witnesses.text);
    for (const { size, note } of rows) {
      for (const path of [checkpointPath(size), 'checkpoint']) {
        const there = await directory.get(path);
        // Another text: this size is not published yet, or no longer the newest.
        if (there !== null && sameText(there, note)) await writeChanged(directory, path, note);
      }
    }
  } finally {
    lock.release();
  }
}

function sameText(note: Uint8Array, other: string): boolean {
  return parseNote(note).text === parseNote(other).text;
}

function hasQuorum({ policy }: WitnessSet, note: string): boolean {
  const keys = policy.witnesses.map(({ key }) => key);
  return quorumMet(
    policy,
    noteCosignatures(note, keys).map(({ key }) => key),
  );
}

async function timeOfLast(store: Pick<Store, 'entries'>, size: bigint): Promise<number> {
  if (size === 0n) return 0;
  const [last] = await store.entries(size - 1n, size, 1);
  if (last === undefined) throw new WritError('STORE_IO', `the store lacks log entry ${size - 1n}`);
  return parseTime(parseEntry(last.bytes).time) ?? 0;
}

function unavailable({ size, quorum, witnesses }: AnchorReport, runId: string): WritError {
  const missing = witnesses.flatMap(({ name, problem }) => (problem === null ? [] : [`${name}: ${problem}`]));
  return new WritError(
    'AUDIT_WITNESS_UNAVAILABLE',
    `policy requires a witnessed log, and the checkpoint of ${size} entries lacks ${quorum} (${missing.join('; ')})`,
    {
      hint: `the step did not begin; when the witnesses answer again: writ workflow resume ${runId}`,
      details: { size: size.toString(), quorum, witnesses },
    },
  );
}
