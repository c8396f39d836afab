// Pieces of the JSON Schemas of policy files. `description` is what a value must be; messages use it.

export const text = (pattern: string, description: string) => ({ type: 'string', pattern, description });
/** A list of different strings. With their type said, ajv looks for the same one in a table, not at each pair. */
export const list = (items: object, maxItems = 10_000) => ({
  type: 'array',
  items: { type: 'string', ...items },
  uniqueItems: true,
  maxItems,
});
/** A list of objects. Two that are alike say it twice; comparing each with each takes the square of their number. */
export const rows = (items: object, maxItems = 10_000) => ({ type: 'array', items, maxItems });
export const object = (properties: Record<string, object>, required: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});
export const header = (kind: string) => ({ apiVersion: { const: 'writ/v1' }, kind: { const: kind } });
export const integer = (minimum: number, maximum: number) => ({ type: 'integer', minimum, maximum });
export const oneOf = (...values: readonly string[]) => ({ enum: values });
/** What another schema of policy files says, compiled once for all that refer to it. */
export const fits = (kind: string) => ({ $ref: schemaId(kind) });
export const schemaId = (kind: string): string => `urn:writ:policy:${kind}`;

export const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$';
export const name = text(NAME_PATTERN, 'a name of letters, digits, dot, dash and underscore');
export const principal = text(
  '^(?:user|agent|service):[^\\s*?]{1,256}$',
  'user:NAME, agent:NAME or service:NAME',
);
export const user = text('^user:[^\\s*?]{1,256}$', 'user:NAME');
export const role = text('^role:[A-Za-z0-9][A-Za-z0-9._-]{0,127}$', 'role:NAME');
export const subject = text(
  `${principal.pattern}|${role.pattern}`,
  'role:NAME, user:NAME, agent:NAME or service:NAME',
);
export const domain = text(NAME_PATTERN, 'a tenant id of letters, digits, dot, dash and underscore');
export const pattern = { type: 'string', minLength: 1, maxLength: 1024 };
export const label = text('^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', 'a label');
export const sandboxKind = oneOf('wasm', 'docker');
export const runPlace = oneOf('wasm', 'docker', 'none');
export const host = text(
  '^(?:(?:\\*\\.)?[a-z0-9_-]+(?:\\.[a-z0-9_-]+)*|\\[[0-9a-f:.]+\\]):(?:[1-9][0-9]{0,4}|\\*)$',
  'host:port or *.suffix:port in lower case (port may be *)',
);
export const path = text(
  '^/$|^(?:/(?!\\.{1,2}(?:/|$))[^/]+)+$',
  'an absolute path without empty, . or .. segments and without a final slash',
);
export const moment = text(
  '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z$',
  'a time such as 2026-01-31T00:00:00Z',
);
