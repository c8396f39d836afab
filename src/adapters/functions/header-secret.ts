// Request headers that an operator configures: plain text, or a secret by the name of its handle. A value is read when
// it is sent and kept nowhere; what is reported of it is its name.
import { WritError } from '../../errors.js';

/** A header's value: text, or `prefix` and the value of the named secret. */
export type HeaderSource = string | { readonly secret: string; readonly prefix?: string };

/** The value of a secret by its name; null when there is none. */
export type SecretByName = (name: string) => Uint8Array | null;

/** JSON Schema of a map of header sources. Names in lower case. */
export const HEADERS_SCHEMA = {
  type: 'object',
  maxProperties: 32,
  propertyNames: {
    pattern:
      '^(?!(?:host|content-length|connection|transfer-encoding|upgrade|te|trailer|expect)$)[a-z0-9-]{1,64}$',
  },
  additionalProperties: {
    anyOf: [
      { type: 'string', minLength: 1, maxLength: 4096, pattern: '^[\\t\\x20-\\x7e]*$' },
      {
        type: 'object',
        additionalProperties: false,
        required: ['secret'],
        properties: {
          secret: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' },
          prefix: { type: 'string', maxLength: 64, pattern: '^[\\x20-\\x7e]*$' },
        },
      },
    ],
  },
} as const;

/** Names of the secrets that `headers` use. */
export function secretNames(headers: Readonly<Record<string, HeaderSource>>): readonly string[] {
  const names = Object.values(headers).flatMap((source) =>
    typeof source === 'string' ? [] : [source.secret],
  );
  return [...new Set(names)].sort();
}

/** Throws FUNCTION_UNAVAILABLE when a secret is not there, or is no text that a header can carry. */
export function headerValues(
  headers: Readonly<Record<string, HeaderSource>>,
  secret: SecretByName,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, source]) => [
      name,
      typeof source === 'string' ? source : `${source.prefix ?? ''}${secretText(source.secret, secret)}`,
    ]),
  );
}

/** The secret as one line of visible ASCII. Throws FUNCTION_UNAVAILABLE. */
function secretText(name: string, secret: SecretByName): string {
  const value = secret(name);
  if (value === null) {
    throw new WritError('FUNCTION_UNAVAILABLE', `the secret ${name} is not known here`, {
      hint: `writ secrets set ${name}`,
    });
  }
  // As it is: a value that was trimmed would no longer be recognised where it must not be shown.
  const text = Buffer.from(value).toString('latin1');
  if (!/^[\x20-\x7e]+$/u.test(text)) {
    throw new WritError('FUNCTION_UNAVAILABLE', `the secret ${name} is not one line of visible ASCII`, {
      hint: `set it again: writ secrets set ${name}`,
    });
  }
  return text;
}
