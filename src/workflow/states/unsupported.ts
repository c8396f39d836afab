// What dialect 2 has and this version does not run. Such a field or type is refused at its own line; it is never
// taken for a typing error, and never ignored.
import type { ErrorObject } from 'ajv/dist/2020.js';
import type { Finding } from '../diagnostic.js';
import { unsupportedSandbox } from '../gate.js';
import type { Segments } from '../located.js';

const JSONATA = ['assign', 'output'];
// By the title of the schema that does not know the field.
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  Task: [
    ...JSONATA,
    'arguments',
    'parameters',
    'resultSelector',
    'human',
    'heartbeatSeconds',
    'heartbeatSecondsPath',
    'timeoutSecondsPath',
    'credentials',
  ],
  Choice: JSONATA,
  'Choice rule': [...JSONATA, 'condition'],
  Pass: [...JSONATA, 'parameters', 'approval'],
  Wait: JSONATA,
  Succeed: JSONATA,
  Fail: ['errorPath', 'causePath'],
  Catcher: JSONATA,
};
const TYPES: ReadonlySet<unknown> = new Set(['Parallel', 'Map']);

/** A schema error as DOC_UNSUPPORTED, or null when it is something else. */
export function unsupported(error: ErrorObject, at: Segments): Finding | null {
  if (error.keyword === 'additionalProperties') {
    const title = (error.parentSchema as { title?: string } | undefined)?.title ?? '';
    const name = (error.params as { additionalProperty?: unknown }).additionalProperty;
    const later = Object.hasOwn(FIELDS, title) ? (FIELDS[title] ?? []) : [];
    if (typeof name === 'string' && later.includes(name)) {
      return refusal(`"${name}"`, [...at, name], true, HINTS[name]);
    }
  }
  if (at.at(-1) === 'type' && error.keyword === 'enum' && TYPES.has(error.data)) {
    return refusal(
      `${String(error.data)} states`,
      at,
      false,
      'use Task, Choice, Pass, Wait, Succeed and Fail',
    );
  }
  if (at.at(-1) === 'queryLanguage' && error.data === 'JSONata') {
    return refusal('JSONata', at, false, 'use JSONPath');
  }
  return unsupportedSandbox(error, at);
}

/** DOC_UNSUPPORTED for something named in the language. */
export function refusal(what: string, at: Segments, onKey: boolean, hint?: string): Finding {
  return { code: 'DOC_UNSUPPORTED', message: `this version does not run ${what} yet`, hint, at, onKey };
}

const HINTS: Readonly<Record<string, string>> = {
  parameters: 'choose the input with inputPath',
  resultSelector: 'place the whole result with resultPath',
  human: 'gate a task with approval: sync',
  approval: 'put the approval on a Task',
  credentials: 'an agent package names its credentials itself',
};
