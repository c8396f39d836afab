// What the command line, the TUI, the server and the library call. One interface, so that every surface goes
// through the same guard and sees the same views; its parts lie in writ/, and this file is their one door.
import type { WritError } from '../errors.js';
import type { Hex } from '../json.js';
import type { PolicyReload } from './live-policy.js';
import type { ProgressNotice } from './ports.js';
import type { Approvals } from './writ/approvals.js';
import type { ArtifactRoom } from './writ/artifacts.js';
import type { AuditLog } from './writ/audit-log.js';
import type { Erasures } from './writ/erasures.js';
import type { Identities } from './writ/principal.js';
import type { EntryNotice, RunViews } from './writ/run-views.js';
import type { Runs } from './writ/runs.js';
import type { Tasks } from './writ/tasks.js';
import type { Workflows } from './writ/workflows.js';

export type * from './writ/principal.js';
export type * from './writ/artifacts.js';
export type * from './writ/workflows.js';
export type * from './writ/runs.js';
export type * from './writ/run-views.js';
export type * from './writ/tasks.js';
export type * from './writ/approvals.js';
export type * from './writ/audit-log.js';
export type * from './writ/erasures.js';

export interface DoctorCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly hint: string | null;
}

/** All that the surfaces call. */
export interface Writ extends Identities, Workflows, Runs, RunViews, Tasks, Approvals, AuditLog, Erasures {
  readonly origin: string;
  readonly tenant: string;
  /** Of the policies in force now. */
  readonly policyHash: Hex;
  /**
   * Puts the policy files as they are now in force, once `policy.loaded` is in the log and their own tests pass. With
   * anything wrong the last good ones stay, and the answer says why. Steps of a run that began under others are decided
   * under both: a reload can only tighten them. Rejects with STORE_*, AUDIT_* only: the log could not be written, or not
   * be published, and then the new ones are in force (`policyHash`).
   */
  reloadPolicies(): Promise<PolicyReload>;
  /** How long without a good reload before steps are denied (POLICY_STALE); null = for ever. */
  readonly policyMaxAgeMs: number | null;
  /** Files that distributed Maps read and write. */
  readonly artifacts: ArtifactRoom;
  /** Called for every entry this process commits. */
  onEntry(listener: (notice: EntryNotice) => void): () => void;
  /**
   * Called every few seconds while a run waits for the store because another process holds it: a step, or its outcome,
   * is written as soon as that lets go.
   */
  onWait(listener: (error: WritError) => void): () => void;
  /** Changes whenever this or another process has committed; cheap enough to poll. */
  changeCounter(): number;
  /** Called with what steps of this process say while they run. A secret that comes in pieces is not found in them. */
  onProgress(listener: (notice: ProgressNotice) => void): () => void;
  doctor(): Promise<readonly DoctorCheck[]>;
  close(): Promise<void>;
}
