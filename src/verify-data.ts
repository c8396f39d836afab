// Verifying a log directory as an auditor does: nothing of the running system is opened, keys come from the command
// line or from this machine's trust store, and a good verdict is remembered there.
import { createPublicKey, verify as nodeVerify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { systemClock } from './adapters/clock.js';
import { openSqliteStore } from './adapters/store/sqlite/store.js';
import { openTileDirectory, type TileDirectory } from './adapters/store/tile-directory.js';
import { openTrustStore } from './adapters/store/trust-store.js';
import { verifyDecision } from './approval/decision.js';
import { parseCheckpoint } from './audit/checkpoint.js';
import { parseNote } from './audit/note.js';
import { verifyLog } from './audit/verify/log.js';
import type { ReadPayload } from './audit/verify/payloads.js';
import type { VerifyDecision } from './audit/verify/meaning.js';
import type { VerifyReport } from './audit/verify/report.js';
import { WritError } from './errors.js';
import { isHex64 } from './json.js';
import { extendLog } from './runtime/log.js';

export interface VerifyDataOptions {
  /** The tile directory. */
  readonly dir: string;
  /** Pinned log keys; none = the trust store's. */
  readonly vkeys: readonly string[];
  /** Files with signed checkpoints of this log seen earlier. */
  readonly old: readonly string[];
  /** Trust store file; null = trust nothing this machine saw and remember nothing. */
  readonly trust: string | null;
  readonly run: string | null;
  /** Check every commitment against the payloads of the data directory that holds `dir`. */
  readonly payloads: boolean;
}

/** Never rejects for what the log holds: that is the report. Rejects with USAGE for files that can't be read. */
export async function verifyData(options: VerifyDataOptions): Promise<VerifyReport> {
  const directory = openTileDirectory(options.dir);
  const old = await Promise.all(options.old.map(readOld));
  const store = options.trust === null ? null : openTrustStore(options.trust);
  const origin = await claimedOrigin(directory);
  const trust = store === null || origin === null ? null : await store.read(origin);
  const payloads = options.payloads ? await openPayloads(options.dir) : null;
  const judge = (): Promise<VerifyReport> =>
    verifyLog(directory, {
      vkeys: options.vkeys,
      old,
      trust,
      ...(options.run === null ? {} : { run: options.run }),
      ...(payloads === null ? {} : { payloads: payloads.read }),
      verifyDecision: checkDecision,
      verifySignature: verifyWithNode,
    });
  const report = await whileUnchanged(directory, judge);
  await payloads?.close();
  // Only a whole verification is worth remembering, and only under a key that was pinned before.
  if (report.ok && store !== null && trust !== null && origin !== null && options.run === null) {
    const checkpoint = await directory.get('checkpoint');
    if (checkpoint !== null)
      await store.write(origin, { vkey: trust.vkey, checkpoint: new TextDecoder().decode(checkpoint) });
  }
  return report;
}

const MAX_TRIES = 20;

/**
 * A log may grow while it is verified: files of two moments don't fit together. A bad report counts only when the
 * log stood still while it was made.
 */
async function whileUnchanged(
  directory: TileDirectory,
  judge: () => Promise<VerifyReport>,
): Promise<VerifyReport> {
  for (let left = MAX_TRIES; ; left--) {
    const before = await moment(directory);
    const report = await judge();
    if (report.ok || left === 0 || (await moment(directory)) === before) return report;
  }
}

async function moment(directory: TileDirectory): Promise<string> {
  const files = await Promise.all(['checkpoint', 'pending'].map((path) => directory.get(path)));
  return files.map((bytes) => (bytes === null ? '' : Buffer.from(bytes).toString('base64'))).join(' ');
}

/** The origin the log claims: only to look up what this machine knows of it. */
async function claimedOrigin(directory: {
  get(path: string): Promise<Uint8Array | null>;
}): Promise<string | null> {
  const bytes = await directory.get('checkpoint');
  if (bytes === null) return null;
  try {
    return parseCheckpoint(parseNote(bytes).text).origin;
  } catch (error) {
    // Unreadable: verifyLog says so with the right word.
    if (error instanceof WritError) return null;
    throw error;
  }
}

async function openPayloads(dir: string): Promise<{ read: ReadPayload; close: () => Promise<void> }> {
  const store = await openSqliteStore({
    file: join(dirname(resolve(dir)), 'writ.db'),
    extendLog,
    clock: systemClock,
    readOnly: true,
  });
  return { read: (commitment) => store.payload(commitment), close: () => store.close() };
}

async function readOld(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new WritError('USAGE', `can't read the old checkpoint ${file}`, { cause: error });
  }
}

/** The approver's signature under the key the entry names (writ.decision.v1). */
const checkDecision: VerifyDecision = ({ keyId, signature, ...claimed }) => {
  const key = /^ed25519:([A-Za-z0-9+/]{43}=)$/.exec(keyId)?.[1];
  const { approvalId, subjectDigest, decision, approver, at, expiresAt, reasonCommitment } = claimed;
  if (key === undefined || !isHex64(subjectDigest)) return false;
  if (decision !== 'approve' && decision !== 'deny' && decision !== 'revoke') return false;
  if (reasonCommitment !== null && !isHex64(reasonCommitment)) return false;
  const exact = { approvalId, subjectDigest, decision, approver, at, expiresAt, reasonCommitment } as const;
  return verifyDecision(exact, Buffer.from(signature, 'base64'), Buffer.from(key, 'base64'));
};

const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

/** The platform's Ed25519: 11 times faster than the portable one. */
function verifyWithNode(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const key = createPublicKey({ key: Buffer.concat([SPKI_ED25519, publicKey]), format: 'der', type: 'spki' });
  return nodeVerify(null, message, key, signature);
}
