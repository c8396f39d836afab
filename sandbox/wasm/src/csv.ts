// csv: reads a table on stdin (RFC 4180, first row the names), takes it through the verbs of its arguments from left to
// right, writes it as CSV, or as JSON texts. Without a verb it writes the table as it should be written. At most 1 MiB.
import { Arguments } from './lib/arguments';
import { Kind, list, ObjectWriter, parse, quote } from './lib/json';
import { EXIT_BAD_DATA, fail, readInput, writeOutput } from './lib/process';

const given = new Arguments(
  'csv [from-json] [columns A,B] [where A TEXT] [sort A] [sort-numbers A] [first N] [count] [to-json]',
);
const MAX_COLUMNS: i32 = 1000;

let names: string[] = [];
let rows: string[][] = [];

/** Quotes inside quotes are doubled; a row may end in CR LF or LF. */
function read(source: string): void {
  let at = 0;
  let row: string[] = [];
  const all: string[][] = [];
  while (at < source.length) {
    let cell = '';
    if (source.charCodeAt(at) == 0x22) {
      const parts: string[] = [];
      let from = at + 1;
      while (true) {
        const quoteAt = source.indexOf('"', from);
        if (quoteAt < 0)
          fail(EXIT_BAD_DATA, 'row ' + (all.length + 1).toString() + ': a quote is not closed');
        parts.push(source.substring(from, quoteAt));
        at = quoteAt + 1;
        if (at >= source.length || source.charCodeAt(at) != 0x22) break;
        parts.push('"');
        from = at + 1;
      }
      cell = parts.join('');
    } else {
      const from = at;
      while (at < source.length && !ends(source.charCodeAt(at))) at++;
      cell = source.substring(from, at);
      if (cell.includes('"'))
        fail(EXIT_BAD_DATA, 'row ' + (all.length + 1).toString() + ': a quote inside a cell');
    }
    row.push(cell);
    if (row.length > MAX_COLUMNS) fail(EXIT_BAD_DATA, 'more than 1000 columns');
    const last = at >= source.length ? 0x0a : source.charCodeAt(at);
    if (last == 0x0d && source.charAt(at + 1) == '\n') at++;
    else if (last != 0x2c && last != 0x0a)
      fail(EXIT_BAD_DATA, 'row ' + (all.length + 1).toString() + ': text after a quoted cell');
    at++;
    // A comma at the very end: one more cell, which is empty.
    if (last == 0x2c && at >= source.length) row.push('');
    if (last == 0x2c && at < source.length) continue;
    all.push(row);
    row = [];
  }
  if (all.length == 0) return;
  names = all[0];
  for (let i = 1; i < all.length; i++) {
    if (all[i].length != names.length)
      fail(
        EXIT_BAD_DATA,
        'row ' +
          (i + 1).toString() +
          ' has ' +
          all[i].length.toString() +
          ' cells, not ' +
          names.length.toString(),
      );
    rows.push(all[i]);
  }
}

function ends(c: i32): bool {
  return c == 0x2c || c == 0x0a || c == 0x0d;
}

/** A list of objects: the names of the first one are the columns; what is no text stands as JSON writes it. */
function readJson(source: string): void {
  const value = parse(source);
  if (value.kind != Kind.List) fail(EXIT_BAD_DATA, 'from-json: no list');
  for (let i = 0; i < value.items.length; i++) {
    const item = value.items[i];
    if (item.kind != Kind.Object) fail(EXIT_BAD_DATA, 'from-json: a member of the list is no object');
    if (i == 0) names = item.names;
    const row: string[] = [];
    for (let j = 0; j < names.length; j++) {
      const cell = item.get(names[j]);
      if (cell === null || cell.kind == Kind.Null) row.push('');
      else if (cell.kind == Kind.Text || cell.kind == Kind.Number) row.push(cell.text);
      else if (cell.kind == Kind.True) row.push('true');
      else if (cell.kind == Kind.False) row.push('false');
      else fail(EXIT_BAD_DATA, 'from-json: a cell is a list or an object');
    }
    rows.push(row);
  }
}

function column(): i32 {
  const name = given.next();
  const at = names.indexOf(name);
  if (at < 0) fail(EXIT_BAD_DATA, 'there is no such column');
  return at;
}

function columns(wanted: string[]): void {
  const places: i32[] = [];
  for (let i = 0; i < wanted.length; i++) {
    const at = names.indexOf(wanted[i]);
    if (at < 0) fail(EXIT_BAD_DATA, 'there is no such column');
    places.push(at);
  }
  names = wanted;
  for (let i = 0; i < rows.length; i++) {
    const row: string[] = [];
    for (let j = 0; j < places.length; j++) row.push(rows[i][places[j]]);
    rows[i] = row;
  }
}

let key: i32 = 0;
function byText(a: string[], b: string[]): i32 {
  return a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0;
}
/** What is no number comes last. */
function byNumber(a: string[], b: string[]): i32 {
  const left = parseFloat(a[key]);
  const right = parseFloat(b[key]);
  if (isNaN(left)) return isNaN(right) ? 0 : 1;
  return isNaN(right) || left < right ? -1 : left > right ? 1 : 0;
}

/** Stable: the library's is not promised to be. */
function sort(from: string[][], before: (a: string[], b: string[]) => i32): string[][] {
  if (from.length < 2) return from;
  const middle = from.length >> 1;
  const left = sort(from.slice(0, middle), before);
  const right = sort(from.slice(middle), before);
  const merged: string[][] = [];
  let i = 0;
  let j = 0;
  while (i < left.length && j < right.length) {
    if (before(left[i], right[j]) <= 0) merged.push(left[i++]);
    else merged.push(right[j++]);
  }
  while (i < left.length) merged.push(left[i++]);
  while (j < right.length) merged.push(right[j++]);
  return merged;
}

function cell(text: string): string {
  const plain = !text.includes('"') && !text.includes(',') && !text.includes('\n') && !text.includes('\r');
  return plain ? text : '"' + text.replaceAll('"', '""') + '"';
}

function line(row: string[]): string {
  const cells: string[] = [];
  for (let i = 0; i < row.length; i++) cells.push(cell(row[i]));
  return cells.join(',');
}

function asCsv(): string {
  const lines: string[] = [line(names)];
  for (let i = 0; i < rows.length; i++) lines.push(line(rows[i]));
  return lines.join('\n');
}

function asJson(): string {
  const items: string[] = [];
  for (let i = 0; i < rows.length; i++) {
    const item = new ObjectWriter();
    for (let j = 0; j < names.length; j++) item.raw(names[j], quote(rows[i][j]));
    items.push(item.toString());
  }
  return list(items);
}

const input = readInput();
if (given.takes('from-json')) readJson(input);
else read(input);
let output = '';
while (!given.done() && output.length == 0) {
  if (given.takes('columns')) columns(given.next().split(','));
  else if (given.takes('where')) {
    const at = column();
    const wanted = given.next();
    const kept: string[][] = [];
    for (let i = 0; i < rows.length; i++) if (rows[i][at] == wanted) kept.push(rows[i]);
    rows = kept;
  } else if (given.takes('sort')) {
    key = column();
    rows = sort(rows, byText);
  } else if (given.takes('sort-numbers')) {
    key = column();
    rows = sort(rows, byNumber);
  } else if (given.takes('first')) rows = rows.slice(0, given.count());
  else if (given.takes('count')) output = rows.length.toString();
  else if (given.takes('to-json')) output = asJson();
  else given.refuse('there is no such verb');
}
if (!given.done()) given.refuse('count and to-json are the last verb');
writeOutput(output.length > 0 ? output : asCsv());
