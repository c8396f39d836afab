// Files that go into a sandbox and come out of it, by name: the same rules for every driver. Names that come out are
// attacker-controlled.
import type { SandboxFile } from '../../runtime/ports.js';

/** Of files in and out alike. */
export const MAX_FILES = 256;
export const MAX_FILES_BYTES = 16 * 1024 * 1024;
export const MAX_DEPTH = 8;
const MAX_PATH_BYTES = 255;

/**
 * What is wrong with the files of a request or the patterns of wanted ones; null = nothing. `folder`: one that has to be
 * there as well, by its path; null = none. `diskMiB`: what the files may take.
 */
export function filesProblem(
  files: readonly SandboxFile[],
  outputs: readonly string[],
  { folder, diskMiB }: { readonly folder: string | null; readonly diskMiB: number },
): string | null {
  if (files.length > MAX_FILES) return `more than ${MAX_FILES} files`;
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
  if (bytes > MAX_FILES_BYTES) return `its files have ${bytes} bytes, ${MAX_FILES_BYTES} fit`;
  if (bytes > diskMiB * 1024 * 1024) return `its files have ${bytes} bytes, more than diskMiB ${diskMiB}`;
  const seen = new Set<string>();
  for (const [at, { path }] of files.entries()) {
    if (!isRelative(path) || path.split('/').length > MAX_DEPTH)
      return `file ${at + 1} has a path that is not relative and normalised`;
    if (seen.has(path)) return 'two files have the same path';
    seen.add(path);
  }
  for (const path of [...seen, ...(folder === null ? [] : [`${folder}/`])]) {
    const parts = path.split('/');
    if (parts.some((_, at) => at > 0 && seen.has(parts.slice(0, at).join('/'))))
      return 'a file has a path that is also a folder';
  }
  if (outputs.length > MAX_FILES) return `more than ${MAX_FILES} output patterns`;
  const wrong = outputs.findIndex((pattern) => !isRelative(pattern));
  return wrong < 0 ? null : `output pattern ${wrong + 1} is no relative path`;
}

/** `/`-separated, no empty, `.` or `..` segment, no character that can't be seen, short enough for a tar. */
export function isRelative(path: string): boolean {
  return (
    Buffer.byteLength(path) <= MAX_PATH_BYTES &&
    !UNSEEN.test(path) &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/**
 * What steers a terminal, breaks a line, turns the direction of writing or is drawn as nothing: a list of files would not
 * show the name that a file has. U+FFFD is what bytes that are no UTF-8 are read as: two names could become one. Joiners and
 * what chooses between two forms of a sign are drawn as nothing, too, and languages are written with them.
 */
const UNSEEN =
  /(?!\p{Join_Control}|\p{Variation_Selector})[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufffd]/u;

/**
 * `**` stands for any number of segments, `*` for any characters of one. Where it does not fit, only the last `**` takes
 * one segment more: time is bounded by pattern times path, whatever names a program has chosen.
 */
export function matches(pattern: readonly string[], path: readonly string[]): boolean {
  let [at, next] = [0, 0];
  let retry: { readonly pattern: number; readonly path: number } | null = null;
  while (next < path.length) {
    const [part, segment = ''] = [pattern[at], path[next]];
    if (part === '**') {
      at += 1;
      retry = { pattern: at, path: next + 1 };
    } else if (part !== undefined && matchesSegment(part, segment)) {
      at += 1;
      next += 1;
    } else if (retry !== null) {
      ({ pattern: at, path: next } = retry);
      retry = { pattern: at, path: next + 1 };
    } else return false;
  }
  return pattern.slice(at).every((part) => part === '**');
}

/** Linear in the text: each literal part is looked for after the one before. */
function matchesSegment(pattern: string, segment: string): boolean {
  const parts = pattern.split('*');
  const [head = '', ...middle] = parts;
  const tail = middle.pop();
  if (tail === undefined) return segment === head;
  if (segment.length < head.length + tail.length || !segment.startsWith(head) || !segment.endsWith(tail))
    return false;
  let at = head.length;
  for (const part of middle) {
    const found = segment.indexOf(part, at);
    if (found < 0 || found + part.length > segment.length - tail.length) return false;
    at = found + part.length;
  }
  return true;
}

/** Whether files that `pattern` names would lie below `path`. */
export function leadsTo(path: readonly string[], pattern: readonly string[]): boolean {
  return (
    path.length < pattern.length &&
    path.every((segment, at) => pattern[at] === '**' || matchesSegment(pattern[at] ?? '', segment))
  );
}
