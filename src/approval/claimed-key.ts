// Key and signature as a log entry tells them: attacker-controlled text, read strictly. The same in Node and in a browser,
// so that the command line and an evidence page judge alike.

const BASE64 = /^[A-Za-z0-9+/]{1,128}={0,2}$/;

/** The bytes of `ed25519:<base64>` and of a base64 signature; null unless both are of their exact form. */
export function claimedKey(
  keyId: string,
  signature: string,
): { readonly publicKey: Uint8Array; readonly signature: Uint8Array } | null {
  const key = /^ed25519:([A-Za-z0-9+/]{43}=)$/.exec(keyId)?.[1];
  const [publicKey, signed] = [decode(key ?? ''), decode(signature)];
  return publicKey === null || signed === null ? null : { publicKey, signature: signed };
}

/** null unless `text` is the canonical base64 of its bytes. */
function decode(text: string): Uint8Array | null {
  if (!BASE64.test(text) || text.length % 4 !== 0) return null;
  const binary = atob(text);
  return btoa(binary) === text ? Uint8Array.from(binary, (character) => character.charCodeAt(0)) : null;
}
