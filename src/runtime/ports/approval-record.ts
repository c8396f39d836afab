// What the store keeps of requests for approval and of tasks that wait for an answer from outside.
import type { Commitment, Hex, SubjectDigest } from '../../json.js';
import type { ApprovalMode } from '../../workflow/plan.js';

/** In the order in which people are told of them. */
export const APPROVAL_STATES = [
  'pending',
  'approved',
  'denied',
  'expired',
  'withdrawn',
  'revoked',
  'consumed',
] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

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
  /**
   * The repository that the verified bytes of the package name, under which deciding needs a right, too. Absent = nothing
   * packaged is called, or a version that did not write it down has asked: then nobody decides, and it is asked for again.
   */
  readonly repository?: string;
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
  /**
   * Who last had it made again before it was asked for: by a redrive of the run, or of this step after a crash. They count
   * as requester. Absent = nobody, or nobody knows.
   */
  readonly redriver?: string;
  /** Who wrote the workflow, where policy bars them from deciding. Absent = it does not. */
  readonly author?: string;
  /** Absent = no emergency vote was cast. */
  readonly review?: ApprovalReview;
}

/** `used`: the run has gone on with the answer. `expired`: none came in time. `withdrawn`: none is wanted any more. */
export const TASK_STATES = ['open', 'answered', 'used', 'expired', 'withdrawn'] as const;
export type TaskState = (typeof TASK_STATES)[number];

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
  /** `person`: not by who started the run, nor by its `redriver`. */
  readonly separationOfDuties: boolean;
  /** `person`: who last had it made again before it was asked, as for an approval; absent = nobody. */
  readonly redriver?: string;
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
  /** `ed25519:<base64>`; null under every assurance but `key`. */
  readonly keyId: string | null;
  /** Base64 Ed25519 over the answer (approval/task-answer.ts); null under every assurance but `key`. */
  readonly signature: string | null;
  /** When it was signed, or came. */
  readonly atMs: number;
  /** The output, or `{error, cause}`. */
  readonly payload: Commitment;
}

/** Which tasks, and which part of them, in the order of the list. */
export interface TaskFilter {
  readonly run?: string;
  readonly states?: readonly TaskState[];
  /** Only those behind this one. */
  readonly after?: Pick<TaskRecord, 'createdAtMs' | 'id'>;
  /** Absent = all. */
  readonly limit?: number;
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
