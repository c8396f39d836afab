// Time as the log writes it: UTC, milliseconds, `Z`. One instant has one text.

const SHAPE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/;

/** Milliseconds since the Unix epoch, or null unless `text` is RFC 3339 in exactly this form and a real instant. */
export function parseTime(text: string): number | null {
  if (!SHAPE.test(text)) return null;
  const day = digits(text, 8, 2);
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const second = digits(text, 17, 2);
  // The days that every month of every year has need no second look; Date.UTC means 19xx by the years 0 to 99.
  if (day < 1 || day > 28 || hour > 23 || minute > 59 || second > 59 || text < '0100') return exactTime(text);
  const month = digits(text, 5, 2);
  if (month < 1 || month > 12) return null;
  return Date.UTC(digits(text, 0, 4), month - 1, day, hour, minute, second, digits(text, 20, 3));
}

function exactTime(text: string): number | null {
  const timeMs = Date.parse(text);
  return !Number.isNaN(timeMs) && new Date(timeMs).toISOString() === text ? timeMs : null;
}

/** The number that `count` digits from `at` on write. */
function digits(text: string, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) value = value * 10 + text.charCodeAt(i) - 48;
  return value;
}

/** `2026-03-01T09:30:00.123Z`; null outside the years 0 to 9999. */
export function formatTime(timeMs: number): string | null {
  if (timeMs === last.timeMs) return last.text;
  const date = new Date(timeMs);
  const iso = Number.isNaN(date.getTime()) ? '' : date.toISOString();
  const text = SHAPE.test(iso) ? iso : null;
  last = { timeMs, text };
  return text;
}

/** The entries of one commit have one time. */
let last: { readonly timeMs: number; readonly text: string | null } = { timeMs: Number.NaN, text: null };
