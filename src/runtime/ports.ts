// What the runtime needs from the outside world, and what every adapter promises. Ports carry the contracts;
// test/contract holds one suite per port that each adapter passes.
import type { Query, QueryAnswer } from '../engine/query.js';
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
  /** The head of the engine's snapshot, the rest is in parts; opaque to the store. No data of a finished run. */
  readonly state: Json;
  /** What a waiting run waits for, shown by `status`. */
  readonly waitingFor: Json;
  /** When somebody must look at this run again; null = when something happens. */
  readonly wakeAtMs: number | null;
  /** role -> instance of this run; `*` -> the agent of steps that name none. */
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
  | 'suspended' // its act is done, and an answer from outside is waited for
  | 'succeeded'
  | 'asked' // a turn of a conversation that ended with calls; the next turn is the next attempt
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
  /** Of the row that says that a step was skipped: why. Of one that failed: what was said of it, where something was. */
  readonly output: Commitment | null;
  readonly approvalId: string | null;
  /** Error code and a message without payloads; null when there is none. */
  readonly error: { readonly code: string; readonly name: string; readonly message: string } | null;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  /** Log index of this attempt's `step.intended`; null before. */
  readonly intentIndex: bigint | null;
  /** From 0; null outside a loop. */
  readonly iteration: number | null;
  /** From 0; null outside a map. */
  readonly item: number | null;
  /** Turns of the conversation before this one; null when the function does not converse. */
  readonly turn: number | null;
  /** Of the attempt that ended a loop: whether `until` held; null on all others. */
  readonly converged: boolean | null;
}

/** Counts how much of one budget is used: of a ceiling layer, in one run or on one day. */
export interface Meter {
  readonly layer: string;
  readonly name: string;
  /** The id of a run, a day in UTC, `2026-01-31`, or `rate`. The meters of a run go when its parts end. */
  readonly scope: string;
  readonly budget: string;
}

/** `used` becomes `used + add`, not less than 0; a meter that isn't there counts 0. */
export interface Charge extends Meter {
  /** A whole number; below 0 where less was used than had been charged. */
  readonly add: number;
  /** STORE_CONFLICT when more than this would be used; null = it has happened already. */
  readonly atMost: number | null;
  /** What is used counts as this at least, before `add`; absent = 0. A whole number from 0. */
  readonly from?: number;
}

/** What a run's own parts become, in the transaction of its record. */
export interface PartsChange {
  readonly run: string;
  readonly put: ReadonlyMap<string, Json>;
  readonly removed: readonly string[];
  /** True: every part of the run goes, and its own meters; `put` and `removed` are empty. */
  readonly ended: boolean;
  /** It has ended and may go on one day: its meters stay, so that no budget is full again then. */
  readonly mayGoOn?: boolean;
}

export type ApprovalState =
  'pending' | 'approved' | 'denied' | 'expired' | 'withdrawn' | 'revoked' | 'consumed';

export interface Vote {
  readonly seq: number;
  readonly approver: string;
  readonly keyId: string | null;
  readonly assurance: 'os' | 'key' | 'oidc' | 'token';
  readonly decision: 'approve' | 'deny' | 'revoke';
  readonly reason: Commitment | null;
  readonly atMs: number;
  /** Base64 Ed25519 over the decision (approval/decision.ts); null under every assurance but `key`. */
  readonly signature: string | null;
  /** Who delegated it to `approver` (approvers.yaml); absent = they vote for themselves. */
  readonly delegation?: string;
  /** Cast under the emergency role; absent = not. */
  readonly breakGlass?: true;
}

/** From so long after the request was made on, people with `addRoles` may fill the factor's places too. */
export interface Escalation {
  readonly afterSeconds: number;
  /** Whom channels tell. */
  readonly notifyRoles: readonly string[];
  readonly addRoles: readonly string[];
}

