// What the command line, the TUI, the server and the library call. One interface, so that every surface goes
// through the same guard and sees the same views.
import type { TaskQuestion } from '../approval/task-answer.js';
import type { VerifyReport } from '../audit/verify/report.js';
import type { Commitment, Digest, Hex, Json, SubjectDigest } from '../json.js';
import type { PolicyReload } from './live-policy.js';
import type { Plan } from '../workflow/plan.js';
import type { AnchorReport } from './anchor.js';
import type { ApprovalOutbox } from './approval-outbox.js';
import type { ApprovalStatistics } from './approval-statistics.js';
import type { AuditEntry, AuditRun } from './audit-view.js';
import type { OutlineStep } from './outline.js';
import type { PreviousSubject } from './previous-subject.js';
import type { DataDeclaration } from './run-data.js';
import type { RunPlan } from './run-plan.js';
import type {
  ApprovalFilter,
  ApprovalKey,
  ApprovalRecord,
  ApprovalState,
  Artifact,
  AttemptError,
  AttemptStatus,
  FunctionProvider,
  HandedOutCopy,
  ListedArtifact,
  Page,
  Receipt,
  ProgressNotice,
  RunRecord,
  RunStatus,
  TaskFilter,
  TaskRecord,
  WorkflowRecord,
} from './ports.js';
import type { EntryProof } from './proof.js';
import type { ScrubReport } from './scrub.js';
import type { StepStatus } from './step-status.js';
import type { WitnessStatus } from './witness-status.js';

/**
 * Who acts. Proven by a private key whose public half is in approvers.yaml, by the operating system's user, or over
 * HTTP by a token of an identity provider or a callback token.
 */
export interface Principal {
  /** `user:alice` */
  readonly id: string;
  readonly assurance: 'key' | 'os' | 'oidc' | 'token';
  /** `ed25519:<base64>`; null under every assurance but `key`. */
  readonly publicKey: string | null;
  readonly sign: ((message: Uint8Array) => Uint8Array) | null;
}

/** The artifact store as people see it. All throw STORE_*, INTEGRITY_DIGEST and USAGE for what is no name. */
export interface ArtifactRoom {
  /**
   * Durable when it resolves, without the values of known secrets. Asks for `artifact.write` on the name, without one on
   * the digest. `data`: what the bytes carry, and so will every run that reads them; absent = not known, which counts as
   * the worst. Of the same bytes all that was ever said holds. Throws POLICY_*, USAGE, INPUT_INVALID.
   */
  put(
    bytes: Uint8Array,
    name: string | null,
    principal: Principal,
    data?: DataDeclaration,
  ): Promise<StoredArtifact>;
  /** By name or `sha256:…`. Asks for `artifact.read` on it. Throws POLICY_*, NOT_FOUND. */
  get(which: string, principal: Principal): Promise<Artifact>;
  /**
   * Names that begin so and that `principal` may read, in order; '' = all. What may not be read is as if it were not
   * there, and looking leaves nothing in the log.
   */
  list(prefix: string, principal: Principal): Promise<readonly ListedArtifact[]>;
}

export interface StoredArtifact {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Values of secrets were replaced by their handles: the digest is not that of the bytes that were given. */
  readonly isRedacted: boolean;
}

/** One vote. */
export interface VoteRequest {
  /** `revoke` takes back an approval that its step has not used yet. */
  readonly decision: 'approve' | 'deny' | 'revoke';
  /** What the voter saw; required for approve. */
  readonly digest: SubjectDigest | null;
  readonly reason: string | null;
  /** For whom, by a delegation of approvers.yaml; absent = for themselves. */
  readonly delegation?: string;
  /** Under the emergency role: needs a reason and opens a review. Absent = not. */
  readonly breakGlass?: true;
  /** The person signed elsewhere, over this time and a reason with this salt; absent = signed here and now. */
  readonly signed?: { readonly atMs: number; readonly reasonSalt: Uint8Array | null };
  /** The message that brings the vote counts once: kept in the transaction of the decision. */
  readonly receipt?: { readonly source: string; readonly id: string; readonly digest: Hex };
  /** Something else that is used up by it, in the same transaction: the callback token that a message brings. */
  readonly also?: { readonly source: string; readonly id: string; readonly digest: Hex };
}

/** A form is answered under its id, everything else with the token that the step was called with. */
export type TaskReference = { readonly id: string } | { readonly token: string };

/** The person signed on a machine of their own, over this time and an answer with this salt; absent = here and now. */
export interface SignedElsewhere {
  readonly atMs: number;
  /** 32 bytes. */
  readonly salt: Uint8Array;
}

