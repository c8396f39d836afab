// Standard Webhooks (standard-webhooks/standard-webhooks `spec/standard-webhooks.md`), both ways, stricter than the
// specification where that is lenient. Judged on raw bytes, before anything parses them. Who signed is a relay: what
// the body says of people is not believed for that. Replay is the caller's: `id` is to be kept, durably.
import { ed25519 } from '@noble/curves/ed25519.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { verifyEd25519 } from '../ed25519.js';
import { WritError } from '../errors.js';
import {
  decodeWebhookBase64,
  encodeBase64,
  readWebhookKey,
  readWebhookSigningKey,
  sameBytes,
  type WebhookKey,
} from './webhook-key.js';

/** Hash and signature functions; the room's own are portable, a server gives those of its platform. */
export interface WebhookCrypto {
  hmacSha256(secret: Uint8Array, message: Uint8Array): Uint8Array;
  verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** In constant time; both have the same length. */
  equal(one: Uint8Array, other: Uint8Array): boolean;
}

/** Header names in any case. A name that is there twice, in whatever way, is one header too many. */
export type WebhookHeaders =
  Readonly<Record<string, string | readonly string[] | undefined>> | Iterable<readonly [string, string]>;

export interface VerifyWebhook {
  /** `whsec_…` or `whpk_…`; several while keys are rotated, at most 16. */
  readonly keys: string | readonly string[];
  readonly headers: WebhookHeaders;
  /** The raw body; text stands for its UTF-8 bytes. */
  readonly body: Uint8Array | string;
  /** The verifier's clock, Unix seconds. */
  readonly nowSeconds: number;
  /** Border included; default 300. */
  readonly toleranceSeconds?: number;
  readonly crypto?: WebhookCrypto;
}

/** Why a webhook was refused. For the operator's log; a sender is told no more than that it was. */
export type WebhookFault =
  | 'WEBHOOK_CALL_INVALID'
  | 'WEBHOOK_KEY_INVALID'
  | 'WEBHOOK_HEADER_MISSING'
  | 'WEBHOOK_HEADER_REPEATED'
  | 'WEBHOOK_ID_INVALID'
  | 'WEBHOOK_TIMESTAMP_INVALID'
  | 'WEBHOOK_TIMESTAMP_TOO_OLD'
  | 'WEBHOOK_TIMESTAMP_TOO_NEW'
  | 'WEBHOOK_SIGNATURE_MALFORMED'
  | 'WEBHOOK_SIGNATURE_INVALID';

export type WebhookVerdict =
  | { readonly ok: true; readonly id: string; readonly timestamp: number }
  | { readonly ok: false; readonly code: WebhookFault };

export const WEBHOOK_TOLERANCE_SECONDS = 300;
const MAX_KEYS = 16;
const MAX_ELEMENTS = 16;
/** More elements than are looked at, each longer than any known one. */
const MAX_SIGNATURE_CHARACTERS = 4_096;
/** 1-256 visible ASCII characters, no dot: a dot would let id and timestamp change places. */
const ID = /^[!-\-/-~]{1,256}$/;
/** `parseInt` and `Number` would read more than digits. */
const TIMESTAMP = /^[0-9]{1,12}$/;

export const PORTABLE_CRYPTO: WebhookCrypto = {
  hmacSha256: (secret, message) => hmac(sha256, secret, message),
  verifyEd25519,
  equal: sameBytes,
};

/** Whether one of `keys` signed exactly this id, time and body, not too long ago. Never throws. */
export function verifyWebhook(call: VerifyWebhook): WebhookVerdict {
  try {
    return judge(call);
  } catch {
    // What is not even of the right types was signed by nobody.
    return refused('WEBHOOK_CALL_INVALID');
  }
}

function judge({ keys, headers, body, nowSeconds, ...options }: VerifyWebhook): WebhookVerdict {
  const { toleranceSeconds = WEBHOOK_TOLERANCE_SECONDS, crypto = PORTABLE_CRYPTO } = options;
  // NaN compares with nothing, so it would accept every time.
  if (!Number.isFinite(nowSeconds) || !(toleranceSeconds >= 0)) return refused('WEBHOOK_CALL_INVALID');
  const listed = typeof keys === 'string' ? [keys] : keys;
  const read = listed.map((text) => readWebhookKey(text));
  const held = read.filter((key) => key !== null);
  // One key that can't be used is a mistake of the operator, who must hear of it before the others are gone.
  if (held.length === 0 || held.length < read.length || held.length > MAX_KEYS) {
    return refused('WEBHOOK_KEY_INVALID');
  }
  const found = threeHeaders(headers);
  if (typeof found === 'string') return refused(found);
  const { id, timestamp: timeText, signature } = found;
  if (!ID.test(id)) return refused('WEBHOOK_ID_INVALID');
  if (!TIMESTAMP.test(timeText)) return refused('WEBHOOK_TIMESTAMP_INVALID');
  const timestamp = Number(timeText);
  if (nowSeconds - timestamp > toleranceSeconds) return refused('WEBHOOK_TIMESTAMP_TOO_OLD');
  if (timestamp - nowSeconds > toleranceSeconds) return refused('WEBHOOK_TIMESTAMP_TOO_NEW');
  const elements = signature.split(' ').filter((element) => element !== '');
  if (
    elements.length === 0 ||
    elements.length > MAX_ELEMENTS ||
    signature.length > MAX_SIGNATURE_CHARACTERS
  ) {
    return refused('WEBHOOK_SIGNATURE_MALFORMED');
  }
  const content = signedContent(id, timeText, body);
  // Every element is tried with every key: how long it takes says nothing of which one fitted.
  let isGood = false;
  for (const element of elements) isGood = isSignedByAny(element, held, content, crypto) || isGood;
  return isGood ? { ok: true, id, timestamp } : refused('WEBHOOK_SIGNATURE_INVALID');
}

