// A short way to read an entry that is in order. Its keys come in one order and its frame has one spelling, so the
// text is compared with that spelling from left to right instead of making a tree of it; only `data` is parsed, after
// it was recognised as plain canonical JSON. What passes, the strict reader, the canonical form and the schema accept
// with the same result (test/property/entry-frame.test.ts); whatever does not pass is read by those, which also know
// what is wrong with it.
import type { Commitment, Hex, JsonObject } from '../json.js';
import type { Entry } from './entry-schema.js';
import { plainObjectEnd } from './plain-json.js';
import { parseTime } from './time.js';

// What stands in front of `commit` and behind `data`. Each expression takes linear time: what ends a part can't stand
// inside it. Text is not empty and needs no escape; 15 digits are always a safe integer. Hex digits are written out,
// because engines match a class 64 times much faster than a class with a count of 64.
const TEXT = /"([^"\\\0-\x1f]+)"/;
const HEX4 = /[0-9a-f][0-9a-f][0-9a-f][0-9a-f]/;
const HEX16 = new RegExp(`${HEX4.source}${HEX4.source}${HEX4.source}${HEX4.source}`);
const HASH = new RegExp(`"(${HEX16.source}${HEX16.source}${HEX16.source}${HEX16.source})"`);
const COUNT = /(0|[1-9][0-9]{0,14})/;
const TYPE = /"([a-z]{1,32}\.[a-z]{1,32})"/;
const LABEL = /"([!#-[\]-~]{1,64})"/;
const ACTOR = new RegExp(`\\{"actor":\\{"id":${TEXT.source},"via":${TEXT.source}\\},"commit":\\{`, 'y');
const COMMITMENT = new RegExp(`${LABEL.source}:${HASH.source}([,}])`, 'y');
const DATA = ',"data":';
const CHAIN = new RegExp(
  `,"policy":(?:null|${HASH.source}),"prev":(?:null|${HASH.source}),"run":(?:null|${TEXT.source})`,
);
const EVENT = new RegExp(
  `,"seq":${COUNT.source},"tenant":${TEXT.source},"time":${TEXT.source},"type":${TYPE.source},"v":1`,
);
const WORKFLOW = new RegExp(`,"workflow":(?:null|\\{"hash":${HASH.source},"id":${TEXT.source}\\})\\}$`);
const REST = new RegExp(`${CHAIN.source}${EVENT.source}${WORKFLOW.source}`, 'y');

/**
 * The entry that `text` (attacker-controlled, decoded from strict UTF-8) is the canonical form of; null when this
 * reader can't tell. Time is linear in the text.
 */
export function readFrame(text: string): Entry | null {
  const actor = matchAt(ACTOR, text, 0);
  if (actor === null) return null;
  const commit: Record<string, Commitment> = {};
  const commitEnd = readCommit(text, ACTOR.lastIndex, commit);
  if (commitEnd < 0 || !text.startsWith(DATA, commitEnd)) return null;
  const start = commitEnd + DATA.length;
  // Of the levels that count, the entry is the first.
  const end = plainObjectEnd(text, start, 2);
  const rest = end < 0 ? null : matchAt(REST, text, end);
  if (rest === null) return null;
  const [, policy, prev, run, seq, tenant = '', time = '', type = '', hash, id = ''] = rest;
  const timeMs = parseTime(time);
  if (timeMs === null) return null;
  return {
    v: 1,
    type,
    seq: Number(seq),
    prev: (prev ?? null) as Hex | null,
    run: run ?? null,
    tenant,
    actor: { id: actor[1] ?? '', via: actor[2] ?? '' },
    workflow: hash === undefined ? null : { id, hash: hash as Hex },
    policy: (policy ?? null) as Hex | null,
    time,
    timeMs,
    data: JSON.parse(text.slice(start, end)) as JsonObject,
    commit,
  };
}

/** Reads the commitments from behind the brace into `commit`; the position behind their end, or -1. */
function readCommit(text: string, from: number, commit: Record<string, Commitment>): number {
  if (text.startsWith('}', from)) return from + 1;
  for (let at = from, last = ''; ; at = COMMITMENT.lastIndex) {
    const found = matchAt(COMMITMENT, text, at);
    if (found === null) return -1;
    const [, label = '', hex, mark] = found;
    // Ascending, as the canonical form has them. Assignment to __proto__ would set no key.
    if (label <= last || label === '__proto__') return -1;
    commit[label] = hex as Commitment;
    if (mark === '}') return COMMITMENT.lastIndex;
    last = label;
  }
}

function matchAt(sticky: RegExp, text: string, at: number): RegExpExecArray | null {
  sticky.lastIndex = at;
  return sticky.exec(text);
}
