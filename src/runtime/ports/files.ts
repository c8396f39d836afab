// Locks between processes, and files that leave this installation.

/** Exclusive locks between processes; the operating system frees them when the holder dies, however it dies. */
export interface Locks {
  /** The lock, or null when a living process holds it. */
  tryHold(name: string): Lock | null;
  /** Waits at most `timeoutMs`; STORE_BUSY after that. */
  hold(name: string, timeoutMs: number): Promise<Lock>;
  /** Those that are held, and those that a killed holder has left; holding and releasing one removes it. In no order. */
  names(): readonly string[];
}

export interface Lock {
  readonly name: string;
  release(): void;
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

/** Files that were handed out (`HandedOutCopy`). */
export interface CopyFiles {
  /** Whether the file at `path` holds one of these texts. Links are not followed. */
  look(path: string, texts: readonly string[]): Promise<'absent' | 'holds' | 'clean' | 'unreadable'>;
  /** False when it can't be removed. */
  remove(path: string): Promise<boolean>;
}