/** As sendTaskSuccess, sendTaskFailure and sendTaskHeartbeat of the States Language. */
export type TaskReply =
  | { readonly kind: 'success'; readonly output: Json; readonly signed?: SignedElsewhere }
  /** Null: of a form `Approval.Denied`, else `States.TaskFailed`; and no cause. */
  | {
      readonly kind: 'failure';
      readonly error: string | null;
      readonly cause: string | null;
      readonly signed?: SignedElsewhere;
    }
  | { readonly kind: 'heartbeat' };

/** A task and what it asks. */
export interface TaskView {
  readonly record: TaskRecord;
  /** Its name in the document. */
  readonly step: string;
  readonly workflow: string;
  /** What the step was given; null when it was erased. A token is not in it. */
  readonly input: Json;
  /** The JSON Schema that the output has to fit; null where any will do. */
  readonly form: Json | null;
  /** What whoever answers with a key of their own signs, with the answer itself (approval/task-answer.ts). */
  readonly question: TaskQuestion;
}

/** Another input in place of the one that was asked about. */
export interface EditRequest {
  /** Of what the editor saw. */
  readonly digest: SubjectDigest;
  readonly input: Json;
  /** The message that brings the change counts once: kept in its transaction, with what became of it. */
  readonly receipt?: Pick<Receipt, 'source' | 'id' | 'digest'>;
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

/** What is known of a registered workflow. */
export interface WorkflowView {
  /** The newest version. */
  readonly record: WorkflowRecord;
  /** Oldest first. */
  readonly versions: readonly Pick<WorkflowRecord, 'version' | 'hash' | 'createdAtMs'>[];
  readonly steps: readonly (OutlineStep & {
    /** `agent:<name>`, before a run maps roles; null where nobody acts but the initiator, or nobody can. */
    readonly principal: string | null;
  })[];
  /** What is wrong with it here and now: a function or package that is not there any more, a lower ceiling. */
  readonly diagnostics: readonly Diagnostic[];
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
  /**
   * role -> instance. `*` is the run's own agent, which acts in steps that name none (AgentOS page); a
   * document of dialect 2 has no place for it.
   */
  readonly agents?: Readonly<Record<string, string>>;
  /** What the input carries, besides what the document says of it; absent = nothing more is said. */
  readonly data?: DataDeclaration;
}

/** What a waiting run waits for. */
export type Waiting =
  | {
      readonly kind: 'approval';
      readonly approvalId: string;
      readonly stepPath: string;
      readonly expiresAtMs: number;
      /** Approvals that it waits for besides; absent = none. */
      readonly others?: number;
    }
  /** An answer from outside: of a person with a form, or of whoever has the step's token. */
  | {
      readonly kind: 'task';
      readonly taskId: string;
      readonly by: 'person' | 'token';
      readonly stepPath: string;
      /** Null = at no time. */
      readonly expiresAtMs: number | null;
      /** Other tasks that it waits for besides; absent = none. */
      readonly others?: number;
    }
  | { readonly kind: 'timer'; readonly stepPath: string; readonly untilMs: number }
  | { readonly kind: 'person'; readonly stepPath: string; readonly attempt: number }
  | { readonly kind: 'cancel'; readonly by: string };

export interface StepView {
  readonly stepPath: string;
  readonly name: string;
  /** `pending`: the run has not come to it, or has ended before it. */
  readonly status: AttemptStatus | 'pending';
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
  readonly error: AttemptError | null;
  /** Commitment of the output's payload (HMAC-SHA-256, hex); null when there is none. */
  readonly outputCommitment: string | null;
  /** Only in `results`; null when absent or erased. */
  readonly output: Json;
  /** Only in `results`, and only when the output was erased: log index of the entry that says so. */
  readonly outputErasedBy?: string;
  /** Only in `results`: log indices of the entries about it; null for a map whose items are not all in `nested`. */
  readonly auditEntries?: readonly string[] | null;
  /** Why it was skipped; only then. */
  readonly reason?: 'condition' | 'error';
  /** Of a loop: iterations begun, and whether `until` held in the end; null = it has not ended. */
  readonly iterations?: number;
  readonly converged?: boolean | null;
  /**
   * Of a map, which is one step here: items that have ended well or were skipped, that have failed, and all. `total`
   * counts those that were attempted once the run has moved on.
   */
  readonly items?: { readonly done: number; readonly failed: number; readonly total: number };
  /** The first items of a map, in item order, or the first calls that the step has asked for. */
  readonly nested?: readonly StepView[];
  /** How many of them are not in `nested`; absent = none. */
  readonly more?: number;
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
  /** Dialect 1: one for each step of the document, in its order. Dialect 2: the states that the run has come to. */
  readonly steps: readonly StepView[];
  readonly output: Json;
  /** As that of a step. */
  readonly outputErasedBy?: string;
  readonly error: AttemptError | null;
  /** Exit code of the process that ran it to here; 10 while waiting for approval. */
  readonly exitCode: number;
}

export interface ApprovalView {
  readonly record: ApprovalRecord;
  /** Null when the payload was erased; `display` says so then. */
  readonly subject: Json;
  /** Why it needs an approval: `record.demandedBy`, each with the file that says so. Absent = not known any more. */
  readonly why?: readonly string[];
  /** Deterministic text of the exact action, control and bidi characters made visible; one line per element. */
  readonly display: readonly string[];
}

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

/** What to erase: single payloads, those of one run (with one label), or of all runs older than the retention. */
export type EraseScope =
  | { readonly kind: 'payloads'; readonly commitments: readonly string[] }
  | { readonly kind: 'run'; readonly run: string; readonly label: string | null }
  | { readonly kind: 'expired' };

/** A payload to erase; `run` is the one it belongs to. */
export interface ErasureTarget {
  readonly commitment: Commitment;
  readonly label: string;
  readonly run: string;
}

export interface ErasedBefore extends ErasureTarget {
  /** Log index of its `payload.erased`. */
  readonly entry: bigint;
  /** The run that erased it. */
  readonly erasure: string | null;
}

/** How long payloads stay after their run has finished. */
export interface Retention {
  readonly days: number;
  /** Why it is shorter than the minimum; null when it is not. */
  readonly override: string | null;
}

/** The setting, and whether the log knows it. */
export interface RetentionView extends Retention {
  /** What the log says; differs only when somebody edited the file, or a change was killed on its way. */
  readonly loggedDays: number;
}

/** An erasure, asked for. */
export interface Erasure {
  /** The run to `drive`; its output says what was erased. Null when there is nothing left to erase. */
  readonly run: string | null;
  /** Asked for, and erased earlier. */
  readonly before: readonly ErasedBefore[];
  /** More payloads have expired than one erasure takes. */
  readonly more: boolean;
  /** Of the runs of `before`: what is still there. Empty when there is a run: its output says it. */
  readonly left: readonly ErasureTarget[];
  /** What an earlier erasure had left to do and this call did; null when there is a run. */
  readonly scrub: ScrubReport | null;
}

/** A committed log entry, as progress: public data only. */
export interface EntryNotice {
  readonly type: string;
  readonly run: string | null;
  readonly timeMs: number;
  readonly data: { readonly [key: string]: Json };
}

/** An entry of a run, whichever process has committed it. */
export interface RunEntry extends EntryNotice {
  /** Its number in the run, from 0. */
  readonly seq: number;
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
  /** The log's vkey now: another process may change its key. */
  vkey(): string;

