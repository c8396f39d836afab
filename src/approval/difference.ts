// What is different between two subjects, for the eye of an approver: one line per value that is gone or new, with its
// place. Same bytes, same lines; hidden characters are written out, nothing is cut.
import { isObject, type Json } from '../json.js';
import { displaySubject } from './display.js';

/** `- place: value` and `+ place: value`, in the order of `after`, then what is only in `before`. Empty = they are equal. */
export function differenceLines(before: Json, after: Json): readonly string[] {
  const [was, is] = [leavesOf(before), leavesOf(after)];
  const lines: string[] = [];
  for (const [place, value] of is) {
    const old = was.get(place);
    if (old === value) continue;
    if (old !== undefined) lines.push(`- ${place}: ${old}`);
    lines.push(`+ ${place}: ${value}`);
  }
  for (const [place, value] of was) if (!is.has(place)) lines.push(`- ${place}: ${value}`);
  return lines;
}

/** Values by their place; an empty list or object is a value. */
function leavesOf(value: Json): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (at: string, one: Json): void => {
    const parts: [string, Json][] = Array.isArray(one)
      ? one.map((item: Json, index): [string, Json] => [`${at}[${index}]`, item])
      : isObject(one)
        ? Object.entries(one).map(([key, item]): [string, Json] => [at + placeOf(key, at), item])
        : [];
    if (parts.length === 0) found.set(at, displaySubject(one).join(''));
    for (const [place, item] of parts) walk(place, item);
  };
  walk('', value);
  return found;
}

/** Quoted where it could pass for another place, as displaySubject quotes it. */
function placeOf(key: string, at: string): string {
  const shown = displaySubject({ [key]: null })
    .join('')
    .slice(0, -': null'.length);
  return at === '' ? shown : `.${shown}`;
}
