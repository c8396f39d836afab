// A parsed path of dialect 2 (ASL: paths) and its budgets. Plain data, made by parse.ts only.
import type { Json } from '../../json.js';

/** Longest path, in UTF-16 units. */
export const PATH_MAX_LENGTH = 1024;
export const PATH_MAX_SEGMENTS = 64;
/** Parentheses, negations and filters inside one another. */
export const FILTER_MAX_DEPTH = 16;
/** Values one reading of a path may look at. */
export const PATH_MAX_VISITS = 100_000;

export interface Path {
  readonly source: string;
  /** `$` = the value given, `$$` = the context object, `$name` = a variable; `@` only inside a filter. */
  readonly root: 'input' | 'context' | 'current' | { readonly variable: string };
  readonly segments: readonly Segment[];
  /** Only names and single indices: at most one value. */
  readonly definite: boolean;
  /** It gives a value, not a list of matches: definite, or a part of the one object that it leads to. */
  readonly single: boolean;
  /** At the end of the path, on its value; on the list of matches when the path is indefinite. */
  readonly function: PathFunction | null;
}

/** A name, an index (from the end when negative), or what may match several values. */
export type Segment = string | number | ManySegment;

export type ManySegment =
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'union'; readonly of: readonly (string | number)[] }
  /** `['a','b']` at the end of a path: the part of an object with these names (Jayway). */
  | { readonly kind: 'part'; readonly of: readonly string[] }
  | {
      readonly kind: 'slice';
      readonly from: number | null;
      readonly to: number | null;
      readonly step: number;
    }
  | { readonly kind: 'filter'; readonly test: Filter }
  /** `..`: at the value and everything below it. */
  | { readonly kind: 'scan'; readonly of: Exclude<Segment, { readonly kind: 'scan' }> };

export const PATH_FUNCTIONS = ['length', 'min', 'max', 'sum', 'avg'] as const;
export type PathFunction = (typeof PATH_FUNCTIONS)[number];

export type Filter =
  | { readonly kind: 'and' | 'or'; readonly left: Filter; readonly right: Filter }
  | { readonly kind: 'not'; readonly of: Filter }
  | { readonly kind: 'exists'; readonly path: Path }
  | {
      readonly kind: 'compare';
      readonly operator: FilterOperator;
      readonly left: Operand;
      readonly right: Operand;
    };

export type FilterOperator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'nin';
export type Operand = { readonly path: Path } | { readonly value: Json };
