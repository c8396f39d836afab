// What Writ is put together of: the ports with what stands behind them, and the settings of one machine.
import type { VerifySignature } from '../../audit/ed25519.js';
import type { Sha256 } from '../../audit/sha256.js';
import type { Digest } from '../../json.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import type { Anchoring } from '../witness/anchor.js';
import type { Callables } from '../call/callable.js';
import type { ExportParts } from '../log/export.js';
import type { LoadedPolicies } from '../live-policy.js';
import type {
  Artifacts,
  Clock,
  CopyFiles,
  Dispatcher,
  Locks,
  LogDirectory,
  LogKeys,
  PackageStore,
  QueryEvaluator,
  Random,
  SecretSource,
  Store,
  TrustStore,
} from '../ports.js';
import type { RetentionSetting } from '../erasure/retention.js';
import type { PolicyPin } from '../run/policies.js';
import type { Runner } from '../runner.js';

export interface ApplicationParts {
  readonly tenant: string;
  readonly via: string;
  readonly store: Store;
  readonly locks: Locks;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: the audit room's own, which is slower. */
  readonly sha256?: Sha256;
  readonly secrets: SecretSource;
  readonly keys: LogKeys;
  /** Recorded when the log's key is changed. */
  readonly softwareVersion: string;
  readonly directory: LogDirectory;
  readonly trust: TrustStore;
  /** Default: the audit room's own, which is slower. */
  readonly verifySignature?: VerifySignature;
  /** The policies in force at first, and the files that they were loaded from. */
  readonly policy: LoadedPolicies;
  /** Absent = `start`. */
  readonly policyPin?: PolicyPin;
  /** How long without a good look at the files before steps are denied; absent = for ever. */
  readonly policyMaxAgeMs?: number;
  /** The policy files as they are now, with all that this machine demands of them; throws what is wrong with them. */
  readonly loadPolicies: () => Promise<LoadedPolicies>;
  /** Builds what these files say; throws what is wrong with them. */
  readonly buildPolicies: (files: ReadonlyMap<string, string>) => Promise<PolicySnapshot>;
  readonly callables: Callables;
  /** Opened by `writ sandbox exec`, whose one workflow is made of its flags and has the id of Writ's own for it. */
  readonly isSandboxTrial?: boolean;
  readonly queries: QueryEvaluator;
  readonly artifacts: Artifacts;
  /** Files handed out, which an erasure has to find. */
  readonly copyFiles: CopyFiles;
  readonly retention: RetentionSetting;
  /** How copies of the log are made. */
  readonly exports: Pick<ExportParts, 'source' | 'openEmpty' | 'openNew' | 'verify'>;
  /** Who else vouches for the log; absent = nobody, and what policy requires to be witnessed does not run. */
  readonly anchors?: Omit<Anchoring, 'publication' | 'clock'>;
  /** Packages that may also be found beside a workflow file; `keep` copies one, verified, into the data directory. */
  readonly packagesBeside: (file: string | null) => PackageStore;
  readonly keepPackage: (file: string | null, digest: Digest, keys: readonly string[]) => Promise<void>;
  readonly dispatcher: (steps: Runner) => Dispatcher;
}