  /** The person enrolled with this public key; the caller holds the private half. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfKey(publicKey: string, sign: (message: Uint8Array) => Uint8Array): Principal;
  /** The person enrolled as this operating-system user, where approvers.yaml accepts that. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfUser(osUser: string): Principal;
  /** Whom a token names that was verified: issuer, audience, signature. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfOidc(iss: string, sub: string): Principal;
  /** The person a callback token was made for, which the caller has verified. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfToken(id: string): Principal;
  /** Who is enrolled with this key; `decide` checks that `signature` is theirs. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfSignature(publicKey: string, signature: Uint8Array): Principal;

  /** Everything that can be checked without running: document, functions, agents, the workflow's own ceilings. */
  validate(
    source: WorkflowSource,
  ): Promise<{ readonly ok: boolean; readonly diagnostics: readonly Diagnostic[] }>;
  /**
   * Same id and other content = new version. Who may run the workflow may also register it, unless a rule about
   * `workflow.create` says otherwise; what policy answers is in the log. Throws DOC_INVALID with `details.diagnostics`,
   * POLICY_*, and USAGE for an id of Writ's own.
   */
  createWorkflow(source: WorkflowSource, principal: Principal): Promise<WorkflowRecord>;
  /**
   * Functions of this program, which documents may name from now on; they go through the same guard. Throws USAGE for
   * an id that is reserved or taken.
   */
  register(provider: FunctionProvider): void;
  workflows(): Promise<readonly WorkflowRecord[]>;
  /** The newest version of each, by id. */
  workflowsPage(
    page: Page,
  ): Promise<{ readonly workflows: readonly WorkflowRecord[]; readonly total: number }>;
  workflow(id: string): Promise<WorkflowRecord | null>;
  /** The newest version with its steps and who acts in them, and which versions there are; null for an unknown id. */
  workflowView(id: string): Promise<WorkflowView | null>;

