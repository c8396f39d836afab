// Map states (ASL: Map): what becomes an item, how many run at once, and what DISTRIBUTED adds.
import type { Distributed, Each, ForkNode, ItemReader, ResultWriter } from '../plan.js';
import { flowOf } from './data-flow.js';
import { catchersOf, retriersOf } from './errors.js';
import type { Fields } from './fields.js';
import { entryApprovalOf, type NodeBase } from './task.js';
import { refusal } from './unsupported.js';

/** Longest label, in code points. */
const LABEL_MAX = 40;
const LABEL_REFUSED = /[\s\p{Cc}?*<>{}[\]"#%\\^|~`$&,;:/]/u;
const READS = /^(?:artifact:read|file:read|arn:[^:]*:states:[^:]*:[^:]*:s3:(?:getObject|listObjectsV2))$/;
const WRITES = /^(?:artifact:write|arn:[^:]*:states:[^:]*:[^:]*:s3:putObject)$/;
const DISTRIBUTED_ONLY = ['itemReader', 'itemBatcher', 'resultWriter'];
const DISTRIBUTED_LIMITS = ['toleratedFailureCount', 'toleratedFailurePercentage'].flatMap((name) => [
  name,
  `${name}Path`,
]);

/** The field that holds a Map's states: `itemProcessor`, or its older name. */
function processorOf(state: Fields): Fields | null {
  return state.inner('itemProcessor') ?? state.inner('iterator');
}

/** A Map that names no mode is DISTRIBUTED when it has what only such a Map has. */
export function isDistributed(state: Fields): boolean {
  const mode = processorOf(state)?.inner('processorConfig')?.text('mode') ?? null;
  return mode === null ? DISTRIBUTED_ONLY.some((name) => state.has(name)) : mode === 'DISTRIBUTED';
}

/** Are the items of a DISTRIBUTED Map EXPRESS runs, in which nothing waits? */
export function hasExpressItems(state: Fields): boolean {
  return processorOf(state)?.inner('processorConfig')?.text('executionType') === 'EXPRESS';
}

/** null when it has no states to run. */
export function mapOf(base: NodeBase, state: Fields, next: string | null, express: boolean): ForkNode | null {
  state.exclusive('itemProcessor', 'iterator');
  state.exclusive('itemSelector', 'parameters');
  if (!state.has('itemProcessor') && !state.has('iterator')) {
    state.missing('a Map has no "itemProcessor"', 'add itemProcessor: {startAt, states}');
  }
  const processor = processorOf(state);
  const distributed = isDistributed(state);
  if (distributed && express) {
    state.wrong('an EXPRESS machine has no DISTRIBUTED Map', 'make it STANDARD, or use INLINE', [], true);
  }
  if (!distributed) checkInline(state);
  else if (processor?.inner('processorConfig')?.has('mode') !== true) {
    const message = 'the Map names no mode and is taken as DISTRIBUTED';
    const hint = 'write processorConfig: {mode: DISTRIBUTED} in itemProcessor';
    state.add({ code: 'DOC_MISSING_FIELD', severity: 'warning', message, hint, at: [], onKey: true });
  }
  const items = itemsOf(state, distributed);
  const concurrency = state.amount('maxConcurrency') ?? 0;
  const selector = state.payload(state.has('itemSelector') ? 'itemSelector' : 'parameters');
  const each: Each = {
    items,
    concurrency,
    ...(selector === undefined ? {} : { selector }),
    distributed: distributedOf(state, distributed),
  };
  const flow = flowOf(state, true);
  const gate = entryApprovalOf(state);
  const retry = retriersOf(state);
  const catchers = catchersOf(state);
  const start = processor?.text('startAt') ?? null;
  if (start === null) return null;
  const lanes = [{ start, each }];
  return { ...base, kind: 'fork', form: 'map', lanes, flow, ...gate, retry, catch: catchers, next };
}

function checkInline(state: Fields): void {
  for (const name of DISTRIBUTED_ONLY) {
    if (!state.has(name)) continue;
    const hint = 'write processorConfig: {mode: DISTRIBUTED} in itemProcessor';
    state.wrong(`"${name}" is for a DISTRIBUTED Map`, hint, [name], true);
  }
  for (const name of [...DISTRIBUTED_LIMITS, 'label']) {
    if (state.has(name)) state.ignored(`"${name}" is for a DISTRIBUTED Map`, 'take it out', [name]);
  }
}

function itemsOf(state: Fields, distributed: boolean): Each['items'] {
  state.exclusive('itemsPath', 'items');
  const reader = state.inner('itemReader');
  if (reader !== null) {
    for (const name of ['itemsPath', 'items']) {
      if (state.has(name)) state.ignored(`itemReader gives the items, not "${name}"`, 'take it out', [name]);
    }
    return { kind: 'reader', reader: readerOf(reader) };
  }
  if (state.language === 'jsonpath') return { kind: 'path', path: state.path('itemsPath', 'read') ?? '$' };
  const value = state.payload('items') ?? '{% $states.input %}';
  if (typeof value === 'string' && !value.startsWith('{%')) {
    state.wrong('"items" is a text that is no expression', 'write a list, or an expression {% … %}', [
      'items',
    ]);
  }
  if (!distributed && typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const hint = 'write a list, or processorConfig: {mode: DISTRIBUTED} in itemProcessor';
    state.wrong('"items" can be an object in a DISTRIBUTED Map only', hint, ['items']);
  }
  return { kind: 'value', value };
}

function distributedOf(state: Fields, distributed: boolean): Distributed | null {
  const label = labelOf(state);
  const toleratedCount = state.amount('toleratedFailureCount');
  const toleratedPercentage = state.amount('toleratedFailurePercentage');
  const batcher = batcherOf(state.inner('itemBatcher'));
  const writer = writerOf(state.inner('resultWriter'));
  if (!distributed) return null;
  return {
    executionType: hasExpressItems(state) ? 'EXPRESS' : 'STANDARD',
    label,
    batcher,
    writer,
    toleratedCount,
    toleratedPercentage,
  };
}

function labelOf(state: Fields): string | null {
  const label = state.text('label');
  if (label === null) return null;
  const { length } = [...label];
  if (length === 0 || length > LABEL_MAX) {
    const message = length === 0 ? 'the label is empty' : `the label has ${length} characters`;
    state.wrong(message, `a label has 1 to ${LABEL_MAX} characters`, ['label']);
  }
  const refused = LABEL_REFUSED.exec(label)?.[0];
  if (refused !== undefined) {
    state.wrong(`the label holds ${JSON.stringify(refused)}`, 'use letters, digits, - and _', ['label']);
  }
  return label;
}

function batcherOf(batcher: Fields | null): Distributed['batcher'] {
  if (batcher === null) return null;
  batcher.checkLanguage();
  const maxItems = batcher.amount('maxItemsPerBatch');
  const maxInputBytes = batcher.amount('maxInputBytesPerBatch');
  if (maxItems === null && maxInputBytes === null) {
    batcher.missing('itemBatcher has no limit', 'add maxItemsPerBatch or maxInputBytesPerBatch');
  }
  const batchInput = batcher.payload('batchInput');
  return { maxItems, maxInputBytes, ...(batchInput === undefined ? {} : { batchInput }) };
}

function readerOf(reader: Fields): ItemReader {
  reader.checkLanguage();
  reader.exclusive('parameters', 'arguments');
  const resource = reader.text('resource') ?? '';
  if (reader.has('resource') && !READS.test(resource)) {
    const hint = 'artifact:read, or arn:aws:states:::s3:getObject or :listObjectsV2';
    reader.wrong(`nothing reads items from ${JSON.stringify(resource.slice(0, 200))}`, hint, ['resource']);
  }
  if (resource === 'file:read') {
    // A mount is granted to a sandbox; the runner itself reads no file that a document names.
    const hint =
      'store the file with writ artifact put FILE --name BUCKET/KEY, and read it with artifact:read';
    reader.add(refusal('an itemReader with file:read', ['resource'], false, hint));
  }
  const parameters = reader.payload(reader.language === 'jsonata' ? 'arguments' : 'parameters');
  const config = reader.inner('readerConfig');
  config?.checkLanguage();
  if (config !== null) checkCsv(config);
  for (const name of ['transformation', 'manifestType']) {
    if (config?.has(name) === true && config.text(name) !== 'NONE') {
      config.ignored(`this version does not read by "${name}" yet`, 'take it out', [name]);
    }
  }
  const headers = config?.values['csvHeaders'];
  const pointer = config?.text('itemsPointer') ?? null;
  if (pointer !== null && pointer !== '' && !/^(?:\/(?:[^~/]|~[01])*)+$/.test(pointer)) {
    const message = `itemsPointer ${JSON.stringify(pointer.slice(0, 100))} is no JSON Pointer`;
    config?.wrong(message, 'such as /data/items', ['itemsPointer']);
  }
  return {
    resource,
    ...(parameters === undefined ? {} : { parameters }),
    config: {
      inputType: oneOf(config, 'inputType', ['JSON', 'JSONL', 'CSV', 'MANIFEST', 'PARQUET']),
      csvHeaderLocation: oneOf(config, 'csvHeaderLocation', ['FIRST_ROW', 'GIVEN']),
      csvHeaders: Array.isArray(headers)
        ? headers.filter((header): header is string => typeof header === 'string')
        : null,
      csvDelimiter: oneOf(config, 'csvDelimiter', ['COMMA', 'PIPE', 'SEMICOLON', 'SPACE', 'TAB']) ?? 'COMMA',
      maxItems: config?.amount('maxItems') ?? null,
      itemsPointer: pointer,
    },
  };
}

function checkCsv(config: Fields): void {
  const headers = config.values['csvHeaders'];
  if (config.text('inputType') === 'CSV' && !config.has('csvHeaderLocation')) {
    config.missing('a CSV reader has no "csvHeaderLocation"', 'FIRST_ROW, or GIVEN with csvHeaders');
  }
  if (config.text('csvHeaderLocation') === 'GIVEN' && headers === undefined) {
    config.missing('csvHeaderLocation GIVEN has no "csvHeaders"', 'list the names of the columns');
  }
  if (!Array.isArray(headers)) return;
  headers.forEach((header, i) => {
    if (headers.indexOf(header) === i) return;
    const message = `the column ${JSON.stringify(header)} is given twice`;
    config.wrong(message, 'give each column its own name', ['csvHeaders', i]);
  });
}

function writerOf(writer: Fields | null): ResultWriter | null {
  if (writer === null) return null;
  writer.checkLanguage();
  writer.exclusive('parameters', 'arguments');
  const parameters = writer.payload(writer.language === 'jsonata' ? 'arguments' : 'parameters');
  const config = writer.inner('writerConfig');
  const resource = writer.text('resource');
  if (resource !== null && !WRITES.test(resource)) {
    const hint = 'artifact:write, or arn:aws:states:::s3:putObject';
    writer.wrong(`nothing writes results to ${JSON.stringify(resource.slice(0, 200))}`, hint, ['resource']);
  }
  if (!writer.has('resource') && config === null) {
    writer.missing('resultWriter has neither "resource" nor "writerConfig"', 'say where or how to write');
  }
  return {
    resource,
    ...(parameters === undefined ? {} : { parameters }),
    transformation: oneOf(config, 'transformation', ['NONE', 'COMPACT', 'FLATTEN']) ?? 'NONE',
    outputType: oneOf(config, 'outputType', ['JSON', 'JSONL']) ?? 'JSON',
  };
}

function oneOf<Value extends string>(
  fields: Fields | null,
  name: string,
  allowed: readonly Value[],
): Value | null {
  const value = fields?.text(name);
  return allowed.find((one) => one === value) ?? null;
}