/** What an emergency vote leaves to be looked at afterwards. */
export interface ApprovalReview {
  readonly dueAtMs: number;
  /** Null = nobody has. */
  readonly closedBy: string | null;
  readonly closedAtMs: number | null;
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
  readonly quorum: readonly {
    readonly role: string;
    readonly n: number;
    /** Absent = none. */
    readonly escalation?: readonly Escalation[];
  }[];
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
  /** People who changed the input before it was asked for like this; they count as requesters. Absent = nobody. */
  readonly editors?: readonly string[];
  /** Absent = no emergency vote was cast. */
  readonly review?: ApprovalReview;
}

/** `used`: the run has gone on with the answer. `expired`: none came in time. `withdrawn`: none is wanted any more. */
export type TaskState = 'open' | 'answered' | 'used' | 'expired' | 'withdrawn';

/** An attempt that ends by an answer from outside: of whoever has its token, or of a person with a form. */
export interface TaskRecord {
  /** Names it; it doesn't authorise. */
  readonly id: string;
  readonly tenant: string;
  readonly run: string;
  readonly stepPath: string;
  readonly attempt: number;
  readonly kind: 'token' | 'person';
  /** SHA-256 of the token, which is stored nowhere; null where a person answers. */
  readonly tokenHash: Hex | null;
  readonly functionId: string;
  readonly initiator: string;
  /** `person`: whoever answers needs one of them; empty = policy alone says who. */
  readonly roles: readonly string[];
  /** `person`: not by who started the run. */
  readonly separationOfDuties: boolean;
  /** Most bytes of an answer, as JSON. */
  readonly outputBytes: number;
  readonly createdAtMs: number;
  /** At this time no answer counts any more. */
  readonly expiresAtMs: number;
  /** Longest time between two signs of life; null = none is asked for. */
  readonly heartbeatMs: number | null;
  /** The last one, or the beginning. */
  readonly aliveAtMs: number;
  readonly state: TaskState;
  readonly answer: TaskAnswer | null;
  /** Compare-and-set counter. */
  readonly version: number;
}

/** What was answered; the data is in the payload. */
export interface TaskAnswer {
  readonly kind: 'success' | 'failure';
  readonly by: string;
  readonly assurance: Vote['assurance'];
  readonly atMs: number;
  /** The output, or `{error, cause}`. */
  readonly payload: Commitment;
}

/** Which requests, and which part of them, in the order of the list. */
export interface ApprovalFilter {
  readonly run?: string;
  readonly states?: readonly ApprovalState[];
  /** Only those behind this one. */
  readonly after?: Pick<ApprovalRecord, 'createdAtMs' | 'id'>;
  /** Absent = all. */
  readonly limit?: number;
}

/** A request by its name, where many are listed and few are looked at. */
export type ApprovalKey = Pick<ApprovalRecord, 'id' | 'run' | 'stepPath' | 'functionId' | 'expiresAtMs'>;

/**
 * By how much `jump` raises a run's version: more than the commits that whoever advances it may have in flight, each
 * with the version that the one before will have written. None of them then fits by chance.
 */
export const VERSION_JUMP = 2 ** 20;

/**
 * One atomic change. `insert` fails with STORE_CONFLICT when the key exists; `update` when the stored version is
 * not `record.version` (the store then writes version + 1, or + VERSION_JUMP with `jump`). Entries and rows can't
 * disagree: same transaction. Changes are made in the order of the calls.
 */
