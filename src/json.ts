// JSON values and the branded strings that must not be mixed up.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** `sha256:` and 64 lower-case hex digits. */
export type Digest = Branded<'Digest'>;
/** 64 lower-case hex digits over a workflow, policy, ceiling or entry. */
export type Hex = Branded<'Hex'>;
/** 64 lower-case hex digits: what an approval is bound to (see approval/subject.ts). */
export type SubjectDigest = Branded<'SubjectDigest'>;
/** 64 lower-case hex digits: the HMAC commitment of a payload. */
export type Commitment = Branded<'Commitment'>;

/**
 * What a JSON text says, as the platform reads it; throws SyntaxError. Of two equal keys it takes the last, and it rounds
 * numbers: what no two readers may see differently is for `parseJson` of the audit log.
 */
export function readJson(text: string): Json {
  // Without a function to revive values, `JSON.parse` makes nothing else.
  return JSON.parse(text) as Json;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const NO_HEX = /[^0-9a-f]/;

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

export function isHex64(text: string): text is Hex & SubjectDigest & Commitment {
  // Engines look for what does not belong twice as fast as they count 64 that do.
  return text.length === 64 && !NO_HEX.test(text);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As `Array.isArray`, which would make a list of anything of it. */
export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
