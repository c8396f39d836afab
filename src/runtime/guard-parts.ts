// What the guard and its rooms work with.
import type { VerifySignature } from '../audit/ed25519.js';
import type { Sha256 } from '../audit/sha256.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import type { Callables } from './call/callable.js';
import type { Journal } from './log/journal.js';
import type { StalePolicy } from './live-policy.js';
import type {
  Artifacts,
  Clock,
  PolicyFiles,
  ProgressNotice,
  QueryEvaluator,
  Random,
  RunRecord,
  Store,
} from './ports.js';
import type { Redactor } from './redaction.js';
import type { RunPolicy } from './run/policies.js';

/** What the guard and its rooms need. */
export interface Guard {
  readonly store: Store;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly random: Random;
  /** Takes out secrets before anything is stored, approved or run. */
  readonly redact: Redactor;
  /** The platform's; absent = the portable one, which is slower. */
  readonly sha256?: Sha256;
  /** As `sha256`, of Ed25519. */
  readonly verifySignature?: VerifySignature;
  readonly tenant: string;
  /** Through what people act here: `cli`, `library`. */
  readonly via: string;
  /** The snapshot in force now; asked once per attempt. */
  readonly policy: () => PolicySnapshot;
  /** What the steps of a run are decided by: never more than the policies that it was started under allow. */
  readonly policyOfRun: (run: RunRecord) => Promise<RunPolicy>;
  /** What `policy()` was loaded from: kept with each run that begins. */
  readonly policyFiles: () => PolicyFiles;
  /** Why no step may begin just now; null = policies are as fresh as they have to be. */
  readonly stalePolicy: () => StalePolicy | null;
  readonly callables: Callables;
  /**
   * Resolves when witnesses have cosigned all that was logged so far, of this run in any case; else throws
   * AUDIT_WITNESS_UNAVAILABLE and the step must not begin.
   */
  readonly requireAnchor: (runId: string, signal: AbortSignal) => Promise<void>;
  /** Resolves when what came before in the run is no longer on its way to the store; absent = it never is. */
  readonly written?: () => Promise<void>;
  /** Why an attempt of the run at hand is being stopped, by its step path; absent = nothing but its process stops one. */
  readonly whyStopped?: (stepPath: string) => string;
  /** JSONata, evaluated in a process of its own. */
  readonly queries: Pick<QueryEvaluator, 'evaluate'>;
  /** What distributed Maps read and write. */
  readonly artifacts: Artifacts;
  /** Tells whoever watches; null = nobody does. */
  readonly progress: () => ((notice: ProgressNotice) => void) | null;
}
