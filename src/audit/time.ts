// Time as the log writes it: UTC, milliseconds, `Z`. One instant has one text.

const SHAPE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/;

/** Milliseconds since the Unix epoch, or null unless `text` is RFC 3339 in exactly this form and a real instant. */
export function parseTime(text: string): number | null {
  if (!SHAPE.test(text)) return null;
  const timeMs = Date.parse(text);
  return !Number.isNaN(timeMs) && new Date(timeMs).toISOString() === text ? timeMs : null;
}

/** `2026-03-01T09:30:00.123Z`; null outside the years 0 to 9999. */
export function formatTime(timeMs: number): string | null {
  const date = new Date(timeMs);
  const text = Number.isNaN(date.getTime()) ? '' : date.toISOString();
  return SHAPE.test(text) ? text : null;
}
