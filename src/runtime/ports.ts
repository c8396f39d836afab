// What the runtime needs from the outside world, and what every adapter promises. Ports carry the contracts;
// test/contract holds one suite per port that each adapter passes.
import type { Commitment, Digest, Hex, Json, JsonObject, SubjectDigest } from '../json.js';
import type { ApprovalMode } from '../workflow/plan.js';

export interface Clock {
  /** Milliseconds since the Unix epoch, UTC. */
  nowMs(): number;
  /** Resolves at or after `timeMs`, or at once when `signal` aborts. Any distance; never fires early. */
  sleepUntil(timeMs: number, signal: AbortSignal): Promise<void>;
}

export interface Random {
  /** `n` bytes from a cryptographic source. */
  bytes(n: number): Uint8Array;
}

/** The log's signing key. `sign` gives the 64-byte Ed25519 signature of `message`. */
export interface Signer {
  /** C2SP vkey, `<origin>+<key id>+<base64>`. */
  readonly vkey: string;
  sign(message: Uint8Array): Uint8Array;
  /** Reads the key again, which another process may have replaced: `vkey` and `sign` are of what is there now. */
  reload?(): void;
}

/**
 * Where the log's key lies, and its successor while it is being replaced (runtime/key-rotation.ts). The caller holds
 * the `publish` lock for everything but `signer`. Errors: AUDIT_KEY_MISSING, AUDIT_KEY_INVALID.
 */
export interface LogKeys {
  /** The key in use. */
  readonly signer: Signer;
  /** The successor of a rotation that is not over; null when there is none. */
  successor(): Signer | null;
  /** Makes a successor of the same name; durable when it returns. There must be none. */
  makeSuccessor(): Signer;
  /** The successor becomes the key, atomically; durable when it returns. The private key it replaces is deleted. */
  promoteSuccessor(): void;
  /** Deletes the successor; nothing when there is none. */
  discardSuccessor(): void;
}

// --- store ---------------------------------------------------------------------------------------------

/** Everything of an entry but `prev`, `seq`, `time` and `v`, which the log gives (audit/FORMAT.md). */
export interface EntryDraft {
  readonly type: string;
  /** null = an entry about the log itself. */
  readonly run: string | null;
  readonly tenant: string;
  readonly actor: { readonly id: string; readonly via: string };
  readonly workflow: { readonly id: string; readonly hash: Hex } | null;
  readonly policy: Hex | null;
  readonly data: JsonObject;
  /** label -> commitment of a payload. */
  readonly commit: Readonly<Record<string, Commitment>>;
  /** The entry's time has to be before this, or the change is refused: STORE_CONFLICT, nothing written. */
  readonly beforeMs?: number;
}

export interface LogState {
  readonly size: bigint;
  /** popcount(size) hashes, largest subtree first. */
  readonly compactRange: readonly Uint8Array[];
  readonly lastTimeMs: number;
  readonly publishedSize: bigint;
}

/** The last entry of a run's chain ('' = the log's own chain). */
export interface ChainTail {
  readonly seq: number;
  readonly leafHash: Uint8Array;
}

export interface LogRow {
  readonly index: bigint;
  readonly bytes: Uint8Array;
  readonly leafHash: Uint8Array;
  /** '' for the log's own chain. */
  readonly run: string;
  readonly seq: number;
  readonly type: string;
}

/** Root of a full 256-wide tile: the hash at (level, index), level >= 1. */
export interface SubtreeRow {
  readonly level: number;
  readonly index: bigint;
  readonly hash: Uint8Array;
}

/**
 * Turns drafts into rows; pure, given by the runtime to the store, which calls it inside its write transaction.
 * `nowMs` is clamped so that time never goes backwards in the log.
 */
export type ExtendLog = (
  log: LogState,
  tails: ReadonlyMap<string, ChainTail>,
  drafts: readonly EntryDraft[],
  nowMs: number,
) => { readonly log: LogState; readonly rows: readonly LogRow[]; readonly subtrees: readonly SubtreeRow[] };

