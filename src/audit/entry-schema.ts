// The schema of an entry (FORMAT.md section 2): exactly these keys, each of its type. A value that passes is an entry;
// that its bytes are the one spelling of it is the reader's part.
import { WritError } from '../errors.js';
import { isShared } from '../canonical-json.js';
import { isHex64, isObject, type Commitment, type Hex, type Json, type JsonObject } from '../json.js';
import { parseTime } from './time.js';

/** What the writer of an entry says; the rest is given by its place in the log. */
export interface EntryFields {
  /** `noun.verbed`, lower case. */
  readonly type: string;
  /** null = about the log itself. */
  readonly run: string | null;
  readonly tenant: string;
  readonly actor: { readonly id: string; readonly via: string };
  readonly workflow: { readonly id: string; readonly hash: Hex } | null;
  /** Hash of the policy snapshot. */
  readonly policy: Hex | null;
  /** Public facts only. */
  readonly data: JsonObject;
  /** label -> commitment of a payload. */
  readonly commit: Readonly<Record<string, Commitment>>;
}

export interface EntryPlace {
  /** Counts from 0 per run. */
  readonly seq: number;
  /** Leaf hash of the run's previous entry; null for its first. */
  readonly prev: Uint8Array | null;
  readonly timeMs: number;
}

export interface Entry extends EntryFields {
  readonly v: 1;
  readonly seq: number;
  readonly prev: Hex | null;
  /** The writer's claim, RFC 3339 UTC with milliseconds. */
  readonly time: string;
  readonly timeMs: number;
}

const KEYS = 'actor,commit,data,policy,prev,run,seq,tenant,time,type,v,workflow';
const TYPE = /^[a-z]{1,32}\.[a-z]{1,32}$/;
const LABEL = /^[\x21-\x7e]{1,64}$/;

/** `noun.verbed`. */
function isEntryType(text: string): boolean {
  return TYPE.test(text);
}

/** 1 to 64 visible ASCII characters: what a commitment may be called. */
export function isLabel(text: string): boolean {
  return LABEL.test(text);
}

/** The entry that `value` is. Throws AUDIT_ENTRY_INVALID on any other key or type. */
export function checkEntry(value: Json): Entry {
  const object = objectWith(value, KEYS, 'entry');
  const actor = objectWith(object.actor, 'id,via', 'actor');
  const workflow = object.workflow === null ? null : objectWith(object.workflow, 'hash,id', 'workflow');
  if (object.v !== 1) throw invalid('v is not 1');
  const { type, run, tenant, policy, data, commit, seq } = object;
  const fields = checkFields({ type, run, tenant, actor, workflow, policy, data, commit });
  checkSeq(seq);
  const time = text(object.time, 'time');
  const timeMs = parseTime(time);
  if (timeMs === null) throw invalid('time is not UTC with milliseconds and Z');
  return { v: 1, ...fields, seq, prev: hexOrNull(object.prev, 'prev'), time, timeMs };
}

/** As EntryFields, of values that nobody has looked at. */
export interface UncheckedFields {
  readonly type: Json | undefined;
  readonly run: Json | undefined;
  readonly tenant: Json | undefined;
  readonly actor: { readonly id?: Json; readonly via?: Json };
  readonly workflow: { readonly id?: Json; readonly hash?: Json } | null;
  readonly policy: Json | undefined;
  readonly data: Json | undefined;
  readonly commit: Json | undefined;
}

/** The fields, each of its type; `data` and `commit` must not be cyclic. Throws AUDIT_ENTRY_INVALID. */
function checkFields(fields: UncheckedFields): EntryFields {
  return { ...checkSurroundings(fields), ...checkContents(fields) };
}

/** What many entries have in common: who, where and under what. */
export type Surroundings = Pick<EntryFields, 'run' | 'tenant' | 'actor' | 'workflow' | 'policy'>;

/** These fields as `checkFields` does. */
export function checkSurroundings(fields: Pick<UncheckedFields, keyof Surroundings>): Surroundings {
  const { run, tenant, actor, workflow, policy } = fields;
  return {
    run: run === null ? null : text(run, 'run'),
    tenant: text(tenant, 'tenant'),
    actor: { id: text(actor.id, 'actor.id'), via: text(actor.via, 'actor.via') },
    workflow: workflow === null ? null : checkWorkflow(workflow),
    policy: hexOrNull(policy, 'policy'),
  };
}

/** The others as `checkFields` does. */
export function checkContents({
  type,
  data,
  commit,
}: Pick<UncheckedFields, 'type' | 'data' | 'commit'>): Pick<EntryFields, 'type' | 'data' | 'commit'> {
  if (typeof type !== 'string' || !isEntryType(type)) throw invalid('type is not noun.verbed in lower case');
  if (!isObject(data)) throw invalid('data is no object');
  checkIntegers(data);
  return { type, data, commit: checkCommit(commit) };
}

/** Throws AUDIT_ENTRY_INVALID unless `seq` counts from 0. */
export function checkSeq(seq: Json | undefined): asserts seq is number {
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0) throw invalid('seq is no count');
}

function checkWorkflow(workflow: NonNullable<UncheckedFields['workflow']>): { id: string; hash: Hex } {
  const hash = hexOrNull(workflow.hash, 'workflow.hash');
  if (hash === null) throw invalid('workflow.hash is null');
  return { id: text(workflow.id, 'workflow.id'), hash };
}

function checkCommit(value: Json | undefined): Readonly<Record<string, Commitment>> {
  if (!isObject(value) || !isCommit(value)) throw invalid('commit is no object');
  return value;
}

/** Throws AUDIT_ENTRY_INVALID on a label or a commitment that is none. */
function isCommit(value: JsonObject): value is Readonly<Record<string, Commitment>> {
  for (const label of Object.keys(value)) {
    if (!isLabel(label)) throw invalid('a commit label is not 1 to 64 visible ASCII characters');
    const hex = value[label];
    if (typeof hex !== 'string' || !isHex64(hex))
      throw invalid(`commit ${label} is not 64 lower-case hex digits`);
  }
  return true;
}

/** Shared parts that were looked through. */
const sound = new WeakSet<object>();

// Larger integers are decimal strings in the log: other readers would round them.
function checkIntegers(value: Json): void {
  if (typeof value === 'number') {
    if (Number.isInteger(value) && !Number.isSafeInteger(value))
      throw invalid('an integer beyond 2^53-1 in data');
  } else if (typeof value === 'object' && value !== null && !sound.has(value)) {
    for (const item of Object.values(value)) checkIntegers(item);
    if (isShared(value)) sound.add(value);
  }
}

function objectWith(value: Json | undefined, keys: string, what: string): JsonObject {
  // In order, as the writer and the canonical form have them; otherwise sorted first.
  const has =
    isObject(value) && (Object.keys(value).join() === keys || Object.keys(value).sort().join() === keys);
  if (!has) {
    throw invalid(`${what} does not have exactly the keys ${keys}`);
  }
  return value;
}

function text(value: Json | undefined, what: string): string {
  if (typeof value !== 'string' || value === '') throw invalid(`${what} is no text`);
  return value;
}

function hexOrNull(value: Json | undefined, what: string): Hex | null {
  if (value === null) return null;
  if (typeof value !== 'string' || !isHex64(value)) throw invalid(`${what} is not 64 lower-case hex digits`);
  return value;
}

/** AUDIT_ENTRY_INVALID for `reason`. */
export function invalid(reason: string): WritError {
  return new WritError('AUDIT_ENTRY_INVALID', `invalid log entry: ${reason}`, {
    hint: 'move large or private values to a payload and write its commitment',
  });
}
