// `retry` and `catch` of a state (ASL: errors). What can never match is told at load: a list that names a
// refusal in `retry` is an error, because the author expects a denied step to run again.
import { isList } from '../../json.js';
import { nearest } from '../../expression/nearest.js';

import { isFatalName, isRefusalName } from '../error-match.js';
import type { Catcher, Retrier } from '../plan.js';
import type { Fields } from './fields.js';

/** ASL's defaults: seconds, retries after the first attempt, factor. */
const DEFAULT_RETRIER = { intervalSeconds: 1, maxAttempts: 3, backoffRate: 2 } as const;

/** `States.` is the language's own: any other name that begins with it is never raised. */
const STATES_NAMES: ReadonlySet<string> = new Set(
  [
    ...['ALL', 'TaskFailed', 'Timeout', 'HeartbeatTimeout', 'Permissions', 'ResultPathMatchFailure'],
    ...['ParameterPathFailure', 'BranchFailed', 'NoChoiceMatched', 'IntrinsicFailure', 'Http.Socket'],
    ...['ExceedToleratedFailureThreshold', 'ItemReaderFailed', 'ResultWriterFailed', 'DataLimitExceeded'],
    ...['QueryEvaluationError', 'Runtime'],
  ].map((name) => `States.${name}`),
);

export function retriersOf(state: Fields): readonly Retrier[] {
  return state.each('retry').map((entry, i, all) => {
    const maxDelaySeconds = entry.number('maxDelaySeconds');
    return {
      errorEquals: namesOf(entry, 'retry', i === all.length - 1),
      intervalMs: (entry.number('intervalSeconds') ?? DEFAULT_RETRIER.intervalSeconds) * 1000,
      maxAttempts: entry.number('maxAttempts') ?? DEFAULT_RETRIER.maxAttempts,
      backoffRate: entry.number('backoffRate') ?? DEFAULT_RETRIER.backoffRate,
      maxDelayMs: maxDelaySeconds === null ? null : maxDelaySeconds * 1000,
      jitter: entry.text('jitterStrategy') === 'FULL' ? 'full' : 'none',
    };
  });
}

export function catchersOf(state: Fields): readonly Catcher[] {
  return state.each('catch').map((entry, i, all) => {
    entry.checkLanguage();
    const errorEquals = namesOf(entry, 'catch', i === all.length - 1);
    const resultPath = entry.path('resultPath', 'result');
    const output = entry.language === 'jsonata' ? entry.payload('output') : undefined;
    const assign = entry.variables('assign');
    return {
      errorEquals,
      resultPath: resultPath === undefined ? '$' : resultPath,
      ...(output === undefined ? {} : { output }),
      ...(assign === undefined ? {} : { assign }),
      next: entry.text('next') ?? '',
    };
  });
}

function namesOf(entry: Fields, use: 'retry' | 'catch', last: boolean): readonly string[] {
  const list = entry.values['errorEquals'];
  const names =
    list !== undefined && isList(list) ? list.filter((name): name is string => typeof name === 'string') : [];
  names.forEach((name, i) => {
    const at = ['errorEquals', i];
    if (use === 'retry' && isRefusalName(name)) {
      const message = `${name} is a refusal and is never retried`;
      entry.wrong(message, 'catch it by its name, or take it out of retry', at);
    } else if (name === 'States.Runtime' || isFatalName(name)) {
      const message = `${name} is never matched by ${use}`;
      const severity = 'warning';
      entry.add({ code: 'DOC_FIELD_IGNORED', severity, message, hint: 'take it out of the list', at });
    } else if (name.startsWith('States.') && !STATES_NAMES.has(name)) {
      const message = `there is no error ${JSON.stringify(name.slice(0, 100))}`;
      const hint = nearest(name, STATES_NAMES) ?? 'names that begin with States. are the language’s own';
      entry.add({ code: 'DOC_UNKNOWN_NAME', severity: 'warning', message, hint, at });
    }
  });
  if (names.includes('States.ALL') && names.length > 1) {
    entry.wrong('States.ALL stands alone in its list', 'give it an entry of its own', ['errorEquals']);
  } else if (names.includes('States.ALL') && !last) {
    const message = `States.ALL stands in the last entry of ${use}`;
    entry.wrong(message, 'move this entry to the end', ['errorEquals']);
  }
  return names;
}
