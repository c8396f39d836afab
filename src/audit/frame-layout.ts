// Recognises an entry that is in order. Its keys come in one order and its frame has one spelling, so its marks are
// compared with that spelling from left to right instead of making a tree of them. What is found are places: plain
// numbers, which another thread can be given. What passes here, the strict reader, the canonical form and the schema
// accept (test/property/entry-frame.test.ts); whatever does not pass is read by those, which also know what is wrong.
import {
  digitsEnd,
  hexEnd,
  lettersEnd,
  literal,
  literalEnd,
  unitAt,
  unitsOf,
  type CodeUnits,
} from './code-units.js';
import { decodeUtf8 } from './json-reader.js';
import { isBefore, plainObjectEnd, plainStringEnd, type Marks } from './plain-json.js';
import { TIME_LENGTH, timeAt } from './time.js';

/**
 * What stands where in the layout of one entry: how many numbers it has (1 = the entry was not recognised), where parts
 * begin and end in the text, the two numbers that the entry itself holds (its time in days and in milliseconds of the
 * day), and from `values` on where each value of its data begins and ends. Of what may be null, the value's place.
 */
export const LAYOUT = {
  length: 0,
  actorIdEnd: 1,
  commit: 2,
  data: 3,
  dataEnd: 4,
  prev: 5,
  run: 6,
  runEnd: 7,
  seq: 8,
  tenant: 9,
  tenantEnd: 10,
  type: 11,
  typeEnd: 12,
  workflow: 13,
  end: 14,
  day: 15,
  dayMs: 16,
  values: 17,
} as const;

export const DAY_MS = 86_400_000;
/** Numbers that the layout of an ordinary entry has, at most. */
const ROOM = 48;
/** UTF-8 says with bytes from here on what is not ASCII. */
const ASCII_END = 0x80;
const ANY_UNIT = 0x10000;

/** Layouts of entries, one after another. */
export class Layouts {
  /** Grows by being replaced; what a former array holds stays true. */
  private held: Int32Array<ArrayBuffer>;
  private used = 0;
  /** Of the entry that is being laid out. */
  private start = 0;

  /** With room for that many ordinary entries; it grows. */
  constructor(entries: number) {
    this.held = new Int32Array(entries * ROOM);
  }

  /**
   * Adds the layout of the entry whose canonical form `bytes` (attacker-controlled) are; places count the UTF-16 code
   * units of its text. Of one that this reader can't tell, the single number 1. Time is linear in the bytes.
   */
  add(bytes: Uint8Array): boolean {
    this.start = this.used;
    const isEntry = this.addMarks({ units: bytes, limit: ASCII_END }) || this.addText(bytes);
    if (!isEntry) this.used = this.start + 1;
    this.set(LAYOUT.length, this.used - this.start);
    return isEntry;
  }

  set(part: number, value: number): void {
    this.held[this.start + part] = value;
  }

  /** Where a value begins and ends. */
  pushValue(from: number, to: number): void {
    const at = this.used;
    this.skip(2);
    this.held[at] = from;
    this.held[at + 1] = to;
  }

  /** The layouts, and room behind them. */
  get numbers(): Int32Array<ArrayBuffer> {
    return this.held;
  }

  /** Where the layout that was added last begins. */
  get last(): number {
    return this.start;
  }

  private addMarks(marks: Marks): boolean {
    this.used = this.start;
    this.skip(LAYOUT.values);
    return layOut(marks, this);
  }

  private addText(bytes: Uint8Array): boolean {
    if (bytes.every((byte) => byte < ASCII_END)) return false;
    const text = textOf(bytes);
    // What is not UTF-8 is no entry.
    return text !== null && this.addMarks({ units: unitsOf(text), limit: ANY_UNIT });
  }

  private skip(count: number): void {
    this.used += count;
    if (this.used <= this.held.length) return;
    const larger = new Int32Array(2 * this.used);
    larger.set(this.held);
    this.held = larger;
  }
}

