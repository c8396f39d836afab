// Which strings may stand in a policy or a question. Invisible and control characters are refused everywhere:
// a reviewer must see the identifier that is compared, and no row may hide a second line.

// Control characters, line and paragraph separators, zero-width and bidi controls, lone surrogates.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const PRINCIPAL = /^(?:user|agent|service):[^\s*?]{1,256}$/u;
const ROLE = /^role:[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const DOMAIN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Longest string of a policy file or a question, in characters. */
export const MAX_TEXT_LENGTH = 2048;

/** True when every character can be seen and is stored as one thing. */
export function isVisible(text: string): boolean {
  return !UNSEEN.test(text);
}

/** `user:`, `agent:` or `service:` and a name. A role is never a principal: `role:x` is refused as a subject. */
export function isPrincipal(text: unknown): text is string {
  return typeof text === 'string' && PRINCIPAL.test(text) && isVisible(text);
}

export function isRole(text: unknown): text is string {
  return typeof text === 'string' && ROLE.test(text);
}

/** A tenant id. No comma, star or colon, so that no joined key inside Casbin can be read two ways. */
export function isDomain(text: unknown): text is string {
  return typeof text === 'string' && DOMAIN.test(text);
}

/** A value as it may be shown in a message: quoted, at most 120 characters. */
export function quoted(value: unknown): string {
  const json = JSON.stringify(value) ?? typeof value;
  return json.length > 120 ? `${json.slice(0, 120)}…` : json;
}
