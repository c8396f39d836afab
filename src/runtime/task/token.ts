// The token of a task that waits for an answer: 32 random bytes that only whoever is called ever sees. What is stored is
// its hash; the value is in memory from the intent to the end of the call, and taken out of all that the call says.
import { sha256 } from '../../audit/sha256.js';
import type { Hex, Json } from '../../json.js';
import type { Random } from '../ports.js';
import { openRedactor, type Redactor } from '../redaction.js';

const TOKEN_BYTES = 32;
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/** Base64url, 43 characters. */
export function newToken(random: Random): string {
  return Buffer.from(random.bytes(TOKEN_BYTES)).toString('base64url');
}

/** What is stored of it; null for what can be no token. `token` is attacker-controlled. */
export function hashOfToken(token: string): Hex | null {
  if (!TOKEN.test(token)) return null;
  return Buffer.from(sha256(new TextEncoder().encode(`writ.task-token.v1\0${token}`))).toString('hex') as Hex;
}

/** Takes as long for hashes that differ in the first digit as for those that differ in the last. */
export function isSameHash(a: Hex, b: Hex): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return difference === 0;
}

/** `value` with `token` in place of every `placeholder`, in texts and keys at any depth. */
export function putToken(value: Json, placeholder: string, token: string): Json {
  if (typeof value === 'string') return value.replaceAll(placeholder, () => token);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item: Json) => putToken(item, placeholder, token));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key.replaceAll(placeholder, () => token),
      putToken(item, placeholder, token),
    ]),
  );
}

/** As `redact`, and the token too: it stands in nothing that is stored or shown. */
export function withoutToken(redact: Redactor, token: string): Redactor {
  const name = 'task-token';
  const secret = [{ name, value: new TextEncoder().encode(token) }];
  const own = openRedactor({ current: () => secret });
  const both = (other: Redactor): Redactor => ({
    text: (text) => other.text(own.text(text)),
    json: (value) => other.json(own.json(value)),
    bytes: (bytes) => other.bytes(own.bytes(bytes)),
    now: () => both(other.now()),
  });
  return both(redact);
}