  /**
   * What would run and what would hold it up, step by step, by the same questions that the guard asks; `input` undefined
   * = it is not known. Nothing starts, and nothing is written or logged. Throws DOC_INVALID, INPUT_INVALID, NOT_FOUND,
   * USAGE; what ceilings or policy refuse is part of the plan.
   */
  plan(
    request: Omit<StartRequest, 'input'> & { readonly input: Json | undefined },
    initiator: Principal,
  ): Promise<RunPlan>;
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
  /**
   * Checks the right `run.resume`; for an indeterminate run `lost` says what becomes of the lost attempt. `from`: the
   * step that the run stands at, of which a lost attempt is run again; USAGE for any other one. Then `drive`.
   */
  resume(
    runId: string,
    principal: Principal,
    options?: { readonly lost?: 'rerun' | 'fail'; readonly from?: string },
  ): Promise<void>;
  /**
   * A run that has failed, was refused or cancelled goes on where it stood, under the policies of now: what has succeeded
   * keeps its result, what has not is attempted anew, and asks anew for approval. Checks `run.resume`, and that who
   * started the run may still run its workflow. With an attempt whose outcome is not known `lost` is needed. Then
   * `drive`. Throws RUN_NOT_REDRIVABLE, RUN_UNFINISHED, RUN_INDETERMINATE, RUN_BUSY, POLICY_*.
   */
  redrive(runId: string, principal: Principal, options?: { readonly lost?: 'rerun' }): Promise<void>;
  /** Withdraws approvals, stops sandboxes; resolves when the run is `cancelled`. */
  cancel(runId: string, principal: Principal): Promise<RunView>;

  runs(filter?: {
    readonly workflowId?: string;
    readonly unfinished?: boolean;
  }): Promise<readonly RunRecord[]>;
  /** Newest first. */
  runsPage(
    page: Page & { readonly workflowId?: string },
  ): Promise<{ readonly runs: readonly RunRecord[]; readonly total: number }>;
  /** NOT_FOUND for an unknown id. Without outputs. `nested`: how many items or calls of a step are told, default 20. */
  status(runId: string, options?: { readonly nested?: number }): Promise<RunView>;
  /** With outputs. */
  results(runId: string, options?: { readonly nested?: number }): Promise<RunView>;

  /** The steps of the plan that the run goes by, in their order. NOT_FOUND for an unknown id. */
  outline(runId: string): Promise<readonly OutlineStep[]>;
  /** The plan that the run goes by. NOT_FOUND for an unknown id. */
  compiled(runId: string): Promise<Plan>;
  /** By node key, how everything stands that the run has come to, what calls nothing too. NOT_FOUND for an unknown id. */
  standings(runId: string): Promise<ReadonlyMap<string, StepStatus>>;
  /**
   * What the log says of a run, as `onEntry` tells it: from its entry number `from` on (default 0), at most `limit`
   * (default 1,000). Empty when there is nothing yet.
   */
  entries(
    runId: string,
    part?: { readonly from?: number; readonly limit?: number },
  ): Promise<readonly RunEntry[]>;
  /** Whether a living process advances the run, this one included. */
  isAdvanced(runId: string): boolean;

  /** What waits for an answer from outside, or did; oldest first. */
  tasks(filter?: TaskFilter): Promise<readonly TaskRecord[]>;
  /** NOT_FOUND for an unknown id. */
  task(id: string): Promise<TaskView>;
  /** Whether a caller from outside may see the task: who started the run, may answer it, or may read its run's log. */
  mayReadTask(record: TaskRecord, principal: Pick<Principal, 'id'>): boolean;
  /**
   * Answers, once and in time; resolves once durable, and the run goes on where it is driven. Asks for `task.answer` on
   * the function; whoever acts by a key signs. Throws TASK_*, POLICY_*, NOT_FOUND, USAGE, and INPUT_INVALID, with
   * `details.problems`, for what does not fit: then it still waits.
   */
  answerTask(which: TaskReference, reply: TaskReply, principal: Principal): Promise<TaskRecord>;
  /**
   * Rejects as answerTask would when this person may not answer the form, and logs it as that does: ask before anybody
   * fills anything in. What it says holds at this moment; answerTask asks again.
   */
  requireMayAnswer(id: string, principal: Principal): Promise<void>;

