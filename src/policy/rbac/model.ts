// The frozen Casbin model. `policies/model.conf` must be this text byte for byte: an operator edits rules, never
// the matcher. The candidate index of enforcer.ts is sound for this matcher only.
import { sha256 as portable } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Hex } from '../../json.js';

/** Deny anywhere wins; no matching allow is a deny. */
export const MODEL_TEXT = `[request_definition]
r = sub, dom, obj, act
[policy_definition]
p = sub, dom, obj, act, eft, id
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = (p.dom == "*" || r.dom == p.dom) && (p.act == "*" || r.act == p.act) && fnMatch(r.obj, p.obj) && (g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))
`;

/** SHA-256 of MODEL_TEXT, pinned: a changed model is seen even when file and code were changed together. */
export const MODEL_HASH = '1d9420229f4c8a4c100dd4fae9946b80f8fa5fb66517b214c06961e64b8bc993' as Hex;

/** Of the text in UTF-8. */
export function sha256Hex(text: string, sha256: (bytes: Uint8Array) => Uint8Array = portable): Hex {
  return bytesToHex(sha256(utf8ToBytes(text))) as Hex;
}
