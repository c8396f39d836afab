// Asks a time stamp authority (RFC 3161) for a token over some bytes. What comes back is kept only when the authority
// granted it for these bytes and this request: status, imprint and nonce are compared. The authority's signature is
// for a verifier with its own idea of whom to trust (openssl ts -verify).
import { createHash, randomBytes } from 'node:crypto';
import { ContentInfo, id_signedData, SignedData } from '@peculiar/asn1-cms';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  id_ct_tstInfo,
  MessageImprint,
  PKIStatus,
  TimeStampReq,
  TimeStampResp,
  TSTInfo,
} from '@peculiar/asn1-tsp';
import { WritError } from '../../errors.js';
import type { HttpPost, TimestampAuthority } from '../../runtime/ports.js';

const SHA_256 = '2.16.840.1.101.3.4.2.1';
const NONCE_BYTES = 16;
/** Tokens with their certificates have 2 to 10 KiB. */
const MAX_RESPONSE_BYTES = 65_536;

/** The authority at `url`, asked over `post`. */
export function timestampAuthority(url: string, post: HttpPost): TimestampAuthority {
  return {
    url,
    async stamp(message, { timeoutMs, signal }) {
      const digest = createHash('sha256').update(message).digest();
      const nonce = positiveInteger(randomBytes(NONCE_BYTES));
      const answer = await post({
        url,
        contentType: 'application/timestamp-query',
        body: query(digest, nonce),
        maxBytes: MAX_RESPONSE_BYTES,
        timeoutMs,
        signal,
      });
      if ('failure' in answer) throw failed(answer.failure);
      if (answer.status !== 200) throw failed(`it answered ${answer.status}`);
      check(answer.body, digest, nonce);
      return answer.body;
    },
  };
}

function query(digest: Uint8Array, nonce: Uint8Array): Uint8Array {
  const messageImprint = new MessageImprint();
  messageImprint.hashAlgorithm.algorithm = SHA_256;
  messageImprint.hashedMessage = new OctetString(digest);
  const request = new TimeStampReq({ messageImprint, nonce: nonce.slice().buffer, certReq: true });
  return new Uint8Array(AsnConvert.serialize(request));
}

/** `response` is attacker-controlled. Throws AUDIT_TIMESTAMP_FAILED unless it is a token for exactly this request. */
function check(response: Uint8Array, digest: Uint8Array, nonce: Uint8Array): void {
  const info = tokenInfo(response);
  const { hashAlgorithm, hashedMessage } = info.messageImprint;
  if (hashAlgorithm.algorithm !== SHA_256 || !same(hashedMessage.buffer, digest)) {
    throw failed('its token is over other bytes');
  }
  if (info.nonce === undefined || !same(info.nonce, nonce)) throw failed('its token answers another request');
}

function tokenInfo(response: Uint8Array): TSTInfo {
  let status: number;
  let info: TSTInfo | null = null;
  try {
    const parsed = AsnConvert.parse(response, TimeStampResp);
    status = parsed.status.status;
    const token = parsed.timeStampToken;
    if (token?.contentType === id_signedData) info = signedInfo(token);
  } catch (cause) {
    throw failed('its answer is no time stamp response', cause);
  }
  if (status !== Number(PKIStatus.granted) && status !== Number(PKIStatus.grantedWithMods)) {
    throw failed(`it refused with status ${status}`);
  }
  if (info === null) throw failed('its answer holds no token');
  return info;
}

/** RFC 3161 section 2.4.2: the token is CMS SignedData around a TSTInfo. */
function signedInfo(token: ContentInfo): TSTInfo | null {
  const { encapContentInfo } = AsnConvert.parse(token.content, SignedData);
  const content = encapContentInfo.eContent?.single;
  if (encapContentInfo.eContentType !== id_ct_tstInfo || content === undefined) return null;
  return AsnConvert.parse(content.buffer, TSTInfo);
}

/** DER: an INTEGER whose first bit is set would be negative, and one that begins with 0 not the shortest form. */
function positiveInteger(bytes: Uint8Array): Uint8Array {
  const positive = Uint8Array.from(bytes);
  positive[0] = ((positive[0] ?? 0) & 0x7f) | 0x40;
  return positive;
}

function same(a: ArrayBuffer, b: Uint8Array): boolean {
  return Buffer.from(a).equals(b);
}

function failed(reason: string, cause?: unknown): WritError {
  return new WritError('AUDIT_TIMESTAMP_FAILED', `no time stamp: ${reason}`, {
    hint: 'check timestamp.url in config.json; the log itself is whole without it',
    ...(cause === undefined ? {} : { cause }),
  });
}
