// Which files come back: those whose path matches a pattern. Only regular files with plain relative paths; anything
// else in their place is refused, and nothing is followed.
import { WritError } from '../../../errors.js';
import type { SandboxFile } from '../../../runtime/ports.js';
import { isRelative, leadsTo, matches, MAX_DEPTH, MAX_FILES, MAX_FILES_BYTES } from '../files.js';
import { readTar } from './tar.js';

/** What an archive of the wanted files has at most: contents, a header and padding each, and directories on the way. */
export const MAX_ARCHIVE_BYTES = MAX_FILES_BYTES + 8 * 1024 * 1024;

/** Where the files of each pattern lie: its segments up to the first wildcard, relative to the working directory. */
export function basesOf(patterns: readonly string[]): string[] {
  const bases = patterns.map((pattern) => {
    const segments = pattern.split('/');
    const wild = segments.findIndex((segment) => segment.includes('*'));
    return `./${(wild < 0 ? segments : segments.slice(0, wild)).join('/')}`;
  });
  return [...new Set(bases)].sort();
}

/**
 * The folders above these bases. Tar stores a link as what it is where it meets one, and follows it on the way to a path
 * that it is given: these have to be looked at by themselves.
 */
export function foldersAbove(bases: readonly string[]): string[] {
  const above = bases.flatMap((base) => {
    const segments = base.split('/');
    return segments.slice(2).map((_, at) => segments.slice(0, at + 2).join('/'));
  });
  return [...new Set(above)].sort();
}

/** What tar says of what is only not there, or of an archive that it made all the same. */
const HARMLESS =
  /: No such file or directory$|delayed from previous errors|due to previous errors|: file changed as we read it$/;
/** What it says of an entry: its path is attacker-controlled. */
const ABOUT_ENTRY = /^tar: (?:can't (?:open|stat) )?'?\.\/(.*?)'?: /;

/**
 * Throws for what tar could not read, as its errors tell, where a pattern names it or leads through it: SANDBOX_OUTPUT_LIMIT
 * for what lies too deep, else SANDBOX_OUTPUT_REFUSED. A line that is not understood is such an error.
 */
export function checkUnread(errors: Uint8Array, patterns: readonly string[]): void {
  const split = patterns.map((pattern) => pattern.split('/'));
  for (const line of Buffer.from(errors).toString('utf8').split('\n')) {
    if (line === '' || HARMLESS.test(line)) continue;
    const segments = ABOUT_ENTRY.exec(line)?.[1]?.split('/');
    if (segments === undefined) throw refused('the outputs could not be read');
    const wanted = split.some(
      (pattern) => pattern.includes('**') || matches(pattern, segments) || leadsTo(segments, pattern),
    );
    if (!wanted) continue;
    if (segments.length > MAX_DEPTH) throw limit(`an output lies deeper than ${MAX_DEPTH} folders`);
    throw refused('an output could not be read, or is no regular file');
  }
}

/**
 * The files of `archive` that a pattern names, sorted by path. Throws SANDBOX_OUTPUT_REFUSED for an entry of another
 * kind that one names or leads through, SANDBOX_OUTPUT_LIMIT for more or deeper than fits.
 */
export function wantedFiles(archive: Uint8Array, patterns: readonly string[]): SandboxFile[] {
  const wanted = new Map<string, SandboxFile>();
  const split = patterns.map((pattern) => pattern.split('/'));
  let bytes = 0;
  for (const { path, kind, bytes: content } of readTar(archive)) {
    const segments = path.split('/');
    if (path === '' || kind === 'directory') continue;
    if (kind === 'other') {
      if (split.some((pattern) => matches(pattern, segments) || leadsTo(segments, pattern)))
        throw refused('an output is a link or another special file');
      continue;
    }
    if (!split.some((pattern) => matches(pattern, segments))) continue;
    if (!isRelative(path))
      throw refused('an output has a path that is not plain: of at most 255 bytes, all of it to be seen');
    if (segments.length > MAX_DEPTH) throw limit(`an output lies deeper than ${MAX_DEPTH} folders`);
    wanted.set(path, { path, bytes: content });
    bytes += content.length;
    if (wanted.size > MAX_FILES) throw limit(`there are more than ${MAX_FILES} outputs`);
    if (bytes > MAX_FILES_BYTES) throw limit(`the outputs have more than ${MAX_FILES_BYTES} bytes`);
  }
  return [...wanted.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function refused(why: string): WritError {
  return new WritError('SANDBOX_OUTPUT_REFUSED', why, {
    hint: 'have the program write regular files where outputs are wanted',
  });
}

function limit(why: string): WritError {
  return new WritError('SANDBOX_OUTPUT_LIMIT', why, {
    hint: 'have the program write less, or ask for fewer',
  });
}
