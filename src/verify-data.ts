// Verifying a log directory as an auditor does: nothing of the running system is opened, keys come from the command
// line or from this machine's trust store, and a good verdict is remembered there.
import { dirname, join, resolve } from 'node:path';
import { systemClock } from './adapters/clock.js';
import { platformSha256 } from './adapters/hash.js';
import { openLineFile } from './adapters/payload-lines.js';
import { openSqliteStore } from './adapters/store/sqlite/store.js';
import type { TileDirectory } from './adapters/store/tile-directory.js';
import { openTrustStore } from './adapters/store/trust-store.js';
import { verifyClaimedDecision } from './approval/claimed-decision.js';
import { parsePayloadLine } from './audit/payload-line.js';
import { verifyLog } from './audit/verify/log.js';
import type { ReadPayload } from './audit/verify/payloads.js';
import type { VerifyReport } from './audit/verify/report.js';
import { WritError } from './errors.js';
import { extendLog } from './runtime/log.js';
import type { TrustRecord, TrustStore } from './runtime/ports.js';
import { openReadable } from './verify-source.js';
import { originOfNote, readTrust, verifyWithNode, type TrustFiles } from './verify-trust.js';
import { walkOf } from './verify-walk.js';

/** Without pinned keys, the trust store's key is the pin. */
export interface VerifyDataOptions extends TrustFiles {
  /** The tile directory. */
  readonly dir: string;
  /** Trust store file; null = trust nothing this machine saw and remember nothing. */
  readonly trust: string | null;
  readonly run: string | null;
  /** Check every commitment: true = against the database of the data directory that holds `dir`, text = an export. */
  readonly payloads: boolean | string;
}

/**
 * Never rejects for what the log holds: that is the report. Rejects with USAGE and AUDIT_POLICY_INVALID (exit 2) for
 * arguments and files that can't be read.
 */
export async function verifyData(options: VerifyDataOptions): Promise<VerifyReport> {
  const given = await readTrust(options);
  const directory = await openReadable(options.dir);
  const store = options.trust === null ? null : openTrustStore(options.trust);
  const newest = await directory.get('checkpoint');
  const origin = newest === null ? null : originOfNote(newest);
  const trust = store === null || origin === null ? null : await store.read(origin);
  const payloads = await openPayloads(options.dir, options.payloads);
  const judged = new Map<string, Uint8Array | null>();
  try {
    const source = keeping(directory, judged, ['checkpoint', 'vkey']);
    const judge = (): Promise<VerifyReport> =>
      verifyLog(source, {
        ...given,
        trust,
        ...(options.run === null ? {} : { run: options.run }),
        ...(payloads === null ? {} : { payloads: payloads.read }),
        verifyDecision: verifyClaimedDecision,
        verifySignature: verifyWithNode,
        sha256: platformSha256,
        walk: walkOf(options.dir, source),
      });
    const report = withWarning(await whileUnchanged(directory, judge), (await payloads?.warning()) ?? null);
    // Only a whole verification is worth remembering.
    if (!report.ok || store === null || origin === null || options.run !== null) return report;
    return await remember(report, { store, origin, known: trust, judged });
  } finally {
    await payloads?.close();
  }
}

/** A copy of a log under one key, trusting nothing that this machine saw. */
export function verifyCopy(dir: string, vkey: string): Promise<VerifyReport> {
  return verifyData({ dir, vkeys: [vkey], old: [], trust: null, run: null, payloads: false });
}

/** Some files of the directory as they were last read: what was judged, not what is there now. */
type Judged = ReadonlyMap<string, Uint8Array | null>;

function keeping(
  directory: TileDirectory,
  judged: Map<string, Uint8Array | null>,
  paths: readonly string[],
): TileDirectory {
  return {
    ...directory,
    async get(path) {
      const bytes = await directory.get(path);
      if (paths.includes(path)) judged.set(path, bytes);
      return bytes;
    },
  };
}

/**
 * Writes what was verified into the trust store, under the log's key of today, which was pinned. A trust store that
 * can't be written takes nothing from the verdict, but is said.
 */
async function remember(
  report: VerifyReport,
  about: {
    readonly store: TrustStore;
    readonly origin: string;
    readonly known: TrustRecord | null;
    readonly judged: Judged;
  },
): Promise<VerifyReport> {
  const { store, origin, known, judged } = about;
  const [checkpoint, vkey] = ['checkpoint', 'vkey'].map((path) => {
    const bytes = judged.get(path) ?? null;
    return bytes === null ? null : new TextDecoder().decode(bytes);
  });
  if (checkpoint == null || vkey == null) return report;
  const record = { vkey: vkey.trimEnd(), checkpoint };
  try {
    if (known === null || known.vkey === record.vkey) await store.write(origin, record);
    // The checkpoint known so far was compared: it is signed by a key that this one replaced.
    else if (known.checkpoint !== null) await store.replaceKey(origin, { from: known.vkey, ...record });
    else
      return warned(
        report,
        'this machine knows another key for the log, and nothing leads from it to this one',
      );
    return report;
  } catch (error) {
    if (!(error instanceof WritError) || !error.code.startsWith('STORE_')) throw error;
    return warned(report, error.message);
  }
}

function warned(report: VerifyReport, reason: string): VerifyReport {
  return { ...report, warnings: [...report.warnings, `this verification is not remembered: ${reason}`] };
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

function withWarning(report: VerifyReport, warning: string | null): VerifyReport {
  return warning === null ? report : { ...report, warnings: [...report.warnings, warning] };
}

interface OpenPayloads {
  readonly read: ReadPayload;
  /** What is to be said of where the payloads lie; null = nothing. */
  warning(): Promise<string | null>;
  close(): Promise<void>;
}

async function openPayloads(dir: string, payloads: boolean | string): Promise<OpenPayloads | null> {
  if (payloads === false) return null;
  if (typeof payloads === 'string') {
    const lines = await openLineFile(payloads, (line) => parsePayloadLine(line).commitment);
    return {
      async read(commitment) {
        const line = await lines.line(commitment);
        return line === null ? null : parsePayloadLine(line);
      },
      warning: async () => null,
      close: () => lines.close(),
    };
  }
  const store = await openSqliteStore({
    file: join(dirname(resolve(dir)), 'writ.db'),
    extendLog,
    clock: systemClock,
    readOnly: true,
  });
  return {
    read: (commitment) => store.payload(commitment),
    async warning() {
      const left = (await store.unscrubbed()).length;
      if (left === 0) return null;
      return `${left} erased payloads may still be in the store's files: any writ command that writes finishes that`;
    },
    close: () => store.close(),
  };
}
