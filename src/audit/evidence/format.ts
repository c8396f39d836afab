// The evidence bundle of one run, `writ.evidence/v1` (FORMAT.md section 11): what its file holds, byte for byte.
// Nothing in it is believed because it is there: reading gives values, verify.ts judges them. One value has one text:
// the file is its own RFC 8785 form, base64 is canonical, and `digest` covers everything else in it.
import { bytesToHex } from '@noble/hashes/utils.js';
import { canonicalJson } from '../../canonical-json.js';
import { WritError } from '../../errors.js';
import { isList, isHex64, isObject, type Commitment, type Json, type JsonObject } from '../../json.js';
import { decodeBase64, encodeBase64 } from '../base64.js';
import { decodeUtf8, parseJsonText } from '../json-reader.js';
import { sha256 } from '../sha256.js';
import { MAX_ENTRY_BYTES } from '../tile.js';
import { parseTreeSize } from '../tree-size.js';

const EVIDENCE_FORMAT = 'writ.evidence/v1';

/** Bounds on hostile bundles; a run that needs more is handed out with `writ audit export`. */
export const MAX_EVIDENCE_BYTES = 64 * 1024 * 1024;
/** Hashes of a proof in a tree of at most 2^63-1 entries. */
const MAX_PROOF_HASHES = 63;

export interface EvidenceEntry {
  readonly index: bigint;
  readonly bytes: Uint8Array;
  /** From the leaf's sibling up, without what the entries before it prove (shared-proof.ts). */
  readonly proof: readonly Uint8Array[];
}

export interface DisclosedPayload {
  readonly commitment: Commitment;
  readonly label: string;
  readonly salt: Uint8Array;
  readonly bytes: Uint8Array;
  /** Not covered by the commitment: says how to show the bytes, no more. */
  readonly mediaType: string;
}

/** Who made the bundle, how, and who keeps the records; for people, covered by no signature. */
export interface EvidenceCertificate {
  readonly tool: string;
  readonly version: string;
  readonly hash: string;
  readonly method: string;
  /** null = nobody was named. */
  readonly custodian: string | null;
}

export interface Evidence {
  readonly origin: string;
  /** What the bundle is about: one run, whole from its first entry. */
  readonly scope: { readonly run: string };
  /** The signed note, cosignatures included. */
  readonly checkpoint: string;
  /** An older checkpoint and the proof that the log has only grown since; null when none was given. */
  readonly first: { readonly checkpoint: string; readonly consistency: readonly Uint8Array[] } | null;
  /** Ascending by index: every entry of the run, and entries about the log that explain them. */
  readonly entries: readonly EvidenceEntry[];
  readonly disclosed: readonly DisclosedPayload[];
  /** `entry` = index of the `payload.erased` in `entries`. */
  readonly erased: readonly { readonly commitment: Commitment; readonly entry: bigint }[];
  /** A tlog-policy the maker suggests; never trusted. */
  readonly policy: string;
  readonly certificate: EvidenceCertificate;
}

/** The bytes of `F.json`: RFC 8785, no line end after it. Throws AUDIT_JSON_INVALID on unpaired surrogates. */
export function encodeEvidence(evidence: Evidence): Uint8Array {
  const { origin, scope, checkpoint, first, entries, disclosed, erased, policy, certificate } = evidence;
  const body: JsonObject = {
    format: EVIDENCE_FORMAT,
    origin,
    scope: { run: scope.run },
    checkpoint,
    first:
      first === null
        ? null
        : { checkpoint: first.checkpoint, consistency: first.consistency.map(encodeBase64) },
    entries: entries.map(({ index, bytes, proof }) => ({
      index: index.toString(),
      bytes: encodeBase64(bytes),
      proof: proof.map(encodeBase64),
    })),
    disclosed: disclosed.map(({ commitment, label, salt, bytes, mediaType }) => ({
      commitment,
      label,
      salt: encodeBase64(salt),
      bytes: encodeBase64(bytes),
      mediaType,
    })),
    erased: erased.map(({ commitment, entry }) => ({ commitment, entry: entry.toString() })),
    policy,
    certificate: { ...certificate },
  };
  return utf8(canonicalJson({ ...body, digest: digestOf(body) }));
}

export type EvidenceFault = 'json' | 'canonical' | 'schema' | 'digest';

/**
 * The bundle in `bytes` (attacker-controlled), or what is wrong with its form. With fault `digest` the form is right
 * and `evidence` is there: the file was changed since it was made, and the other rules may say where.
 */
export function decodeEvidence(bytes: Uint8Array): {
  readonly evidence: Evidence | null;
  readonly fault: EvidenceFault | null;
  readonly message: string;
} {
  let fault: EvidenceFault = 'json';
  try {
    if (bytes.length > MAX_EVIDENCE_BYTES) {
      throw invalid(`${bytes.length} bytes are more than ${MAX_EVIDENCE_BYTES}`);
    }
    const text = decodeUtf8(bytes);
    const value = parseJsonText(text);
    fault = 'canonical';
    if (canonicalJson(value) !== text) throw invalid('the file is not in its canonical form (RFC 8785)');
    fault = 'schema';
    const object = objectWith(value, KEYS, 'the bundle');
    const evidence = evidenceOf(object);
    const { digest, ...body } = object;
    if (digest === digestOf(body)) return { evidence, fault: null, message: '' };
    const message = "the bundle's digest is not the one of its content: it was changed after it was made";
    return { evidence, fault: 'digest', message };
  } catch (error) {
    if (error instanceof WritError) return { evidence: null, fault, message: error.message };
    throw error;
  }
}

