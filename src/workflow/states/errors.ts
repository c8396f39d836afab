// `retry` and `catch` of a Task (states-dialect section 10). What can never match is told at load: a list that names
// a refusal in `retry` is an error, because the author expects a denied step to run again.
import { isList } from '../../expression/value.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import type { Findings } from '../diagnostic.js';
import { isFatalName, isRefusalName } from '../error-match.js';
import type { Segments } from '../located.js';
import type { Catcher, Retrier } from '../plan.js';

/** ASL's defaults: seconds, retries after the first attempt, factor. */
export const DEFAULT_RETRIER = { intervalSeconds: 1, maxAttempts: 3, backoffRate: 2 } as const;

export function retriersOf(value: Json | undefined, at: Segments, findings: Findings): readonly Retrier[] {
  return entriesOf(value).map((entry, i, all) => {
    const errorEquals = namesOf(entry, 'retry', [...at, i], i === all.length - 1, findings);
    const maxDelaySeconds = entry['maxDelaySeconds'];
    return {
      errorEquals,
      intervalMs: number(entry['intervalSeconds'], DEFAULT_RETRIER.intervalSeconds) * 1000,
      maxAttempts: number(entry['maxAttempts'], DEFAULT_RETRIER.maxAttempts),
      backoffRate: number(entry['backoffRate'], DEFAULT_RETRIER.backoffRate),
      maxDelayMs: typeof maxDelaySeconds === 'number' ? maxDelaySeconds * 1000 : null,
      jitter: entry['jitterStrategy'] === 'FULL' ? 'full' : 'none',
    };
  });
}

export function catchersOf(value: Json | undefined, at: Segments, findings: Findings): readonly Catcher[] {
  return entriesOf(value).map((entry, i, all) => {
    const errorEquals = namesOf(entry, 'catch', [...at, i], i === all.length - 1, findings);
    const { resultPath, next } = entry;
    return {
      errorEquals,
      resultPath: resultPath === null ? null : typeof resultPath === 'string' ? resultPath : '$',
      next: typeof next === 'string' ? next : '',
    };
  });
}

function namesOf(
  entry: JsonObject,
  use: 'retry' | 'catch',
  at: Segments,
  last: boolean,
  findings: Findings,
): readonly string[] {
  const list = entry['errorEquals'];
  const names =
    list !== undefined && isList(list) ? list.filter((name): name is string => typeof name === 'string') : [];
  const place = [...at, 'errorEquals'];
  names.forEach((name, i) => {
    const where = [...place, i];
    if (use === 'retry' && isRefusalName(name)) {
      findings.add({
        code: 'DOC_BAD_VALUE',
        message: `${name} is a refusal and is never retried`,
        hint: 'catch it by its name, or take it out of retry',
        at: where,
      });
    } else if (name === 'States.Runtime' || isFatalName(name)) {
      findings.add({
        code: 'DOC_FIELD_IGNORED',
        severity: 'warning',
        message: `${name} is never matched by ${use}`,
        hint: 'take it out of the list',
        at: where,
      });
    }
  });
  if (names.includes('States.ALL') && (names.length > 1 || !last)) {
    findings.add({
      code: 'DOC_BAD_VALUE',
      message:
        names.length > 1
          ? 'States.ALL stands alone in its list'
          : `States.ALL stands in the last entry of ${use}`,
      hint: names.length > 1 ? 'give it an entry of its own' : 'move this entry to the end',
      at: place,
    });
  }
  return names;
}

function entriesOf(value: Json | undefined): readonly JsonObject[] {
  return value !== undefined && isList(value) ? value.map((item) => (isObject(item) ? item : {})) : [];
}

function number(value: Json | undefined, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}
