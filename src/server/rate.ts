// How often one caller may ask: a bucket each that fills evenly. Memory is bounded; when too many callers are known, the
// one that was quiet for longest is forgotten.

const MAX_CALLERS = 10_000;

export interface RateLimit {
  /** 0 = go on; else the seconds after which it is worth asking again. */
  take(caller: string, nowMs: number): number;
}

/** A caller may ask `perMinute` times at once, and as often in each minute after that. */
export function openRateLimit(perMinute: number): RateLimit {
  // In the order of their last request.
  const buckets = new Map<string, { left: number; atMs: number }>();
  return {
    take(caller, nowMs) {
      const known = buckets.get(caller);
      const passedMs = known === undefined ? 0 : Math.max(0, nowMs - known.atMs);
      const left = Math.min(perMinute, (known?.left ?? perMinute) + (passedMs * perMinute) / 60_000);
      buckets.delete(caller);
      buckets.set(caller, { left: left >= 1 ? left - 1 : left, atMs: nowMs });
      const [quietest] = buckets.size > MAX_CALLERS ? buckets.keys() : [];
      if (quietest !== undefined) buckets.delete(quietest);
      return left >= 1 ? 0 : Math.ceil(((1 - left) * 60) / perMinute);
    },
  };
}
