// The two messages of RFC 3161 in DER. Loads the ASN.1 libraries, so it is imported when a time stamp is asked for.
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

const SHA_256 = '2.16.840.1.101.3.4.2.1';

/** A time stamp request for a SHA-256 digest, with a nonce (big-endian) and the wish for the certificate. */
export function encodeQuery(digest: Uint8Array, nonce: Uint8Array): Uint8Array {
  const messageImprint = new MessageImprint();
  messageImprint.hashAlgorithm.algorithm = SHA_256;
  messageImprint.hashedMessage = new OctetString(digest);
  const request = new TimeStampReq({ messageImprint, nonce: nonce.slice().buffer, certReq: true });
  return new Uint8Array(AsnConvert.serialize(request));
}

/** `response` is attacker-controlled. Throws AUDIT_TIMESTAMP_FAILED unless it is a token for exactly this request. */
export function checkResponse(response: Uint8Array, digest: Uint8Array, nonce: Uint8Array): void {
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

function same(a: ArrayBuffer, b: Uint8Array): boolean {
  return Buffer.from(a).equals(b);
}

/** No token is kept; `reason` says why. */
export function failed(reason: string, cause?: unknown): WritError {
  return new WritError('AUDIT_TIMESTAMP_FAILED', `no time stamp: ${reason}`, {
    hint: 'check timestamp.url in config.json; the log itself is whole without it',
    ...(cause === undefined ? {} : { cause }),
  });
}
