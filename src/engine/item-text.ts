// The items of a Map from the text of a stored file (ASL: ItemReader, ReaderConfig). The text is attacker-controlled;
// what can't be read as the document says is a fault in words, never an exception.
import { isList, isObject, readJson, type Json } from '../json.js';

import type { ItemReader } from '../workflow/plan.js';
import type { ReadingAnswer } from './query.js';

const DELIMITERS = { COMMA: ',', PIPE: '|', SEMICOLON: ';', SPACE: ' ', TAB: '\t' } as const;

type Config = ItemReader['config'];

/** Cells that the items of one CSV file have, empty ones with them: a wide header would make much of little text. */
const MAX_CELLS = 10_000_000;

/** `maxItems`: positive, or null = all. */
export function itemsFromText(config: Config, text: string, maxItems: number | null): ReadingAnswer {
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const read = itemsOf(config, body);
  if (!read.ok || maxItems === null) return read;
  const { items } = read;
  if (isList(items)) return { ok: true, items: items.slice(0, maxItems) };
  if (!isObject(items)) return read;
  return { ok: true, items: Object.fromEntries(Object.entries(items).slice(0, maxItems)) };
}

function itemsOf(config: Config, text: string): ReadingAnswer {
  switch (config.inputType) {
    case 'CSV':
      return csvItems(config, text);
    case 'MANIFEST':
      // An inventory's manifest.json names files of rows; taken for rows it would be a Map without items.
      return /^\s*\{/.test(text)
        ? fault('The manifest is no CSV list: an inventory in JSON is not read.')
        : csvItems(config, text);
    case 'JSONL':
      return jsonLines(text);
    case 'PARQUET':
      return fault('PARQUET is not read.');
    case 'JSON':
    case null:
      return jsonItems(config, text);
  }
}

function jsonItems(config: Config, text: string): ReadingAnswer {
  const document = parsed(text);
  if (document === undefined) return fault('Attempting to parse the file as JSON failed.');
  const items = config.itemsPointer === null ? document : pointed(document, config.itemsPointer);
  if (items === undefined) return fault(`The ItemsPointer '${config.itemsPointer ?? ''}' leads to nothing.`);
  // Recorded: the document itself has to be a list; what a pointer leads to may be an object.
  return isList(items) || (config.itemsPointer !== null && isObject(items))
    ? { ok: true, items }
    : fault('Attempting to map over non-iterable node.');
}

function jsonLines(text: string): ReadingAnswer {
  const items: Json[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const item = parsed(line);
    if (item === undefined) return fault(`Attempting to parse line ${index + 1} as JSON failed.`);
    items.push(item);
  }
  return { ok: true, items };
}

function csvItems(config: Config, text: string): ReadingAnswer {
  const rows = csvRows(text, DELIMITERS[config.csvDelimiter]);
  if (rows === null) return fault('A quoted cell of the CSV file has no end.');
  const headers = config.csvHeaderLocation === 'GIVEN' ? (config.csvHeaders ?? []) : (rows.shift() ?? []);
  if (new Set(headers).size < headers.length) return fault('CSV headers cannot contain duplicates.');
  if (headers.length * rows.length > MAX_CELLS) {
    return fault(
      `The CSV file has ${rows.length} rows of ${headers.length} columns, which is more than ${MAX_CELLS} cells.`,
    );
  }
  // Missing cells are empty, surplus ones are dropped.
  const items = rows.map((row) => Object.fromEntries(headers.map((name, at) => [name, row[at] ?? ''])));
  return { ok: true, items };
}

/** RFC 4180 with any delimiter; every cell is a text. Lines without a character are none. Null = a quote without end. */
export function csvRows(text: string, delimiter: string): string[][] | null {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let cell = '';
    if (text[at] === '"') {
      at += 1;
      for (;;) {
        const end = text.indexOf('"', at);
        if (end < 0) return null;
        cell += text.slice(at, end);
        at = end + 1;
        if (text[at] !== '"') break;
        cell += '"';
        at += 1;
      }
    }
    const from = at;
    while (at < text.length && text[at] !== delimiter && text[at] !== '\n') at += 1;
    const rest = text.slice(from, at);
    const isLineEnd = at >= text.length || text[at] === '\n';
    cell += isLineEnd && rest.endsWith('\r') ? rest.slice(0, -1) : rest;
    row.push(cell);
    // A delimiter at the very end of the text opens one more cell, which is empty.
    if (!isLineEnd && at + 1 >= text.length) row.push('');
    at += 1;
    if (isLineEnd || at >= text.length) {
      if (row.length > 1 || row[0] !== '') rows.push(row);
      row = [];
    }
  }
  return rows;
}

/** RFC 6901. Undefined = leads to nothing. */
export function pointed(document: Json, pointer: string): Json | undefined {
  if (pointer === '') return document;
  if (!pointer.startsWith('/')) return undefined;
  let here: Json | undefined = document;
  for (const escaped of pointer.slice(1).split('/')) {
    const name = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
    if (here !== undefined && isList(here))
      here = /^(0|[1-9][0-9]{0,8})$/.test(name) ? here[Number(name)] : undefined;
    else here = isObject(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  }
  return here;
}

function parsed(text: string): Json | undefined {
  try {
    return readJson(text);
  } catch {
    return undefined; // told by the caller, without the text
  }
}

function fault(message: string): ReadingAnswer {
  return { ok: false, message };
}
