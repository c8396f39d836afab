// Path fields of dialect 2, parsed at load so that a run never meets a path it can't read.
import { WritError } from '../../errors.js';
import { parsePath, parseReferencePath } from '../../expression/path.js';
import type { Json } from '../../json.js';
import type { Findings } from '../diagnostic.js';
import type { Segments } from '../located.js';

/** `result`: a path that is written to. */
export function checkPath(
  value: Json | undefined,
  at: Segments,
  findings: Findings,
  use: 'read' | 'result' = 'read',
): void {
  if (typeof value !== 'string') return;
  try {
    if (use === 'result') parseReferencePath(value);
    else parsePath(value);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    findings.add({ code: error.code, message: error.message, hint: error.hint, at });
  }
}

/** A path field of a state: absent = `$`, null stays null. */
export function pathField(value: Json | undefined): string | null {
  if (value === null) return null;
  return typeof value === 'string' ? value : '$';
}
