// Where a request wants to go: read once, from the one place that may say it, to a host and a port. What is decided,
// resolved, connected to and logged is this value. Everything here reads attacker-controlled text.

/** A place to connect to. */
export interface Target {
  /** `host:port`, as policies and lists spell it. */
  readonly host: string;
  /** In lower case; an IPv6 address without brackets. */
  readonly hostname: string;
  readonly port: number;
}

const MAX_TEXT = 8_192;
/** What an authority can be made of; no user, no path, no percent signs. */
const AUTHORITY = /^(?:[a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?$/iu;

/** The target of a CONNECT request, or a Host header; null when it is none. */
export function targetOfAuthority(text: string, defaultPort: number | null): Target | null {
  if (!AUTHORITY.test(text)) return null;
  const given = /:([0-9]{1,5})$/u.exec(text)?.[1];
  const port = given === undefined ? defaultPort : Number(given);
  if (port === null || port < 1 || port > 65_535) return null;
  const name = given === undefined ? text : text.slice(0, text.lastIndexOf(':'));
  // One parser decides what a spelling means: 0x7f.1 is 127.0.0.1 here, before anything is compared.
  if (!URL.canParse(`http://${name}/`)) return null;
  const { hostname } = new URL(`http://${name}/`);
  return { host: `${hostname}:${port}`, hostname: hostname.replace(/^\[(.*)\]$/u, '$1'), port };
}

/** What an absolute-form request asks for (RFC 9112 section 3.2.2): `http` only, without a user. Null = it is no such form. */
export function targetOfUrl(text: string): { readonly target: Target; readonly path: string } | null {
  const found = /^http:\/\/([^/?#]{1,300})([/?][!-~]*)?$/iu.exec(text);
  if (found === null || text.length > MAX_TEXT) return null;
  const [, authority = '', rest = '/'] = found;
  const target = targetOfAuthority(authority, 80);
  const path = rest.startsWith('/') ? rest : `/${rest}`;
  return target === null || !isPath(path) ? null : { target, path };
}

/** A path and query as they are sent on: visible ASCII, no fragment. */
export function isPath(text: string): boolean {
  return text.length <= MAX_TEXT && /^\/[!-~]*$/u.test(text) && !/[#\\]/u.test(text);
}