export interface Change {
  readonly workflows?: readonly WorkflowRecord[];
  readonly runs?: readonly {
    readonly op: 'insert' | 'update';
    readonly record: RunRecord;
    readonly jump?: boolean;
  }[];
  readonly parts?: readonly PartsChange[];
  /**
   * From a process that does not advance the run: `waitingFor` of an unfinished run, whatever its version, which is
   * raised by VERSION_JUMP. STORE_CONFLICT when the run has finished, or is not there.
   */
  readonly interrupts?: readonly { readonly run: string; readonly waitingFor: Json }[];
  /** Inserted or replaced. `intentEntry` = position in `entries` whose log index becomes `intentIndex`. */
  readonly attempts?: readonly { readonly record: AttemptRecord; readonly intentEntry?: number }[];
  readonly approvals?: readonly { readonly op: 'insert' | 'update'; readonly record: ApprovalRecord }[];
  readonly tasks?: readonly (
    | { readonly op: 'insert' | 'update'; readonly record: TaskRecord }
    /** Whatever has become of it: from now on it is this, unless it was over before. */
    | { readonly op: 'close'; readonly id: string; readonly state: 'used' | 'expired' | 'withdrawn' }
  )[];
  /** `entry` = position in `entries` of the entry that carries the commitment. */
  readonly payloads?: readonly { readonly payload: Payload; readonly entry: number }[];
  /**
   * Salt and bytes of these payloads go, and `unscrubbed` names them from then on. `entry` = position in `entries`
   * of their `payload.erased`. STORE_CONFLICT when one is not there, or was erased before.
   */
  readonly erasures?: readonly { readonly commitment: Commitment; readonly entry: number }[];
  /** Compared and made in the transaction: whoever charges at the same time, no meter goes above its `atMost`. */
  readonly charges?: readonly Charge[];
  /** STORE_CONFLICT when (source, id) was received before, for as long as the store keeps it. */
  readonly receipts?: readonly Receipt[];
  readonly entries: readonly EntryDraft[];
}