/** The text that strict UTF-8 says; null when the bytes (attacker-controlled) are none. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return decodeUtf8(bytes);
  } catch {
    return null;
  }
}

const ACTOR_ID = literal('{"actor":{"id":"');
const VIA = literal(',"via":"');
const COMMIT = literal('},"commit":{');
const DATA = literal(',"data":');
const POLICY = literal(',"policy":');
const PREV = literal(',"prev":');
const RUN = literal(',"run":');
const SEQ = literal(',"seq":');
const TENANT = literal(',"tenant":"');
const TIME = literal(',"time":"');
const TYPE = literal('","type":"');
const VERSION = literal('","v":1,"workflow":');
const WORKFLOW_HASH = literal('{"hash":"');
const WORKFLOW_ID = literal('","id":"');
const NULL = literal('null');
const QUOTE = 0x22;
const COMMA = 0x2c;
const DOT = 0x2e;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OBJECT_END = 0x7d;
const HEX_LENGTH = 64;
const MAX_SEQ_DIGITS = 9;
const MAX_WORD = 32;
const MAX_LABEL = 64;

/** One step after the other, each from where the one before it ended; -1 is passed on. */
function layOut(marks: Marks, layout: Layouts): boolean {
  const { units } = marks;
  const actorIdEnd = textEnd(marks, literalEnd(units, 0, ACTOR_ID));
  const viaEnd = textEnd(marks, literalEnd(units, actorIdEnd, VIA));
  const commit = literalEnd(units, viaEnd, COMMIT);
  const data = literalEnd(units, commitsEnd(units, commit), DATA);
  if (data < 0) return false;
  // Of the levels that count, the entry is the first.
  const dataEnd = plainObjectEnd(marks, data, 2, layout);
  const policyEnd = hashEnd(units, literalEnd(units, dataEnd, POLICY));
  const prev = literalEnd(units, policyEnd, PREV);
  const run = literalEnd(units, hashEnd(units, prev), RUN);
  const runEnd = unitAt(units, run) === QUOTE ? textEnd(marks, run + 1) : literalEnd(units, run, NULL);
  const seq = literalEnd(units, runEnd, SEQ);
  const tenant = literalEnd(units, digitsEnd(units, seq, MAX_SEQ_DIGITS), TENANT);
  const tenantEnd = textEnd(marks, tenant);
  const time = literalEnd(units, tenantEnd, TIME);
  const timeMs = time < 0 ? null : timeAt(units, time);
  if (timeMs === null) return false;
  const type = literalEnd(units, time + TIME_LENGTH, TYPE);
  const noun = lettersEnd(units, type, MAX_WORD);
  if (noun < 0 || unitAt(units, noun) !== DOT) return false;
  const typeEnd = lettersEnd(units, noun + 1, MAX_WORD);
  const workflow = literalEnd(units, typeEnd, VERSION);
  const workflowEnd = workflowEndOf(marks, workflow);
  if (workflowEnd < 0 || unitAt(units, workflowEnd) !== OBJECT_END) return false;
  if (workflowEnd + 1 !== units.length) return false;
  const day = Math.floor(timeMs / DAY_MS);
  layout.set(LAYOUT.actorIdEnd, actorIdEnd);
  layout.set(LAYOUT.commit, commit);
  layout.set(LAYOUT.data, data);
  layout.set(LAYOUT.dataEnd, dataEnd);
  layout.set(LAYOUT.prev, prev);
  layout.set(LAYOUT.run, run);
  layout.set(LAYOUT.runEnd, runEnd);
  layout.set(LAYOUT.seq, numberAt(units, seq));
  layout.set(LAYOUT.tenant, tenant);
  layout.set(LAYOUT.tenantEnd, tenantEnd);
  layout.set(LAYOUT.type, type);
  layout.set(LAYOUT.typeEnd, typeEnd);
  layout.set(LAYOUT.workflow, workflow);
  layout.set(LAYOUT.end, workflowEnd + 1);
  layout.set(LAYOUT.day, day);
  layout.set(LAYOUT.dayMs, timeMs - day * DAY_MS);
  return true;
}

/** From behind the opening quote of a text that is not empty. */
function textEnd(marks: Marks, from: number): number {
  if (from < 0 || unitAt(marks.units, from) === QUOTE) return -1;
  return plainStringEnd(marks, from);
}

/** Of a hash in quotes, or null. */
function hashEnd(units: CodeUnits, at: number): number {
  if (at < 0) return -1;
  if (unitAt(units, at) !== QUOTE) return literalEnd(units, at, NULL);
  const end = hexEnd(units, at + 1, HEX_LENGTH);
  return end >= 0 && unitAt(units, end) === QUOTE ? end + 1 : -1;
}

function workflowEndOf(marks: Marks, at: number): number {
  const { units } = marks;
  if (at < 0 || unitAt(units, at) === NULL[0]) return literalEnd(units, at, NULL);
  const hash = literalEnd(units, at, WORKFLOW_HASH);
  const id = literalEnd(units, hexEnd(units, hash, HEX_LENGTH), WORKFLOW_ID);
  const end = textEnd(marks, id);
  return end >= 0 && unitAt(units, end) === OBJECT_END ? end + 1 : -1;
}

/** From behind the brace of the commitments: labels in ascending order, each with its hash. */
function commitsEnd(units: CodeUnits, from: number): number {
  if (from < 0) return -1;
  if (unitAt(units, from) === OBJECT_END) return from + 1;
  let before = -1;
  for (let at = from; ; at++) {
    const label = at + 1;
    at = labelEnd(units, at);
    if (at < 0 || unitAt(units, at) !== COLON || unitAt(units, at + 1) !== QUOTE) return -1;
    if (before >= 0 && !isBefore(units, before, label)) return -1;
    before = label;
    at = hashEnd(units, at + 1);
    if (at < 0) return -1;
    if (unitAt(units, at) !== COMMA) return unitAt(units, at) === OBJECT_END ? at + 1 : -1;
  }
}

/** Of 1 to 64 visible ASCII characters in quotes that need no escape. */
function labelEnd(units: CodeUnits, at: number): number {
  if (unitAt(units, at) !== QUOTE) return -1;
  for (let end = at + 1; end <= at + 1 + MAX_LABEL; end++) {
    const unit = unitAt(units, end);
    if (unit === QUOTE) return end === at + 1 ? -1 : end + 1;
    if (unit <= 0x20 || unit > 0x7e || unit === BACKSLASH) return -1;
  }
  return -1;
}

/** What is known to be digits. */
function numberAt(units: CodeUnits, at: number): number {
  let value = 0;
  for (let i = at; unitAt(units, i) !== COMMA; i++) value = value * 10 + unitAt(units, i) - 0x30;
  return value;
}
