// Asks a time stamp authority (RFC 3161) for a token over some bytes. What comes back is kept only when the authority
// granted it for these bytes and this request: status, imprint and nonce are compared. The authority's signature is
// for a verifier with its own idea of whom to trust (openssl ts -verify).
import { createHash, randomBytes } from 'node:crypto';
import type { HttpPost, TimestampAuthority } from '../../runtime/ports.js';

const NONCE_BYTES = 16;
/** Tokens with their certificates have 2 to 10 KiB. */
const MAX_RESPONSE_BYTES = 65_536;

/** The authority at `url`, asked over `post`. */
export function timestampAuthority(url: string, post: HttpPost): TimestampAuthority {
  return {
    url,
    async stamp(message, { timeoutMs, signal }) {
      const { checkResponse, encodeQuery, failed } = await import('./time-stamp-message.js');
      const digest = createHash('sha256').update(message).digest();
      const nonce = positiveInteger(randomBytes(NONCE_BYTES));
      const answer = await post({
        url,
        contentType: 'application/timestamp-query',
        body: encodeQuery(digest, nonce),
        maxBytes: MAX_RESPONSE_BYTES,
        timeoutMs,
        signal,
      });
      if ('failure' in answer) throw failed(answer.failure);
      if (answer.status !== 200) throw failed(`it answered ${answer.status}`);
      checkResponse(answer.body, digest, nonce);
      return answer.body;
    },
  };
}

/** DER: an INTEGER whose first bit is set would be negative, and one that begins with 0 not the shortest form. */
function positiveInteger(bytes: Uint8Array): Uint8Array {
  const positive = Uint8Array.from(bytes);
  positive[0] = ((positive[0] ?? 0) & 0x7f) | 0x40;
  return positive;
}
