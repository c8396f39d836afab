// The parts of an entry's text whose frame has one spelling, as expressions. What a part says is read by the same
// expression that recognises it.
import type { Hex } from '../json.js';
import { parseTime } from './time.js';

// Each expression takes linear time: what ends a part can't stand inside it. Text is not empty and needs no escape; 15
// digits are always a safe integer. Hex digits are written out, because engines match a class 64 times much faster than
// a class with a count of 64.
const TEXT = /"([^"\\\0-\x1f]+)"/;
const HEX4 = /[0-9a-f][0-9a-f][0-9a-f][0-9a-f]/;
const HEX16 = new RegExp(`${HEX4.source}${HEX4.source}${HEX4.source}${HEX4.source}`);
const HASH = new RegExp(`"(${HEX16.source}${HEX16.source}${HEX16.source}${HEX16.source})"`);
export const COMMITMENT = new RegExp(`"([!#-[\\]-~]{1,64})":${HASH.source}([,}])`, 'y');
export const DATA = ',"data":';
export const PREV = new RegExp(`(?:null|${HASH.source}),"run":`, 'y');
export const SEQ = /(?:0|[1-9][0-9]{0,8}),"tenant":/y;
export const TYPE = /"[a-z]{1,32}\.[a-z]{1,32}","v":1,/y;

/** A part and what it says. */
export interface Part<Value> {
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

export const ACTOR = new Repeated(
  new RegExp(`\\{"actor":\\{"id":${TEXT.source},"via":${TEXT.source}\\},"commit":\\{`, 'y'),
  ([, id = '', via = '']) => ({ id, via }),
);
export const POLICY = new Repeated(
  new RegExp(`,"policy":(?:null|${HASH.source}),"prev":`, 'y'),
  ([, hash]) => (hash ?? null) as Hex | null,
);
export const RUN = new Repeated(new RegExp(`(?:null|${TEXT.source}),"seq":`, 'y'), ([, run]) => run ?? null);
export const MOMENT = new Repeated(
  new RegExp(`${TEXT.source},"time":${TEXT.source},"type":`, 'y'),
  ([, tenant = '', time = '']) => {
    const timeMs = parseTime(time);
    return timeMs === null ? undefined : { tenant, time, timeMs };
  },
);
export const WORKFLOW = new Repeated(
  new RegExp(`"workflow":(?:null|\\{"hash":${HASH.source},"id":${TEXT.source}\\})\\}`, 'y'),
  ([, hash, id = '']) => (hash === undefined ? null : { id, hash: hash as Hex }),
);

/** Where what `sticky` matches at `at` ends, or -1. */
export function endOf(sticky: RegExp, text: string, at: number): number {
  sticky.lastIndex = at;
  return sticky.test(text) ? sticky.lastIndex : -1;
}
