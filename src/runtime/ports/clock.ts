// Time and chance, which nothing else takes from the process: both come in through here.

export interface Clock {
  /** Milliseconds since the Unix epoch, UTC. */
  nowMs(): number;
  /** Resolves at or after `timeMs`, or at once when `signal` aborts. Any distance; never fires early. */
  sleepUntil(timeMs: number, signal: AbortSignal): Promise<void>;
  /**
   * Resolves after `durationMs`, or at once when `signal` aborts, however the clock is set meanwhile. Never early. What the
   * machine sleeps through need not count.
   */
  sleep(durationMs: number, signal: AbortSignal): Promise<void>;
}

export interface Random {
  /** `n` bytes from a cryptographic source. */
  bytes(n: number): Uint8Array;
}
