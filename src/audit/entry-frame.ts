// A short way to read an entry that is in order. Its keys come in one order and its frame has one spelling, so the
// text is compared with that spelling from left to right instead of making a tree of it; `data` is recognised as plain
// canonical JSON, and parsed when somebody asks for it. What passes, the strict reader, the canonical form and the schema
// accept with the same result (test/property/entry-frame.test.ts); whatever does not pass is read by those, which also
// know what is wrong with it.
import type { Commitment, Hex } from '../json.js';
import type { Entry } from './entry-schema.js';
import { plainObject, type PlainObject } from './plain-json.js';
import { parseTime } from './time.js';

// Each expression takes linear time: what ends a part can't stand inside it. Text is not empty and needs no escape; 15
// digits are always a safe integer. Hex digits are written out, because engines match a class 64 times much faster than
// a class with a count of 64.
const TEXT = /"([^"\\\0-\x1f]+)"/;
const HEX4 = /[0-9a-f][0-9a-f][0-9a-f][0-9a-f]/;
const HEX16 = new RegExp(`${HEX4.source}${HEX4.source}${HEX4.source}${HEX4.source}`);
const HASH = new RegExp(`"(${HEX16.source}${HEX16.source}${HEX16.source}${HEX16.source})"`);
const COMMITMENT = new RegExp(`"([!#-[\\]-~]{1,64})":${HASH.source}([,}])`, 'y');
const DATA = ',"data":';
const PREV = new RegExp(`(?:null|${HASH.source}),"run":`, 'y');
const SEQ = /(?:0|[1-9][0-9]{0,14}),"tenant":/y;
const TYPE = /"[a-z]{1,32}\.[a-z]{1,32}","v":1,/y;

interface Part<Value> {
  readonly text: string;
  readonly value: Value;
}

/**
 * A part of the frame that says the same in entry after entry. What was found at the last place is compared as text
 * before the expression is asked; each ends with a mark of its own, so equal text is the same part.
 */
class Repeated<Value> {
  private last: Part<Value> | null = null;

  constructor(
    /** Sticky. */
    private readonly pattern: RegExp,
    /** undefined = it is none after all. */
    private readonly valueOf: (found: RegExpExecArray) => Value | undefined,
  ) {}

  at(text: string, from: number): Part<Value> | null {
    const { last, pattern } = this;
    if (last !== null && text.slice(from, from + last.text.length) === last.text) return last;
    pattern.lastIndex = from;
    const found = pattern.exec(text);
    const value = found === null ? undefined : this.valueOf(found);
    if (found === null || value === undefined) return null;
    this.last = { text: found[0], value };
    return this.last;
  }
}

const ACTOR = new Repeated(
  new RegExp(`\\{"actor":\\{"id":${TEXT.source},"via":${TEXT.source}\\},"commit":\\{`, 'y'),
  ([, id = '', via = '']) => ({ id, via }),
);
const POLICY = new Repeated(
  new RegExp(`,"policy":(?:null|${HASH.source}),"prev":`, 'y'),
  ([, hash]) => (hash ?? null) as Hex | null,
);
const RUN = new Repeated(new RegExp(`(?:null|${TEXT.source}),"seq":`, 'y'), ([, run]) => run ?? null);
const MOMENT = new Repeated(
  new RegExp(`${TEXT.source},"time":${TEXT.source},"type":`, 'y'),
  ([, tenant = '', time = '']) => {
    const timeMs = parseTime(time);
    return timeMs === null ? undefined : { tenant, time, timeMs };
  },
);
const WORKFLOW = new Repeated(
  new RegExp(`"workflow":(?:null|\\{"hash":${HASH.source},"id":${TEXT.source}\\})\\}`, 'y'),
  ([, hash, id = '']) => (hash === undefined ? null : { id, hash: hash as Hex }),
);

/** An entry whose data still lies in its text. */
export type Frame = Omit<Entry, 'data'> & { readonly data: PlainObject };

/** As `scanFrame`, with the data. */
export function readFrame(text: string): Entry | null {
  const frame = scanFrame(text);
  return frame === null ? null : { ...frame, data: frame.data.all() };
}

/**
 * The entry that `text` (attacker-controlled, decoded from strict UTF-8) is the canonical form of; null when this
 * reader can't tell. Time is linear in the text.
 */
export function scanFrame(text: string): Frame | null {
  const actor = ACTOR.at(text, 0);
  if (actor === null) return null;
  const commit: Record<string, Commitment> = {};
  const commitEnd = readCommit(text, actor.text.length, commit);
  if (commitEnd < 0 || !text.startsWith(DATA, commitEnd)) return null;
  // Of the levels that count, the entry is the first.
  const data = plainObject(text, commitEnd + DATA.length, 2);
  const policy = data === null ? null : POLICY.at(text, data.end);
  if (data === null || policy === null) return null;
  const prevAt = data.end + policy.text.length;
  const runAt = endOf(PREV, text, prevAt);
  const run = runAt < 0 ? null : RUN.at(text, runAt);
  if (run === null) return null;
  const seqAt = runAt + run.text.length;
  const momentAt = endOf(SEQ, text, seqAt);
  const moment = momentAt < 0 ? null : MOMENT.at(text, momentAt);
  if (moment === null) return null;
  const typeAt = momentAt + moment.text.length;
  const workflowAt = endOf(TYPE, text, typeAt);
  const workflow = workflowAt < 0 ? null : WORKFLOW.at(text, workflowAt);
  if (workflow === null || workflowAt + workflow.text.length !== text.length) return null;
  return {
    v: 1,
    type: text.slice(typeAt + 1, text.indexOf('"', typeAt + 1)),
    seq: Number(text.slice(seqAt, text.indexOf(',', seqAt))),
    prev: (text.startsWith('null', prevAt) ? null : text.slice(prevAt + 1, prevAt + 65)) as Hex | null,
    run: run.value,
    tenant: moment.value.tenant,
    actor: actor.value,
    workflow: workflow.value,
    policy: policy.value,
    time: moment.value.time,
    timeMs: moment.value.timeMs,
    data,
    commit,
  };
}

/** Reads the commitments from behind the brace into `commit`; the position behind their end, or -1. */
function readCommit(text: string, from: number, commit: Record<string, Commitment>): number {
  if (text.startsWith('}', from)) return from + 1;
  for (let at = from, last = ''; ; at = COMMITMENT.lastIndex) {
    COMMITMENT.lastIndex = at;
    const found = COMMITMENT.exec(text);
    if (found === null) return -1;
    const [, label = '', hex, mark] = found;
    // Ascending, as the canonical form has them. Assignment to __proto__ would set no key.
    if (label <= last || label === '__proto__') return -1;
    commit[label] = hex as Commitment;
    if (mark === '}') return COMMITMENT.lastIndex;
    last = label;
  }
}

/** Where what `sticky` matches at `at` ends, or -1. */
function endOf(sticky: RegExp, text: string, at: number): number {
  sticky.lastIndex = at;
  return sticky.test(text) ? sticky.lastIndex : -1;
}
