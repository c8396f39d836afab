// What a step calls: aliases resolved, the function known, its request as complete as can be seen at load.
import { nearest } from '../../expression/nearest.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import type { Findings } from '../diagnostic.js';
import { FUNCTION_ID, isRegistered, KNOWN_CONFIG, REQUIRED_CONFIG, resolveFunction } from '../functions.js';
import type { Segments } from '../located.js';
import { unknownField } from '../shape.js';
import { textOf } from './fields.js';

export interface Target {
  readonly functionId: string;
  /** Registered; when it is not, a finding has said so. */
  readonly known: boolean;
  readonly config: Json | null;
  /** What the alias says; null = nothing. */
  readonly sandbox: string | null;
}

export function resolveTarget(
  fields: JsonObject,
  at: Segments,
  functions: ReadonlySet<string> | 'any',
  findings: Findings,
): Target {
  const written = textOf(fields['functionId']) ?? '';
  const { functionId, handId, sandbox } = resolveFunction(written);
  const given = isObject(fields['config']) ? fields['config'] : null;
  const known = functions === 'any' || isRegistered(functionId, functions);
  // What is no id at all the schema has told.
  if (FUNCTION_ID.test(written) && functions !== 'any' && !known) {
    findings.add({
      code: 'DOC_UNKNOWN_FUNCTION',
      message: `function ${JSON.stringify(written)} is not registered`,
      hint: nearest(written, functions) ?? `registered: ${[...functions].sort().join(', ')}`,
      at: [...at, 'functionId'],
    });
  }
  const clash = (name: string, value: string) => {
    findings.add({
      code: 'DOC_BAD_VALUE',
      message: `${written} means ${name} ${JSON.stringify(value)}, the step says otherwise`,
      hint: `take ${name} out of the step, or call ${functionId}`,
      at: [...at, 'functionId'],
    });
  };
  if (handId !== null && given !== null && given['handId'] !== undefined && given['handId'] !== handId) {
    clash('handId', handId);
  }
  const driver = isObject(fields['sandbox']) ? fields['sandbox']['driver'] : fields['sandbox'];
  if (sandbox !== null && driver !== undefined && driver !== sandbox) clash('sandbox', sandbox);
  const config = handId === null ? given : { ...given, handId };
  const allowed = KNOWN_CONFIG.get(functionId);
  if (allowed !== undefined) {
    for (const name of Object.keys(given ?? {}).filter((one) => !allowed.has(one)))
      findings.add(unknownField(name, [...at, 'config'], [...allowed]));
  }
  const required = REQUIRED_CONFIG.get(functionId) ?? [];
  if (required.length > 0 && !required.some((name) => config?.[name] !== undefined)) {
    findings.add({
      code: 'DOC_REQUEST_INCOMPLETE',
      severity: 'warning',
      message: `${functionId} needs ${required.map((name) => `config.${name}`).join(' or ')}; the step will fail`,
      hint: `add config: {${required[0] ?? ''}: …}`,
      at: [...at, 'functionId'],
    });
  }
  return { functionId, known, config, sandbox };
}
