// Time as the log writes it: UTC, milliseconds, `Z`. One instant has one text.

import { unitAt, unitsOf, type CodeUnits } from './code-units.js';

export const TIME_LENGTH = '2026-03-01T09:30:00.123Z'.length;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;

/** Milliseconds since the Unix epoch, or null unless `text` is RFC 3339 in exactly this form and a real instant. */
export function parseTime(text: string): number | null {
  return text.length === TIME_LENGTH ? timeAt(unitsOf(text), 0) : null;
}

/** As `parseTime`, of the TIME_LENGTH marks from `at` on. */
export function timeAt(units: CodeUnits, at: number): number | null {
  const year = two(units, at) * 100 + two(units, at + 2);
  const month = two(units, at + 5);
  const day = two(units, at + 8);
  const hour = two(units, at + 11);
  const minute = two(units, at + 14);
  const second = two(units, at + 17);
  const ms = digit(units, at + 20) * 100 + two(units, at + 21);
  // Written so that NaN is refused too.
  const inRange = month >= 1 && month <= 12 && day >= 1 && hour <= 23 && minute <= 59 && second <= 59;
  if (!inRange || !(year + ms >= 0) || !hasMarks(units, at)) return null;
  const timeMs = Date.UTC(year, month - 1, day, hour, minute, second, ms);
  // The days that every month of every year has need no second look; Date.UTC means 19xx by the years 0 to 99.
  return day <= 28 && year >= 100 ? timeMs : exactTime(units.subarray(at, at + TIME_LENGTH));
}

function exactTime(units: CodeUnits): number | null {
  const text = String.fromCharCode(...units);
  const timeMs = Date.parse(text);
  return !Number.isNaN(timeMs) && new Date(timeMs).toISOString() === text ? timeMs : null;
}

function hasMarks(units: CodeUnits, at: number): boolean {
  return (
    unitAt(units, at + 4) === MINUS &&
    unitAt(units, at + 7) === MINUS &&
    unitAt(units, at + 10) === LETTER_T &&
    unitAt(units, at + 13) === COLON &&
    unitAt(units, at + 16) === COLON &&
    unitAt(units, at + 19) === POINT &&
    unitAt(units, at + 23) === LETTER_Z
  );
}

function two(units: CodeUnits, at: number): number {
  return digit(units, at) * 10 + digit(units, at + 1);
}

function digit(units: CodeUnits, at: number): number {
  const value = unitAt(units, at) - ZERO;
  return value >= 0 && value <= 9 ? value : Number.NaN;
}

/** `2026-03-01T09:30:00.123Z`; null outside the years 0 to 9999. */
export function formatTime(timeMs: number): string | null {
  if (timeMs === last.timeMs) return last.text;
  const date = new Date(timeMs);
  const iso = Number.isNaN(date.getTime()) ? '' : date.toISOString();
  const text = iso.length === TIME_LENGTH ? iso : null;
  last = { timeMs, text };
  return text;
}

/** The entries of one commit have one time. */
let last: { readonly timeMs: number; readonly text: string | null } = { timeMs: Number.NaN, text: null };
