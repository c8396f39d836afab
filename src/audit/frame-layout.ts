// Recognises an entry that is in order. Its keys come in one order and its frame has one spelling, so the text is compared
// with that spelling from left to right instead of making a tree of it. What is found are places: plain numbers, which
// another thread can be given. What passes here, the strict reader, the canonical form and the schema accept
// (test/property/entry-frame.test.ts); whatever does not pass is read by those, which also know what is wrong with it.
import {
  ACTOR,
  COMMITMENT,
  DATA,
  endOf,
  MOMENT,
  POLICY,
  PREV,
  RUN,
  SEQ,
  TYPE,
  WORKFLOW,
} from './entry-parts.js';
import { plainObjectEnd } from './plain-json.js';

/**
 * What stands where in the layout of one entry: how many numbers it has (1 = the entry was not recognised), where parts
 * begin and end in the text, the two numbers that the entry itself holds (its time in days and in milliseconds of the
 * day), and from `values` on where each value of its data begins and ends.
 */
export const LAYOUT = {
  length: 0,
  commit: 1,
  data: 2,
  dataEnd: 3,
  prev: 4,
  run: 5,
  runEnd: 6,
  moment: 7,
  type: 8,
  typeEnd: 9,
  workflow: 10,
  seq: 11,
  day: 12,
  dayMs: 13,
  values: 14,
} as const;

export const DAY_MS = 86_400_000;
/** Numbers that the layout of an ordinary entry has, at most. */
const ROOM = 48;

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
   * Adds the layout of the entry that `text` (attacker-controlled, decoded from strict UTF-8) is the canonical form of;
   * of one that this reader can't tell, the single number 1. Time is linear in the text.
   */
  add(text: string): boolean {
    this.start = this.used;
    this.skip(LAYOUT.values);
    const isEntry = layOut(text, this);
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

  private skip(count: number): void {
    this.used += count;
    if (this.used <= this.held.length) return;
    const larger = new Int32Array(2 * this.used);
    larger.set(this.held);
    this.held = larger;
  }
}

function layOut(text: string, layout: Layouts): boolean {
  const actor = ACTOR.at(text, 0);
  if (actor === null) return false;
  const commit = actor.text.length;
  const commitEnd = commitsEnd(text, commit);
  if (commitEnd < 0 || !text.startsWith(DATA, commitEnd)) return false;
  const data = commitEnd + DATA.length;
  // Of the levels that count, the entry is the first.
  const dataEnd = plainObjectEnd(text, data, 2, layout);
  const policy = dataEnd < 0 ? null : POLICY.at(text, dataEnd);
  if (policy === null) return false;
  const prev = dataEnd + policy.text.length;
  const run = endOf(PREV, text, prev);
  const runPart = run < 0 ? null : RUN.at(text, run);
  if (runPart === null) return false;
  const seq = run + runPart.text.length;
  const moment = endOf(SEQ, text, seq);
  const momentPart = moment < 0 ? null : MOMENT.at(text, moment);
  if (momentPart === null) return false;
  const type = moment + momentPart.text.length;
  const workflow = endOf(TYPE, text, type);
  const workflowPart = workflow < 0 ? null : WORKFLOW.at(text, workflow);
  if (workflowPart === null || workflow + workflowPart.text.length !== text.length) return false;
  const { timeMs } = momentPart.value;
  const day = Math.floor(timeMs / DAY_MS);
  layout.set(LAYOUT.commit, commit);
  layout.set(LAYOUT.data, data);
  layout.set(LAYOUT.dataEnd, dataEnd);
  layout.set(LAYOUT.prev, prev);
  layout.set(LAYOUT.run, run);
  layout.set(LAYOUT.runEnd, seq - ',"seq":'.length);
  layout.set(LAYOUT.moment, moment);
  layout.set(LAYOUT.type, type);
  layout.set(LAYOUT.typeEnd, workflow - ',"v":1,'.length);
  layout.set(LAYOUT.workflow, workflow);
  layout.set(LAYOUT.seq, Number(text.slice(seq, text.indexOf(',', seq))));
  layout.set(LAYOUT.day, day);
  layout.set(LAYOUT.dayMs, timeMs - day * DAY_MS);
  return true;
}

/** From behind the brace of the commitments: the position behind their end, or -1. */
function commitsEnd(text: string, from: number): number {
  if (text.startsWith('}', from)) return from + 1;
  for (let at = from, last = ''; ; at = COMMITMENT.lastIndex) {
    COMMITMENT.lastIndex = at;
    const found = COMMITMENT.exec(text);
    if (found === null) return -1;
    const [, label = '', , mark] = found;
    // Ascending, as the canonical form has them. Assignment to __proto__ would set no key.
    if (label <= last || label === '__proto__') return -1;
    if (mark === '}') return COMMITMENT.lastIndex;
    last = label;
  }
}
