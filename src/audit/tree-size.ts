// Sizes and indices of the tree. BigInt throughout: a double loses the lowest digits above 2^53.

/** Largest size C2SP allows: 2^63-1. */
export const MAX_TREE_SIZE = 2n ** 63n - 1n;

/** How a caller may write a size or an index: bigint, safe integer, or decimal text. */
export type TreeSizeInput = bigint | number | string;

const DECIMAL = /^(?:0|[1-9][0-9]{0,18})$/;

/** Decimal, no sign, no leading zero, at most 2^63-1; null otherwise. */
export function parseTreeSize(text: string): bigint | null {
  if (!DECIMAL.test(text)) return null;
  const size = BigInt(text);
  return size <= MAX_TREE_SIZE ? size : null;
}

/** The size as a bigint, or null when it is not in 0..2^63-1 or not exact. */
export function toTreeSize(value: TreeSizeInput): bigint | null {
  if (typeof value === 'string') return parseTreeSize(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : null;
  if (typeof value !== 'bigint') return null;
  return value >= 0n && value <= MAX_TREE_SIZE ? value : null;
}
