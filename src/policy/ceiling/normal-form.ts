// How lists of a ceiling are written down: sorted, without duplicates, and absent where they say nothing, so that the same
// words always give the same text and the same hash.
import type { Classification, LimitName, LimitSet, Rate } from './ceiling.js';
import { compareText } from '../file/diagnostic.js';

export function sorted<T extends string>(values: readonly T[]): readonly T[] {
  return values.length < 2 ? values : [...new Set(values)].toSorted(compareText);
}

/** Sorted and free of duplicates; values are built with a fixed key order, so their JSON is their identity. */
export function unique<T>(values: readonly T[]): readonly T[] {
  if (values.length < 2) return values;
  const byText = new Map(values.map((value) => [JSON.stringify(value), value]));
  return [...byText].toSorted(([a], [b]) => compareText(a, b)).map(([, value]) => value);
}

export function limitSet(entries: readonly (readonly [LimitName, number])[]): LimitSet {
  return Object.fromEntries(entries.toSorted(([a], [b]) => compareText(a, b)));
}

/** Absent where nothing is required: such a ceiling is the same as before there was the word. */
export function required(promises: readonly string[]): { readonly require?: readonly string[] } {
  return promises.length === 0 ? {} : { require: sorted(promises) };
}

/** Absent where nobody is required: such a ceiling is the same as before there was the word. */
export function signers(names: readonly string[]): { readonly requireSigners?: readonly string[] } {
  return names.length === 0 ? {} : { requireSigners: sorted(names) };
}

export function classified(most: Classification | undefined): {
  readonly maxClassification?: Classification;
} {
  return most === undefined ? {} : { maxClassification: most };
}

/** Absent where nothing is counted: such a ceiling is the same as before there was the word. */
export function metered(rates: readonly Rate[]): { readonly rates?: readonly Rate[] } {
  return rates.length === 0 ? {} : { rates };
}
