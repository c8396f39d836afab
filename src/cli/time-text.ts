// Times and durations as the command line writes them: UTC, so that two people read the same thing.

/** `2026-03-01 09:30:00Z` */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** `09:30:00` */
export function clockText(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

/** `840 ms`, `2.4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; never negative. */
export function durationText(ms: number): string {
  const clamped = Math.max(0, Math.round(ms));
  if (clamped < 1000) return `${clamped} ms`;
  if (clamped < 60_000) return `${(Math.floor(clamped / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(clamped / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
