// Reads one column of a row as the type it must have. The file may have been written by something else, so nothing
// is believed: a wrong type, word or shape is STORE_IO that names the column, never the value.
import { isHex64, isList, isObject, readJson, type Json, type JsonObject } from '../../../json.js';
import { WritError } from '../../../errors.js';

/** A row as the driver gives it, read with safe integers. */
export type Row = Readonly<Record<string, unknown>>;

/** Checks that a driver's result is a row. */
export function asRow(value: unknown): Row {
  if (!isRow(value)) throw damaged('row');
  return value;
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null;
}

export function text(row: Row, name: string): string {
  const value = row[name];
  if (typeof value !== 'string') throw damaged(name);
  return value;
}

export function textOrNull(row: Row, name: string): string | null {
  return row[name] === null ? null : text(row, name);
}

export function bigint(row: Row, name: string): bigint {
  const value = row[name];
  if (typeof value !== 'bigint') throw damaged(name);
  return value;
}

/** An integer that a double holds exactly. */
export function integer(row: Row, name: string): number {
  const value = Number(bigint(row, name));
  if (!Number.isSafeInteger(value)) throw damaged(name);
  return value;
}

export function integerOrNull(row: Row, name: string): number | null {
  return row[name] === null ? null : integer(row, name);
}

export function bytes(row: Row, name: string): Uint8Array {
  const value = row[name];
  if (!(value instanceof Uint8Array)) throw damaged(name);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

export function bytesOrNull(row: Row, name: string): Uint8Array | null {
  return row[name] === null ? null : bytes(row, name);
}

/** 64 lower-case hex digits; the result fits every branded hex type. */
export function hex64(row: Row, name: string): ReturnType<typeof checkHex> {
  return checkHex(text(row, name), name);
}

export function hex64OrNull(row: Row, name: string): ReturnType<typeof checkHex> | null {
  return row[name] === null ? null : hex64(row, name);
}

/** As hex64 for a text that is not a column by itself. */
export function checkHex(value: unknown, name: string) {
  if (typeof value !== 'string' || !isHex64(value)) throw damaged(name);
  return value;
}

export function oneOf<Word extends string>(words: readonly Word[], value: unknown, name: string): Word {
  const found = words.find((word) => word === value);
  if (found === undefined) throw damaged(name);
  return found;
}

export function json(row: Row, name: string): Json {
  try {
    return readJson(text(row, name));
  } catch (error) {
    throw damaged(name, error);
  }
}

export function jsonObject(row: Row, name: string): JsonObject {
  const value = json(row, name);
  if (!isObject(value)) throw damaged(name);
  return value;
}

export function jsonArray(row: Row, name: string): readonly Json[] {
  const value = json(row, name);
  if (!isList(value)) throw damaged(name);
  return value;
}

/** STORE_IO for a column that doesn't hold what this code writes. */
export function damaged(name: string, cause?: unknown): WritError {
  return new WritError('STORE_IO', `the store holds an unreadable value in column ${name}`, {
    hint: 'stop, keep a copy of the data directory, restore a backup and run writ audit verify on it',
    cause,
  });
}
