// text: reads lines on stdin, takes them through the verbs of its arguments from left to right, writes them. Patterns are
// plain text, never expressions. At most 1 MiB.
import { Arguments } from './lib/arguments';
import { readInput, writeOutput } from './lib/process';

const given = new Arguments(
  'text [with TEXT] [without TEXT] [replace A B] [first N] [last N] [sort] [unique] [upper] [lower] [trim] [join TEXT] [lines] [words] [bytes]',
);
const source = readInput();
let lines = source.split('\n');
if (lines[lines.length - 1] == '') lines.pop();

function having(part: string, wanted: bool): string[] {
  const kept: string[] = [];
  for (let i = 0; i < lines.length; i++) if (lines[i].includes(part) == wanted) kept.push(lines[i]);
  return kept;
}

/** Later ones of a text that has stood before are left out. */
function unique(): string[] {
  const seen = new Set<string>();
  const kept: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    if (seen.has(lines[i])) continue;
    seen.add(lines[i]);
    kept.push(lines[i]);
  }
  return kept;
}

function words(): i32 {
  let count = 0;
  for (let i = 0; i < lines.length; i++) {
    const parts = lines[i].replaceAll('\t', ' ').replaceAll('\r', ' ').split(' ');
    for (let j = 0; j < parts.length; j++) if (parts[j].length > 0) count++;
  }
  return count;
}

while (!given.done()) {
  if (given.takes('with')) lines = having(given.next(), true);
  else if (given.takes('without')) lines = having(given.next(), false);
  else if (given.takes('replace')) {
    const from = given.next();
    const to = given.next();
    if (from.length == 0) given.refuse('nothing can be replaced everywhere');
    for (let i = 0; i < lines.length; i++) lines[i] = lines[i].replaceAll(from, to);
  } else if (given.takes('first')) lines = lines.slice(0, given.count());
  else if (given.takes('last')) {
    const count = given.count();
    lines = lines.slice(lines.length > count ? lines.length - count : 0);
  } else if (given.takes('sort')) lines.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  else if (given.takes('unique')) lines = unique();
  else if (given.takes('upper')) for (let i = 0; i < lines.length; i++) lines[i] = lines[i].toUpperCase();
  else if (given.takes('lower')) for (let i = 0; i < lines.length; i++) lines[i] = lines[i].toLowerCase();
  else if (given.takes('trim')) for (let i = 0; i < lines.length; i++) lines[i] = lines[i].trim();
  else if (given.takes('join')) lines = [lines.join(given.next())];
  else if (given.takes('lines')) lines = [lines.length.toString()];
  else if (given.takes('words')) lines = [words().toString()];
  else if (given.takes('bytes')) lines = [String.UTF8.byteLength(source).toString()];
  else given.refuse('there is no such verb');
}
if (lines.length > 0) writeOutput(lines.join('\n'));
