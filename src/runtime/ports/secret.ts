// Values that must not be stored or shown.

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
