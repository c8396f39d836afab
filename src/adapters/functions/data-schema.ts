// `data` in the operator's files of hosts and servers: what comes from there carries it, besides what was sent.
import type { DataClass } from '../../runtime/ports.js';

/** As it is written; an absent part says nothing. */
export interface WrittenData {
  readonly labels?: readonly string[];
  readonly classification?: NonNullable<DataClass['classification']>;
}

/** JSON Schema of `WrittenData`. */
export const DATA_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: {
    labels: {
      type: 'array',
      maxItems: 100,
      uniqueItems: true,
      items: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' },
    },
    classification: { enum: ['public', 'internal', 'confidential', 'restricted'] },
  },
} as const;

/** For a function's reach; `{}` where the file says nothing. */
export function returnsOf(data: WrittenData | undefined): { readonly returns?: readonly DataClass[] } {
  if (data === undefined) return {};
  const labels = data.labels === undefined ? null : [...data.labels].sort();
  return { returns: [{ labels, classification: data.classification ?? null }] };
}
