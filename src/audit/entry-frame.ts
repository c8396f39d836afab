// A short way to read an entry that is in order: its parts are where `Layouts` has them, and what few ask for stays text
// until somebody does.
import { WritError } from '../errors.js';
import type { Hex } from '../json.js';
import type { Entry } from './entry-schema.js';
import { DAY_MS, LAYOUT, Layouts, textOf } from './frame-layout.js';
import { PlainObject } from './plain-json.js';
import { formatTime } from './time.js';

/**
 * The entry whose canonical form `bytes` (attacker-controlled) are; null when this reader can't tell. Time is linear in
 * the bytes.
 */
export function scanFrame(bytes: Uint8Array): Frame | null {
  const layouts = new Layouts(1);
  const text = layouts.add(bytes) ? textOf(bytes) : null;
  return text === null ? null : new Frame(text, 0, layouts.numbers, 0);
}

/** As `scanFrame`, all of it read. */
export function readFrame(bytes: Uint8Array): Entry | null {
  const frame = scanFrame(bytes);
  if (frame === null) return null;
  const { v, type, seq, prev, run, tenant, actor, workflow, policy, time, timeMs, commit } = frame;
  const data = frame.data.all();
  return { v, type, seq, prev, run, tenant, actor, workflow, policy, time, timeMs, data, commit };
}

const LETTER_N = 0x6e;
const HASH_LENGTH = 64;

/** An entry whose parts still lie in its text, but for those that every rule looks at. */
export class Frame implements Omit<Entry, 'data'> {
  readonly v = 1;
  readonly type: string;
  readonly seq: number;
  readonly prev: Hex | null;
  readonly run: string | null;
  readonly timeMs: number;

  constructor(
    /** The entry is in it, */
    private readonly text: string,
    /** from here on. */
    private readonly from: number,
    private readonly layouts: Int32Array,
    /** Where the layout of this entry begins. */
    private readonly start: number,
  ) {
    const run = this.place(LAYOUT.run);
    this.type = text.slice(this.place(LAYOUT.type), this.place(LAYOUT.typeEnd));
    this.seq = this.number(LAYOUT.seq);
    this.prev = this.hash(this.place(LAYOUT.prev));
    this.run = this.isNull(run) ? null : text.slice(run + 1, this.place(LAYOUT.runEnd) - 1);
    this.timeMs = this.number(LAYOUT.day) * DAY_MS + this.number(LAYOUT.dayMs);
  }

  get data(): PlainObject {
    const { text, layouts, from, start } = this;
    const last = start + this.number(LAYOUT.length);
    const members = { places: layouts, from, first: start + LAYOUT.values, last };
    return new PlainObject(text, this.place(LAYOUT.data), this.place(LAYOUT.dataEnd), members);
  }

  get time(): string {
    return formatTime(this.timeMs) ?? mislaid();
  }

  get tenant(): string {
    return this.text.slice(this.place(LAYOUT.tenant), this.place(LAYOUT.tenantEnd) - 1);
  }

  get actor(): Entry['actor'] {
    const end = this.place(LAYOUT.actorIdEnd);
    const id = this.text.slice(this.from + '{"actor":{"id":"'.length, end - 1);
    return {
      id,
      via: this.text.slice(end + ',"via":"'.length, this.place(LAYOUT.commit) - '"},"commit":{'.length),
    };
  }

  get policy(): Entry['policy'] {
    return this.hash(this.place(LAYOUT.dataEnd) + ',"policy":'.length);
  }

  get workflow(): Entry['workflow'] {
    const at = this.place(LAYOUT.workflow);
    if (this.isNull(at)) return null;
    const hash = this.hash(at + '{"hash":'.length) ?? mislaid();
    const [id, end] = [at + '{"hash":"","id":"'.length + HASH_LENGTH, this.place(LAYOUT.end)];
    return { id: this.text.slice(id, end - '"}}'.length), hash };
  }

  get commit(): Entry['commit'] {
    const end = this.place(LAYOUT.data) - ',"data":'.length;
    return JSON.parse(this.text.slice(this.place(LAYOUT.commit) - 1, end)) as Entry['commit'];
  }

  private number(part: number): number {
    return this.layouts[this.start + part] ?? mislaid();
  }

  private place(part: number): number {
    return this.from + this.number(part);
  }

  private isNull(at: number): boolean {
    return this.text.charCodeAt(at) === LETTER_N;
  }

  private hash(at: number): Hex | null {
    return this.isNull(at) ? null : (this.text.slice(at + 1, at + 1 + HASH_LENGTH) as Hex);
  }
}

function mislaid(): never {
  throw new WritError('INTERNAL', 'the layout of an entry is not that of its text');
}
