// json: reads one JSON value on stdin, takes it through the verbs of its arguments from left to right, writes what comes
// out. Numbers stay as they are written; nothing is rounded. At most 1 MiB, 1,000 members a list or object.
import { Arguments } from './lib/arguments';
import { Json, Kind, parse, quote, tryParse } from './lib/json';
import { EXIT_BAD_DATA, fail, readInput, writeOutput } from './lib/process';

const given = new Arguments(
  'json [get PATH] [pick A,B] [omit A,B] [rename A B] [set PATH JSON] [delete PATH] [where PATH JSON] [sort PATH] [first N] [keys] [values] [length] [pretty]',
);
let value = parse(readInput());
let indent = '';

/** The steps of `a.b.0`; `.` is the value itself. */
function stepsOf(path: string): string[] {
  return path == '.' ? [] : path.split('.');
}

/** The place in a list or object that a step names; -1 for none. */
function placeOf(within: Json, step: string): i32 {
  if (within.kind == Kind.Object) return within.names.indexOf(step);
  if (within.kind != Kind.List || step.length == 0 || step.length > 4) return -1;
  let index = 0;
  for (let i = 0; i < step.length; i++) {
    const digit = step.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    index = index * 10 + digit;
  }
  return index < within.items.length ? index : -1;
}

function find(from: Json, path: string): Json | null {
  const steps = stepsOf(path);
  let at = from;
  for (let i = 0; i < steps.length; i++) {
    const place = placeOf(at, steps[i]);
    if (place < 0) return null;
    at = at.items[place];
  }
  return at;
}

function put(path: string, what: Json): void {
  const steps = stepsOf(path);
  if (steps.length == 0) {
    value = what;
    return;
  }
  const last = steps.pop();
  const within = find(value, steps.length == 0 ? '.' : steps.join('.'));
  if (within === null) fail(EXIT_BAD_DATA, 'set: there is nothing at the path before the last step');
  const place = placeOf(within!, last);
  if (place >= 0) within!.items[place] = what;
  else if (within!.kind == Kind.Object) {
    within!.names.push(last);
    within!.items.push(what);
  } else if (within!.kind == Kind.List && last == within!.items.length.toString()) within!.items.push(what);
  else fail(EXIT_BAD_DATA, 'set: the last step names no place');
}

function remove(path: string): void {
  const steps = stepsOf(path);
  if (steps.length == 0) fail(EXIT_BAD_DATA, 'delete: the whole value stays');
  const last = steps.pop();
  const within = find(value, steps.length == 0 ? '.' : steps.join('.'));
  if (within === null) return;
  const place = placeOf(within!, last);
  if (place < 0) return;
  within!.items.splice(place, 1);
  if (within!.kind == Kind.Object) within!.names.splice(place, 1);
}

/** The objects a verb works on: the value, or all objects of a list. */
function objects(verb: string): Json[] {
  if (value.kind == Kind.Object) return [value];
  if (value.kind != Kind.List) fail(EXIT_BAD_DATA, verb + ': neither an object nor a list');
  const found: Json[] = [];
  for (let i = 0; i < value.items.length; i++) {
    if (value.items[i].kind == Kind.Object) found.push(value.items[i]);
  }
  return found;
}

function keep(verb: string, names: string[], wanted: bool): void {
  const all = objects(verb);
  for (let i = 0; i < all.length; i++) {
    const one = all[i];
    const kept: Json[] = [];
    const keptNames: string[] = [];
    for (let j = 0; j < one.names.length; j++) {
      if (names.includes(one.names[j]) != wanted) continue;
      keptNames.push(one.names[j]);
      kept.push(one.items[j]);
    }
    one.names = keptNames;
    one.items = kept;
  }
}

function listOf(verb: string): Json {
  if (value.kind != Kind.List) fail(EXIT_BAD_DATA, verb + ': no list');
  return value;
}

function text(one: Json | null): string {
  return one === null ? '' : write(one, '', '');
}

function same(a: Json | null, b: Json): bool {
  return a !== null && text(a) == text(b);
}