export interface Payload {
  readonly commitment: Commitment;
  readonly label: string;
  readonly salt: Uint8Array;
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly run: string;
}

export type StoredPayload = Omit<Payload, 'salt' | 'bytes'> & {
  readonly salt: Uint8Array | null;
  readonly bytes: Uint8Array | null;
  readonly entryIndex: bigint;
  /** Log index of the `payload.erased` that took salt and bytes away; null = never erased. */
  readonly erasedBy: bigint | null;
};

/** A file with payload data that this installation has written for somebody: a bundle, an export of payloads. */
export interface HandedOutCopy {
  /** Absolute. */
  readonly path: string;
  /** null = of more than one run. */
  readonly run: string | null;
  readonly madeAtMs: number;
}

export interface WorkflowRecord {
  readonly id: string;
  readonly hash: Hex;
  /** 1 for the first content under this id; the same content again is the same version. */
  readonly version: number;
  readonly name: string;
  /** The document as it was given, and where from (display only). */
  readonly source: string;
  readonly file: string | null;
  readonly createdAtMs: number;
}

export type RunStatus =
  'pending' | 'running' | 'waiting' | 'completed' | 'failed' | 'cancelled' | 'indeterminate';

export interface RunRecord {
  readonly id: string;
  readonly tenant: string;
  readonly workflowId: string;
  readonly workflowHash: Hex;
  readonly policyHash: Hex;
  readonly initiator: string;
  readonly status: RunStatus;
  /** The compiled plan; written with the insert and never again. */
  readonly plan: Json;
  /** The engine's snapshot; opaque to the store. Emptied of data when the run has finished. */
  readonly state: Json;
  /** What a waiting run waits for, shown by `status`. */
  readonly waitingFor: Json;
  /** When somebody must look at this run again; null = when something happens. */
  readonly wakeAtMs: number | null;
  /** role -> instance of this run. */
  readonly agents: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly exitCode: number | null;
  /** Compare-and-set counter: every update gives the version it read. */
  readonly version: number;
}

export type AttemptStatus =
  | 'waiting' // for an approval
  | 'intended' // durable intent, no outcome yet
  | 'succeeded'
  | 'failed'
  | 'refused'
  | 'timed-out'
  | 'cancelled'
  | 'indeterminate'
  | 'skipped';

/** One attempt of one step; key (run, stepPath, attempt). Data only by commitment. */
export interface AttemptRecord {
  readonly run: string;
  readonly stepPath: string;
  readonly attempt: number;
  readonly status: AttemptStatus;
  readonly functionId: string;
  readonly principal: string;
  readonly idempotencyKey: string;
  readonly input: Commitment | null;
  readonly output: Commitment | null;
  readonly approvalId: string | null;
  /** Error code and a message without payloads; null when there is none. */
  readonly error: { readonly code: string; readonly name: string; readonly message: string } | null;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  /** Log index of this attempt's `step.intended`; null before. */
  readonly intentIndex: bigint | null;
}

export type ApprovalState =
  'pending' | 'approved' | 'denied' | 'expired' | 'withdrawn' | 'revoked' | 'consumed';

export interface Vote {
  readonly seq: number;
  readonly approver: string;
  readonly keyId: string | null;
  readonly assurance: 'os' | 'key';
  readonly decision: 'approve' | 'deny' | 'revoke';
  readonly reason: Commitment | null;
  readonly atMs: number;
  /** Base64 Ed25519 over the decision (approval/decision.ts); null only under assurance `os`. */
  readonly signature: string | null;
}

export interface ApprovalRecord {
  readonly id: string;
  readonly tenant: string;
  readonly run: string;
  readonly stepPath: string;
  readonly attempt: number;
  readonly subjectDigest: SubjectDigest;
  /** Payload that holds the canonical bytes of the subject. */
  readonly subject: Commitment;
  readonly mode: ApprovalMode;
  /** All factors are needed; one person fills one factor only. */
  readonly quorum: readonly { readonly role: string; readonly n: number }[];
  readonly separationOfDuties: boolean;
  readonly reasonRequired: boolean;
  readonly requester: string;
  readonly initiator: string;
  readonly functionId: string;
  /** Why approval is needed: layer and rule, for display. */
  readonly demandedBy: readonly string[];
  readonly policyHash: Hex;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly state: ApprovalState;
  readonly votes: readonly Vote[];
  readonly version: number;
}

