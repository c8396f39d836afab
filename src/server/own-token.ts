// A bearer token that a person makes with their own enrolled key: it says who asks, for a few minutes, at one server.
// It is no vote: a decision is signed by itself.

/** The `iss` of such tokens; no identity provider has a name like it. */
export const OWN_KEY_ISSUER = 'writ:key';
export const OWN_KEY_TYPE = 'writ-key+jwt';
const OWN_TOKEN_SECONDS = 300;

/** A JWT (RFC 7519), EdDSA over Ed25519 (RFC 8037). `audience` is what the server says at its start. */
export function ownToken(
  key: { readonly publicKey: string; sign(message: Uint8Array): Uint8Array },
  audience: string,
  nowMs: number,
): string {
  const iat = Math.floor(nowMs / 1000);
  const header = { alg: 'EdDSA', typ: OWN_KEY_TYPE, kid: key.publicKey };
  const claims = { iss: OWN_KEY_ISSUER, aud: audience, iat, exp: iat + OWN_TOKEN_SECONDS };
  const content = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${content}.${Buffer.from(key.sign(new TextEncoder().encode(content))).toString('base64url')}`;
}