/** Numbers by their value, before texts in the order of their code units; what has no value comes first. */
function compare(a: Json | null, b: Json | null): i32 {
  const left: f64 = a !== null && a.kind == Kind.Number ? parseFloat(a.text) : NaN;
  const right: f64 = b !== null && b.kind == Kind.Number ? parseFloat(b.text) : NaN;
  if (!isNaN(left) && !isNaN(right)) return left < right ? -1 : left > right ? 1 : 0;
  if (!isNaN(left)) return b === null ? 1 : -1;
  if (!isNaN(right)) return a === null ? -1 : 1;
  const first = text(a);
  const other = text(b);
  return first < other ? -1 : first > other ? 1 : 0;
}

/** Stable, by insertion: lists have 1,000 members at most. */
function sort(list: Json, path: string): void {
  const items = list.items;
  for (let i = 1; i < items.length; i++) {
    const item = items[i];
    const key = find(item, path);
    let j = i - 1;
    while (j >= 0 && compare(find(items[j], path), key) > 0) {
      items[j + 1] = items[j];
      j--;
    }
    items[j + 1] = item;
  }
}

function write(one: Json, step: string, before: string): string {
  switch (one.kind) {
    case Kind.Null:
      return 'null';
    case Kind.False:
      return 'false';
    case Kind.True:
      return 'true';
    case Kind.Number:
      return one.text;
    case Kind.Text:
      return quote(one.text);
    default:
      break;
  }
  const open = one.kind == Kind.Object ? '{' : '[';
  const close = one.kind == Kind.Object ? '}' : ']';
  if (one.items.length == 0) return open + close;
  const inner = before + step;
  const parts: string[] = [];
  for (let i = 0; i < one.items.length; i++) {
    const name = one.kind == Kind.Object ? quote(one.names[i]) + (step.length > 0 ? ': ' : ':') : '';
    parts.push(name + write(one.items[i], step, inner));
  }
  if (step.length == 0) return open + parts.join(',') + close;
  return open + '\n' + inner + parts.join(',\n' + inner) + '\n' + before + close;
}

function literal(source: string): Json {
  const found = tryParse(source);
  if (found === null) fail(EXIT_BAD_DATA, 'an argument is not JSON');
  return found!;
}

function listed(items: Json[]): Json {
  const list = new Json(Kind.List);
  list.items = items;
  return list;
}

while (!given.done()) {
  if (given.takes('get')) {
    const found = find(value, given.next());
    value = found === null ? new Json(Kind.Null) : found;
  } else if (given.takes('pick')) keep('pick', given.next().split(','), true);
  else if (given.takes('omit')) keep('omit', given.next().split(','), false);
  else if (given.takes('rename')) {
    const from = given.next();
    const to = given.next();
    const all = objects('rename');
    for (let i = 0; i < all.length; i++) {
      const place = all[i].names.indexOf(from);
      if (place < 0) continue;
      if (all[i].names.includes(to)) fail(EXIT_BAD_DATA, 'rename: the new name is taken');
      all[i].names[place] = to;
    }
  } else if (given.takes('set')) {
    const path = given.next();
    put(path, literal(given.next()));
  } else if (given.takes('delete')) remove(given.next());
  else if (given.takes('where')) {
    const path = given.next();
    const wanted = literal(given.next());
    const from = listOf('where').items;
    const kept: Json[] = [];
    for (let i = 0; i < from.length; i++) if (same(find(from[i], path), wanted)) kept.push(from[i]);
    value = listed(kept);
  } else if (given.takes('sort')) sort(listOf('sort'), given.next());
  else if (given.takes('first')) value = listed(listOf('first').items.slice(0, given.count()));
  else if (given.takes('keys')) {
    if (value.kind != Kind.Object) fail(EXIT_BAD_DATA, 'keys: no object');
    const names: Json[] = [];
    for (let i = 0; i < value.names.length; i++) {
      const name = new Json(Kind.Text);
      name.text = value.names[i];
      names.push(name);
    }
    value = listed(names);
  } else if (given.takes('values')) {
    if (value.kind != Kind.Object) fail(EXIT_BAD_DATA, 'values: no object');
    value = listed(value.items);
  } else if (given.takes('length')) {
    const count = new Json(Kind.Number);
    count.text = (value.kind == Kind.Text ? value.text.length : value.items.length).toString();
    value = count;
  } else if (given.takes('pretty')) indent = '  ';
  else given.refuse('there is no such verb');
}
writeOutput(write(value, indent, ''));