/**
 * One atomic change. `insert` fails with STORE_CONFLICT when the key exists; `update` when the stored version is
 * not `record.version` (the store then writes version + 1). Entries and rows can't disagree: same transaction.
 */
export interface Change {
  readonly workflows?: readonly WorkflowRecord[];
  readonly runs?: readonly { readonly op: 'insert' | 'update'; readonly record: RunRecord }[];
  /** Inserted or replaced. `intentEntry` = position in `entries` whose log index becomes `intentIndex`. */
  readonly attempts?: readonly { readonly record: AttemptRecord; readonly intentEntry?: number }[];
  readonly approvals?: readonly { readonly op: 'insert' | 'update'; readonly record: ApprovalRecord }[];
  /** `entry` = position in `entries` of the entry that carries the commitment. */
  readonly payloads?: readonly { readonly payload: Payload; readonly entry: number }[];
  /**
   * Salt and bytes of these payloads go, and `unscrubbed` names them from then on. `entry` = position in `entries`
   * of their `payload.erased`. STORE_CONFLICT when one is not there, or was erased before.
   */
  readonly erasures?: readonly { readonly commitment: Commitment; readonly entry: number }[];
  readonly entries: readonly EntryDraft[];
}

export interface Committed {
  /** In the order of `change.entries`. */
  readonly entries: readonly {
    readonly index: bigint;
    readonly leafHash: Uint8Array;
    readonly timeMs: number;
  }[];
}

export interface CheckpointRow {
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly note: string;
}

/** A checkpoint that a witness cosigned or a time stamp authority stamped. */
export interface AnchoredCheckpointRow extends CheckpointRow {
  /** When the last of them did, by the log's clock. */
  readonly anchoredAtMs: number;
}

/**
 * Run state, payloads and log in one place. Two processes may hold it open at once.
 * Errors: STORE_CONFLICT (compare-and-set lost, nothing written), and the fatal STORE_* codes; a driver's own
 * error never crosses this port (it is the `cause`).
 */
export interface Store {
  /**
   * Atomic and durable when it resolves; on rejection nothing was written. Concurrent calls may share one
   * transaction (group commit) but each keeps its own all-or-nothing.
   */
  commit(change: Change): Promise<Committed>;

  workflow(id: string, hash?: Hex): Promise<WorkflowRecord | null>;
  workflows(): Promise<readonly WorkflowRecord[]>;
  run(id: string): Promise<RunRecord | null>;
  runs(filter?: {
    readonly unfinished?: boolean;
    readonly workflowId?: string;
  }): Promise<readonly RunRecord[]>;
  /** In order of stepPath's first start, then attempt. */
  attempts(run: string): Promise<readonly AttemptRecord[]>;
  attempt(run: string, stepPath: string, attempt: number): Promise<AttemptRecord | null>;
  approval(id: string): Promise<ApprovalRecord | null>;
  approvals(filter?: {
    readonly run?: string;
    readonly states?: readonly ApprovalState[];
  }): Promise<readonly ApprovalRecord[]>;
  payload(commitment: Commitment): Promise<StoredPayload | null>;

  /** Durable when it resolves; called before the file is written. The same path again replaces its record. */
  recordCopy(copy: HandedOutCopy): Promise<void>;
  /** In the order they were made. */
  copies(): Promise<readonly HandedOutCopy[]>;
  /** The file is gone; no error when the path was not recorded. */
  forgetCopy(path: string): Promise<void>;
  /** Erased payloads whose bytes may still be in the store's files, or in copies: `scrub` and `markScrubbed` are due. */
  unscrubbed(): Promise<readonly Commitment[]>;
  /**
   * Leaves no erased byte in any file of the store. `busy`: somebody else's writing or reading of an old state was in
   * the way for `waitMs`; `full`: there was no room for a second copy of the file. Then bytes may remain, nothing is
   * lost, and a later call finishes.
   */
  scrub(waitMs: number): Promise<'done' | 'busy' | 'full'>;
  /** After a `scrub` that succeeded: `unscrubbed` no longer names these. */
  markScrubbed(commitments: readonly Commitment[]): Promise<void>;

