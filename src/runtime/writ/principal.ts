// Who acts, and what shows it.

/**
 * Who acts. Proven by a private key whose public half is in approvers.yaml, by the operating system's user, or over
 * HTTP by a token of an identity provider or a callback token.
 */
export interface Principal {
  /** `user:alice` */
  readonly id: string;
  readonly assurance: 'key' | 'os' | 'oidc' | 'token';
  /** `ed25519:<base64>`; null under every assurance but `key`. */
  readonly publicKey: string | null;
  readonly sign: ((message: Uint8Array) => Uint8Array) | null;
}

/** Whom a proof names. Each throws POLICY_IDENTITY_UNKNOWN where it names nobody. */
export interface Identities {
  /** The person enrolled with this public key; the caller holds the private half. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfKey(publicKey: string, sign: (message: Uint8Array) => Uint8Array): Principal;
  /** The person enrolled as this operating-system user, where approvers.yaml accepts that. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfUser(osUser: string): Principal;
  /** Whom a token names that was verified: issuer, audience, signature. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfOidc(iss: string, sub: string): Principal;
  /** The person a callback token was made for, which the caller has verified. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfToken(id: string): Principal;
  /** Who is enrolled with this key; `decide` checks that `signature` is theirs. Throws POLICY_IDENTITY_UNKNOWN. */
  principalOfSignature(publicKey: string, signature: Uint8Array): Principal;
}
