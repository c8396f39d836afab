// Payloads outside the store: one line of an export (`writ audit export --payloads`). A line is the RFC 8785 form of
// one object and a newline; nothing in it is believed, since the commitment in the log says what the bytes are.
import { WritError } from '../errors.js';
import { isHex64, isObject, type Commitment, type Json } from '../json.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { canonicalBytes, canonicalize } from './canonical.js';
import { decodeUtf8, parseJsonText } from './json-reader.js';

export interface PayloadLine {
  readonly commitment: Commitment;
  readonly label: string;
  readonly mediaType: string;
  readonly run: string;
  /** Null salt or bytes = erased. */
  readonly salt: Uint8Array | null;
  readonly bytes: Uint8Array | null;
}

/** The line with its newline. */
export function formatPayloadLine(line: PayloadLine): Uint8Array {
  const { commitment, label, mediaType, run } = line;
  const text = { commitment, label, mediaType, run, salt: encode(line.salt), bytes: encode(line.bytes) };
  const json = canonicalBytes(text);
  const result = new Uint8Array(json.length + 1);
  result.set(json);
  result[json.length] = 0x0a;
  return result;
}

/**
 * The payload in a line without its newline (attacker-controlled). Throws AUDIT_JSON_INVALID on what is not strict
 * JSON, and unless it is canonical and has exactly these keys and types.
 */
export function parsePayloadLine(line: Uint8Array): PayloadLine {
  const text = decodeUtf8(line);
  const value = parseJsonText(text);
  if (canonicalize(value) !== text) throw invalid('it is not in its canonical form');
  if (!isObject(value) || Object.keys(value).sort().join() !== 'bytes,commitment,label,mediaType,run,salt') {
    throw invalid('it does not have exactly the keys bytes, commitment, label, mediaType, run, salt');
  }
  const { commitment, label, mediaType, run } = value;
  if (typeof commitment !== 'string' || !isHex64(commitment))
    throw invalid('commitment is not 64 hex digits');
  if (typeof label !== 'string' || typeof mediaType !== 'string' || typeof run !== 'string') {
    throw invalid('label, mediaType or run is no text');
  }
  const [salt, bytes] = [decode(value.salt, 'salt'), decode(value.bytes, 'bytes')];
  return { commitment, label, mediaType, run, salt, bytes };
}

function encode(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : encodeBase64(bytes);
}

function decode(value: Json | undefined, key: string): Uint8Array | null {
  if (value === null) return null;
  const bytes = typeof value === 'string' ? decodeBase64(value) : null;
  if (bytes === null) throw invalid(`${key} is neither null nor canonical base64`);
  return bytes;
}

function invalid(reason: string): WritError {
  return new WritError('AUDIT_JSON_INVALID', `invalid payload line: ${reason}`, {
    hint: 'make the file again with writ audit export --payloads',
  });
}
