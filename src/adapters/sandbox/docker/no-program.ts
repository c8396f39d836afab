// A program that the image does not have, from the engine's words about an exec that it could not start: what a shell would
// say of it, and exit with. Only exact forms, which name this very program: that a file is not there, or may not be used,
// engines say of mounts, of their own files and of their helpers as well. What is not understood is no such thing.
import { EngineError } from './engine.js';

export interface NoProgram {
  readonly exitCode: number;
  readonly says: string;
}

/** Of a start that the engine has refused because of `program`; null = for another reason. */
export function noProgram(error: unknown, program: string): NoProgram | null {
  return error instanceof EngineError && error.status === 400 ? noProgramIn(error.message, program) : null;
}

/** The same, from the words alone. */
export function noProgramIn(text: string, program: string): NoProgram | null {
  const [, said = ''] = SAID.exec(text) ?? [];
  if (MAY_NOT.test(said)) return CAN_NOT;
  const [, quoted = '', why = ''] = ABOUT.exec(said) ?? [];
  if (unquoted(quoted) !== program) return null;
  if (NO_FILE.test(why)) return { exitCode: 127, says: 'the image has no such program' };
  return NO_PROGRAM_FILE.test(why) ? CAN_NOT : null;
}

const CAN_NOT: NoProgram = { exitCode: 126, says: 'the program can not be executed' };
/** By runc 1.0 and later, and by runsc (seen of 2022). */
const SAID = /(?:start container process|container process caused|executing processes for container): ([^]*)/;
const ABOUT = /^(?:exec: |executing command )("(?:[^"\\]|\\.)*")(?:: | in sandbox: )([^]*)/;
const NO_FILE =
  /^(?:(?:stat|error finding executable|failed to load) [^]*: )?(?:no such file or directory|executable file not found in \$PATH)(?:: unknown)?(?:\s*$|: Are you)/;
const NO_PROGRAM_FILE =
  /^(?:(?:stat|error finding executable|failed to load) [^]*: )?(?:permission denied|not a directory|is a directory|exec format error|(?:file name|argument list) too long|too many (?:levels of symbolic links|symbolic links encountered))(?:: unknown)?(?:\s*$|: Are you)/;
/** What lies where nothing may be executed, by the path that was found for it. */
const MAY_NOT = /^eaccess [^]*: permission denied(?:: unknown)?(?:\s*$|: Are you)/;

/** A text as Go's %q writes it: the languages agree on what is plain, and on nothing else. */
function unquoted(quoted: string): string {
  return quoted
    .slice(1, -1)
    .replace(ESCAPE, (_all, x: string = '', u: string = '', U: string = '', one: string = '') => {
      const digits = x + u + U;
      return digits === '' ? (PLAIN[one] ?? one) : String.fromCodePoint(Number.parseInt(digits, 16));
    });
}
const ESCAPE = /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U(00(?:0[0-9a-f]|10)[0-9a-f]{4})|(.))/g;
const PLAIN: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};