  log(): Promise<LogState>;
  /** Rows with first <= index < end, in order, at most `limit`. */
  entries(first: bigint, end: bigint, limit: number): Promise<readonly LogRow[]>;
  entriesOfRun(run: string): Promise<readonly LogRow[]>;
  /** The newest entries of this type in the log's own chain, newest first; the cost does not grow with the log. */
  ownEntries(type: string, limit: number): Promise<readonly LogRow[]>;
  /** Hashes at (level, first..first+count-1); level 0 = leaf hashes; throws STORE_IO when one is absent. */
  hashes(level: number, first: bigint, count: number): Promise<readonly Uint8Array[]>;
  /** The stored checkpoint of `size`; the first one stored for a size stays. */
  putCheckpoint(row: CheckpointRow): Promise<CheckpointRow>;
  lastCheckpoint(): Promise<CheckpointRow | null>;
  /**
   * The note of `size` becomes `after`, the same text with more signatures, and `atMs` the time it was anchored; false,
   * and nothing written, when the stored note is not `before`.
   */
  anchorCheckpoint(size: bigint, before: string, after: string, atMs: number): Promise<boolean>;
  /** Anchored checkpoints, largest size first, at most `limit`. */
  anchoredCheckpoints(limit: number): Promise<readonly AnchoredCheckpointRow[]>;
  markPublished(size: bigint): Promise<void>;

  /** Changes whenever another process or this one has committed; cheap enough to poll every 50 ms. */
  changeCounter(): number;
  close(): Promise<void>;
}

/** Exclusive locks between processes; the operating system frees them when the holder dies, however it dies. */
export interface Locks {
  /** The lock, or null when a living process holds it. */
  tryHold(name: string): Lock | null;
  /** Waits at most `timeoutMs`; STORE_BUSY after that. */
  hold(name: string, timeoutMs: number): Promise<Lock>;
}

export interface Lock {
  readonly name: string;
  release(): void;
}

/** The tile directory of the log (audit/FORMAT.md). */
export interface LogDirectory {
  /** Atomic and durable when it resolves; an fsync error is STORE_IO and fatal. Path is relative, `/`-separated. */
  put(path: string, bytes: Uint8Array): Promise<void>;
  get(path: string): Promise<Uint8Array | null>;
  /** Absent when it resolves; a crash may bring the file back. */
  remove(path: string): Promise<void>;
}

/** A file that is being handed out; it is there under its name from the start. */
export interface NewFile {
  /** Absolute. */
  readonly path: string;
  write(bytes: Uint8Array): Promise<void>;
  /** True: durable and closed. False: the file of that name is no longer this one; then, as on a rejection, discard. */
  finish(): Promise<boolean>;
  /** Closed, and gone unless the file of that name is another one. */
  discard(): Promise<void>;
}

/** What this machine knows of one log. */
export interface TrustRecord {
  readonly vkey: string;
  readonly checkpoint: string | null;
  /** Keys it had before; absent when it has changed none. */
  readonly former?: readonly string[];
}

/** What this machine saw of a log, kept outside the data directory: turns a restored backup into a finding. */
export interface TrustStore {
  read(origin: string): Promise<TrustRecord | null>;
  /** Written atomically; never to a smaller size, and never to another key once a checkpoint is known (AUDIT_KEY_INVALID). */
  write(origin: string, record: { readonly vkey: string; readonly checkpoint: string | null }): Promise<void>;
  /**
   * As `write`, when the log's key was changed: by the process that changes it, or by a person who names the new key.
   * `from` is the key known so far; it is kept among the former ones. The same change again changes nothing.
   */
  replaceKey(
    origin: string,
    change: { readonly from: string; readonly vkey: string; readonly checkpoint: string | null },
  ): Promise<void>;
}

// --- anchors outside --------------------------------------------------------------------------------------

