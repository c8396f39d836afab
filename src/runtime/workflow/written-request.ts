// What a document itself writes into a request, held against the schema of the function that is called: a value that
// can't fit is told before anything runs, not by the step that fails.
import { isObject, type Json, type JsonObject } from '../../json.js';
import { nearest } from '../../nearest.js';
import { KNOWN_CONFIG } from '../../workflow/functions.js';
import type { TaskNode } from '../../workflow/plan.js';
import type { Callables } from '../call/callable.js';
import { problemOfField } from '../call/function-schema.js';

export interface WrittenFault {
  readonly code: 'DOC_BAD_VALUE' | 'DOC_UNKNOWN_FIELD';
  /** Of the request. */
  readonly field: string;
  readonly message: string;
  readonly hint?: string;
}

/** Of fields that no data of the run goes into; what the schema says of several fields together is for the run. */
export function faultsWritten({ providers }: Callables, node: TaskNode): readonly WrittenFault[] {
  const { call } = node;
  const request = writtenRequest(node.flow);
  if (call.kind !== 'function' || !isObject(request)) return [];
  const { functionId } = call;
  const provider = providers.find((one) => one.functionIds.includes(functionId));
  const schema = provider?.schemas?.(functionId).input ?? null;
  if (!isObject(schema)) return [];
  const faults: WrittenFault[] = [];
  for (const [field, value] of Object.entries(request)) {
    if (field.endsWith('.$')) continue;
    const own = ownOf(schema, field);
    if (own === 'refused' && node.flow.language === 'template' && KNOWN_CONFIG.has(functionId)) continue;
    if (own === 'refused') faults.push(unknown(functionId, field, schema));
    else if (own === 'named' && isWritten(value)) {
      const problem = problemOfField(schema, field, value);
      if (problem === null) continue;
      const message = `${functionId} can't take this ${field}: ${problem}`;
      faults.push({ code: 'DOC_BAD_VALUE', field, message, ...hintOf(schema, field) });
    }
  }
  return faults;
}

/** As the document writes it; undefined when it is the input of the step. */
export function writtenRequest(flow: TaskNode['flow']): Json | undefined {
  if (flow.language === 'template') return flow.config ?? undefined;
  return flow.language === 'jsonpath' ? flow.parameters : flow.arguments;
}

/** Nothing of the run is put into it. */
function isWritten(value: Json): boolean {
  if (typeof value === 'string') return !/\{\{|^\{%/.test(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, one]) => !name.endsWith('.$') && isWritten(one));
}

type Own = 'named' | 'refused' | 'open';

/** What the schema says of a field: something of its own, that there is none whatever its value, or nothing. */
function ownOf({ properties, patternProperties, additionalProperties }: JsonObject, field: string): Own {
  if (isObject(properties) && Object.hasOwn(properties, field)) return 'named';
  const mayBeNamed = isObject(patternProperties) && Object.keys(patternProperties).length > 0;
  return additionalProperties === false && !mayBeNamed ? 'refused' : 'open';
}

/** Characters of a schema's own words that are told. */
const MAX_HINT = 400;

function hintOf({ properties }: JsonObject, field: string): { readonly hint?: string } {
  const own = isObject(properties) ? properties[field] : undefined;
  const said = isObject(own) ? own['description'] : undefined;
  return typeof said === 'string' ? { hint: `${field}: ${said}`.slice(0, MAX_HINT) } : {};
}

function unknown(functionId: string, field: string, { properties }: JsonObject): WrittenFault {
  const fields = isObject(properties) ? Object.keys(properties) : [];
  const hint =
    nearest(field, fields) ?? (fields.length > 0 ? `fields: ${fields.join(', ')}`.slice(0, MAX_HINT) : null);
  const message = `${functionId} knows no field ${JSON.stringify(field)}`;
  return { code: 'DOC_UNKNOWN_FIELD', field, message, ...(hint === null ? {} : { hint }) };
}
