// The log outside the store: its key, its directory of files, and what this machine remembers of it.

/** The log's signing key. `sign` gives the 64-byte Ed25519 signature of `message`. */
export interface Signer {
  /** C2SP vkey, `<origin>+<key id>+<base64>`. */
  readonly vkey: string;
  sign(message: Uint8Array): Uint8Array;
  /** Reads the key again, which another process may have replaced: `vkey` and `sign` are of what is there now. */
  reload?(): void;
}

/**
 * Where the log's key lies, and its successor while it is being replaced (runtime/log/key-rotation.ts). The caller holds
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

/** The tile directory of the log (audit/FORMAT.md). */
export interface LogDirectory {
  /** Atomic and durable when it resolves; an fsync error is STORE_IO and fatal. Path is relative, `/`-separated. */
  put(path: string, bytes: Uint8Array): Promise<void>;
  get(path: string): Promise<Uint8Array | null>;
  /** Absent when it resolves; a crash may bring the file back. */
  remove(path: string): Promise<void>;
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
