// Which files of a guest's workspace come back: those whose path matches a pattern. The list is attacker-controlled.
import { WritError } from '../../../errors.js';
import { isRelative, leadsTo, matches, MAX_DEPTH, MAX_FILES, MAX_FILES_BYTES } from '../files.js';
import type { Sized } from './protocol.js';

export interface WantedOutputs {
  /** Sorted by path. */
  readonly files: readonly Sized[];
  /** Paths where a pattern expects a folder: what is no regular file there is a link in its place. */
  readonly regular: readonly string[];
}

/**
 * The files of `listed` that a pattern names, and those in the place of a folder that one leads through. Throws SANDBOX_OUTPUT_LIMIT for more or deeper than fits
 * (null = more than could be listed), SANDBOX_OUTPUT_REFUSED for a name that is not plain.
 */
export function wantedOutputs(listed: readonly Sized[] | null, patterns: readonly string[]): WantedOutputs {
  if (listed === null) throw limit('there are more, deeper or longer named files than are listed');
  const split = patterns.map((pattern) => pattern.split('/'));
  const wanted = listed.filter(({ path }) => {
    const segments = path.split('/');
    return split.some((pattern) => matches(pattern, segments));
  });
  if (wanted.some(({ path }) => !isRelative(path))) {
    throw new WritError(
      'SANDBOX_OUTPUT_REFUSED',
      'an output has a path that is not plain: of at most 255 bytes, all of it to be seen',
      {
        hint: 'have the program write regular files where outputs are wanted',
      },
    );
  }
  if (wanted.length > MAX_FILES) throw limit(`there are more than ${MAX_FILES} outputs`);
  if (wanted.some(({ path }) => path.split('/').length > MAX_DEPTH))
    throw limit(`an output lies deeper than ${MAX_DEPTH} folders`);
  if (wanted.reduce((sum, { size }) => sum + size, 0) > MAX_FILES_BYTES)
    throw limit(`the outputs have more than ${MAX_FILES_BYTES} bytes`);
  const inPlace = listed.filter(
    (file) => !wanted.includes(file) && split.some((pattern) => leadsTo(file.path.split('/'), pattern)),
  );
  return {
    files: [...wanted].sort((a, b) => (a.path < b.path ? -1 : 1)),
    regular: inPlace.map(({ path }) => path),
  };
}

function limit(why: string): WritError {
  return new WritError('SANDBOX_OUTPUT_LIMIT', why, {
    hint: 'have the program write less, or ask for fewer',
  });
}