/** One HTTP POST. Never rejects; what the other side sends is attacker-controlled. */
export type HttpPost = (request: HttpPostRequest) => Promise<HttpPostAnswer>;

export interface HttpPostRequest {
  /** http or https; redirects are not followed. */
  readonly url: string;
  readonly contentType: string;
  readonly body: Uint8Array;
  /** A longer answer is a failure. */
  readonly maxBytes: number;
  /** For the whole exchange. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** `failure`: one sentence for people; nothing that was answered is known then. */
export type HttpPostAnswer =
  { readonly status: number; readonly body: Uint8Array } | { readonly failure: string };

/** A time stamp authority (RFC 3161). */
export interface TimestampAuthority {
  readonly url: string;
  /**
   * The DER time stamp response over `message`: granted, with the SHA-256 of `message` and the nonce that was sent. Its
   * signature is not verified. Throws AUDIT_TIMESTAMP_FAILED.
   */
  stamp(
    message: Uint8Array,
    limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<Uint8Array>;
}

/** What a witness has cosigned. Several processes may hold one file. */
export interface WitnessState {
  /**
   * Gives `decide` the newest tree of `origin` (null = none) and stores what it wants stored: one transaction that no
   * other request, of this or another process, can come between; durable when it returns. Throws STORE_*.
   */
  advance<Answer>(
    origin: string,
    decide: (latest: WitnessedTree | null) => {
      readonly store: WitnessedTree | null;
      readonly answer: Answer;
    },
  ): Answer;
  /** Every origin's newest, by origin. */
  latest(): readonly (WitnessedTree & { readonly origin: string })[];
  close(): void;
}

export interface WitnessedTree {
  readonly size: bigint;
  readonly root: Uint8Array;
  /** The checkpoint as the log signed it: evidence, should another one of this size turn up. */
  readonly note: string;
}

// --- what a step calls -----------------------------------------------------------------------------------

export interface FunctionRequest {
  readonly functionId: string;
  /** Rendered once; exactly the approved and audited value. */
  readonly input: Json;
  /** The run that calls. */
  readonly run: string;
  readonly idempotencyKey: string;
  readonly timeoutMs: number;
}

/** `functionId -> invoke`; knows nothing of policy. Only runtime/guard.ts calls `invoke`. */
export interface FunctionProvider {
  readonly functionIds: readonly string[];
  /** Resolves with the output; rejects with a WritError of kind failure. Stops when `signal` aborts. */
  invoke(request: FunctionRequest, signal: AbortSignal): Promise<Json>;
}

/** Limits as they are enforced; all set. */
export interface Limits {
  readonly timeoutMs: number;
  readonly memoryMiB: number;
  readonly outputBytes: number;
}

export interface SandboxRequest {
  /** WASM: argv[0] is ignored by the guest; no shell, ever. */
  readonly argv: readonly string[];
  /** Exactly these; nothing of the runner's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  /** The program's bytes; the driver recomputes the digest and refuses others. */
  readonly module: { readonly digest: Digest; readonly bytes: Uint8Array };
  readonly limits: Limits;
}

export type SandboxStatus =
  'exited' | 'timeout' | 'oom' | 'output-limit' | 'cancelled' | 'crashed' | 'unavailable';

export interface SandboxResult {
  readonly status: SandboxStatus;
  readonly exitCode: number | null;
  readonly stdout: { readonly bytes: Uint8Array; readonly truncated: boolean };
  readonly stderr: { readonly bytes: Uint8Array; readonly truncated: boolean };
  readonly usage: { readonly wallMs: number };
  readonly limitHit: string | null;
  /** One sentence for people when status is not `exited`; no payload in it. */
  readonly reason: string | null;
  /** Completes the evidence of `prepare` (strings, integers, booleans). */
  readonly evidence: JsonObject;
}

/**
 * Enforces every limit it accepts, refuses what it can't enforce before anything starts (SANDBOX_UNSUPPORTED),
 * leaves nothing behind, never falls back to the host. Only runtime/guard.ts calls `run`.
 */
export interface SandboxDriver {
  readonly kind: 'wasm' | 'docker';
  readonly defaults: Limits;
  /** What this machine can keep; starts nothing that runs a guest. `ok: false` = `run` would be unavailable. */
  preflight(): Promise<{
    readonly ok: boolean;
    readonly evidence: JsonObject;
    readonly problems: readonly string[];
  }>;
  /**
   * Checks the request without starting the guest; the evidence goes into `sandbox.started` before the act.
   * Throws SANDBOX_UNSUPPORTED, SANDBOX_SPEC_INVALID, SANDBOX_MODULE_INVALID, INTEGRITY_DIGEST.
   */
  prepare(request: SandboxRequest): Promise<JsonObject>;
  /** Never rejects for what the guest does; over within 2 s of an abort. */
  run(request: SandboxRequest, signal: AbortSignal): Promise<SandboxResult>;
  close(): Promise<void>;
}

/** A verified agent package: manifest -> config -> layer all hash to what names them. */
export interface AgentPackage {
  readonly digest: Digest;
  readonly name: string;
  readonly module: { readonly digest: Digest; readonly bytes: Uint8Array };
  readonly argv: readonly string[];
  /** `spec` of the package's ceiling layer; never absent. */
  readonly ceiling: Json;
}

/** Content-addressed: a package is found by digest only and verified on every read (INTEGRITY_*). */
export interface PackageStore {
  resolve(digest: Digest): Promise<AgentPackage | null>;
}

/** Modules shipped in `sandbox/wasm`, by name through the sha256 manifest; INTEGRITY_DIGEST on other bytes. */
export interface ModuleStore {
  names(): Promise<readonly string[]>;
  module(name: string): Promise<{ readonly digest: Digest; readonly bytes: Uint8Array } | null>;
}

/** A value that must not be stored or shown; what stands for it is its name. */
export interface Secret {
  readonly name: string;
  readonly value: Uint8Array;
}

/** The secrets this installation knows. */
export interface SecretSource {
  /**
   * As they are now, the same list while nothing has changed; cheap enough to call for every record. Throws
   * SECRET_UNREADABLE rather than leave one out.
   */
  current(): readonly Secret[];
}

/** Files that were handed out (`HandedOutCopy`). */
export interface CopyFiles {
  /** Whether the file at `path` holds one of these texts. Links are not followed. */
  look(path: string, texts: readonly string[]): Promise<'absent' | 'holds' | 'clean' | 'unreadable'>;
  /** False when it can't be removed. */
  remove(path: string): Promise<boolean>;
}

// --- dispatch ----------------------------------------------------------------------------------------------

/** What has to be done for a run now. */
export type Next =
  | { readonly kind: 'finished'; readonly run: RunRecord }
  | { readonly kind: 'execute'; readonly run: RunRecord }
  | { readonly kind: 'timer'; readonly run: RunRecord; readonly untilMs: number }
  | {
      readonly kind: 'approval';
      readonly run: RunRecord;
      readonly approvalId: string;
      readonly expiresAtMs: number;
    }
  /** A lost attempt that must not run again by itself. */
  | { readonly kind: 'person'; readonly run: RunRecord };

/** The two moves of a run; both idempotent, both safe to repeat after a crash. The caller holds the run's lock. */
export interface RunSteps {
  advance(runId: string): Promise<Next>;
  /** Carries out the current step; resolves when its outcome is durable. Stops it when `signal` aborts. */
  execute(runId: string, signal: AbortSignal): Promise<void>;
}

/** At least once, one `advance` per run at a time, durable timers (from the store), survives kill -9. */
export interface Dispatcher {
  /** Drives the run until it has finished, or until `stopAt` says so. Throws RUN_BUSY when another process does. */
  drive(runId: string, options: DriveOptions): Promise<RunRecord>;
}

export interface DriveOptions {
  /** Aborted: the running step is stopped and `drive` returns the run as it stands. */
  readonly signal: AbortSignal;
  /** `waiting`: return as soon as the run waits for a person; `finished`: wait for the decision too. */
  readonly stopAt: 'waiting' | 'finished';
}
