// The entry: the one thing the log holds. Its bytes are the RFC 8785 form of one object with exactly the keys
// below (FORMAT.md section 2); what is hashed is bytes, so reading refuses every other spelling of the same value.
import { WritError } from '../errors.js';
import { canonicalJson } from '../canonical-json.js';
import { canonicalize } from './canonical.js';
import { readFrame } from './entry-frame.js';
import {
  checkContents,
  checkEntry,
  checkSeq,
  checkSurroundings,
  invalid,
  type Entry,
  type EntryFields,
  type EntryPlace,
  type Surroundings,
} from './entry-schema.js';
import { hexOf } from './hex.js';
import { decodeUtf8, parseJsonText } from './json-reader.js';
import { MAX_ENTRY_BYTES } from './tile.js';
import { formatTime } from './time.js';
import { isHash } from './tree-hash.js';

export type { Entry, EntryFields, EntryPlace } from './entry-schema.js';

const UTF8 = new TextEncoder();
/** Room for any entry: a code unit has at most 3 bytes. */
const BLOCK_BYTES = 3 * MAX_ENTRY_BYTES;

/**
 * The entry's bytes, in memory that other entries share. Throws AUDIT_ENTRY_INVALID on a field outside the schema and
 * beyond 65,535 bytes, AUDIT_JSON_INVALID on data that is not JSON.
 */
export function buildEntry(fields: EntryFields, place: EntryPlace): Uint8Array {
  // First the nesting is bounded, then the schema looks into it. Both lie one level deep in the entry.
  const data = canonicalJson(fields.data, 1);
  const commit = canonicalJson(fields.commit, 1);
  const { type } = checkContents(fields);
  const around = frameAround(fields);
  const { seq, timeMs } = place;
  checkSeq(seq);
  if (place.prev !== null && !isHash(place.prev)) throw invalid('prev is no hash');
  const prev = place.prev === null ? null : hexOf(place.prev);
  const time = formatTime(timeMs);
  if (time === null) throw invalid('time is not in the years 0 to 9999');
  // What is a hash, a type or a time stands for itself.
  return encode(
    `${around.first}${commit},"data":${data}${around.beforePrev}${quoted(prev)}${around.beforeSeq}${seq}` +
      `${around.beforeTime}${time}","type":"${type}${around.last}`,
  );
}

/** The frame of an entry, in pieces: what stands before the commitments and between what is its own. */
interface Frame {
  readonly of: Surroundings;
  readonly first: string;
  readonly beforePrev: string;
  readonly beforeSeq: string;
  readonly beforeTime: string;
  readonly last: string;
}

let known: Frame | null = null;

/** The entries of a run have one frame: it is checked and written when another one comes. */
function frameAround(fields: Surroundings): Frame {
  if (known !== null && isSame(known.of, fields)) return known;
  const of = checkSurroundings(fields);
  const { run, tenant, actor, workflow, policy } = of;
  known = {
    of,
    first: `{"actor":{"id":${canonicalJson(actor.id)},"via":${canonicalJson(actor.via)}},"commit":`,
    beforePrev: `,"policy":${quoted(policy)},"prev":`,
    beforeSeq: `,"run":${canonicalJson(run)},"seq":`,
    beforeTime: `,"tenant":${canonicalJson(tenant)},"time":"`,
    last:
      '","v":1,"workflow":' +
      (workflow === null ? 'null}' : `{"hash":"${workflow.hash}","id":${canonicalJson(workflow.id)}}}`),
  };
  return known;
}

function isSame(a: Surroundings, b: Surroundings): boolean {
  const sameWorkflow =
    a.workflow === null || b.workflow === null
      ? a.workflow === b.workflow
      : a.workflow.id === b.workflow.id && a.workflow.hash === b.workflow.hash;
  return (
    sameWorkflow &&
    a.run === b.run &&
    a.tenant === b.tenant &&
    a.actor.id === b.actor.id &&
    a.actor.via === b.actor.via &&
    a.policy === b.policy
  );
}

let block = new Uint8Array(0);
let used = 0;

/** Entries lie one behind the other in blocks: memory of its own for each costs twice as much as its encoding. */
function encode(text: string): Uint8Array {
  if (text.length > MAX_ENTRY_BYTES) throw tooLong(UTF8.encode(text).length);
  if (used + 3 * text.length > block.length) {
    block = new Uint8Array(BLOCK_BYTES);
    used = 0;
  }
  // Mostly a code unit is a byte, and then this is the entry's own place already.
  const place = block.subarray(used, used + text.length);
  const { read, written } = UTF8.encodeInto(text, place);
  const length = read === text.length ? written : UTF8.encodeInto(text, block.subarray(used)).written;
  if (length > MAX_ENTRY_BYTES) throw tooLong(length);
  const bytes = length === place.length ? place : block.subarray(used, used + length);
  used += length;
  return bytes;
}

function quoted(plain: string | null): string {
  return plain === null ? 'null' : `"${plain}"`;
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
    const entry = readFrame(bytes);
    if (entry !== null) return entry;
    const text = decodeUtf8(bytes);
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
