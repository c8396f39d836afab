// What a document itself writes into a request, held against the schema of the function that is called: a value that
// can't fit is told before anything runs, not by the step that fails.
import { WritError } from '../../errors.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import { nearest } from '../../nearest.js';
import { KNOWN_CONFIG } from '../../workflow/functions.js';
import type { TaskNode } from '../../workflow/plan.js';
import type { Callables } from '../call/callable.js';
import { problemOf } from '../call/function-schema.js';

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
    const part = partOf(schema, field);
    if (part === null && node.flow.language === 'template' && KNOWN_CONFIG.has(functionId)) continue;
    if (part === null) faults.push(unknown(functionId, field, schema));
    else if (isWritten(value)) {
      const problem = problemIn(part, value);
      if (problem === null) continue;
      const message = `${functionId} can't take this ${field}: ${problem}`;
      const { description } = part;
      const hint = typeof description === 'string' ? { hint: `${field}: ${description}` } : {};
      faults.push({ code: 'DOC_BAD_VALUE', field, message, ...hint });
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

const parts = new WeakMap<object, Map<string, JsonObject | null>>();

/** What the schema says of one field, `{}` where it says nothing; null = it refuses the field whatever its value. */
function partOf(schema: JsonObject, field: string): JsonObject | null {
  const known = parts.get(schema) ?? new Map<string, JsonObject | null>();
  parts.set(schema, known);
  const found = known.get(field);
  if (found !== undefined) return found;
  const { properties, patternProperties, additionalProperties, $defs, definitions } = schema;
  const own = isObject(properties) && Object.hasOwn(properties, field) ? properties[field] : undefined;
  const mayBeNamed = isObject(patternProperties) && Object.keys(patternProperties).length > 0;
  const shared = {
    ...($defs === undefined ? {} : { $defs }),
    ...(definitions === undefined ? {} : { definitions }),
  };
  const isRefused = own === undefined && additionalProperties === false && !mayBeNamed;
  const part = isRefused ? null : isObject(own) ? { ...shared, ...own } : {};
  known.set(field, part);
  return part;
}

function problemIn(part: JsonObject, value: Json): string | null {
  try {
    return problemOf(part, value);
  } catch (error) {
    // It refers to what stands elsewhere in the whole schema, by which the run will judge.
    if (error instanceof WritError && error.code === 'FUNCTION_FAILED') return null;
    throw error;
  }
}

function unknown(functionId: string, field: string, { properties }: JsonObject): WrittenFault {
  const fields = isObject(properties) ? Object.keys(properties) : [];
  const hint = nearest(field, fields) ?? (fields.length > 0 ? `fields: ${fields.join(', ')}` : null);
  const message = `${functionId} knows no field ${JSON.stringify(field)}`;
  return { code: 'DOC_UNKNOWN_FIELD', field, message, ...(hint === null ? {} : { hint }) };
}
