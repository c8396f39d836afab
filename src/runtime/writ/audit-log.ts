// The log as those see it who have to show it to others.
import type { VerifyReport } from '../../audit/verify/report.js';
import type { AnchorReport } from '../witness/anchor.js';
import type { AuditEntry, AuditRun } from '../log/view.js';
import type { HandedOutCopy } from '../ports.js';
import type { EntryProof } from '../log/proof.js';
import type { WitnessStatus } from '../witness/status.js';
import type { Principal } from './principal.js';

/** One change of the log's key, as the log tells it. */
export interface KeyChange {
  /** Of the `key.rotated` entry. */
  readonly index: bigint;
  /** The writer's claim, as in the entry. */
  readonly time: string;
  readonly oldVkey: string;
  readonly newVkey: string;
}

/** A copy of the log to be made. */
export interface ExportRequest {
  /** Absent, or an empty directory. */
  readonly dir: string;
  /** A new file for the payloads; null = none are handed out. */
  readonly payloads: string | null;
  /** A size at which the log was signed; null = the newest. */
  readonly size: bigint | null;
}

export interface ExportResult {
  readonly size: bigint;
  /** The log's key at that size. */
  readonly vkey: string;
  /** Files written. */
  readonly files: number;
  /** Payloads written; null when none were asked for. */
  readonly payloads: number | null;
  /** Of the copy. Not ok: the published files are damaged, and the copy was left without its `checkpoint`. */
  readonly report: VerifyReport;
}

/** What an evidence bundle is made of. */
export interface EvidenceRequest {
  readonly run: string;
  /** Which payloads are shown: by label (`input`, `output`, `reason`, …), all that are left, or none. */
  readonly payloads: 'all' | 'none' | readonly string[];
  /** An older signed checkpoint of this log, a whole note: the bundle proves that the log has only grown since. */
  readonly first: string | null;
  /** Who keeps the records; shown, not checked. */
  readonly custodian: string | null;
  /** Written in this order, mode 0600, and recorded: erasing reaches them or names them. */
  readonly files: readonly EvidenceFile[];
}

export interface EvidenceFile {
  readonly path: string;
  /** Takes the place of what is there; else a name that is taken is USAGE. */
  readonly replaces: boolean;
  /** What is written for the bundle's bytes. */
  readonly contentOf: (json: Uint8Array) => Uint8Array;
}

/** The log: read, proven, copied, witnessed. */
export interface AuditLog {
  /** The log's vkey now: another process may change its key. */
  vkey(): string;
  /**
   * The log's entries of a run, in order, from the bytes it holds. Asks for the right `audit.read` on the run. Throws
   * POLICY_*, NOT_FOUND, AUDIT_ENTRY_INVALID when the store was changed.
   */
  auditRun(run: string, principal: Principal): Promise<AuditRun>;
  /** One entry, whatever it is about; as `auditRun`, with the right on its run, or on `*`. */
  auditEntry(index: bigint, principal: Principal): Promise<AuditEntry>;
  /**
   * That the signed log holds an entry, named by its index or its leaf hash (32 bytes). Asks for `audit.read`: by index
   * as `auditEntry`, by leaf hash on `*`. Publishes first, so that every entry can be proven.
   */
  proveEntry(which: bigint | Uint8Array, principal: Principal): Promise<EntryProof>;
  /** Copies the published log, and payloads, to where others can take them. Asks for `audit.export` on `*`. */
  exportLog(request: ExportRequest, principal: Principal): Promise<ExportResult>;
  /**
   * Makes a new key the log's, signed for by the old one; the old private key is deleted. Asks for
   * `audit.rotate_key`. Resolves when log, files, trust store and key file all say so.
   */
  rotateLogKey(principal: Principal): Promise<KeyChange>;
  /** Every change of the log's key, oldest first; public, as the log's files are. */
  keyChanges(): Promise<readonly KeyChange[]>;
  /**
   * The evidence bundle of a run (audit/FORMAT.md), `F.json` byte for byte, under the newest signed checkpoint. Asks
   * for the right `audit.export`, and records the files it is for. Throws POLICY_*, NOT_FOUND, USAGE when it is too
   * large, AUDIT_FORK, AUDIT_ROLLBACK.
   */
  evidence(request: EvidenceRequest, principal: Principal): Promise<Uint8Array>;
  /** Files that `evidence` of a run was made for, in that order. Asks for `audit.export` on the run. */
  handedOut(run: string, principal: Principal): Promise<readonly HandedOutCopy[]>;
  /** Makes tiles and checkpoint current on disk. */
  publish(): Promise<void>;
  /**
   * Has the newest checkpoint cosigned by every witness of witnesses.policy, and stamped, now. Null when none is
   * configured. Never rejects for who is missing: that is the report.
   */
  anchor(signal: AbortSignal): Promise<AnchorReport | null>;
  /** What each configured witness has cosigned. */
  witnesses(): Promise<WitnessStatus>;
  /** Called with what came of asking witnesses at the end of `drive`. */
  onAnchor(listener: (report: AnchorReport) => void): () => void;
}