/** A message from outside that may count once: a webhook, a request with an Idempotency-Key, a callback token. */
export interface Receipt {
  /** Who sent it, of what kind: ids of different sources never meet. */
  readonly source: string;
  readonly id: string;
  /** SHA-256 of what was sent, so that another message under the same id is told from the same again. */
  readonly digest: Hex;
  /** What was answered. */
  readonly answer: Json;
  /** It may be forgotten from then on. */
  readonly untilMs: number;
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

/** A part of a list: at most `limit` after the first `offset`; `total` beside it counts the whole list. */
export interface Page {
  readonly limit: number;
  readonly offset: number;
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
  /** The newest version of each, by id. */
  workflowsPage(
    page: Page,
  ): Promise<{ readonly workflows: readonly WorkflowRecord[]; readonly total: number }>;
  run(id: string): Promise<RunRecord | null>;
  runs(filter?: {
    readonly unfinished?: boolean;
    readonly workflowId?: string;
  }): Promise<readonly RunRecord[]>;
  /** Newest first; of one workflow, or of all. */
  runsPage(
    page: Page & { readonly workflowId?: string },
  ): Promise<{ readonly runs: readonly RunRecord[]; readonly total: number }>;
  /** In order of stepPath's first start, then attempt. */
  attempts(run: string): Promise<readonly AttemptRecord[]>;
  attempt(run: string, stepPath: string, attempt: number): Promise<AttemptRecord | null>;
  /** Parts of the run whose key begins with `prefix` (default: every part), in no order; none when it has ended. */
  parts(run: string, prefix?: string): Promise<ReadonlyMap<string, Json>>;
  /** In the order of `meters`; 0 for one that isn't there. */
  used(meters: readonly Meter[]): Promise<readonly number[]>;
  approval(id: string): Promise<ApprovalRecord | null>;
  /** Oldest first. */
  approvals(filter?: ApprovalFilter): Promise<readonly ApprovalRecord[]>;
  /** The one that expires first is first; a list of 10,000 is read in a moment. `limit` absent = all. */
  approvalKeys(filter: {
    readonly states: readonly ApprovalState[];
    readonly limit?: number;
  }): Promise<readonly ApprovalKey[]>;
  task(id: string): Promise<TaskRecord | null>;
  taskOfToken(tokenHash: Hex): Promise<TaskRecord | null>;
  /** The task of an attempt; null when it has none. */
  taskOfAttempt(run: string, stepPath: string, attempt: number): Promise<TaskRecord | null>;
  /** Oldest first. */
  tasks(filter?: {
    readonly run?: string;
    readonly states?: readonly TaskState[];
  }): Promise<readonly TaskRecord[]>;
  payload(commitment: Commitment): Promise<StoredPayload | null>;
  receipt(source: string, id: string): Promise<Receipt | null>;

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
  /** The bytes of the entries first..first+count-1, in order; throws STORE_IO when one is absent. */
  entryBytes(first: bigint, count: number): Promise<readonly Uint8Array[]>;
  /** In order; with `part` those from the run's entry number `from` on (0 = its first), at most `limit`. */
  entriesOfRun(
    run: string,
    part?: { readonly from: number; readonly limit: number },
  ): Promise<readonly LogRow[]>;
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

export type {
  AgentDefinition,
  HandDefinition,
  ModelProvider,
  ModelsDefinition,
  Prices,
} from '../workflow/agents/definition.js';

export interface FunctionRequest {
  readonly functionId: string;
  /** Rendered once; exactly the approved and audited value. */
  readonly input: Json;
  /** The run that calls. */
  readonly run: string;
  /** The step that calls, and the principal it acts as (`agent:<name>`); null where the task names no agent. */
  readonly stepPath: string;
  readonly agent: string | null;
  readonly idempotencyKey: string;
  readonly timeoutMs: number;
  /** Text as it comes, for people who watch; never stored. Absent when nobody does. */
  readonly progress?: (text: string) => void;
}

/**
 * `functionId -> invoke`; knows nothing of policy. Only runtime/guard.ts calls `invoke` and `converse`. What a
 * provider throws says nothing of secrets.
 */
export interface FunctionProvider {
  readonly functionIds: readonly string[];
  /** Of these, whose calls may be made again with the same idempotency key, as by a step that says `idempotent: true`. */
  readonly idempotent?: readonly string[];
  /** What the function does, in a sentence a model may be shown when it is offered as a tool. */
  describe?(functionId: string): string | null;
  /** JSON Schemas (2020-12) of request and response; the guard checks the one before approval, the other after the act. */
  schemas?(functionId: string): { readonly input: Json | null; readonly output: Json | null };
  /**
   * What this very call would use, found out before anything runs, and judged under every ceiling. Starts nothing.
   * Throws FUNCTION_REQUEST_INVALID, or FUNCTION_UNAVAILABLE when a provider, key or service is not configured.
   */
  reach?(functionId: string, input: Json, agent: string | null): Promise<FunctionReach>;
  /** Resolves with the output; rejects with a WritError of kind failure. Stops when `signal` aborts. */
  invoke(request: FunctionRequest, signal: AbortSignal): Promise<Json>;
  /**
   * In place of `invoke`, for ids in `converses`: one turn of a function that may ask for other calls (a model with
   * tools). The calls go through the guard one by one, then the next turn gets their answers.
   */
  readonly converses?: readonly string[];
  converse?(request: FunctionRequest, so: Conversation, signal: AbortSignal): Promise<Turn>;
  /** Ends what it has started or keeps open; nothing is called after it. */
  close?(): Promise<void>;
}

/** What a step says while it runs (a model's answer as it comes): for people who watch, stored nowhere. */
export interface ProgressNotice {
  readonly run: string;
  readonly stepPath: string;
  readonly text: string;
}

/** What a call would use outside this process. */
export interface FunctionReach {
  /** Hosts, `name:port`. */
  readonly network: readonly string[];
  /** Names of secrets, never values. */
  readonly credentials: readonly string[];
  /** Function ids that it may ask for (`converse`). */
  readonly tools: readonly string[];
  /**
   * SHA-256 over the operator's files that say how the call is carried out (an agent, a hand); absent = none. An
   * approval binds it, so that what was approved is not run by other instructions.
   */
  readonly definition?: Digest;
  /**
   * What the call will use at least, settled when it has ended. Absent = nothing, or for an id in `converses` an amount
   * that nobody knows, which fits under no budget. Null = as little known for this one.
   */
  readonly estimate?: { readonly tokens: number | null; readonly costMicroUsd: number | null };
}

/** Earlier turns of a conversation; both empty at the first. */
export interface Conversation {
  /** What the last turn left, as it left it; null at the first. */
  readonly transcript: Json;
  /** In the order of the calls that the last turn asked for. */
  readonly answers: readonly CallAnswer[];
}

export interface CallAnswer {
  readonly id: string;
  readonly functionId: string;
  /** `refused`: policy or a person said no, and nothing ran. */
  readonly status: 'succeeded' | 'failed' | 'refused';
  /** The output, or a message that may be shown to a model. */
  readonly output: Json;
}

export type Turn =
  | { readonly kind: 'done'; readonly output: Json; readonly usage: Usage }
  | {
      readonly kind: 'calls';
      /** Attacker-controlled: a model asks for them. Ids are unique within the turn; 1-32 calls. */
      readonly calls: readonly { readonly id: string; readonly functionId: string; readonly input: Json }[];
      readonly transcript: Json;
      readonly usage: Usage;
    };

/** What a call has cost; charged to every ceiling layer that has a budget. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Millionths of a US dollar; 0 where no price is configured. */
  readonly costMicroUsd: number;
}

/** Limits as they are enforced; all set. */
export interface Limits {
  readonly timeoutMs: number;
  readonly memoryMiB: number;
  readonly outputBytes: number;
}

/**
 * Limits of one sandbox, as they are enforced. A name that is absent was not asked for: then the driver's own default
 * holds, where it has one. A driver refuses a name or value it can't enforce (SANDBOX_UNSUPPORTED).
 */
export interface SandboxLimits extends Limits {
  /** CPU time of all processes of the guest together. */
  readonly cpuMs?: number;
  /** Cores, fractions allowed. */
  readonly cpus?: number;
  /** Processes and threads at once, the sandbox's own one or two included. */
  readonly pids?: number;
  /** All files of the guest's working directory together. */
  readonly diskMiB?: number;
}

/** What runs, by digest only; the driver verifies that it is this one and no other. */
export type SandboxProgram =
  /** WASM: the bytes, of which the digest is recomputed. */
  | { readonly kind: 'module'; readonly digest: Digest; readonly bytes: Uint8Array }
  /** The id of an image, or with `repository` the digest of its manifest (`repository@digest`). Never pulled. */
  | { readonly kind: 'image'; readonly digest: Digest; readonly repository: string | null };

/** A regular file. `path` is relative, `/`-separated, without empty, `.` or `..` segments. */
export interface SandboxFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A folder or file of the host, as a program sees it at `target`. Both absolute and normalised. */
export interface SandboxMount {
  readonly source: string;
  readonly target: string;
  readonly mode: 'ro' | 'rw';
}

/** What a program in a sandbox may reach: these hosts by TLS and HTTP through a proxy of the runner, nothing else. */
export interface SandboxEgress {
  /**
   * `host:port` in lower case, as policy has allowed them. A name is reached at public addresses only; an address that is
   * private is reached where it is listed itself, with its port. At least one.
   */
  readonly hosts: readonly string[];
  /** Names of secrets: the program gets a placeholder of each, the proxy puts the value in, for declared hosts only. */
  readonly credentials: readonly string[];
  /** Both ways together, of everything that passes. */
  readonly bytes: number;
  /** Requests and tunnels, refused ones too. */
  readonly requests: number;
  /** Durable when it resolves. Called before anything is connected; a rejection means that nothing is, and ends the step. */
  record(decision: EgressDecision): Promise<void>;
}

/** One connection or request that a program asked for. */
export interface EgressDecision {
  /**
   * `host:port` as it was understood; null = no host could be read from it. `unlisted` = one that is not among `hosts`:
   * its name is text of the program's, which nobody is told.
   */
  readonly host: string | null;
  readonly verdict: 'allow' | 'deny';
  /** Why it was refused; null = it was not. No text of the program's. */
  readonly reason: string | null;
  /** Secrets whose values go into it. */
  readonly credentials: readonly string[];
}

/** Makes the ways out of sandboxes, one for each run of a program. */
export interface EgressProxies {
  /**
   * Starts nothing. Throws SANDBOX_UNSUPPORTED for a credential that no operator has declared for one of the hosts,
   * FUNCTION_UNAVAILABLE for one whose value is not known here or can't be sent.
   */
  check(egress: SandboxEgress): void;
  /** `socket` does not exist yet; who may connect to it, may do all that `egress` allows. */
  open(egress: SandboxEgress, socket: string): Promise<EgressProxy>;
}

export interface EgressProxy {
  /** Placeholders, by the variable that the program finds them in. */
  readonly env: Readonly<Record<string, string>>;
  /** Certificate of the authority that signs for intercepted hosts, PEM; null = nothing is intercepted. */
  readonly authority: string | null;
  /** Resolves when nothing may pass any more: a budget that is used up, too many refusals, or `record` that failed. */
  readonly ended: Promise<'egressBytes' | 'egressRequests' | 'egressRefused' | 'unrecorded'>;
  /** Every connection is cut. What passed, by host: whole numbers, for the evidence. */
  close(): Promise<JsonObject>;
}

/** There is no variable of the runner in any sandbox, and no network but `egress`: a request has no place for them. */
export interface SandboxRequest {
  /** argv[0] is the program of an image; a WASM guest sees it as its name. No shell unless argv names one. */
  readonly argv: readonly string[];
  /** Exactly these; nothing of the runner's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  readonly program: SandboxProgram;
  readonly limits: SandboxLimits;
  /** Absolute, the driver's working directory (the default) or below. */
  readonly cwd?: string;
  /** Put into the working directory (Docker) or /workspace (WASM) before the program starts. */
  readonly files?: readonly SandboxFile[];
  /** Of the host, as ceilings have allowed them; a driver refuses what can't be shown safely, or all of them. */
  readonly mounts?: readonly SandboxMount[];
  /** Absent = no network at all. */
  readonly egress?: SandboxEgress;
  /** Patterns of files, relative to where `files` are put, that are wanted back. `*` and `**` are wildcards. */
  readonly outputs?: readonly string[];
  /** The container runtime it must be; absent = the driver's own. */
  readonly runtime?: string;
  /** What a ceiling wants kept (policy's sandbox-promise.ts); a driver that can't keep one refuses. */
  readonly require?: readonly string[];
  /** Clock and random bytes that the program sees in place of the real ones; a driver that can't refuses. */
  readonly deterministic?: {
    /** 64 hex digits. */
    readonly seed: string;
    readonly nowMs: number;
  };
  /** The run it belongs to: the label by which an operator finds what is running. */
  readonly run?: string;
  /** Called with output as it comes, at most `outputBytes` together, not redacted: for people who watch, never stored. */
  readonly onOutput?: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void;
}

export type SandboxStatus =
  | 'exited'
  | 'timeout'
  | 'oom'
  | 'output-limit'
  /** It ended by itself, but left something else than a regular file where an output was wanted. */
  | 'output-refused'
  | 'cancelled'
  | 'crashed'
  | 'unavailable';

export interface SandboxResult {
  readonly status: SandboxStatus;
  readonly exitCode: number | null;
  readonly stdout: { readonly bytes: Uint8Array; readonly truncated: boolean };
  readonly stderr: { readonly bytes: Uint8Array; readonly truncated: boolean };
  /** What `outputs` asked for, sorted by path; absent unless it exited. Attacker-controlled, as stdout is. */
  readonly outputs?: readonly SandboxFile[];
  readonly usage: { readonly wallMs: number; readonly cpuMs?: number };
  /** The name of the limit that ended it. */
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
  readonly defaults: SandboxLimits;
  /** What this machine can keep; starts nothing that runs a guest. `ok: false` = `run` would be unavailable. */
  preflight(): Promise<{
    readonly ok: boolean;
    readonly evidence: JsonObject;
    readonly problems: readonly string[];
  }>;
  /**
   * Checks the request without starting the guest; the evidence goes into `sandbox.started` before the act.
   * Throws SANDBOX_UNSUPPORTED, SANDBOX_SPEC_INVALID, SANDBOX_MODULE_INVALID, SANDBOX_IMAGE_*, SANDBOX_RUNTIME_UNKNOWN,
   * SANDBOX_UNAVAILABLE, INTEGRITY_DIGEST.
   */
  prepare(request: SandboxRequest): Promise<JsonObject>;
  /** Never rejects for what the guest does; over within 2 s of an abort. */
  run(request: SandboxRequest, signal: AbortSignal): Promise<SandboxResult>;
  close(): Promise<void>;
}

/** Images that the operator has named, by name (`default`); null = no such name. Not looked up in the engine. */
export interface ImageNames {
  names(): readonly string[];
  image(name: string): Extract<SandboxProgram, { kind: 'image' }> | null;
}

/** A verified agent package: manifest -> config -> layer all hash to what names them. */
export interface AgentPackage {
  readonly digest: Digest;
  readonly name: string;
  readonly module: { readonly digest: Digest; readonly bytes: Uint8Array };
  readonly argv: readonly string[];
  /** `spec` of the package's ceiling layer; never absent. */
  readonly ceiling: Json;
  /** Policy text (Cedar) that narrows what the package may do; absent = it has none. */
  readonly policy?: string;
}

/** What a package would do, as its policy text is asked about it. */
export interface PackageAct {
  readonly action: 'network.egress' | 'tool.invoke' | 'secret.use';
  readonly resource: string;
}

/** `error`: the text could not be judged; `act` null = not even read. */
export interface PackageRefusal {
  readonly kind: 'denied' | 'error';
  readonly act: PackageAct | null;
  readonly reason: string;
}

/** Evaluates the policy text of packages, each as a set of its own, so that no permit of another one adds to it. */
export interface PackagePolicies {
  /**
   * Null when the text permits every act; else the first that it does not. Any error in the text, in one of its policies
   * or in the engine is a refusal; never rejects.
   */
  refusal(
    text: string,
    question: { readonly agent: string; readonly acts: readonly PackageAct[] },
  ): Promise<PackageRefusal | null>;
}

/** Content-addressed: a package is found by digest only and verified on every read (INTEGRITY_*). */
export interface PackageStore {
  resolve(digest: Digest): Promise<AgentPackage | null>;
}

/** WASM modules: those shipped in `sandbox/wasm` by name, through the sha256 manifest, and any that is kept by its digest. */
export interface ModuleStore {
  /** Shipped ones only. */
  names(): Promise<readonly string[]>;
  /** By name or `sha256:…`; INTEGRITY_DIGEST on other bytes. */
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

// --- artifacts ---------------------------------------------------------------------------------------------

/** Most bytes that one artifact holds: the most data that a run holds. */
export const MAX_ARTIFACT_BYTES = 64 * 1024 * 1024;

/** Bytes that never change, under the digest of what they are. */
export interface Artifact {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** A name refers to the artifact that was put under it last. */
export interface ArtifactName {
  /** `<bucket>/<key>`. */
  readonly name: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface ListedArtifact extends ArtifactName {
  /** When something was put under the name last. */
  readonly storedAtMs: number;
}

/**
 * Files that runs read items from and write results to, content-addressed. It knows nothing of policy. Errors: USAGE for
 * a name that `artifactNameProblem` refuses and for more than MAX_ARTIFACT_BYTES, INTEGRITY_DIGEST, and the fatal STORE_*.
 */
export interface Artifacts {
  digestOf(bytes: Uint8Array): Digest;
  /**
   * Durable when it resolves, bytes before name: a crash at any point leaves the name as it was or as it shall be, and
   * never a name of bytes that are not there. The same again changes nothing.
   */
  put(bytes: Uint8Array, name: string | null): Promise<Digest>;
  /** What the name refers to; null = there is none. INTEGRITY_DIGEST when the reference is of another name, or broken. */
  find(name: string): Promise<ArtifactName | null>;
  /** Hashed on every read; null = there is none. INTEGRITY_DIGEST when the bytes are others. */
  read(digest: Digest): Promise<Uint8Array | null>;
  /** Whether there are bytes of this digest; they are not looked at. */
  has(digest: Digest): Promise<boolean>;
  /** Names that begin so, in code unit order, at most `limit`. The prefix names a bucket and a `/` at least, or is empty. */
  list(prefix: string, limit: number): Promise<readonly ListedArtifact[]>;
  /**
   * Takes away those of the names that refer to these bytes, then the bytes themselves; false: another name refers to them,
   * and they stay. Absent when it resolves. A `put` of the same bytes at this moment is as if it came after.
   */
  remove(digest: Digest, names: readonly string[]): Promise<boolean>;
}

const ARTIFACT_BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
// Control and format characters, line and paragraph separators, lone surrogates: nothing that a person can't see.
const ARTIFACT_UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const MAX_ARTIFACT_KEY_BYTES = 1024;

/** Why `name` is no `<bucket>/<key>`, or null. It is attacker-controlled. */
export function artifactNameProblem(name: string): string | null {
  const at = name.indexOf('/');
  const key = name.slice(at + 1);
  if (at < 0 || !ARTIFACT_BUCKET.test(name.slice(0, at))) {
    return 'it does not begin with a bucket of 1 to 63 letters, digits, dots, hyphens, underscores, and a /';
  }
  // A character has a byte at least: what is far too long is not encoded to find that out.
  const bytes = key.length > MAX_ARTIFACT_KEY_BYTES ? key.length : new TextEncoder().encode(key).length;
  if (bytes > MAX_ARTIFACT_KEY_BYTES) return `its key has more than ${MAX_ARTIFACT_KEY_BYTES} bytes`;
  if (ARTIFACT_UNSEEN.test(key)) return 'its key holds characters that can not be seen';
  if (key.includes('\\')) return 'its key holds a backslash';
  const isPath = key.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
  return isPath ? null : 'its key has an empty segment, or . or ..';
}

// --- JSONata -----------------------------------------------------------------------------------------------

export type { Query, QueryAnswer };

/**
 * Evaluates the expressions of a query away from the runner: in a process with bounds on memory and time that is killed
 * when it exceeds them. Same query, same answer: time and random come with it. An expression's fault is an answer; it
 * rejects with SANDBOX_UNAVAILABLE only, when nothing could be evaluated here.
 */
export interface QueryEvaluator {
  evaluate(query: Query): Promise<QueryAnswer>;
  /** Ends what runs; resolves when no process is left. What is still asked for is answered with a failure or rejected. */
  close(): Promise<void>;
}

// --- dispatch ----------------------------------------------------------------------------------------------

/** What has to be done for a run now. */
export type Next =
  | { readonly kind: 'finished'; readonly run: RunRecord }
  /** A lost attempt that must not run again by itself; nothing of the run is running. */
  | { readonly kind: 'person'; readonly run: RunRecord }
  /** `approval`: nothing runs and nothing may start, people hold the run up. */
  | {
      readonly kind: 'work' | 'approval';
      readonly run: RunRecord;
      /** Step paths to `execute` now; none that is being executed. */
      readonly start: readonly string[];
      /** Step paths that are being executed and have to be stopped. */
      readonly stop: readonly string[];
      /** When to look again though nothing has happened: a timer, an expiry. Null = none. */
      readonly untilMs: number | null;
    };

/**
 * The moves of a run; all idempotent, all safe to repeat after a crash. The caller holds the run's lock from the first
 * of them to `leave`: in between the run is kept in memory.
 */
export interface RunSteps {
  /**
   * To be called when something may have happened: an `execute` has ended, a time has come, the store's change counter
   * has moved. One call at a time.
   */
  advance(runId: string): Promise<Next>;
  /** Carries out a step; resolves when its outcome is durable, or when there is nothing to do. Stops it when `signal` aborts. */
  execute(runId: string, stepPath: string, signal: AbortSignal): Promise<void>;
  /** Nothing of the run is being executed, and the lock is about to be released. */
  leave(runId: string): void;
}

/** At least once, one `advance` per run at a time, durable timers (from the store), survives kill -9. */
export interface Dispatcher {
  /** Drives the run until it has finished, or until `stopAt` says so. Throws RUN_BUSY when another process does. */
  drive(runId: string, options: DriveOptions): Promise<RunRecord>;
}

export interface DriveOptions {
  /** Aborted: what runs is stopped and `drive` returns the run as it stands. */
  readonly signal: AbortSignal;
  /** `waiting`: return as soon as the run waits for a person; `finished`: wait for the decision too. */
  readonly stopAt: 'waiting' | 'finished';
}
