// Which strings may stand in a policy or a question. Invisible and control characters are refused everywhere:
// a reviewer must see the identifier that is compared, and no row may hide a second line.

// Control characters, line and paragraph separators, zero-width and bidi controls, lone surrogates; variation selectors,
// fillers and whatever else Unicode says is not to be shown; what shows as nothing or as whatever a font has (private use).
const PLAIN = /^[ -~]*$/;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
const PRINCIPAL = /^(?:user|agent|service):[^\s*?]{1,256}$/u;
const ROLE = /^role:[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const DOMAIN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Longest string of a policy file or a question, in characters. */
export const MAX_TEXT_LENGTH = 2048;

/** True when every character can be seen and is stored as one thing. */
export function isVisible(text: string): boolean {
  return PLAIN.test(text) || !UNSEEN.test(text);
}

/** The first character of a text that can't be seen, as `U+200B`; null = all can be. */
export function unseenIn(text: string): string | null {
  const code = UNSEEN.exec(text)?.[0].codePointAt(0);
  return code === undefined ? null : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
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

// Letters and digits that do not stand beside Latin ones in one name: of every script but those that are written with
// them (UTS 39, "highly restrictive"), and the phonetic letters of Latin itself.
const NOT_BESIDE_LATIN =
  /(?![\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Hangul}])[\p{Letter}\p{Number}]|(?![0-9])\p{Nd}|[\u01c0-\u01c3\u0250-\u02af]/u;
// Dashes, slashes and colons that are not the ones of a keyboard.
const LOOKS_LIKE_ASCII = /[\u02d0\u2010-\u2015\u2043\u2044\u2212\u2215\u2236\ua789]/u;

/**
 * Why a name may be taken for another one, or null: it is written with compatibility or combining characters, mixes
 * Latin letters with those of another alphabet, is made of look-alikes of them only, or has dashes, slashes or colons that
 * look like those of ASCII. Names of one script are as good as others.
 */
export function lookAlikeProblem(text: string): string | null {
  if (/^[\x21-\x7e]*$/.test(text)) return null;
  const name = text.slice(text.indexOf(':') + 1);
  if (name !== name.normalize('NFKC')) return 'is not in the plain form of Unicode (NFKC)';
  if (LOOKS_LIKE_ASCII.test(name)) return 'holds a dash, slash or colon that only looks like one';
  const isMixed = /\p{Script=Latin}/u.test(name) && NOT_BESIDE_LATIN.test(name);
  if (isMixed) return 'mixes Latin letters with ones of another alphabet';
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
