// Reads one value inside of a column that holds JSON as the type it must have: as column.ts, STORE_IO names the column.
import { isList, type Json } from '../../../json.js';
import { damaged } from './column.js';

export function listOf(value: Json | undefined, column: string): readonly Json[] {
  if (!isList(value)) throw damaged(column);
  return value;
}

export function words(value: Json | undefined, column: string): readonly string[] {
  return listOf(value, column).map((one) => word(one, column));
}

export function word(value: Json | undefined, column: string): string {
  if (typeof value !== 'string') throw damaged(column);
  return value;
}

/** null is no absence: a value that is not there is damage. */
export function wordOrNull(value: Json | undefined, column: string): string | null {
  return value === null ? null : word(value, column);
}

/** An integer that a double holds exactly. */
export function whole(value: Json | undefined, column: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw damaged(column);
  return value;
}
