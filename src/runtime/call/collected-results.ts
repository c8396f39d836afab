// Mode collect adds the results of a fanout to a request (AgentOS page). A function whose schema is closed has no place
// for them: its step reads what it collects by {{fanout}}, as with the built-in tools.
import { isObject, type Json } from '../../json.js';
import type { TaskNode } from '../../workflow/plan.js';
import type { Callables } from './callable.js';

const ADDED = ['fanoutResults', 'fanoutErrors'] as const;

/** The request without those of the added fields that the schema of its function neither names nor lets in. */
export function withResultsInPlace({ providers }: Callables, node: TaskNode, input: Json): Json {
  const { call, collects } = node;
  if (!collects || call.kind !== 'function' || !isObject(input)) return input;
  const { functionId } = call;
  const provider = providers.find((one) => one.functionIds.includes(functionId));
  const schema = provider?.schemas?.(functionId).input ?? null;
  // What the document itself writes there is not left out: the schema refuses it, and says so.
  const written = node.flow.language === 'template' && isObject(node.flow.config) ? node.flow.config : {};
  const isLeftOut = (name: string): boolean =>
    ADDED.some((added) => added === name) && !Object.hasOwn(written, name) && isClosedTo(schema, name);
  if (!Object.keys(input).some(isLeftOut)) return input;
  return Object.fromEntries(Object.entries(input).filter(([name]) => !isLeftOut(name)));
}

/** Does the schema refuse a field of this name whatever its value? */
function isClosedTo(schema: Json, name: string): boolean {
  if (!isObject(schema)) return false;
  const { properties, patternProperties, additionalProperties } = schema;
  if (isObject(properties) && Object.hasOwn(properties, name)) return false;
  if (isObject(patternProperties) && Object.keys(patternProperties).length > 0) return false;
  return additionalProperties === false;
}
