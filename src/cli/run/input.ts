// The value of --input, of --output of a task and of --mocks: JSON, @file or @- (stdin). It is what policy, approval and
// the log will bind to, so it is read as strictly as the log itself: a duplicate key or an inexact number would make two
// readers see two inputs. Messages give a place, never a value of the input.
import type { Readable } from 'node:stream';
import { parseJsonText } from '../../audit/json-reader.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { MAX_INPUT_BYTES, readNamed } from '../bounded-read.js';

const TAKES = {
  '--input': `--input takes JSON (a string is quoted: '"text"'), @FILE or @-`,
  '--output': `--output takes JSON (a string is quoted: '"text"'), @FILE or @-`,
  '--mocks': '--mocks takes a JSON file, or JSON: {"State": [{"return": …}]}',
} as const;

/** `argument` undefined = `{}`. Throws INPUT_INVALID with file:line:column, NOT_FOUND for a missing file. */
export async function readRunInput(
  argument: string | undefined,
  stdin: Readable,
  option: keyof typeof TAKES = '--input',
): Promise<Json> {
  if (argument === undefined) return {};
  if (argument.startsWith('@')) {
    const { text, name } = await readNamed(argument, stdin, { option, fault: 'INPUT_INVALID' });
    return parseNamed(text, name, `${name} must hold exactly one JSON value`);
  }
  if (Buffer.byteLength(argument) > MAX_INPUT_BYTES) {
    throw new WritError('INPUT_INVALID', `${option} is larger than ${MAX_INPUT_BYTES} bytes`);
  }
  return parseNamed(argument, option, TAKES[option]);
}

const PLACE = /at character (\d+): (.*)$/su;

function parseNamed(text: string, name: string, hint: string): Json {
  try {
    return parseJsonText(text);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    const [, at, problem] = PLACE.exec(error.message) ?? [];
    const before = text.slice(0, Number(at ?? 0)).split('\n');
    const [line, column] = [before.length, (before.at(-1) ?? '').length + 1];
    throw new WritError('INPUT_INVALID', `${name}:${line}:${column}: ${problem ?? error.message}`, {
      hint,
      details: { source: name, line, column },
      cause: error,
    });
  }
}
