// `tool::wasm`: what a step asks a WASM module to do, read from its request. The request is data of the run: no message
// names a part of it but its fields.
import { WritError } from '../../errors.js';
import { isList, isObject, type Json, type JsonObject } from '../../json.js';
import { KNOWN_CONFIG } from '../../workflow/functions.js';
import { dataOf, NO_TEXTS, textsOf, type ProgramCall } from './shell-call.js';

const FIELDS: ReadonlySet<string> = KNOWN_CONFIG.get('tool::wasm') ?? new Set();

/**
 * `{module, input? | stdin?, args?, env?, files?, outputs?, deterministic?}`. `input` is passed to stdin as it is when it
 * is text, else as JSON; `stdin` takes bytes too. Throws FUNCTION_REQUEST_INVALID.
 */
export function wasmCall(step: string, value: Json): ProgramCall {
  const invalid = (problem: string): WritError =>
    new WritError('FUNCTION_REQUEST_INVALID', `tool::wasm of "${step}" ${problem}`, {
      hint: 'config: { module: <name or sha256:…>, input: <value for stdin>, args: [text, …], env, files, outputs }',
    });
  const request: JsonObject = isObject(value) ? value : {};
  if (Object.keys(request).some((key) => !FIELDS.has(key)))
    throw invalid(`has a field besides ${[...FIELDS].join(', ')}`);
  const { module, input, args = [], stdin, env, files, outputs, deterministic = false } = request;
  if (typeof module !== 'string') throw invalid('needs config.module, a name or sha256:…');
  const texts = isList(args) ? textsOf(args) : null;
  if (texts === null) throw invalid(`has args that are no list of texts (${NO_TEXTS})`);
  if (typeof deterministic !== 'boolean') throw invalid('has a deterministic that is neither true nor false');
  if (input !== undefined && stdin !== undefined) throw invalid('has input and stdin, which are the same');
  const text = typeof input === 'string' ? input : JSON.stringify(input ?? null);
  const data = dataOf(
    {
      stdin: stdin ?? text,
      ...(env === undefined ? {} : { env }),
      ...(files === undefined ? {} : { files }),
      ...(outputs === undefined ? {} : { outputs }),
    },
    invalid,
  );
  return { name: module, argv: [module, ...texts], ...data, ...(deterministic ? { deterministic } : {}) };
}