const KEYS = 'certificate,checkpoint,digest,disclosed,entries,erased,first,format,origin,policy,scope';

function evidenceOf(object: JsonObject): Evidence {
  if (object.format !== EVIDENCE_FORMAT) throw invalid(`the format is not ${EVIDENCE_FORMAT}`);
  const first = object.first === null ? null : objectWith(object.first, 'checkpoint,consistency', 'first');
  const certificate = objectWith(object.certificate, 'custodian,hash,method,tool,version', 'the certificate');
  return {
    origin: text(object.origin, 'origin'),
    scope: { run: text(objectWith(object.scope, 'run', 'scope').run, 'scope.run') },
    checkpoint: text(object.checkpoint, 'checkpoint'),
    first:
      first === null
        ? null
        : {
            checkpoint: text(first.checkpoint, 'first.checkpoint'),
            consistency: hashes(first.consistency, 'first.consistency'),
          },
    entries: list(object.entries, 'entries').map(entryOf),
    disclosed: list(object.disclosed, 'disclosed').map(payloadOf),
    erased: list(object.erased, 'erased').map((value) => {
      const one = objectWith(value, 'commitment,entry', 'erased');
      return { commitment: hex(one.commitment), entry: index(one.entry) };
    }),
    policy: text(object.policy, 'policy'),
    certificate: {
      tool: text(certificate.tool, 'certificate.tool'),
      version: text(certificate.version, 'certificate.version'),
      hash: text(certificate.hash, 'certificate.hash'),
      method: text(certificate.method, 'certificate.method'),
      custodian: certificate.custodian === null ? null : text(certificate.custodian, 'certificate.custodian'),
    },
  };
}

function entryOf(value: Json): EvidenceEntry {
  const entry = objectWith(value, 'bytes,index,proof', 'an entry');
  const bytes = base64(entry.bytes, 'the bytes of an entry');
  if (bytes.length > MAX_ENTRY_BYTES) throw invalid(`an entry of ${bytes.length} bytes is too long`);
  return { index: index(entry.index), bytes, proof: hashes(entry.proof, 'a proof') };
}

function payloadOf(value: Json): DisclosedPayload {
  const payload = objectWith(value, 'bytes,commitment,label,mediaType,salt', 'a disclosed payload');
  return {
    commitment: hex(payload.commitment),
    label: text(payload.label, 'the label of a payload'),
    salt: base64(payload.salt, 'a salt'),
    bytes: base64(payload.bytes, 'the bytes of a payload'),
    mediaType: text(payload.mediaType, 'a media type'),
  };
}

/** SHA-256 (hex) over the RFC 8785 form of everything but itself: finds damage, proves nothing. */
function digestOf(body: JsonObject): string {
  return bytesToHex(sha256(utf8(canonicalJson(body))));
}

function objectWith(value: Json | undefined, keys: string, what: string): JsonObject {
  if (isObject(value) && Object.keys(value).sort().join() === keys) return value;
  throw invalid(`${what} does not have exactly the keys ${keys}`);
}

function list(value: Json | undefined, what: string): readonly Json[] {
  if (isList(value)) return value;
  throw invalid(`${what} is no list`);
}

function text(value: Json | undefined, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(`${what} is no text`);
}

function hex(value: Json | undefined): Commitment {
  if (typeof value === 'string' && isHex64(value)) return value;
  throw invalid('a commitment is not 64 lower-case hex digits');
}

function index(value: Json | undefined): bigint {
  const size = typeof value === 'string' ? parseTreeSize(value) : null;
  if (size === null) throw invalid('an index is no decimal number up to 2^63-1');
  return size;
}

function base64(value: Json | undefined, what: string): Uint8Array {
  const bytes = typeof value === 'string' ? decodeBase64(value) : null;
  if (bytes === null) throw invalid(`${what} is not canonical base64`);
  return bytes;
}

function hashes(value: Json | undefined, what: string): readonly Uint8Array[] {
  const items = list(value, what);
  if (items.length > MAX_PROOF_HASHES + 1) throw invalid(`${what} has ${items.length} hashes`);
  return items.map((item) => {
    const hash = base64(item, `a hash of ${what}`);
    if (hash.length !== 32) throw invalid(`a hash of ${what} has ${hash.length} bytes, not 32`);
    return hash;
  });
}

function utf8(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function invalid(reason: string): WritError {
  return new WritError('AUDIT_JSON_INVALID', `invalid evidence bundle: ${reason}`, {
    hint: 'get the file again from whoever made it',
  });
}
