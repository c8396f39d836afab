// Values of an entry's data (attacker-controlled) as the words and numbers of a timeline: what is of another type is absent.
import { isList, type Json } from '../../json.js';

/** With the words before it; nothing when it is absent. */
export function optional(before: string, value: Json | undefined): string {
  return value === null || value === undefined ? '' : `${before}${shown(value)}`;
}

/** Empty for what is no list. */
export function listOf(value: Json | undefined): readonly Json[] {
  return isList(value) ? value : [];
}

/** Null for what is no text. */
export function textOf(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

/** Null for what is no number. */
export function countOf(value: Json | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

/** Any value as text; what is absent is a dash. */
export function shown(value: Json | undefined): string {
  if (value === null || value === undefined) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
