// Where a verification reads a log from. Everything a source gives is attacker-controlled.

/** Paths are relative to the log's directory and `/`-separated. */
export interface LogSource {
  /** The file's bytes, null when there is none. May cut off what is longer than any valid file. */
  get(path: string): Promise<Uint8Array | null>;
  /** As `get`, of what is there by now: for a source whose `get` keeps to what it gave first. */
  reread?(path: string): Promise<Uint8Array | null>;
  /**
   * Every file, depth first, names ascending within a directory; `under` limits it to that directory
   * (`checkpoints`). A source that can't list (a web server) leaves it out: files beyond the tree and older
   * checkpoints then can't be found, and the report says so.
   */
  list?(under?: string): AsyncIterable<string>;
}
