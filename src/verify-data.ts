// Verifying a log directory as an auditor does: nothing of the running system is opened, keys come from the command
// line or from this machine's trust store, and a good verdict is remembered there.
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { systemClock } from './adapters/clock.js';
import { platformSha256 } from './adapters/hash.js';
import { openLineFile } from './adapters/payload-lines.js';
import { openSqliteStore } from './adapters/store/sqlite/store.js';
import type { TileDirectory } from './adapters/store/tile-directory.js';
import { openTrustStore } from './adapters/store/trust-store.js';
import { verifyClaimedDecision } from './approval/claimed-decision.js';
import { verifyClaimedTaskAnswer } from './approval/claimed-task-answer.js';
import { parsePayloadLine } from './audit/payload-line.js';
import { verifyLog } from './audit/verify/log.js';
import type { ReadPayload } from './audit/verify/payloads.js';
import type { VerifyReport } from './audit/verify/report.js';
import type { LogSource } from './audit/verify/source.js';
import { WritError } from './errors.js';
import { extendLog } from './runtime/log/log.js';
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
 * arguments and files that can't be read. `open` says how the directory is read.
 */
export async function verifyData(
  options: VerifyDataOptions,
  open: (dir: string) => Promise<TileDirectory> = openReadable,
): Promise<VerifyReport> {
  const given = await readTrust(options);
  const directory = await open(options.dir);
  const store = options.trust === null ? null : openTrustStore(options.trust);
  const payloads = await openPayloads(options.dir, options.payloads);
  const knownOf = async (origin: string | null): Promise<TrustRecord | null> =>
    store === null || origin === null ? null : store.read(origin);
  try {
    const judge = async (): Promise<Attempt> => {
      // A publisher remembers a checkpoint after it has written it: read before, the record is not ahead of the log.
      const claimed = await originOf(directory);
      const before = await knownOf(claimed);
      const source = readingOnce(directory, ['checkpoint', 'vkey']);
      const origin = await originOf(source);
      const known = origin === claimed ? before : await knownOf(origin);
      const report = await verifyLog(source, {
        ...given,
        trust: known,
        ...(options.run === null ? {} : { run: options.run }),
        ...(payloads === null ? {} : { payloads: payloads.read }),
        verifyDecision: (claim) => verifyClaimedDecision(claim, verifyWithNode),
        verifyAnswer: (claim) => verifyClaimedTaskAnswer(claim, verifyWithNode),
        verifySignature: verifyWithNode,
        sha256: platformSha256,
        walk: walkOf(options.dir, source),
      });
      return { report, origin, known, source };
    };
    const { report: judged, origin, known, source } = await whileUnchanged(directory, judge);
    const report = withWarning(judged, (await payloads?.warning()) ?? null);
    // Only a whole verification is worth remembering.
    if (!report.ok || store === null || origin === null || options.run !== null) return report;
    return await remember(report, { store, origin, known, source });
  } finally {
    await payloads?.close();
  }
}

/** Whose log its checkpoint claims to be; null when there is none, or none that can be read. */
async function originOf(directory: TileDirectory): Promise<string | null> {
  const newest = await directory.get('checkpoint');
  return newest === null ? null : originOfNote(newest);
}

/** A copy of a log under one key, trusting nothing that this machine saw. */
export function verifyCopy(dir: string, vkey: string): Promise<VerifyReport> {
  return verifyData({ dir, vkeys: [vkey], old: [], trust: null, run: null, payloads: false });
}

/** One look at the log, all of it under the same checkpoint. */
interface Attempt {
  readonly report: VerifyReport;
  /** Of that checkpoint; null when it can't be read. */
  readonly origin: string | null;
  /** What this machine knows of that origin. */
  readonly known: TrustRecord | null;
  readonly source: TileDirectory;
}

/**
 * The directory with these files read at most once: whose log it is, what is judged and what is remembered are said of
 * the same bytes, whatever somebody puts in their place meanwhile.
 */
function readingOnce(directory: TileDirectory, paths: readonly string[]): LogSource & TileDirectory {
  const seen = new Map<string, Promise<Uint8Array | null>>();
  return {
    ...directory,
    get(path) {
      if (!paths.includes(path)) return directory.get(path);
      const bytes = seen.get(path) ?? directory.get(path);
      seen.set(path, bytes);
      return bytes;
    },
    reread: (path) => directory.get(path),
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
    /** What was judged, not what is there now. */
    readonly source: TileDirectory;
  },
): Promise<VerifyReport> {
  const { store, origin, known, source } = about;
  const textOf = async (path: string): Promise<string | null> => {
    const bytes = await source.get(path);
    return bytes === null ? null : new TextDecoder().decode(bytes);
  };
  const [checkpoint, vkey] = await Promise.all([textOf('checkpoint'), textOf('vkey')]);
  if (checkpoint === null || vkey === null) return report;
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

const MAX_TRIES = 5;

/**
 * A log that grows while it is verified is no bad one (audit/verify/growth.ts), but files of two moments may disagree
 * otherwise: a key that is replaced, a payload that is erased. A bad report counts when the log stood still while it
 * was made, or is made again and again.
 */
async function whileUnchanged(directory: TileDirectory, judge: () => Promise<Attempt>): Promise<Attempt> {
  for (let left = MAX_TRIES; ; left--) {
    const before = await moment(directory);
    const attempt = await judge();
    if (attempt.report.ok || left === 0 || (await moment(directory)) === before) return attempt;
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
  const file = join(dirname(resolve(dir)), 'writ.db');
  if ((await stat(file).catch(() => null)) === null) {
    throw new WritError('USAGE', `there are no payloads beside ${dir}: no ${file}`, {
      hint: 'give --payloads FILE, which writ audit export --payloads FILE writes',
    });
  }
  const store = await openSqliteStore({
    file,
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
