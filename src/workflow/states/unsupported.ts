// What dialect 2 has and this version does not run. Such a field is refused at its own line; it is never taken for a
// typing error, and never ignored.
import type { ErrorObject } from 'ajv/dist/2020.js';
import type { Finding } from '../diagnostic.js';
import { unsupportedSandbox } from '../gate.js';
import type { Segments } from '../located.js';

/** A schema error as DOC_UNSUPPORTED, or null when it is something else. */
export function unsupported(error: ErrorObject, at: Segments): Finding | null {
  return unsupportedSandbox(error, at);
}

/** DOC_UNSUPPORTED for something named in the language. */
export function refusal(what: string, at: Segments, onKey: boolean, hint?: string): Finding {
  return { code: 'DOC_UNSUPPORTED', message: `this version does not run ${what} yet`, hint, at, onKey };
}
