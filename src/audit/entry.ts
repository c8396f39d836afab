// The entry: the one thing the log holds. Its bytes are the RFC 8785 form of one object with exactly the keys
// below (FORMAT.md section 2); what is hashed is bytes, so reading refuses every other spelling of the same value.
import { bytesToHex } from '@noble/hashes/utils.js';
import { WritError } from '../errors.js';
import { canonicalize } from './canonical.js';
import { readFrame } from './entry-frame.js';
import { checkEntry, invalid, type Entry, type EntryFields, type EntryPlace } from './entry-schema.js';
import { decodeUtf8, parseJsonText } from './json-reader.js';
import { MAX_ENTRY_BYTES } from './tile.js';
import { formatTime } from './time.js';

export type { Entry, EntryFields, EntryPlace } from './entry-schema.js';

const UTF8 = new TextEncoder();

/**
 * The entry's bytes. Throws AUDIT_ENTRY_INVALID on a field outside the schema and beyond 65,535 bytes,
 * AUDIT_JSON_INVALID on data that is not JSON.
 */
export function buildEntry(fields: EntryFields, place: EntryPlace): Uint8Array {
  const value = {
    actor: { id: fields.actor.id, via: fields.actor.via },
    commit: fields.commit,
    data: fields.data,
    policy: fields.policy,
    prev: place.prev === null ? null : bytesToHex(place.prev),
    run: fields.run,
    seq: place.seq,
    tenant: fields.tenant,
    time: formatTime(place.timeMs),
    type: fields.type,
    v: 1,
    workflow: fields.workflow === null ? null : { hash: fields.workflow.hash, id: fields.workflow.id },
  };
  const text = canonicalize(value);
  checkEntry(value);
  const bytes = UTF8.encode(text);
  if (bytes.length > MAX_ENTRY_BYTES) throw tooLong(bytes.length);
  return bytes;
}

/** How the bytes of an entry can be wrong: not strict JSON, another spelling, or another shape. */
export type EntryFault = 'json' | 'canonical' | 'schema';

/** As `parseEntry`, with the fault as a value instead of an error. */
export function readEntry(
  bytes: Uint8Array,
): Entry | { readonly fault: EntryFault; readonly message: string } {
  if (bytes.length > MAX_ENTRY_BYTES) return { fault: 'schema', message: tooLong(bytes.length).message };
  let fault: EntryFault = 'json';
  try {
    const text = decodeUtf8(bytes);
    const entry = readFrame(text);
    if (entry !== null) return entry;
    const value = parseJsonText(text);
    fault = 'canonical';
    // Valid UTF-8 decodes one to one, so equal text is equal bytes.
    if (canonicalize(value) !== text) return { fault, message: 'the entry is not in its canonical form' };
    fault = 'schema';
    return checkEntry(value);
  } catch (error) {
    if (error instanceof WritError) return { fault, message: error.message };
    throw error;
  }
}

/**
 * The entry in `bytes` (attacker-controlled). Throws AUDIT_ENTRY_INVALID unless they are strict JSON, equal to
 * their own canonical form, and have exactly the schema's keys and types.
 */
export function parseEntry(bytes: Uint8Array): Entry {
  const entry = readEntry(bytes);
  if ('fault' in entry) throw invalid(entry.message);
  return entry;
}

function tooLong(length: number): WritError {
  return invalid(`an entry of ${length} bytes is longer than ${MAX_ENTRY_BYTES}`);
}
