// What a workflow's `inputs` give where a run's input says nothing: `default` of a property, at any depth, also in the
// items of a list. Filled in before the input is checked and recorded: a run has one input, and this is part of it.
import { WritError } from '../errors.js';

import { isList, isObject, type Json } from '../json.js';
import { DATA_KEYWORDS, NAME_KEYWORDS } from '../schema-keywords.js';
import type { Finding } from './diagnostic.js';
import { field, type Located, type Segments, toJson } from './located.js';

/** Characters of JSON that defaults may give one input: those within the items of lists multiply. */
const MOST_FILLED = 4 * 1024 * 1024;
/** Each is compiled to be tried; beyond so many a default that fits nothing is found with the input. */
const MOST_TRIED = 256;

/** `input` with what `schema` gives; the same value where it gives nothing. Throws INPUT_INVALID where that is too much. */
export function withDefaults(schema: Json, input: Json): Json {
  return filledIn(schema, input, { left: MOST_FILLED });
}

function filledIn(schema: Json, input: Json, room: { left: number }): Json {
  if (!isObject(schema)) return input;
  const { properties, items, prefixItems } = schema;
  if (isList(input)) {
    // `items` is about those that come after `prefixItems` (JSON Schema 2020-12, 10.3.1.2).
    const before = prefixItems !== undefined && isList(prefixItems) ? prefixItems.length : 0;
    return isObject(items)
      ? input.map((item, at) => (at < before ? item : filledIn(items, item, room)))
      : input;
  }
  if (!isObject(input) || !isObject(properties)) return input;
  const filled = Object.entries(properties).flatMap(([name, inner]): [string, Json][] => {
    if (Object.hasOwn(input, name)) return [[name, filledIn(inner, input[name] ?? null, room)]];
    const given = isObject(inner) && Object.hasOwn(inner, 'default') ? inner['default'] : undefined;
    if (given === undefined) return [];
    room.left -= JSON.stringify(given).length;
    if (room.left < 0) {
      throw new WritError('INPUT_INVALID', 'the defaults of `inputs` fill in more than 4 MiB', {
        hint: 'give smaller defaults, or fewer in the items of lists',
      });
    }
    return [[name, filledIn(inner, given, room)]];
  });
  return { ...input, ...Object.fromEntries(filled) };
}

/** A `default` that no input can have, and one that stands where none is filled in. */
export function* defaultFaults(
  schema: Located,
  at: Segments,
  misfit: (schema: Json, value: Json) => string | null,
): Generator<Finding> {
  let tried = 0;
  const some: typeof misfit = (inner, value) => {
    tried += 1;
    return tried > MOST_TRIED ? null : misfit(inner, value);
  };
  yield* faultsIn({ schema, at, isReached: true, isProperty: false }, some);
}

interface Here {
  readonly schema: Located;
  readonly at: Segments;
  /** By `properties` and `items` only. */
  readonly isReached: boolean;
  readonly isProperty: boolean;
}

function* faultsIn(
  { schema, at, isReached, isProperty }: Here,
  misfit: (schema: Json, value: Json) => string | null,
): Generator<Finding> {
  const own = field(schema, 'default');
  if (own !== undefined) yield* ownFault(schema, own.value, at, isReached && isProperty, misfit);
  if (schema.kind === 'list') {
    for (const [i, item] of schema.items.entries())
      yield* faultsIn({ schema: item, at: [...at, i], isReached: false, isProperty: false }, misfit);
  }
  if (schema.kind !== 'map') return;
  for (const { key, value } of schema.entries) {
    const below: Segments = [...at, key];
    if (NAME_KEYWORDS.has(key) && value.kind === 'map') {
      const isReachedBelow = isReached && key === 'properties';
      for (const { key: name, value: inner } of value.entries)
        yield* faultsIn(
          { schema: inner, at: [...below, name], isReached: isReachedBelow, isProperty: true },
          misfit,
        );
    } else if (!DATA_KEYWORDS.has(key)) {
      yield* faultsIn(
        { schema: value, at: below, isReached: isReached && key === 'items', isProperty: false },
        misfit,
      );
    }
  }
}

function* ownFault(
  schema: Located,
  given: Located,
  at: Segments,
  isFilledIn: boolean,
  misfit: (schema: Json, value: Json) => string | null,
): Generator<Finding> {
  if (!isFilledIn) {
    yield {
      code: 'DOC_FIELD_IGNORED',
      severity: 'warning',
      message: 'this default is not filled in',
      hint: 'a default counts below `properties`, also in `items`; not below anyOf, oneOf, if and the like',
      at: [...at, 'default'],
      onKey: true,
    };
    return;
  }
  const json = toJson(schema);
  const problem = misfit(json, withDefaults(json, toJson(given)));
  if (problem === null) return;
  yield {
    code: 'DOC_INVALID',
    message: `the default does not fit its own schema: ${problem}`,
    hint: 'give one that fits, or none',
    at: [...at, 'default'],
  };
}
