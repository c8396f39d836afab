// Webhooks that come in: which channel signed, by Node's own functions. It says that the relay sent this; who decides
// is another question.
import { createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import {
  verifyWebhook,
  type WebhookCrypto,
  type WebhookFault,
  type WebhookHeaders,
} from '../../approval/webhook.js';
import { verifyEd25519 } from '../../ed25519.js';
import type { ChannelIn } from '../serve-config.js';

const NODE_CRYPTO: WebhookCrypto = {
  hmacSha256: (secret, message) => createHmac('sha256', secret).update(message).digest(),
  verifyEd25519(publicKey, message, signature) {
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') },
      format: 'jwk',
    });
    // The platform is asked first, being faster; both have to agree on what a signature is.
    return verify(null, message, key, signature) && verifyEd25519(publicKey, message, signature);
  },
  equal: (one, other) => one.length === other.length && timingSafeEqual(one, other),
};

export type ChannelVerdict =
  | {
      readonly ok: true;
      readonly id: string;
      /** Base64 of the Ed25519 key that signed; null for an HMAC secret, which is nobody's own. */
      readonly publicKey: string | null;
    }
  | { readonly ok: false; readonly code: WebhookFault };

/** Whether a key of the channel signed; a channel that is not heard is verified with no key. */
export function verifyChannel(
  channel: ChannelIn | null,
  secret: (name: string) => Uint8Array | null,
  {
    headers,
    body,
    nowMs,
  }: { readonly headers: WebhookHeaders; readonly body: Uint8Array; readonly nowMs: number },
): ChannelVerdict {
  const nowSeconds = Math.floor(nowMs / 1000);
  const judge = (keys: readonly string[]): ReturnType<typeof verifyWebhook> =>
    verifyWebhook({ keys, headers, body, nowSeconds, crypto: NODE_CRYPTO });
  const secrets = (channel?.secrets ?? []).map((name) =>
    Buffer.from(secret(name) ?? '')
      .toString('latin1')
      .trim(),
  );
  const publicKeys = channel?.publicKeys ?? [];
  const verdict = judge([...secrets, ...publicKeys]);
  if (!verdict.ok) return verdict;
  const own = publicKeys.find((key) => judge([key]).ok);
  return { ok: true, id: verdict.id, publicKey: own === undefined ? null : own.slice('whpk_'.length) };
}
