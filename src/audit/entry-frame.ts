// A short way to read an entry that is in order: its parts are where `Layouts` has them, and what few ask for stays text
// until somebody does.
import { WritError } from '../errors.js';
import type { Commitment, Hex } from '../json.js';
import { ACTOR, COMMITMENT, MOMENT, POLICY, WORKFLOW, type Part } from './entry-parts.js';
import type { Entry } from './entry-schema.js';
import { DAY_MS, LAYOUT, Layouts } from './frame-layout.js';
import { PlainObject } from './plain-json.js';
import { formatTime } from './time.js';

/**
 * The entry that `text` (attacker-controlled, decoded from strict UTF-8) is the canonical form of; null when this
 * reader can't tell. Time is linear in the text.
 */
export function scanFrame(text: string): Frame | null {
  const layouts = new Layouts(1);
  return layouts.add(text) ? new Frame(text, layouts.numbers, 0) : null;
}

/** As `scanFrame`, all of it read. */
export function readFrame(text: string): Entry | null {
  const frame = scanFrame(text);
  if (frame === null) return null;
  const { v, type, seq, prev, run, tenant, actor, workflow, policy, time, timeMs, commit } = frame;
  const data = frame.data.all();
  return { v, type, seq, prev, run, tenant, actor, workflow, policy, time, timeMs, data, commit };
}

const LETTER_N = 0x6e;

/** An entry whose parts still lie in its text, but for those that every rule looks at. */
export class Frame implements Omit<Entry, 'data'> {
  readonly v = 1;
  readonly type: string;
  readonly seq: number;
  readonly prev: Hex | null;
  readonly run: string | null;
  readonly timeMs: number;
  readonly data: PlainObject;

  constructor(
    private readonly text: string,
    private readonly layouts: Int32Array,
    /** Where the layout of this entry begins. */
    private readonly start: number,
  ) {
    const prev = this.place(LAYOUT.prev);
    const run = this.place(LAYOUT.run);
    this.type = text.slice(this.place(LAYOUT.type) + 1, this.place(LAYOUT.typeEnd) - 1);
    this.seq = this.place(LAYOUT.seq);
    this.prev = (isNull(text, prev) ? null : text.slice(prev + 1, prev + 65)) as Hex | null;
    this.run = isNull(text, run) ? null : text.slice(run + 1, this.place(LAYOUT.runEnd) - 1);
    this.timeMs = this.place(LAYOUT.day) * DAY_MS + this.place(LAYOUT.dayMs);
    const end = start + this.place(LAYOUT.length);
    const [at, atEnd] = [this.place(LAYOUT.data), this.place(LAYOUT.dataEnd)];
    this.data = new PlainObject(text, at, atEnd, layouts, start + LAYOUT.values, end);
  }

  get time(): string {
    return formatTime(this.timeMs) ?? mislaid();
  }

  get tenant(): string {
    return said(MOMENT.at(this.text, this.place(LAYOUT.moment))).tenant;
  }

  get actor(): Entry['actor'] {
    return said(ACTOR.at(this.text, 0));
  }

  get policy(): Entry['policy'] {
    return said(POLICY.at(this.text, this.place(LAYOUT.dataEnd)));
  }

  get workflow(): Entry['workflow'] {
    return said(WORKFLOW.at(this.text, this.place(LAYOUT.workflow)));
  }

  get commit(): Entry['commit'] {
    const { text } = this;
    const commit: Record<string, Commitment> = {};
    COMMITMENT.lastIndex = this.place(LAYOUT.commit);
    for (let found = COMMITMENT.exec(text); found !== null; found = COMMITMENT.exec(text)) {
      const [, label = '', hex, mark] = found;
      commit[label] = hex as Commitment;
      if (mark === '}') break;
    }
    return commit;
  }

  private place(part: number): number {
    return this.layouts[this.start + part] ?? mislaid();
  }
}

function isNull(text: string, at: number): boolean {
  return text.charCodeAt(at) === LETTER_N;
}

function said<Value>(part: Part<Value> | null): Value {
  return part === null ? mislaid() : part.value;
}

function mislaid(): never {
  throw new WritError('INTERNAL', 'the layout of an entry is not that of its text');
}