function refused(code: WebhookFault): WebhookVerdict {
  return { ok: false, code };
}

interface ThreeHeaders {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
}

/** Attacker-controlled. Each of the three exactly once. */
function threeHeaders(headers: WebhookHeaders): ThreeHeaders | WebhookFault {
  const values = { id: [] as string[], timestamp: [] as string[], signature: [] as string[] };
  for (const [name, value] of pairsOf(headers)) {
    const lower = name.toLowerCase();
    if (lower === 'webhook-id') values.id.push(value);
    else if (lower === 'webhook-timestamp') values.timestamp.push(value);
    else if (lower === 'webhook-signature') values.signature.push(value);
  }
  const { id, timestamp, signature } = values;
  const lists = [id, timestamp, signature];
  if (lists.some((list) => list.length === 0)) return 'WEBHOOK_HEADER_MISSING';
  if (lists.some((list) => list.length > 1)) return 'WEBHOOK_HEADER_REPEATED';
  return { id: id[0] ?? '', timestamp: timestamp[0] ?? '', signature: signature[0] ?? '' };
}

function pairsOf(headers: WebhookHeaders): readonly (readonly [string, string])[] {
  if (Symbol.iterator in headers) return Array.from(headers as Iterable<readonly [string, string]>);
  return Object.entries(headers).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return (typeof value === 'string' ? [value] : value).map((one) => [name, one] as const);
  });
}

function signedContent(id: string, timestamp: string, body: Uint8Array | string): Uint8Array {
  const bytes = typeof body === 'string' ? utf8ToBytes(body) : body;
  return concatBytes(utf8ToBytes(`${id}.${timestamp}.`), bytes);
}

/** `<version>,<base64>`; a version that is not known signs nothing. */
function isSignedByAny(
  element: string,
  keys: readonly WebhookKey[],
  content: Uint8Array,
  crypto: WebhookCrypto,
): boolean {
  const comma = element.indexOf(',');
  const version = element.slice(0, Math.max(comma, 0));
  const encoded = element.slice(comma + 1);
  const signature = decodeWebhookBase64(encoded, version === 'v1a' ? 64 : 32);
  if (signature === null) return false;
  let isGood = false;
  for (const key of keys) {
    // The version names the kind of key: an HMAC secret that is somebody's public key proves nothing.
    if (key.version !== version) continue;
    const fits =
      key.version === 'v1'
        ? crypto.equal(crypto.hmacSha256(key.secret, content), signature)
        : crypto.verifyEd25519(key.publicKey, content, signature);
    isGood = fits || isGood;
  }
  return isGood;
}

export interface SignWebhook {
  /** `whsec_…` (v1) or `whsk_…` (v1a); with several, each signs: receivers move from one to the next. */
  readonly key: string | readonly string[];
  readonly id: string;
  /** Unix seconds. */
  readonly timestamp: number;
  readonly body: Uint8Array | string;
}

/** A type, not an interface: it goes where headers go. */
export type SignedHeaders = {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
};

/** The three headers that `verifyWebhook` accepts. Throws APPROVAL_WEBHOOK_INVALID for a key, id or time it would not. */
export function signWebhook({ key, id, timestamp, body }: SignWebhook): SignedHeaders {
  const time = String(timestamp);
  if (!ID.test(id)) throw invalid('a webhook id has 1 to 256 visible ASCII characters and no dot');
  if (!TIMESTAMP.test(time)) throw invalid('a webhook timestamp is whole Unix seconds');
  const texts = typeof key === 'string' ? [key] : key;
  if (texts.length === 0 || texts.length > MAX_ELEMENTS)
    throw invalid(`1 to ${MAX_ELEMENTS} keys sign a webhook`);
  const content = signedContent(id, time, body);
  const elements = texts.map((text) => {
    const read = readWebhookSigningKey(text);
    if (read === null) throw invalid('a webhook is signed with a whsec_ or whsk_ key of the right length');
    if (read.version === 'v1') return `v1,${encodeBase64(hmac(sha256, read.secret, content))}`;
    return `v1a,${encodeBase64(ed25519.sign(content, read.seed))}`;
  });
  return { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': elements.join(' ') };
}

function invalid(message: string): WritError {
  return new WritError('APPROVAL_WEBHOOK_INVALID', message, {
    hint: 'an HMAC secret is whsec_ and the base64 of 24 to 64 random bytes',
  });
}
