// Text of an intrinsic call to its parsed form (ASL: intrinsics): States.Name(argument, …), where an argument is
// a text in single quotes, a number, true, false, null, a path or another call. Nothing else is read.
import { WritError } from '../../errors.js';
import { INTRINSICS, type IntrinsicName, isIntrinsicName } from './functions.js';
import { nearest } from '../nearest.js';
import { parsePathAt } from '../path/parse.js';
import type { Path } from '../path/shape.js';
import { TextCursor } from '../text-cursor.js';

/** Longest call, in UTF-16 units; texts in it may be data. */
export const CALL_MAX_LENGTH = 65_536;
const CALL_MAX_DEPTH = 10;
const CALL_MAX_ARGUMENTS = 1000;

/** A parsed call. Plain data. */
export interface IntrinsicCall {
  readonly source: string;
  readonly name: IntrinsicName;
  readonly args: readonly Operand[];
}

export type Operand =
  /** `raw`: as written, with its escapes: Format tells `{}` from `\{\}` by it. */
  | { readonly text: string; readonly raw: string }
  | { readonly value: number | boolean | null }
  | { readonly path: Path }
  | { readonly call: IntrinsicCall };

const NAME = /States\.([A-Za-z0-9]+)/y;
const BLANKS = /[ \n\t\r]*/y;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y;
const WORD = /(?:true|false|null)(?!\w)/y;

/** Throws DOC_EXPRESSION with `details.offset`. */
export function parseCall(text: string): IntrinsicCall {
  if (text.length > CALL_MAX_LENGTH) {
    throw malformed(`call has ${text.length} characters, the limit is ${CALL_MAX_LENGTH}`, 0);
  }
  const cursor = new TextCursor(text, 0, BLANKS);
  const call = callAt(1);
  cursor.space();
  if (cursor.at < text.length)
    throw malformed(`unexpected ${JSON.stringify(text[cursor.at])} after the call`, cursor.at);
  return call;

  function callAt(depth: number): IntrinsicCall {
    const start = cursor.at;
    if (depth > CALL_MAX_DEPTH) throw malformed(`calls are nested deeper than ${CALL_MAX_DEPTH}`, cursor.at);
    const name = cursor.match(NAME)?.slice('States.'.length);
    if (name === undefined) throw malformed('expected a function such as States.Format', cursor.at);
    if (!isIntrinsicName(name)) {
      const hint =
        nearest(name, Object.keys(INTRINSICS)) ?? `the functions are ${Object.keys(INTRINSICS).join(', ')}`;
      throw malformed(`there is no function States.${name}`, start, hint);
    }
    if (!cursor.take('(')) throw malformed(`expected "(" after States.${name}`, cursor.at);
    const args: Operand[] = [];
    if (!cursor.take(')')) {
      do {
        args.push(operandAt(depth));
        if (args.length > CALL_MAX_ARGUMENTS) {
          throw malformed(`call has more than ${CALL_MAX_ARGUMENTS} arguments`, cursor.at);
        }
      } while (cursor.take(','));
      if (!cursor.take(')')) throw malformed('expected "," or ")" after the argument', cursor.at);
    }
    return { source: text.slice(start, cursor.at), name, args };
  }

  function operandAt(depth: number): Operand {
    cursor.space();
    if (text[cursor.at] === "'") return textAt();
    if (text[cursor.at] === '$') {
      const { path, end } = parsePathAt(text, cursor.at, 'argument', 0);
      cursor.at = end;
      return { path };
    }
    if (text.startsWith('States.', cursor.at)) return { call: callAt(depth + 1) };
    const number = cursor.match(NUMBER);
    if (number !== null) {
      const value = Number(number);
      if (!Number.isFinite(value)) throw malformed(`${number} is too large`, cursor.at - number.length);
      return { value: value + 0 }; // -0 is 0
    }
    const word = cursor.match(WORD);
    if (word !== null) return { value: word === 'null' ? null : word === 'true' };
    throw malformed(
      `expected an argument, found ${JSON.stringify(text[cursor.at] ?? '')}`,
      cursor.at,
      "an argument is 'text', a number, true, false, null, a path or another call",
    );
  }

  // Only \' \{ \} and \\ are escapes; the service refuses any other backslash.
  function textAt(): Operand {
    const open = cursor.at;
    let value = '';
    for (cursor.at++; cursor.at < text.length; cursor.at++) {
      const char = text[cursor.at] ?? '';
      if (char === "'") {
        cursor.at++;
        return { text: value, raw: text.slice(open + 1, cursor.at - 1) };
      }
      if (char !== '\\') {
        value += char;
        continue;
      }
      const escaped = text[++cursor.at] ?? '';
      if (escaped === '' || !"'{}\\".includes(escaped)) {
        throw malformed(
          `"\\${escaped}" is no escape`,
          cursor.at - 1,
          "the escapes in a text are \\' \\{ \\} and \\\\; double quotes need none",
        );
      }
      value += escaped;
    }
    throw malformed('text has no closing quote', open);
  }
}

function malformed(message: string, offset: number, hint?: string): WritError {
  return new WritError('DOC_EXPRESSION', message, {
    details: { offset },
    hint: hint ?? "a call looks like States.Format('Hello {}', $.name)",
  });
}
