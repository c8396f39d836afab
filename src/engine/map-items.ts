// The items of a Map of dialect 2 (ASL: Map): from a list, an object or a reader, selected, in batches.
import { canonicalJson } from '../canonical-json.js';
import { WritError } from '../errors.js';

import { isList, isObject, type Json, type JsonObject } from '../json.js';
import type { Each, ItemReader } from '../workflow/plan.js';
import { amountIn, NO_PERCENTAGE, unexpected, type Values } from './amount.js';
import type { MapState } from './state.js';

const UTF8 = new TextEncoder();

/** Bounds of a Map, from its values at entry. */
export function mapState(each: Each, values: Values, keys: readonly string[] | null): MapState {
  const { distributed } = each;
  const percentage = amountIn(distributed?.toleratedPercentage, 'ToleratedFailurePercentage', values);
  if (percentage !== null && percentage > 100) {
    throw new WritError('STEP_PATH_UNRESOLVED', NO_PERCENTAGE);
  }
  return {
    concurrency: amountIn(each.concurrency, 'MaxConcurrency', values) ?? 0,
    toleratedCount: amountIn(distributed?.toleratedCount, 'ToleratedFailureCount', values),
    toleratedPercentage: percentage,
    failed: 0,
    keys,
    writing: values['ResultWriter/Arguments'] ?? null,
  };
}

/** Of a reader: null = all, which 0 says too. Throws STEP_ITEM_READER for a negative number. */
export function itemLimit(reader: ItemReader, values: Values): number | null {
  const { maxItems } = reader.config;
  const value = values['MaxItems'];
  if (maxItems !== null && typeof value === 'number' && Number.isInteger(value) && value < 0)
    throw new WritError('STEP_ITEM_READER', 'field MaxItems must be positive');
  return amountIn(maxItems, 'MaxItems', values) || null;
}

/** More items have failed than the Map tolerates, of `total`. */
export function isIntolerable(
  {
    failed,
    toleratedCount,
    toleratedPercentage,
  }: Pick<MapState, 'failed' | 'toleratedCount' | 'toleratedPercentage'>,
  total: number,
): boolean {
  if (failed === 0) return false;
  if (toleratedCount === null && toleratedPercentage === null) return true;
  if (toleratedCount !== null && failed > toleratedCount) return true;
  return toleratedPercentage !== null && (failed * 100) / Math.max(total, 1) > toleratedPercentage;
}

export interface Items {
  readonly list: readonly Json[];
  readonly keys: readonly string[] | null;
}

/** A list; of a distributed Map in JSONata also an object, an item per entry. */
export function itemsFrom(each: Each, given: Json): Items {
  if (isList(given)) return { list: given, keys: null };
  const mayBeObject = each.distributed != null && each.items.kind !== 'path';
  if (mayBeObject && isObject(given)) return { list: Object.values(given), keys: Object.keys(given) };
  const { items } = each;
  if (items.kind === 'value') {
    const query = typeof items.value === 'string' ? items.value : JSON.stringify(items.value);
    throw unexpected(query, 'Items', 'array', given);
  }
  const where = items.kind === 'path' ? `"${items.path}"` : 'ItemReader';
  throw new WritError('STEP_PATH_UNRESOLVED', `Reference path ${where} must point to array.`);
}

/** Items of one child each, or as many as a batch may hold. Throws when one alone is more than a batch's bytes. */
export function batchesOf(each: Each, values: Values, items: readonly Json[]): readonly Json[] {
  const batcher = each.distributed?.batcher ?? null;
  if (batcher === null) return items;
  // 0 is no bound, as where none is given.
  const maxItems = amountIn(batcher.maxItems, 'MaxItemsPerBatch', values) || Infinity;
  const maxBytes = amountIn(batcher.maxInputBytes, 'MaxInputBytesPerBatch', values) || Infinity;
  const batchInput = values['ItemBatcher/BatchInput'];
  const shell: JsonObject = batchInput === undefined ? {} : { BatchInput: batchInput };
  const empty = bytesOf({ ...shell, Items: [] });
  const batches: JsonObject[] = [];
  let held: Json[] = [];
  let bytes = empty;
  const flush = (): void => {
    if (held.length > 0) batches.push({ ...shell, Items: held });
    held = [];
    bytes = empty;
  };
  for (const item of items) {
    const size = bytesOf(item) + 1;
    if (empty + size > maxBytes) {
      throw new WritError(
        'STEP_DATA_LIMIT',
        `An item of ${size} bytes does not fit into a batch of ${maxBytes}.`,
      );
    }
    if (held.length >= maxItems || bytes + size > maxBytes) flush();
    held.push(item);
    bytes += size;
  }
  flush();
  return batches;
}

function bytesOf(value: Json): number {
  return UTF8.encode(canonicalJson(value)).length;
}
