// Keywords of a JSON Schema that comes from a document: which ones are refused before it is compiled, and where a key is
// no keyword. One list, for the inputs of a workflow and for what a model has to answer with.

/**
 * Regular expressions that may run for ever, references that may unfold without end, comparing every pair of items, and
 * an answer that comes later and so counts as yes.
 */
export const REFUSED_KEYWORDS: ReadonlySet<string> = new Set([
  'pattern',
  'patternProperties',
  '$ref',
  '$dynamicRef',
  '$recursiveRef',
  'uniqueItems',
  '$async',
]);

/** Below these a key is the name of a field: a field may be called `pattern`. */
export const NAME_KEYWORDS: ReadonlySet<string> = new Set([
  'properties',
  '$defs',
  'definitions',
  'dependentSchemas',
]);

/** Below these stands data, and no keyword. */
export const DATA_KEYWORDS: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples']);
