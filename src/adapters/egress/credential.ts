// Secrets that a program uses without having them: it gets a placeholder that is worth nothing outside this proxy, and
// the proxy puts the value into header values of requests to the hosts that the operator has declared for it.
import { randomBytes } from 'node:crypto';
import { WritError } from '../../errors.js';

/** The value of a secret by its name; null when there is none. */
export type SecretByName = (name: string) => Uint8Array | null;
/** Where the operator lets a secret go. */
export interface DeclaredHost {
  /** `host:port`. */
  readonly host: string;
  /** Also without TLS: in clear, to whoever answers there. */
  readonly isPlain: boolean;
}
/** By the name of the secret. */
export type DeclaredHosts = ReadonlyMap<string, readonly DeclaredHost[]>;

export interface Credential {
  readonly name: string;
  readonly placeholder: string;
  readonly variable: string;
  /** Declared, and listed for this step. */
  readonly hosts: ReadonlySet<string>;
  /** Those of them that it may be sent to without TLS. */
  readonly plainHosts: ReadonlySet<string>;
}

/** Throws SANDBOX_UNSUPPORTED for a name that is declared for none of `hosts`; FUNCTION_UNAVAILABLE for an unusable value. */
export function credentialsOf(
  names: readonly string[],
  hosts: readonly string[],
  declared: DeclaredHosts,
  secret: SecretByName,
): readonly Credential[] {
  const found = [...new Set(names)].map((name): Credential => {
    const own = (declared.get(name) ?? []).filter(({ host }) => hosts.includes(host));
    if (own.length === 0) {
      throw new WritError('SANDBOX_UNSUPPORTED', `the secret ${name} is declared for no host of this step`, {
        hint: `docker.yaml: credentials: { ${name}: [host:port] }, of hosts that the step reaches`,
      });
    }
    valueOf(name, secret);
    const placeholder = `writ-ph-${randomBytes(16).toString('hex')}`;
    return {
      name,
      placeholder,
      variable: variableOf(name),
      hosts: new Set(own.map(({ host }) => host)),
      plainHosts: new Set(own.filter(({ isPlain }) => isPlain).map(({ host }) => host)),
    };
  });
  if (new Set(found.map(({ variable }) => variable)).size !== found.length) {
    throw new WritError('SANDBOX_SPEC_INVALID', 'two secrets of a step would be in one variable', {
      hint: 'use one of them, or rename it: - . and _ are the same in a variable',
    });
  }
  return found;
}

function variableOf(name: string): string {
  return `CRED_${name.toUpperCase().replace(/[^A-Z0-9]/gu, '_')}`;
}

/** The secret as one line of visible ASCII. Throws FUNCTION_UNAVAILABLE. */
export function valueOf(name: string, secret: SecretByName): string {
  const value = secret(name);
  const text = value === null ? null : Buffer.from(value).toString('latin1');
  if (text !== null && /^[\x20-\x7e]+$/u.test(text)) return text;
  const what = text === null ? 'is not known here' : 'is not one line of visible ASCII';
  throw new WritError('FUNCTION_UNAVAILABLE', `the secret ${name} ${what}`, {
    hint: `writ secrets set ${name}`,
  });
}

/** Placeholders in a text; also inside the base64 of a Basic authorization. */
export function placeholdersIn(text: string, credentials: readonly Credential[]): readonly Credential[] {
  const basic = basicOf(text);
  return credentials.filter(
    ({ placeholder }) => text.includes(placeholder) || basic?.includes(placeholder) === true,
  );
}

/** `text` with the values in place of the placeholders. */
export function withValues(text: string, used: readonly Credential[], secret: SecretByName): string {
  const put = (one: string): string =>
    used.reduce(
      (sofar, { name, placeholder }) => sofar.replaceAll(placeholder, () => valueOf(name, secret)),
      one,
    );
  const basic = basicOf(text);
  if (basic === null || put(basic) === basic) return put(text);
  return `Basic ${Buffer.from(put(basic), 'latin1').toString('base64')}`;
}

function basicOf(text: string): string | null {
  const encoded = /^basic +([A-Za-z0-9+/=]{1,8192}) *$/iu.exec(text)?.[1];
  return encoded === undefined ? null : Buffer.from(encoded, 'base64').toString('latin1');
}