  /** Oldest first. */
  approvals(filter?: ApprovalFilter): Promise<readonly ApprovalRecord[]>;
  /** Names only, the one that expires first is first: for lists of many. `limit` absent = all. */
  approvalKeys(filter: {
    readonly states: readonly ApprovalState[];
    readonly limit?: number;
  }): Promise<readonly ApprovalKey[]>;
  /** Waiting runs of which a request was decided or has expired; they may have gone on since. */
  decidedRuns(): Promise<readonly string[]>;
  /** Without what it is about; null = there is none. */
  approvalRecord(id: string): Promise<ApprovalRecord | null>;
  approval(id: string): Promise<ApprovalView>;
  /**
   * Whether a caller from outside may see the request: who asked, who may decide it, by a delegation or in an emergency
   * too, and who may read its run's log.
   */
  mayRead(record: ApprovalRecord, principal: Pick<Principal, 'id'>): boolean;
  /** What a message that counted came to; null = it has not. */
  receipt(source: string, id: string): Promise<Receipt | null>;
  /** A message that was refused counts no second time either; one that has counted stays what it was. */
  keepRefused(message: Pick<Receipt, 'source' | 'id' | 'digest'>): Promise<void>;
  /** What channels are told of. */
  readonly outbox: ApprovalOutbox;
  /** `digest` must be the full subject digest the person saw. Throws APPROVAL_*; resolves once durable. */
  decide(
    id: string,
    vote: VoteRequest, // `digest` is required for approve
    approver: Principal,
  ): Promise<ApprovalRecord>;
  /**
   * Changes the input of a pending request: it is withdrawn, and another one takes its place, which is what resolves.
   * The editor counts as one who asks. Throws APPROVAL_*, POLICY_*, CEILING_* (then the request stands), USAGE.
   */
  editApproval(id: string, edit: EditRequest, editor: Principal): Promise<ApprovalRecord>;
  /** Closes the review that an emergency vote has opened. Throws APPROVAL_*, USAGE. */
  reviewApproval(id: string, reason: string, reviewer: Principal): Promise<ApprovalRecord>;
  /** What was asked for right before, of the same step: to be compared. Null = nothing, or it was erased. */
  previousSubject(record: ApprovalRecord): Promise<PreviousSubject | null>;
  /** How people cope with what they are asked: fatigue shows here. */
  approvalStatistics(): Promise<ApprovalStatistics>;

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
   * for the right `audit.export`, and records the files it is for. Throws POLICY_*, NOT_FOUND, USAGE when it is too large, AUDIT_FORK, AUDIT_ROLLBACK.
   */
  evidence(request: EvidenceRequest, principal: Principal): Promise<Uint8Array>;
  /**
   * Starts the erasure of payloads of finished runs, or finds the one that the same person has asked for already: a
   * governed run to `drive`, with approval where policy asks for it. `basis` stands in the log for ever. Asks for
   * `audit.erase` on every run concerned, before it looks at them. Throws POLICY_*, NOT_FOUND, RUN_UNFINISHED, USAGE,
   * AUDIT_ERASED_UNLOGGED.
   */
  erase(
    request: { readonly what: EraseScope; readonly basis: string },
    principal: Principal,
  ): Promise<Erasure>;
  /** Files that distributed Maps read and write. */
  readonly artifacts: ArtifactRoom;
  /** How long payloads stay before they count as expired. */
  retention(): Promise<RetentionView>;
  /** Logged, then made. Asks for `policy.edit` on `retention`. Throws POLICY_*, USAGE below the minimum without a reason. */
  changeRetention(change: Retention, principal: Principal): Promise<RetentionView>;
  /** Files that `evidence` of a run was made for, in that order. Asks for `audit.export` on the run. */
  handedOut(run: string, principal: Principal): Promise<readonly HandedOutCopy[]>;

  /**
   * Has the newest checkpoint cosigned by every witness of witnesses.policy, and stamped, now. Null when none is
   * configured. Never rejects for who is missing: that is the report.
   */
  anchor(signal: AbortSignal): Promise<AnchorReport | null>;
  /** What each configured witness has cosigned. */
  witnesses(): Promise<WitnessStatus>;
  /** Called with what came of asking witnesses at the end of `drive`. */
  onAnchor(listener: (report: AnchorReport) => void): () => void;

  /** Called for every entry this process commits. */
  onEntry(listener: (notice: EntryNotice) => void): () => void;
  /** Changes whenever this or another process has committed; cheap enough to poll. */
  changeCounter(): number;
  /** Called with what steps of this process say while they run. A secret that comes in pieces is not found in them. */
  onProgress(listener: (notice: ProgressNotice) => void): () => void;
  /** Makes tiles and checkpoint current on disk. */
  publish(): Promise<void>;
  doctor(): Promise<readonly DoctorCheck[]>;
  close(): Promise<void>;
}
