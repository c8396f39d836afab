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
  return (
    typeof text === 'string' && PRINCIPAL.test(text) && isVisible(text) && lookAlikeProblem(text) === null
  );
}

/** Why `isPrincipal` says no, with the value. */
export function principalProblem(text: unknown): string {
  const isFormed = typeof text === 'string' && PRINCIPAL.test(text) && isVisible(text);
  const alike = isFormed ? lookAlikeProblem(text) : null;
  if (!isFormed || alike === null) return `${quoted(text)} is not user:NAME, agent:NAME or service:NAME`;
  return `${escaped(text)} ${alike}`;
}

// Letters of Cyrillic and Greek that look like Latin ones.
const LOOK_LATIN = /^[аеорсухіјѕԁԛԝһАВЕКМНОРСТУХІЈЅԌαορνικτυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ]+$/u;

/**
 * Why a name may be taken for another one, or null: it is written with compatibility or combining characters, mixes
 * Latin letters with those of a script that has look-alikes of them, or is made of such look-alikes only. Names of one
 * script are as good as others.
 */
export function lookAlikeProblem(text: string): string | null {
  if (/^[\x21-\x7e]*$/.test(text)) return null;
  const name = text.slice(text.indexOf(':') + 1);
  if (name !== name.normalize('NFKC')) return 'is not in the plain form of Unicode (NFKC)';
  const isMixed = /\p{Script=Latin}/u.test(name) && /[\p{Script=Cyrillic}\p{Script=Greek}]/u.test(name);
  if (isMixed) return 'mixes Latin letters with ones that look like them';
  const letters = name.replace(/\P{Letter}/gu, '');
  return LOOK_LATIN.test(letters) ? 'is made of letters that look like Latin ones' : null;
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
  // Of a text no more is written than is shown.
  const json = JSON.stringify(typeof value === 'string' ? value.slice(0, 121) : value) ?? typeof value;
  return json.length > 120 ? `${json.slice(0, 120)}…` : json;
}

/** A name with every character beyond ASCII as its code, so that a reader sees what it is made of. */
export function escaped(text: string): string {
  return quoted(text).replace(/[^\x20-\x7e]/gu, (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`);
}
