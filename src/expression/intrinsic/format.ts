// States.Format: each `{}` of the template takes the next argument; `\{` and `\}` are braces.
import type { Json } from '../../json.js';
import { IntrinsicFault, MAX_CHARACTERS, withinData } from './fault.js';
import { javaText } from '../path/fault.js';

interface FormatArgument {
  readonly value: Json;
  readonly format?: string;
}

/** Texts as they are, numbers and booleans as JSON, objects and lists as Java prints them (recorded). */
export function formatText(args: readonly FormatArgument[]): string {
  const [template, ...rest] = args;
  if (typeof template?.value !== 'string') throw new IntrinsicFault('the first argument must be a string');
  const pieces = piecesOf(template.format ?? template.value, template.format !== undefined);
  const slots = pieces.length - 1;
  if (slots !== rest.length) {
    throw new IntrinsicFault(
      `number of arguments do not match the occurrences of {}: ${rest.length} for ${slots}`,
    );
  }
  let text = pieces[0] ?? '';
  for (const [i, { value }] of rest.entries()) {
    text += javaText(typeof value === 'object' ? withinData(value) : value) + (pieces[i + 1] ?? '');
    if (text.length > MAX_CHARACTERS)
      throw new IntrinsicFault(`the text has more than ${MAX_CHARACTERS} characters`);
  }
  return text;
}

// The text between the places. In a text of the document every backslash escapes; in data only one before a brace does.
// A brace that is no part of a place has to be escaped.
function piecesOf(template: string, isSource: boolean): string[] {
  if (!/[\\{}]/.test(template)) return [template];
  const pieces: string[] = [];
  let piece = '';
  for (let i = 0; i < template.length; i++) {
    const next = template[i + 1] ?? '';
    if (template[i] === '\\' && (isSource || next === '{' || next === '}')) {
      piece += next;
      i++;
    } else if (template[i] === '{' && next === '}') {
      pieces.push(piece);
      piece = '';
      i++;
    } else if (template[i] === '{') throw unmatched('}', '{');
    else if (template[i] === '}') throw unmatched('{', '}');
    else piece += template[i];
  }
  return [...pieces, piece];
}

function unmatched(missing: string, brace: string): IntrinsicFault {
  const message = `Invalid template in States.Format: matching '${missing}' not found for '${brace}'.`;
  return new IntrinsicFault(message, true);
}
