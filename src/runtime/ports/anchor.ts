// Who vouches for the log outside this machine: witnesses and time stamp authorities.

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
