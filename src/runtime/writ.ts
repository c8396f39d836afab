// What the command line, the TUI, the server and the library call. One interface, so that every surface goes
// through the same guard and sees the same views.
import type { Hex, Json, SubjectDigest } from '../json.js';
import type {
  ApprovalRecord,
  ApprovalState,
  AttemptStatus,
  RunRecord,
  RunStatus,
  WorkflowRecord,
} from './ports.js';

/** Who acts. Proven by a private key whose public half is in approvers.yaml, or by the operating system's user. */
export interface Principal {
  /** `user:alice` */
  readonly id: string;
  readonly assurance: 'key' | 'os';
  /** `ed25519:<base64>`; null under assurance `os`. */
  readonly publicKey: string | null;
  readonly sign: ((message: Uint8Array) => Uint8Array) | null;
}

export interface Diagnostic {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly hint?: string;
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  /** Path in the document, e.g. `spec.states.Triage.agent`. */
  readonly path: string;
}

export interface WorkflowSource {
  readonly text: string;
  /** Where it came from; its folder's `packages/` is searched for agent packages. */
  readonly file: string | null;
}

export interface StartRequest {
  /** A source (registered first) or the id of a registered workflow. */
  readonly workflow: WorkflowSource | string;
  readonly input: Json;
  /** role -> instance. */
  readonly agents?: Readonly<Record<string, string>>;
}

/** What a waiting run waits for. */
export type Waiting =
  | {
      readonly kind: 'approval';
      readonly approvalId: string;
      readonly stepPath: string;
      readonly expiresAtMs: number;
    }
  | { readonly kind: 'timer'; readonly stepPath: string; readonly untilMs: number }
  | { readonly kind: 'person'; readonly stepPath: string; readonly attempt: number }
  | { readonly kind: 'cancel'; readonly by: string };

export interface StepView {
  readonly stepPath: string;
  readonly name: string;
  readonly status: AttemptStatus;
  readonly attempts: number;
  readonly functionId: string;
  readonly principal: string;
  readonly startedAtMs: number | null;
  readonly durationMs: number | null;
  readonly approval: {
    readonly id: string;
    readonly state: ApprovalState;
    readonly decidedBy: readonly string[];
  } | null;
  readonly error: { readonly code: string; readonly name: string; readonly message: string } | null;
  /** Commitment of the output's payload (HMAC-SHA-256, hex); null when there is none. */
  readonly outputCommitment: string | null;
  /** Only in `results`; null when absent or erased. */
  readonly output: Json;
}

export interface RunView {
  readonly id: string;
  readonly workflow: {
    readonly id: string;
    readonly hash: Hex;
    readonly version: number;
    readonly name: string;
  };
  readonly status: RunStatus;
  readonly initiator: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly waitingFor: Waiting | null;
  readonly steps: readonly StepView[];
  readonly output: Json;
  readonly error: { readonly code: string; readonly name: string; readonly message: string } | null;
  /** Exit code of the process that ran it to here (ARCHITECTURE 6); 10 while waiting for approval. */
  readonly exitCode: number;
}

export interface ApprovalView {
  readonly record: ApprovalRecord;
  /** Null when the payload was erased. */
  readonly subject: Json;
  /** Deterministic text of the exact action, control and bidi characters made visible; one line per element. */
  readonly display: readonly string[];
}

/** A committed log entry, as progress: public data only. */
export interface EntryNotice {
  readonly type: string;
  readonly run: string | null;
  readonly timeMs: number;
  readonly data: { readonly [key: string]: Json };
}

export interface DoctorCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly hint: string | null;
}

export interface Writ {
  readonly origin: string;
  readonly tenant: string;
  readonly policyHash: Hex;

  /** The person enrolled with this public key; the caller holds the private half. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfKey(publicKey: string, sign: (message: Uint8Array) => Uint8Array): Principal;
  /** The person enrolled as this operating-system user, where approvers.yaml accepts that. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfUser(osUser: string): Principal;

  /** Everything that can be checked without running: document, functions, agents, the workflow's own ceilings. */
  validate(
    source: WorkflowSource,
  ): Promise<{ readonly ok: boolean; readonly diagnostics: readonly Diagnostic[] }>;
  /** Throws DOC_INVALID with `details.diagnostics`. Same id and other content = new version. */
  createWorkflow(source: WorkflowSource): Promise<WorkflowRecord>;
  workflows(): Promise<readonly WorkflowRecord[]>;
  workflow(id: string): Promise<WorkflowRecord | null>;

  /** Resolves with the run id once the start is durable. Refusals throw (POLICY_*, exit 3) and leave an entry. */
  start(request: StartRequest, initiator: Principal): Promise<string>;
  /**
   * A run of the same workflow, input and initiator that a crash interrupted and that nobody advances: starting the
   * same thing again should continue it. Null when there is none; a run that waits is not interrupted.
   */
  interrupted(request: StartRequest, initiator: Principal): Promise<string | null>;
  /**
   * Advances the run. `waiting`: returns when it finished or waits for a person; `finished`: waits for decisions
   * made here or by other processes too. Throws RUN_BUSY while another process advances it.
   */
  drive(
    runId: string,
    options: { readonly stopAt: 'waiting' | 'finished'; readonly signal: AbortSignal },
  ): Promise<RunRecord>;
  /** Checks the right `run.resume`; for an indeterminate run `lost` says what becomes of the lost attempt. Then `drive`. */
  resume(runId: string, principal: Principal, options?: { readonly lost?: 'rerun' | 'fail' }): Promise<void>;
  /** Withdraws approvals, stops sandboxes; resolves when the run is `cancelled`. */
  cancel(runId: string, principal: Principal): Promise<RunView>;

  runs(filter?: {
    readonly workflowId?: string;
    readonly unfinished?: boolean;
  }): Promise<readonly RunRecord[]>;
  /** NOT_FOUND for an unknown id. Without outputs. */
  status(runId: string): Promise<RunView>;
  /** With outputs. */
  results(runId: string): Promise<RunView>;

  approvals(filter?: {
    readonly run?: string;
    readonly states?: readonly ApprovalState[];
  }): Promise<readonly ApprovalRecord[]>;
  approval(id: string): Promise<ApprovalView>;
  /** `digest` must be the full subject digest the person saw. Throws APPROVAL_*; resolves once durable. */
  decide(
    id: string,
    vote: {
      readonly decision: 'approve' | 'deny';
      readonly digest: SubjectDigest | null; // required for approve
      readonly reason: string | null;
    },
    approver: Principal,
  ): Promise<ApprovalRecord>;

  /** Called for every entry this process commits. */
  onEntry(listener: (notice: EntryNotice) => void): () => void;
  /** Makes tiles and checkpoint current on disk. */
  publish(): Promise<void>;
  doctor(): Promise<readonly DoctorCheck[]>;
  close(): Promise<void>;
}
